"""How much of a disk may still be filled, and with what: blocks leave room for envelopes, and those for housekeeping,
without which nothing would ever be removed.

Others may fill the disk too. So there is a ballast, which is given up when the disk is full: a file beside SQLite,
which needs room for its log even to be read; a table in PostgreSQL, which needs some to mark what a courier collects.
It holds random bytes, so that no file system stores it in less.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from whistle.store.errors import Full, StoreError

T = TypeVar("T")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Floor:
    """What must stay free: so many bytes, or that part of the disk if it is less."""

    size: int
    part: int


BLOCKS = Floor(512 * MIB, 20)
ENVELOPES = Floor(256 * MIB, 40)
BALLAST = Floor(4 * MIB, 40)
NEEDED = MIB // 4  # bytes that opening the database may take
LOW = 2  # times what new blocks leave free
SUFFIX = ".reserve"
TABLE = "ballast"
TABLE_BALLAST = 16 * MIB  # bytes of the table
# Unlogged: it is in no log, and no standby has it; after a crash it is empty until the next night.
CREATE = f"CREATE UNLOGGED TABLE {TABLE} (body bytea)"
INSERT = f"INSERT INTO {TABLE} VALUES (%b)"  # noqa: S608  the name is ours
SPARE = 4  # times its size must be free to make the ballast: it must not take the last room itself


def free(folder: Path) -> int:
    """Bytes free on the folder's disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def left(folder: Path, floor: Floor) -> int:
    """Bytes that the folder's disk still takes above the floor; never negative."""
    disk = os.statvfs(folder)
    return max(0, disk.f_bavail * disk.f_frsize - _size(floor, disk))


def has_room(folder: Path, times: int = 1) -> bool:
    """Whether the folder's disk has free what new blocks leave free, or so many times that."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= times * _size(BLOCKS, disk)


class DatabaseRoom:
    """The room on the disk of SQLite's files. PostgreSQL has no files here: see `TableRoom`."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._files = files

    def free(self) -> int | None:
        """Bytes free; None if unknown."""
        return free(self._files[0].parent) if self._files else None

    def is_low(self) -> bool:
        """Whether new blocks would be refused soon."""
        return bool(self._files) and not has_room(self._files[0].parent, LOW)

    def has_some(self, is_known: bool = False) -> bool:
        """Whether there is room for envelopes beside what housekeeping needs.

        What is in the logs will take its room again in the files. What strangers bring in a day leaves a quarter of the
        room to the days that follow, and to those who are known.
        """
        if not self._files:
            return True
        try:
            logs = sum(_file_size(file.with_name(file.name + "-wal")) for file in self._files)
            today = 0 if is_known else _file_size(self._files[1]) + logs
            ballast = self._ballast_size() - _file_size(self._ballast)  # its place is not for what arrives
            return left(self._files[0].parent, ENVELOPES) > logs + today // 3 + ballast
        except OSError as exc:
            raise StoreError(f"the database's folder cannot be read: {exc.strerror}") from exc

    def with_ballast(self, work: Callable[[], T]) -> T:
        """The result of work that reads or removes things; if the disk is full, the ballast is given up for it."""
        try:
            return work()
        except Full:
            if not self.give_up_ballast():
                raise
        return work()

    def with_ballast_for_moving(self, work: Callable[[], T]) -> T:
        """The same for work that takes as much room as it gives back later."""
        return self.with_ballast(work)

    def prepare(self) -> None:
        """Give up the ballast if the disk has too little room to open the database."""
        if self._files and free(self._files[0].parent) < NEEDED:
            self.give_up_ballast()

    def give_up_ballast(self) -> bool:
        """Remove the ballast; returns whether there was one."""
        if not self._files:
            return False
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        return True

    def keep_ballast(self) -> None:
        """Create the ballast if there is none and the disk has room for it."""
        if not self._files or self._ballast.exists():
            return
        size = self._ballast_size()
        if free(self._files[0].parent) < SPARE * size:
            return
        with contextlib.suppress(OSError):  # another process has just created it; or it will be tried again
            file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(file, "wb") as stream:  # noqa: PTH123
                stream.write((os.urandom(MIB) * -(-size // MIB))[:size])

    @property
    def _ballast(self) -> Path:
        return self._files[0].with_suffix(SUFFIX)

    def _ballast_size(self) -> int:
        return _size(BALLAST, os.statvfs(self._files[0].parent))


class TableRoom(DatabaseRoom):
    """The room of PostgreSQL, whose disk may be anywhere: nothing is known of it but that a write found none.

    `bare` gives a cursor in autocommit mode.
    """

    def __init__(self, bare: Callable[[], contextlib.AbstractContextManager[Any]]) -> None:
        super().__init__(())
        self._bare = bare

    def free(self) -> int:
        """Bytes that one transaction may take: what the ballast gives."""
        return TABLE_BALLAST

    def with_ballast_for_moving(self, work: Callable[[], T]) -> T:
        """The result of the work alone: it would use up what couriers need, and seldom be done with it."""
        return work()

    def give_up_ballast(self) -> bool:
        """Remove the table, which frees its place at once and needs none; returns whether there was one."""
        try:
            with self._bare() as cursor:
                is_there = _is_there(cursor)
                cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")  # TRUNCATE would need room for a new index
        except StoreError:  # it is being dumped
            return False
        return is_there

    def keep_ballast(self) -> None:
        """Make the table if there is none, or a crash has emptied it; where that finds no room, there is none."""
        with contextlib.suppress(StoreError), self._bare() as cursor:
            if _is_there(cursor):
                return
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
            cursor.execute(CREATE)
            try:
                for _ in range(TABLE_BALLAST // MIB):
                    cursor.execute(INSERT, (os.urandom(MIB),))
            except Exception:
                cursor.execute(f"DROP TABLE {TABLE}")
                raise


def _is_there(cursor: Any) -> bool:
    """Whether there is a ballast."""
    cursor.execute("SELECT COALESCE(pg_total_relation_size(to_regclass(%s)), 0)", (TABLE,))
    return int(cursor.fetchone()[0]) > MIB


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _size(floor: Floor, disk: os.statvfs_result) -> int:
    return min(floor.size, disk.f_blocks * disk.f_frsize // floor.part)
