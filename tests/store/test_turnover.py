"""The turn-over: everything of before today lies in the main tables and folder, and only there."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete

from tests.store.things import DAY, NEXT, after, files, on, put, report, rows, sealed
from whistle.store import (
    FolderOfBlocks,
    Heap,
    State,
    Store,
    StoreError,
    TurnoverCounts,
    database,
    sqlite_files,
    turnover,
)
from whistle.store.models import MAIN, TODAY, Tables, key


def at(store: Store, place: Tables) -> tuple[list[bytes], list[int], list[bytes]]:
    """The ids of envelopes, the keys of bodies and the ids of blocks that lie in a place."""
    with store.database.read() as connection:
        return (
            list(connection.scalars(place.envelopes.select().order_by(place.envelopes.c.id))),
            list(connection.scalars(place.bodies.select().order_by(place.bodies.c.k))),
            list(connection.scalars(place.blocks.select().order_by(place.blocks.c.id))),
        )


def test_what_came_before_today_moves(store: Store, tmp_path: Path) -> None:
    """Rows and files move; what came today, and uploads under way, stay; everything is found as before."""
    first, slip, (moved,) = report(store, blocks=1)
    under_way, _ = put(store)
    new, other, (stays,) = report(on(store, NEXT), blocks=1)
    ids = [first.id, slip.id, new.id, other.id]
    before = store.lookup(ids), store.days(), store.day_ids(DAY), store.day_ids(NEXT), store.block(moved)
    assert on(store, NEXT).turn_over() == TurnoverCounts(envelopes=2, blocks=1)
    assert at(store, MAIN) == (sorted(ids[:2]), sorted(map(key, ids[:2])), [moved])
    assert at(store, TODAY) == (sorted(ids[2:]), sorted(map(key, ids[2:])), sorted([stays, under_way]))
    areas = {path.name: path.parent.parent.name.split("-")[0] for path in files(tmp_path / "blocks")}
    assert areas == {stays.hex(): "today", under_way.hex(): "arriving", moved.hex(): "settled"}
    assert (store.lookup(ids), store.days(), store.day_ids(DAY), store.day_ids(NEXT), store.block(moved)) == before


def test_it_needs_room_for_some_blocks_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many blocks came in a day, few of them lie twice on the disk at a time."""
    monkeypatch.setattr(database, "CHUNK", 2)
    _, _, ids = report(store, blocks=7)
    most, settle = [0], FolderOfBlocks.settle

    def settling(folder: FolderOfBlocks, some: list[bytes]) -> None:
        settle(folder, some)
        most.append(len(files(tmp_path / "blocks")))

    monkeypatch.setattr(FolderOfBlocks, "settle", settling)
    assert on(store, NEXT).turn_over().blocks == 7
    assert max(most) == 7 + 2
    assert all(store.block(id) for id in ids)


def test_on_its_own_day_nothing_moves(store: Store) -> None:
    """A turn-over on the day of arrival leaves everything where it is."""
    report(store, blocks=1)
    before = rows(store)
    assert store.turn_over() == TurnoverCounts(0, 0)
    assert rows(store) == before


def test_states_move_too(store: Store) -> None:
    """Collected and withdrawn stay so."""
    first, slip, _ = report(store)
    gone, other, _ = report(store)
    store.collect([first.id])
    store.withdraw(gone.id, other.id)
    on(store, NEXT).turn_over()
    found = {each.id: each.state for each in store.lookup([first.id, slip.id, gone.id, other.id])}
    assert found == {
        first.id: State.COLLECTED,
        slip.id: State.WAITING,
        gone.id: State.REMOVED,
        other.id: State.REMOVED,
    }


def test_several_days_move_at_once(store: Store) -> None:
    """After days without a turn-over the next one moves them all."""
    for day in (DAY, NEXT, after(2)):
        report(on(store, day), blocks=1)
    before = store.days()
    assert on(store, after(3)).turn_over() == TurnoverCounts(6, 3)
    assert store.days() == before


@pytest.mark.parametrize("deletions", [0, 1], ids=["blocks copied", "blocks moved, envelopes copied"])
def test_what_lies_in_both_places_is_there_once(store: Store, monkeypatch: pytest.MonkeyPatch, deletions: int) -> None:
    """Broken off between copying and deleting, a thing is listed once, can be collected or withdrawn, and stays so."""
    first, slip, _ = report(store, blocks=1)
    gone, other, _ = report(store)
    before = store.days(), store.day_ids(DAY)
    allowed = iter([delete] * deletions)
    monkeypatch.setattr(turnover, "delete", lambda table: next(allowed)(table))
    with pytest.raises(StopIteration):
        on(store, NEXT).turn_over()
    assert (store.days(), store.day_ids(DAY)) == before
    copied = slice(0, 2) if deletions else slice(2, 3)
    assert at(store, MAIN)[copied] == at(store, TODAY)[copied]
    assert on(store, NEXT).collect([first.id]) == [first.id]
    assert on(store, NEXT).withdraw(gone.id, other.id) == "withdrawn"
    monkeypatch.undo()
    on(store, NEXT).turn_over()
    assert at(store, TODAY) == ([], [], [])
    states = {each.id: each.state for each in store.lookup([first.id, slip.id, gone.id, other.id])}
    assert [states[each.id] for each in (first, slip, gone)] == [State.COLLECTED, State.WAITING, State.REMOVED]
    assert store.body(gone.id) is None
    assert store.day_ids(DAY).envelopes == (first.id,)


