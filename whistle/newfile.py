"""A new file that has no name until it is whole: where the system can do that, not even a kill leaves a part of it.

Linux keeps such a file nameless (open(2), O_TMPFILE) and links it in; elsewhere, and on sticks that know no such files,
it lies beside its place under a hidden name, which a fault removes and a kill does not.
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NAMES = 10_000
NAMELESS: int | None = getattr(os, "O_TMPFILE", None)
CANNOT = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)  # how systems say that they know no such files
NewFile = tuple[BinaryIO, Callable[[Callable[[int], str]], Path]]


@contextmanager
def new_file(folder: Path) -> Iterator[NewFile]:
    """A file to write, and what gives it a name when it is whole; without a name nothing of it stays.

    The name is the first of numbered(1), numbered(2), … that nothing has: nothing is overwritten.  The file is
    readable by nobody else, and its content is durable when it has its name.
    Raises OSError; FileExistsError when all names are taken.
    """
    beside = folder / f".{secrets.token_hex(8)}.part"
    handle = _nameless(folder)
    nameless = handle is not None
    try:
        with os.fdopen(_new(beside) if handle is None else handle, "wb") as file:
            yield file, lambda numbered: _named(file, None if nameless else beside, folder, numbered)
    finally:
        beside.unlink(missing_ok=True)


def _nameless(folder: Path) -> int | None:
    if NAMELESS is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | NAMELESS, 0o600)
    except OSError as exc:
        if exc.errno in CANNOT and folder.is_dir():
            return None
        raise


def _named(file: BinaryIO, beside: Path | None, folder: Path, numbered: Callable[[int], str]) -> Path:
    file.flush()
    os.fsync(file.fileno())
    for count in range(1, NAMES):
        path = folder / numbered(count)
        try:
            if beside:
                os.close(_new(path))
                _replace(beside, path)
            else:
                _link(file.fileno(), path)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, "there are too many files of one name")


def _link(handle: int, path: Path) -> None:
    within = os.open(path.parent, os.O_RDONLY)
    try:  # only with a folder's handle does Python ask for links to be followed
        os.link(f"/proc/self/fd/{handle}", path.name, dst_dir_fd=within, follow_symlinks=True)
    finally:
        os.close(within)


def _replace(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
