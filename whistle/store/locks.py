"""Locks between threads and processes that end with their holder, however it dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def lock_file(database: Path, name: str) -> Path:
    """The lock of this name that belongs to a SQLite database."""
    return database.with_suffix(f".{name}.lock")


@contextlib.contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """True for the one who has the file's lock now; False for anyone else, at once, or never where they `wait`.

    Raises OSError when the file, which is made when needed, cannot be opened.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        got = True
    except BlockingIOError:
        got = False
    try:
        yield got
    finally:
        os.close(file)
