"""What a process remembers of the tables hides nothing from a look, whoever moved it there."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.things import DAY, NEXT, SIZE, an_id, report
from whistle.store import Ids, Store, StoreError, open_store, sieve
from whistle.store.database import directly
from whistle.store.direct import Direct
from whistle.store.models import MAIN


@pytest.fixture
def other(here: Store, tmp_path: Path) -> Iterator[Store]:
    """The same store as another process has it open."""
    opened = open_store(f"sqlite:///{tmp_path}/whistle.sqlite", tmp_path / "blocks", SIZE)
    yield opened
    opened.close()


def seen(store: Store, ids: list[bytes]) -> set[bytes]:
    """What a look finds among many ids under which nothing lies."""
    return {found.id for found in store.look(sorted([*ids, *(an_id() for _ in range(1000))]))}


def marked(store: Store, table: str) -> int:
    """The mark of a table."""
    with store.database.read() as connection:
        direct = directly(connection)
        assert direct is not None
        return sieve.marked(direct.bare, table)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids each look has searched for: in today's table, then in the main one."""
    counts: list[int] = []
    passed = sieve.Sieve.passed

    def counted(self: sieve.Sieve, *asked: object) -> object:
        found = passed(self, *asked)  # type: ignore[arg-type]
        counts.append(len(found))
        return found

    monkeypatch.setattr(sieve.Sieve, "passed", counted)
    return counts


def test_what_another_process_brought_or_settled_is_found(here: Store, other: Store) -> None:
    """A look finds what came to today's tables and what was moved from them, by this process or another one."""
    ids: list[bytes] = []
    for bringing, settling in ((here, here), (here, other), (other, here), (other, other)):
        for _ in range(3):  # from the second time on, each remembers
            assert seen(here, ids) == seen(other, ids) == set(ids)
        ids += [each.id for each in report(bringing)[:2]]
        for _ in range(3):
            assert seen(here, ids) == seen(other, ids) == set(ids)
        settling.turn_over(NEXT)
        assert seen(here, ids) == seen(other, ids) == set(ids)


def test_most_ids_are_not_searched_for(here: Store, searched: list[int]) -> None:
    """Of a thousand ids only those that may lie in a table are searched for in it, once a second look has come."""
    settled = [each.id for each in report(here)[:2]]
    here.turn_over(NEXT)
    ids = [*settled, *(each.id for _ in range(2) for each in report(here)[:2])]
    for _ in range(3):
        assert seen(here, ids) == set(ids)
    assert searched == [1006, 1006, 4, 2, 4, 2]
    report(here)
    assert seen(here, ids) == set(ids)
    assert searched[-2:] == [1006, 2]


@pytest.mark.parametrize("why", ["too many", "being read"])
def test_without_it_everything_is_searched_for(
    here: Store, searched: list[int], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Where there are too many ids to remember, or another thread is still reading them, a look finds all the same."""
    ids = [each.id for each in report(here)[:2]]
    here.turn_over(NEXT)
    monkeypatch.setattr(sieve, "MOST", 1 if why == "too many" else sieve.MOST)
    with here.database.read() as connection, contextlib.ExitStack() as reading:
        direct = directly(connection)
        if why == "being read" and direct:
            reading.enter_context(direct.sieves[MAIN]._making)
        for _ in range(3):
            assert seen(here, ids) == set(ids)
    assert searched[1::2] == [1002] * 3


@pytest.mark.parametrize("table", ["envelopes", "today_envelopes"])
def test_the_mark_is_part_of_its_transaction(here: Store, table: str) -> None:
    """What is taken back has marked nothing."""
    before = marked(here, table)
    with contextlib.suppress(KeyError), here.database.write() as connection:
        direct = directly(connection)
        assert direct is not None
        sieve.mark(direct.bare, table)
        assert sieve.marked(direct.bare, table) != before
        raise KeyError
    assert marked(here, table) == before


def test_a_turn_over_keeps_the_mark_of_today(here: Store) -> None:
    """Today's file is written afresh in the night; its mark does not begin anew, or it could come twice."""
    report(here)
    before = marked(here, "today_envelopes")
    here.turn_over(NEXT)
    assert before != 0 and marked(here, "today_envelopes") == before


def test_a_look_during_a_turn_over_misses_nothing(here: Store, other: Store) -> None:
    """While days are moved by another process, whoever looks finds every envelope each time."""
    ids = [each.id for _ in range(40) for each in report(here)[:2]]
    missed: list[set[bytes]] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            missed.append(set(ids) - seen(here, ids))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for day in range(4):
        other.turn_over(NEXT.fromordinal(NEXT.toordinal() + day))
        ids += [each.id for _ in range(20) for each in report(other, day=NEXT.fromordinal(DAY.toordinal() + day))[:2]]
    over.set()
    for thread in threads:
        thread.join()
    assert missed and not set().union(*missed)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=40), st.data())
def test_ids_in_one_text_are_those_ids(ids: list[bytes], data: st.DataObject) -> None:
    """They are cut where they lie, wherever one asks, and ascend just when each is above the one before."""
    if data.draw(st.booleans()):
        ids = sorted(ids)
    if ids and data.draw(st.booleans()):
        ids = [ids[0][:4] + each[4:] for each in ids]  # numbers that are the same
    raw = Ids(b"".join(ids))
    assert list(raw) == list(raw[:]) == ids and len(raw) == len(ids)
    assert [raw[at] for at in range(-len(ids), len(ids))] == ids * 2
    low, high = sorted(data.draw(st.lists(st.integers(0, 50), min_size=2, max_size=2)))
    assert list(raw[low : min(high, len(raw))]) == ids[low : min(high, len(ids))]
    assert sieve.numbers(raw) == sieve.numbers(ids) == tuple(int.from_bytes(each[:4]) for each in ids)
    assert raw.ascend() == all(one < two for one, two in itertools.pairwise(ids))
    with pytest.raises(IndexError):
        _ = raw[len(ids)]


def test_a_look_by_ids_in_one_text_finds_the_same(store: Store) -> None:
    """Whether they come one by one or in one text."""
    ids = sorted([*(each.id for each in report(store)[:2]), *(an_id() for _ in range(1000))])
    for _ in range(3):
        assert store.look(Ids(b"".join(ids))) == store.look(ids)
        assert len(store.look(ids)) == 2


def test_a_glance_that_fails_leaves_nothing_behind(here: Store) -> None:
    """The connection is let go, and the next look has another."""
    ids = [each.id for each in report(here)[:2]]
    assert len(here.look(ids)) == 2
    with pytest.raises(StoreError), here.database.glance() as direct:
        assert isinstance(direct, Direct)
        direct.bare.execute("SELECT * FROM nowhere")
    assert not here.database._spare
    assert len(here.look(ids)) == 2
    assert len(here.database._spare) == 1
    here.close()
    assert not here.database._spare
