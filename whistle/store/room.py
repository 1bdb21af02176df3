"""How much of a disk may still be filled, and with what: blocks leave room for envelopes, and those for housekeeping,
without which nothing would ever be removed.

Others may fill the disk too. So SQLite has a ballast beside it, a file that is given up when the disk is full: even to
be read, SQLite needs room for its log. It holds random bytes, so that no file system stores it in less.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Floor:
    """What must stay free: so many bytes, or that part of the disk if it is less."""

    size: int
    part: int


BLOCKS = Floor(512 * MIB, 20)
ENVELOPES = Floor(256 * MIB, 40)
BALLAST = 4 * MIB
NEEDED = MIB // 4  # bytes that opening the database may take
SUFFIX = ".reserve"
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


def keep_ballast(database: Path) -> None:
    """Create the ballast if there is none and the disk has room for it."""
    path = database.with_suffix(SUFFIX)
    if path.exists() or free(database.parent) < SPARE * BALLAST:
        return
    with contextlib.suppress(FileExistsError):  # another process has just created it
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "wb") as stream:  # noqa: PTH123
            piece = os.urandom(MIB)
            for _ in range(BALLAST // MIB):
                stream.write(piece)


def needs_ballast(database: Path) -> bool:
    """Whether the disk has too little room to open the database."""
    return free(database.parent) < NEEDED


def give_up_ballast(database: Path) -> bool:
    """Remove the ballast; returns whether there was one."""
    try:
        database.with_suffix(SUFFIX).unlink()
    except FileNotFoundError:
        return False
    return True


def _size(floor: Floor, disk: os.statvfs_result) -> int:
    return min(floor.size, disk.f_blocks * disk.f_frsize // floor.part)
