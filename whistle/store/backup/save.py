"""Write a backup while the store is in use. Settled days are written once, those that may still change each time.

Ids are read in one snapshot, then contents, piece by piece, then rows in a second snapshot. Contents never change and
only disappear, so all that the second snapshot has of the first one's ids is in the backup, and in no state earlier
than that of its rows.
A file is kept from the last backup only if nothing tells from it at which of a day's backups something came or was
withdrawn: the files of a day on which that happened are written anew until that day is over, and once after it.
"""

import errno
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from whistle.store.backup.folder import SavedFile, Target
from whistle.store.backup.rows import encode_all, read_blocks, read_envelopes
from whistle.store.envelopes import bodies_of
from whistle.store.errors import BackupError
from whistle.store.job_lock import job_lock
from whistle.store.models import ALL_TABLES, TODAY, Heap, State, key, pending

if TYPE_CHECKING:
    from whistle.store.store import Store

PIECE = 64  # envelopes that are in memory at once
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
BODIES, BLOCKS = "bodies", "blocks"


@dataclass(frozen=True)
class BackupCounts:
    """Envelopes and blocks in the backup, how many files were written and kept, and how many blocks cannot be read."""

    envelopes: int
    blocks: int
    written: int
    kept: int
    lost: int


@dataclass
class _Contents:
    """What the store holds: ids by kind, heap and day; the days that may still grow; and where something was removed
    since the last backup's day.
    """

    open_day: date
    ids: dict[tuple[str, Heap, date], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    envelopes: set[bytes] = field(default_factory=set)
    unsettled: set[date] = field(default_factory=set)
    changed: set[tuple[str, Heap, date]] = field(default_factory=set)

    def is_settled(self, day: date) -> bool:
        return day < self.open_day and day not in self.unsettled

    @property
    def blocks(self) -> set[bytes]:
        return {id for (kind, *_), ids in self.ids.items() if kind == BLOCKS for id in ids}


def back_up(store: "Store", folder: Path, instance: str, public: bytes) -> BackupCounts:
    """Make the folder a backup of the store as it is now; `public` is kept beside it, `instance` names the store.

    Raises BackupError, also for a full disk; then the last backup is as it was.
    """
    with job_lock(store.database, "backup") as acquired:
        if not acquired:
            raise BackupError("another backup is being made", "wait until it has ended")
        try:
            target = Target(folder, instance, store.envelope_size)
            try:
                return _Saving(store, target).run(public)
            except BaseException:
                target.discard()
                raise
        except OSError as exc:
            raise _write_error(exc) from exc


def _write_error(exc: OSError) -> BackupError:
    if exc.errno in NO_ROOM:
        return BackupError("the backup's disk is full; the last whole backup is as it was", "make room on that disk")
    reason = exc.strerror or type(exc).__name__
    return BackupError(f"the backup cannot be written: {reason}", "check that the folder above exists, and its disk")


class _Saving:
    def __init__(self, store: "Store", target: Target) -> None:
        self._store, self._target = store, target
        self._files: list[SavedFile] = []
        self._lost: set[bytes] = set()
        self._kept = 0

    def run(self, public: bytes) -> BackupCounts:
        last = self._target.index.open_day
        contents = _read_contents(self._store, date.fromisoformat(last) if last else date.min)
        kept = {_identity(file): file for file in self._target.index.files if file.settled}
        for part, ids in sorted(contents.ids.items()):
            self._save(part, sorted(ids), contents, kept)
        with self._store.database.snapshot() as connection:
            rows = encode_all(connection, contents.envelopes, contents.blocks)
            self._files.append(self._target.write("rows", rows))
            lost = sum(row["id"] in self._lost for row in read_blocks(connection))
        self._files.append(self._target.write("public", [public]))
        self._target.finish(contents.open_day, self._files)
        written = len(self._files) - self._kept
        return BackupCounts(len(contents.envelopes), len(contents.blocks), written, self._kept, lost)

    def _save(
        self,
        part: tuple[str, Heap, date],
        ids: Sequence[bytes],
        contents: _Contents,
        kept: dict[tuple[str, ...], SavedFile],
    ) -> None:
        """Keep the file of a kind, heap and day if it has these ids and tells no time, or write it."""
        kind, heap, day = part
        settled, ids_hash = contents.is_settled(day), hashlib.sha256(b"".join(ids)).hexdigest()
        file = kept.get((kind, heap.value, day.isoformat(), ids_hash))
        if file and settled and part not in contents.changed and self._target.has(file):
            self._kept += 1
        else:
            pieces = self._bodies(ids) if kind == BODIES else self._blocks(ids)
            fields = {"heap": heap.value, "day": day.isoformat(), "ids": ids_hash, "settled": settled}
            file = self._target.write(kind, pieces, **fields)
        self._files.append(file)

    def _bodies(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for start in range(0, len(ids), PIECE):
            batch = ids[start : start + PIECE]
            bodies = self._read_bodies(batch)
            if len(bodies) < len(batch):  # moved by the turn-over between the reading of both files, or removed
                bodies |= self._read_bodies([id for id in batch if id not in bodies])
            for id in batch:
                if id in bodies:
                    yield id + bodies[id]

    def _read_bodies(self, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        with self._store.database.read() as connection:
            return bodies_of(connection, ids)

    def _blocks(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for id in ids:
            body = self._store.block_store.get(id)
            if body is None:
                self._lost.add(id)
            else:
                yield id + body


def _identity(file: SavedFile) -> tuple[str, ...]:
    return file.kind, file.heap, file.day, file.ids


def _read_contents(store: "Store", last: date) -> _Contents:
    """What the store holds. `last` is the last backup's `open_day`."""
    contents = _Contents(store.clock().open)  # before the snapshot: no day in it ends later than this says
    with store.database.snapshot() as connection:
        keys = _body_keys(connection)
        for row in read_envelopes(connection):
            contents.envelopes.add(row["id"])
            part = BODIES, row["heap"], row["day"]
            if row["state"] == State.REMOVED and row["state_day"] >= last:
                contents.changed.add(part)
            if key(row["id"]) in keys:
                contents.ids[part].append(row["id"])
        for row in read_blocks(connection):
            contents.ids[BLOCKS, row["heap"], row["day"]].append(row["id"])
        for table in (TODAY.envelopes, TODAY.blocks):
            claimed = table.c.id.not_in(select(pending.c.id))
            contents.unsettled.update(connection.scalars(select(table.c.day).where(claimed).distinct()))
    return contents


def _body_keys(connection: Connection) -> set[int]:
    return {k for tables in ALL_TABLES for k in connection.scalars(select(tables.bodies.c.k))}
