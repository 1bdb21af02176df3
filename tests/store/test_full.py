"""A full disk refuses, says Full, changes nothing, and the same call succeeds when there is room."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from tests.postgresql import schema
from tests.store.things import NEXT, an_id, block, files, on, opened, put, report, rows, sealed
from whistle.store import Full, Heap, Store, StoreError, room
from whistle.store.database import _translate


class Faults:
    """Replaces a function of `os` by one that fails while there is no room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
        self.room = True
        self._real: Callable[..., Any] = getattr(os, name)
        self._code = code
        monkeypatch.setattr(os, name, self)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if not self.room:
            raise OSError(self._code, os.strerror(self._code))
        return self._real(*arguments, **options)


FAULTS = [("write", errno.ENOSPC), ("fsync", errno.ENOSPC), ("write", errno.EDQUOT), ("open", errno.ENOSPC)]


@pytest.fixture(params=FAULTS, ids=lambda fault: f"{fault[0]} {errno.errorcode[fault[1]]}")
def faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The ways in which a file system says that there is no room."""
    return Faults(monkeypatch, *request.param)


def test_a_block_without_room(store: Store, faults: Faults, tmp_path: Path) -> None:
    """A block that does not fit leaves no file behind, and can be put once there is room."""
    id, body = an_id(), block()
    faults.room = False
    with pytest.raises(Full):
        store.put_block(id, body, Heap.REVIEWERS)
        store.commit([sealed()], [id])
    faults.room = True
    assert files(tmp_path / "blocks") == []
    store.put_block(id, body, Heap.REVIEWERS)
    store.commit([sealed()], [id])
    assert store.block(id) == body


def test_a_turn_over_without_room(store: Store, faults: Faults, tmp_path: Path) -> None:
    """A turn-over that does not fit loses nothing, and succeeds once there is room."""
    first, _, (id,) = report(store, blocks=1)
    body = store.block(id)
    before = rows(store)
    faults.room = False
    with pytest.raises(Full):
        on(store, NEXT).turn_over()
    faults.room = True
    assert rows(store) == before
    on(store, NEXT).turn_over()
    assert (store.block(id), store.body(first.id)) == (body, first.body)
    assert [path.parent.parent.name for path in files(tmp_path / "blocks")] == ["settled"]


def test_blocks_leave_room_for_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of blocks ends before the disk is full, so envelopes are still taken, and the house can be cleaned."""
    first, _, (id,) = report(store, blocks=1)
    free = {"blocks": 1_000_000}
    disk = SimpleNamespace(f_bavail=0, f_blocks=25_000_000, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**{**vars(disk), "f_bavail": free["blocks"]}))
    put(store)
    free["blocks"] = room.BLOCKS.size // 4096 - 1
    with pytest.raises(Full):
        put(store)
    put_again = store.block(id)
    assert put_again
    store.put_block(id, put_again, Heap.REVIEWERS)
    second, _, _ = report(store)
    on(store, NEXT).turn_over()
    assert store.body(first.id) == first.body and store.body(second.id) == second.body and store.block(id)


def test_a_small_disk_keeps_a_twentieth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small disk a twentieth stays free of blocks, and half of that of envelopes."""
    disk = {"f_bavail": 5_064}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=100_000, f_frsize=4096, **disk))
    id, _ = put(store)
    disk["f_bavail"] -= 1
    store.drop([id])
    with pytest.raises(Full):
        put(store)
    disk["f_bavail"] = 4_500  # what is in SQLite's log takes its room again
    report(store)
    if store.database.is_sqlite:
        disk["f_bavail"] = 2_500
        with pytest.raises(Full):
            report(store)


def test_another_fault_is_not_called_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing disk is an error of the store that names no path."""
    Faults(monkeypatch, "fsync", errno.EIO).room = False
    with pytest.raises(StoreError, match=r"^the blocks folder cannot be used: Input/output error$") as caught:
        report(store, blocks=1)
    assert not isinstance(caught.value, Full)


def test_a_block_that_cannot_be_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while reading is an error too; it is not taken for a block that is not there."""
    _, _, (id,) = report(store, blocks=1)
    Faults(monkeypatch, "open", errno.EIO).room = False
    with pytest.raises(StoreError, match="Input/output"):
        store.block(id)


def test_an_envelope_without_room(here: Store) -> None:
    """A commit that does not fit into the database stores nothing, and succeeds once there is room."""
    first, _, _ = report(here)
    id, _ = put(here)
    pages = {"limit": 1}  # SQLite takes what the database has already
    event.listen(
        here.database.engine,
        "checkout",
        lambda connection, *_: connection.execute(f"PRAGMA today.max_page_count={pages['limit']}"),
    )
    before = rows(here)
    many = [sealed() for _ in range(100)]
    with pytest.raises(Full):
        here.commit(many, [id])
    assert rows(here) == before
    assert here.body(first.id) == first.body
    pages["limit"] = 1_000_000
    here.commit(many, [id])
    assert here.days()[0].envelopes == 101


def test_postgresql_without_room() -> None:
    """PostgreSQL's own error for a full disk is Full, another is not."""
    assert isinstance(_translate(psycopg.errors.DiskFull()), Full)
    assert not isinstance(_translate(psycopg.errors.UniqueViolation()), Full)


@pytest.mark.postgresql
def test_postgresql_has_a_ballast_for_what_couriers_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up for the work that finds no room, once, and made again by the night's; moving a day leaves it."""
    monkeypatch.setattr(room, "TABLE_BALLAST", 2 * room.MIB)
    with schema() as url, contextlib.closing(opened(url, tmp_path / "blocks")) as store:
        disk, tried = store.database.room, []

        def work() -> int:
            tried.append(store.database.room)
            if len(tried) % 2:
                raise Full("no room")
            return len(tried)

        with pytest.raises(Full):
            disk.with_ballast(work)
        tried.clear()
        store.remove_due(set())
        store.remove_due(set())
        with store.database.bare() as cursor:
            assert cursor.execute("SELECT count(*) FROM ballast").fetchone() == (2,)
        with pytest.raises(Full):
            disk.with_ballast_for_moving(work)
        tried.clear()
        assert disk.with_ballast(work) == 2
        assert not disk.give_up_ballast(), "it is gone"
        store.remove_due(set())
        assert disk.give_up_ballast()
