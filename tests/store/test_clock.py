"""The day of what is stored: never one that is over, and no removal by a clock that has leapt."""

import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import event, text

from tests.store.test_retention import ACTIVE, hashed
from tests.store.things import CLOCK, DAY, NEXT, SIZE, after, an_id, files, on, opened, put, report, rows, sealed
from whistle.store import Heap, Leapt, State, Store, WrongDay, clock, open_store, sqlite_files

ROUNDS = 4
LATER = after(180)
MUCH_LATER = after(300)


@pytest.fixture
def behind(store: Store, url: str, tmp_path: Path) -> Iterator[Store]:
    """The same store as another process has it open, whose clock goes wrong by up to a day."""

    def day() -> date:
        return CLOCK.day - timedelta(days=random.randrange(2))

    with closing(open_store(url, tmp_path / "blocks", SIZE, day)) as found:
        yield found


def test_a_form_under_way_at_midnight_counts_for_the_new_day(store: Store) -> None:
    """Blocks put before midnight and their envelopes, committed after the turn-over, are of the day of the commit."""
    first, _, _ = report(store, blocks=1)
    id, body = put(store)
    on(store, NEXT).turn_over()
    before = store.day_ids(DAY), store.day_hash(DAY)
    late = sealed()
    store.commit([late], [id])
    assert (store.day_ids(DAY), store.day_hash(DAY)) == before
    assert store.lookup([late.id])[0].day == NEXT
    assert store.day_hash(NEXT) == hashed((late.id, late.body), (id, body))
    assert store.lookup([first.id])[0].day == DAY


def test_a_clock_that_lags_brings_nothing_to_a_day_that_is_over(store: Store, url: str, tmp_path: Path) -> None:
    """A process whose clock shows yesterday stores, collects, withdraws and is visited on the last day seen."""
    on(store, NEXT).turn_over()
    with closing(open_store(url, tmp_path / "blocks", SIZE, lambda: DAY)) as late:
        first, _, _ = report(late, blocks=1)
        gone, slip, _ = report(late)
        late.collect([first.id])
        late.withdraw(gone.id, slip.id)
        late.record_visit("courier")
        assert late.clock().day == NEXT
        assert not late.record_imports([("ombuds", NEXT, late.day_hash(NEXT) or b"")])
    assert store.day_ids(DAY).envelopes == store.day_ids(DAY).blocks == ()
    assert {(each.day, each.state_day) for each in store.lookup([first.id, gone.id, slip.id])} == {(NEXT, NEXT)}
    assert store.last_visit() == NEXT


def test_days_that_are_over_never_grow(store: Store, behind: Store) -> None:
    """While many store and nights fall, what lies there of a day that was turned over stays as it was."""
    over, done = {}, threading.Event()

    def come(where: Store) -> None:
        while not done.is_set():
            first, _, _ = report(where, blocks=1)
            where.collect([first.id])

    writers = [threading.Thread(target=come, args=(where,)) for where in (store, behind, store, behind)]
    for writer in writers:
        writer.start()
    for number in range(1, ROUNDS + 1):
        while not any(counted.day == after(number - 1) for counted in store.days()):
            report(store)
        on(store, after(number)).turn_over()
        day = after(number - 1)
        over[day] = store.day_ids(day), store.day_hash(day)
    done.set()
    for writer in writers:
        writer.join()
    assert {day: (store.day_ids(day), store.day_hash(day)) for day in over} == over
    assert all(ids.envelopes for ids, _ in over.values())


@pytest.mark.parametrize("wrong", [LATER, after(3), after(-3), after(-5000)], ids=["ahead", "3", "-3", "back"])
def test_after_a_leap_nothing_is_removed(store: Store, wrong: date, tmp_path: Path) -> None:
    """A clock more than two days off removes and sweeps nothing; put right again, it goes on as if nothing had been."""
    first, slip, (id,) = report(store, blocks=1)
    waiting, _ = put(store)
    before, kept = rows(store), files(tmp_path / "blocks")
    CLOCK.day = wrong
    for remove in (store.sweep, lambda: store.remove_due(ACTIVE)):
        with pytest.raises(Leapt):
            remove()
    store.turn_over()
    assert (rows(store), files(tmp_path / "blocks")) == (before, kept)
    assert store.clock() == clock.Reading(wrong, DAY)
    on(store, NEXT).turn_over()
    store.sweep()
    store.remove_due(ACTIVE)
    assert (store.body(first.id), store.body(slip.id)) == (first.body, slip.body)
    assert {path.name for path in files(tmp_path / "blocks")} == {id.hex(), waiting.hex()}


