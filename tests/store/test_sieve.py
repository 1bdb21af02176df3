"""What a process remembers of the main tables hides nothing from a look, whoever moved it there."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.things import DAY, NEXT, SIZE, an_id, report
from whistle.store import Store, open_store, sieve
from whistle.store.database import driver


@pytest.fixture
def other(here: Store, tmp_path: Path) -> Iterator[Store]:
    """The same store as another process has it open."""
    opened = open_store(f"sqlite:///{tmp_path}/whistle.sqlite", tmp_path / "blocks", SIZE)
    yield opened
    opened.close()


def seen(store: Store, ids: list[bytes]) -> set[bytes]:
    """What a look finds among many ids under which nothing lies."""
    return {found.id for found in store.look(sorted([*ids, *(an_id() for _ in range(1000))]))}


def searched(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids each look searches for in the main tables, once it has looked."""
    counts: list[int] = []
    passed = sieve.Sieve.passed

    def counted(self: sieve.Sieve, *asked: object) -> object:
        found = passed(self, *asked)  # type: ignore[arg-type]
        counts.append(len(found))
        return found

    monkeypatch.setattr(sieve.Sieve, "passed", counted)
    return counts


def test_what_another_process_settled_is_found(here: Store, other: Store) -> None:
    """A look finds what lay in today's tables, and what was moved since by this process or another one."""
    ids: list[bytes] = []
    for store, settling in ((here, here), (here, other), (other, here)):
        ids += [each.id for each in report(store)[:2]]
        assert seen(here, ids) == seen(other, ids) == set(ids)
        settling.turn_over(NEXT)
        assert seen(here, ids) == seen(other, ids) == set(ids)


def test_most_ids_are_not_searched_for(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand ids only those that may lie in the main tables are searched for there."""
    ids = [each.id for each in report(here)[:2]]
    here.turn_over(NEXT)
    counts = searched(here, monkeypatch)
    assert seen(here, ids) == set(ids)
    assert counts == [2]


@pytest.mark.parametrize("why", ["too many", "being made"])
def test_without_it_everything_is_searched_for(here: Store, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Where there are too many ids to remember, or another thread is still reading them, a look finds all the same."""
    ids = [each.id for each in report(here)[:2]]
    here.turn_over(NEXT)
    counts = searched(here, monkeypatch)
    monkeypatch.setattr(sieve, "MOST", 1 if why == "too many" else sieve.MOST)
    with here.database.read() as connection, contextlib.ExitStack() as making:
        if why == "being made":
            kept = connection.get_execution_options()["whistle_sieve"]
            making.enter_context(kept._making)
        assert seen(here, ids) == set(ids)
    assert counts == [1002]


def test_a_move_that_is_taken_back_is_not_counted(here: Store) -> None:
    """The count of moves is part of the transaction that moves."""
    with here.database.read() as connection:
        bare = driver(connection)
        assert bare is not None
        before = sieve.version(bare)
    with contextlib.suppress(KeyError), here.database.write() as connection:
        bare = driver(connection)
        assert bare is not None
        sieve.grown(bare)
        assert sieve.version(bare) == before + 1
        raise KeyError
    with here.database.read() as connection:
        bare = driver(connection)
        assert bare is not None and sieve.version(bare) == before


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
