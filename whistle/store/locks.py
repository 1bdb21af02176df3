"""File locks between threads and processes. The system releases them when the holder dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def lock_file(database: Path, name: str) -> Path:
    """The path of a SQLite database's lock file for this name."""
    return database.with_suffix(f".{name}.lock")


@contextlib.contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """Hold the file's lock. Yields whether it was acquired; with `wait`, blocks until it is.

    Creates the file if needed; raises OSError when it cannot be opened.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        acquired = True
    except BlockingIOError:
        acquired = False
    try:
        yield acquired
    finally:
        os.close(file)