def test_two_days_are_no_leap(store: Store) -> None:
    """A server that was off for a day goes on by itself."""
    report(store)
    assert not on(store, after(2)).clock().leapt
    store.remove_due(ACTIVE)
    assert store.clock() == clock.Reading(after(2), after(2))


@pytest.mark.parametrize("right", [after(200), after(9)], ids=["200 days", "9 days"])
def test_what_comes_after_a_leap_counts_for_the_day_that_is_accepted(store: Store, right: date) -> None:
    """After a holiday things are taken on the day behind the last one seen, and on acceptance are of the right day."""
    old, _, _ = report(store, blocks=1)
    CLOCK.day = right
    late, slip, (id,) = report(store, blocks=1)
    store.collect([late.id])
    store.record_visit("courier")
    under_way, _ = put(store)
    assert {each.day for each in store.lookup([late.id, slip.id])} == {NEXT}
    assert not store.record_imports([("ombuds", DAY, store.day_hash(DAY) or b"")])
    CLOCK.day = after(right.toordinal() - DAY.toordinal() + 1)
    another, _, _ = report(store)
    right = CLOCK.day
    store.accept(right)
    assert {each.day for each in store.lookup([late.id, slip.id, another.id])} == {right}
    assert store.lookup([late.id])[0].state_day == store.last_visit() == right
    assert store.day_ids(right).blocks == (id,)
    assert store.lookup([old.id])[0].day == DAY
    store.turn_over()
    store.sweep()
    store.remove_due(ACTIVE)
    assert (store.body(late.id), store.block(id)) == (late.body, store.block(id))
    assert (store.body(old.id) is None) == (right > after(180))
    store.commit([sealed()], [under_way])


def test_what_came_under_days_ahead_counts_for_the_day_that_is_accepted(store: Store, tmp_path: Path) -> None:
    """Once the right day is accepted after a wrong one, nothing lies under days to come, and nothing is lost."""
    old, _, _ = report(store, blocks=1)
    on(store, NEXT).turn_over()
    store.collect([old.id])
    for reviewer in ACTIVE:
        store.record_imports([(reviewer, DAY, store.day_hash(DAY) or b"")])
    on(store, LATER).turn_over()
    first, slip, (id,) = report(store, blocks=1)
    on(store, after(181)).turn_over()
    second, _, _ = report(store)
    store.record_visit("courier")
    store.record_imports([("ombuds", LATER, store.day_hash(LATER) or b"")])
    assert store.remove_due(ACTIVE) == [DAY]
    CLOCK.day = after(2)
    assert store.clock().leapt
    store.accept(after(2))
    assert store.clock() == clock.Reading(after(2), after(2))
    assert {each.day for each in store.lookup([first.id, slip.id, second.id])} == {after(2)}
    assert [counted.day for counted in store.days()] == [after(2)]
    assert set(store.day_ids(after(2)).envelopes) == {first.id, second.id}
    assert store.last_visit() == after(2)
    for number in range(3, 7):
        on(store, after(number)).turn_over()
        store.sweep()
        store.remove_due(ACTIVE)
    assert (store.body(first.id), store.body(second.id)) == (first.body, second.body)
    assert store.block(id)


def test_a_day_that_was_removed_hides_none_that_is_accepted_later(store: Store) -> None:
    """Where the accepted day, or one after it, had its bodies removed, what comes on it is listed all the same."""
    reports = []
    for day in (DAY, NEXT):
        for _ in range(20):
            first, _, _ = report(on(store, day))
            reports.append(first)
    on(store, after(2)).turn_over()
    store.collect([each.id for each in reports])
    for reviewer in ACTIVE:
        for day in (DAY, NEXT):
            store.record_imports([(reviewer, day, store.day_hash(day) or b"")])
    for number in range(4, 10):
        on(store, after(number)).turn_over()
    assert store.remove_due(ACTIVE) == [DAY, NEXT]
    CLOCK.day = DAY
    store.accept(DAY)
    late = [report(store)[0] for _ in range(20)]
    assert set(store.day_ids(DAY).envelopes) == {each.id for each in late}
    on(store, NEXT).turn_over()
    assert set(store.day_ids(DAY).envelopes) == {each.id for each in late}
    assert {each.state for each in store.lookup([each.id for each in reports])} == {State.COLLECTED}
    assert [counted.envelopes for counted in store.days()] == [20]


