"""A file beside SQLite's that is given up when the disk is full: even to be read, SQLite needs room for its log.

It holds random bytes, so that no file system stores it in less.
"""

import contextlib
import os
from pathlib import Path

SIZE = 1024 * 1024  # bytes
NEEDED = SIZE // 4  # bytes that opening the database may take
SUFFIX = ".reserve"
SPARE = 8  # times its size must be free to make it: it must not take the last room itself


def keep(database: Path) -> None:
    """Create the file if there is none and the disk has ample room."""
    path = database.with_suffix(SUFFIX)
    disk = os.statvfs(database.parent)
    if path.exists() or disk.f_bavail * disk.f_frsize < SPARE * SIZE:
        return
    with contextlib.suppress(FileExistsError):  # another process has just created it
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "wb") as stream:  # noqa: PTH123
            stream.write(os.urandom(SIZE))


def is_needed(database: Path) -> bool:
    """Whether the disk has too little room to open the database."""
    disk = os.statvfs(database.parent)
    return disk.f_bavail * disk.f_frsize < NEEDED


def give_up(database: Path) -> bool:
    """Remove the file; returns whether there was one."""
    try:
        database.with_suffix(SUFFIX).unlink()
    except FileNotFoundError:
        return False
    return True
