"""Files that are there whole or not at all, also when the power fails or a stick is pulled out.

`write` replaces a file, `stage` leaves the last step to the caller, and `new_file` names a file only once it is whole:
Linux keeps such a file nameless (open(2), O_TMPFILE) and links it in, so that not even a kill leaves a part of it.
Elsewhere, and on sticks without such files, it has a hidden name first, which an error removes and a kill does not.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".unfinished"
# What Windows, and the file systems of some sticks, answer when they cannot sync a folder.
NO_SYNC = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL, errno.ENOTSUP, errno.EBADF)
TO_THE_MEDIUM: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: its fsync ends in the drive's own memory
NO_FULL_SYNC = (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY)  # from file systems that other systems made
NAMES = 10_000  # tries
NAMELESS: int | None = getattr(os, "O_TMPFILE", None)
NOT_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)  # from systems without such files
NewFile = tuple[BinaryIO, Callable[[Callable[[int], str]], Path]]


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path` durably, in place of what is there.  Raises OSError; then the old file stays, or none."""
    beside = stage(path, [data], mode)
    try:
        beside.replace(path)
    except OSError:
        _remove_quietly(beside)
        raise
    sync_folder(path.parent)


def stage(path: Path, pieces: Iterable[bytes], mode: int = 0o600) -> Path:
    """Write the content beside `path` and sync it; returns where, for the caller to rename.  An error leaves nothing.

    What a kill leaves behind is overwritten by the next attempt.  Raises OSError.
    """
    beside = path.with_name(path.name + UNFINISHED)
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            sync(file.fileno())
    except BaseException:
        _remove_quietly(beside)
        raise
    return beside


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` durable, where the system can.  Raises OSError."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            sync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        if exc.errno not in NO_SYNC:
            raise


def sync(handle: int) -> None:
    """Return once what was written to a file is on its medium: a stick may be taken out then.  Raises OSError."""
    if TO_THE_MEDIUM is not None:
        try:
            fcntl.fcntl(handle, TO_THE_MEDIUM)
        except OSError as exc:
            if exc.errno not in NO_FULL_SYNC:
                raise
        else:
            return
    os.fsync(handle)


def _remove_quietly(path: Path) -> None:
    """Remove a file after an error, which is the one to report."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def new_file(folder: Path) -> Iterator[NewFile]:
    """A file to write, and a function that names it once it is whole; without a name nothing of it stays.

    The name is the first free one of numbered(1), numbered(2), …: nothing is overwritten.  Nobody else can read the
    file, and its content is synced before it gets its name.
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
        if exc.errno in NOT_NAMELESS and folder.is_dir():
            return None
        raise


def _named(file: BinaryIO, beside: Path | None, folder: Path, numbered: Callable[[int], str]) -> Path:
    file.flush()
    sync(file.fileno())
    if beside:
        file.close()  # Windows renames no file that is open
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
        try:
            sync_folder(folder)
        except OSError:
            _remove_quietly(path)
            raise
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