def test_only_the_day_that_the_clock_says_is_accepted(store: Store) -> None:
    """Whoever types another day is refused, and the leap stays; without a leap there is nothing to accept."""
    report(store)
    CLOCK.day = LATER
    with pytest.raises(WrongDay, match=LATER.isoformat()):
        store.accept(NEXT)
    assert store.clock() == clock.Reading(LATER, DAY)
    store.accept(LATER)
    CLOCK.day = NEXT
    with pytest.raises(WrongDay):
        store.accept(LATER)
    CLOCK.day = after(179)
    store.accept(after(179))
    assert store.clock() == clock.Reading(after(179), LATER)


@pytest.mark.parametrize("wrong", [LATER, date(1970, 1, 1)], ids=["ahead", "back"])
def test_an_empty_store_takes_any_day(store: Store, wrong: date) -> None:
    """Before anything was stored there is no day to leap from, though the house was kept by a clock that was wrong."""
    assert store.clock() == clock.Reading(DAY, None)
    CLOCK.day = wrong
    store.sweep()
    store.turn_over()
    store.record_visit("courier")
    CLOCK.day = DAY
    assert not store.clock().leapt
    first, _, _ = report(store)
    assert store.clock() == clock.Reading(DAY, DAY)
    assert store.lookup([first.id])[0].day == DAY
    CLOCK.day = wrong
    assert store.clock() == clock.Reading(wrong, DAY)


def test_whoever_is_killed_while_a_day_is_accepted_removes_nothing(here: Store, tmp_path: Path) -> None:
    """SQLite's two files are committed one after the other: between them, too, what waits is under no day of before."""
    main, today = sqlite_files(str(here.database.engine.url))
    report(here)
    here.turn_over()
    CLOCK.day = MUCH_LATER
    late, _, ids = report(here, blocks=1)
    states: list[Path] = []

    def copy(_: object = None) -> None:
        states.append(tmp_path / f"state{len(states)}")
        for file in (main, today):
            states[-1].mkdir(exist_ok=True)
            for each in (file, Path(f"{file}-wal")):
                shutil.copy(each, states[-1])

    event.listen(here.database.engine, "commit", copy)
    here.accept(MUCH_LATER)
    event.remove(here.database.engine, "commit", copy)
    copy()
    for before, behind in pairwise(states):  # today's file as it was before a commit, the main one as it was after
        for each in (main, Path(f"{main}-wal")):
            shutil.copy(behind / each.name, before)
        blocks = shutil.copytree(tmp_path / "blocks", before / "blocks")
        with closing(opened(f"sqlite:///{before / main.name}", blocks)) as store:
            store.accept(MUCH_LATER)
            store.sweep()
            store.turn_over()
            store.remove_due(ACTIVE)
            assert (store.body(late.id), store.block(ids[0]) is None) == (late.body, False)


def test_postgresql_has_its_own_clock(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PostgreSQL the database says the day, whatever its servers' clocks say; with SQLite the machine does."""
    monkeypatch.setattr(clock, "_system_day", lambda: date(1999, 1, 1))
    with closing(open_store(url, tmp_path / "blocks", SIZE)) as store:
        with store.database.read() as connection:
            asking = text("SELECT (now() AT TIME ZONE 'UTC')::date")
            said = None if store.database.is_sqlite else connection.scalar(asking)
        first = sealed()
        store.commit([first], [])
        day = store.lookup([first.id])[0].day
        assert day == date(1999, 1, 1) if said is None else day - said in {timedelta(0), timedelta(days=1)}


def test_a_block_of_another_heap_counts_for_the_day_on_which_it_comes(store: Store) -> None:
    """A block that a commit named is kept for the other heap too from the day on which it is put for it."""
    id, body = put(store, Heap.REPORTERS)
    store.commit([sealed(Heap.REPORTERS)], [id])
    on(store, NEXT).turn_over()
    before = store.day_ids(DAY)
    store.put_block(id, body, Heap.REVIEWERS)
    assert store.day_ids(DAY) == before
    assert store.day_ids(NEXT).blocks == (id,)
    assert store.day_hash(NEXT) == hashed((id, body))
    assert store.block(an_id()) is None
