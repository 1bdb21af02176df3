"""Writing, reading, syncing and removing the file of one block: it is there whole, under its name, or not at all.

A file's times are constant.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path

PART = ".part"
NO_TIME = (0, 0)  # ns, access and modification
READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)
NAMELESS: int | None = getattr(os, "O_TMPFILE", None)
HANDLES = "/proc/self/fd"


def can_be_nameless() -> bool:
    """Whether this system has files without a name; its file systems may still lack them."""
    return NAMELESS is not None and Path(HANDLES).is_dir()


def read(path: str) -> bytes | None:
    """The content; None if there is no such file."""
    try:
        file = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        return None
    with open(file, "rb", buffering=0) as stream:  # noqa: PTH123
        return stream.read()


def no_sync(_: int) -> None:
    """Leave the file to the next sync."""


def write_nameless(path: str, body: bytes, flush: Callable[[int], None]) -> bool:
    """Write a file that has no name, and then link it: it never overwrites, and a kill leaves nothing of it.

    `flush` gets the file's handle before it has its name.  False if the name is taken.
    """
    assert NAMELESS is not None
    file = os.open(os.path.dirname(path), os.O_WRONLY | NAMELESS | os.O_CLOEXEC, 0o600)  # noqa: PTH120
    try:
        fill(file, body, flush)
        # only with a folder's handle, which such a path does not need, does Python ask for links to be followed
        os.link(f"{HANDLES}/{file}", path, src_dir_fd=file, follow_symlinks=True)
    except FileExistsError:
        return False
    finally:
        os.close(file)
    return True


def write_part(path: str, body: bytes, flush: Callable[[int], None]) -> bool:
    """The same where files cannot be nameless. The lock tells `tidy` that somebody is writing it."""
    part = f"{path}.{secrets.token_hex(8)}{PART}"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        fill(file, body, flush)
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        unlink(part)
        os.close(file)
    return True


def fill(file: int, body: bytes, flush: Callable[[int], None]) -> None:
    """Write the content, set constant times, and flush."""
    left = memoryview(body)
    while left:
        left = left[os.write(file, left) :]
    os.utime(file, ns=NO_TIME)
    flush(file)  # the times too


def unlink(path: str) -> bool:
    """Remove a file; returns whether there was one."""
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return False
    return True


def sync(path: str) -> None:
    """Sync a file or a folder."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove_if_abandoned(part: Path) -> None:
    """Remove an unfinished file that nobody is writing."""
    with contextlib.suppress(FileNotFoundError):
        file = os.open(part, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # someone is writing it
        finally:
            os.close(file)