def test_a_settled_row_whose_file_is_still_todays_is_settled(store: Store, tmp_path: Path) -> None:
    """When a settled file is lost while today's is there, the sweep settles it again and never drops the last copy."""
    _, _, (id,) = report(store, blocks=1)
    body = store.block(id)
    assert body is not None
    on(store, NEXT).turn_over()
    for path in files(tmp_path / "blocks" / "settled"):
        path.unlink()
    place = FolderOfBlocks(tmp_path / "blocks")
    place.put(id, body)
    place.keep([id])
    on(store, NEXT).sweep()
    assert [path.name for path in files(tmp_path / "blocks" / "settled")] == [id.hex()]
    assert files(tmp_path / "blocks" / "today") == []
    assert store.block(id) == body


def test_the_logs_are_emptied_and_nothing_is_left_of_today(here: Store, tmp_path: Path) -> None:
    """After the turn-over the write-ahead logs have no bytes, and today's file holds nothing of the envelopes."""
    envelopes = [each for _ in range(20) for each in report(here)[:2]]
    main, today = sqlite_files(str(here.database.engine.url))
    with here.database.engine.connect():  # the last one to go would remove the logs
        on(here, NEXT).turn_over()
        assert [file.with_name(file.name + "-wal").stat().st_size for file in (main, today)] == [0, 0]
    left = today.read_bytes()
    assert not [each for each in envelopes if each.id in left or each.body[:100] in left]
    assert len(left) <= 10 * 4096


def test_a_turn_over_of_nothing_copies_nothing(here: Store) -> None:
    """On its own day, as at every start, today's file is not copied, however large it is; with freed pages it is."""

    def copies() -> int:
        with here.database.bare() as cursor:
            return int(cursor.execute("PRAGMA today.schema_version").fetchone()[0])  # each copy counts it up

    for _ in range(20):
        report(here)
    here.turn_over()  # removes what making the tables freed
    before = copies()
    here.turn_over()
    assert copies() == before
    on(here, NEXT).turn_over()
    assert copies() > before


def test_a_reader_who_stays_is_not_passed_over(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody keeps reading, the log cannot be emptied; the turn-over says so, and the next one succeeds."""
    monkeypatch.setattr(turnover, "PAUSE", 10)
    report(here)

    def stay(connection: Connection) -> None:
        connection.execute(MAIN.envelopes.select()).all()
        connection.execute(TODAY.envelopes.select()).all()

    with here.database.read() as connection:
        stay(connection)
        with pytest.raises(StoreError, match="was being read"):
            on(here, NEXT).turn_over()
    on(here, NEXT).turn_over()
    assert at(here, TODAY) == ([], [], [])


def test_reading_goes_on_during_turn_overs(store: Store) -> None:
    """Who reads while things move finds each of them, always."""
    reports = [report(store, blocks=1) for _ in range(40)]
    ids = [first.id for first, _, _ in reports]
    blocks = [id for _, _, some in reports for id in some]
    done = threading.Event()
    seen = []

    def read() -> None:
        while not done.is_set():
            found = len(store.lookup(ids)), len(store.day_ids(DAY).envelopes), store.days()[0].envelopes
            seen.append((*found, sum(store.block(id) is not None for id in blocks)))

    reader = threading.Thread(target=read)
    reader.start()
    on(store, NEXT).turn_over()
    done.set()
    reader.join()
    assert seen
    assert set(seen) == {(40, 40, 40, 40)}


def test_a_second_heap_added_later_needs_no_second_copy(store: Store, tmp_path: Path) -> None:
    """A settled block that is put for the other heap too stays one file, and moves there with the next turn-over."""
    id, body = put(store)
    store.commit([sealed()], [id])
    on(store, NEXT).turn_over()
    on(store, NEXT).put_block(id, body, Heap.REPORTERS)
    on(store, after(2)).turn_over()
    assert store.block(id, Heap.REPORTERS) == body
    assert [path.name for path in files(tmp_path / "blocks")] == [id.hex()]
