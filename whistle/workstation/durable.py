"""Writing that survives a pulled plug: beside first, synced, then renamed.  No half-written file under its name."""

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from whistle.workstation.errors import VaultReadOnly

# How systems (Windows) and file systems (of sticks) say that they know no sync of folders.
NO_SYNC = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, where that can be asked for.  Raises OSError."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        if exc.errno not in NO_SYNC:
            raise


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path`, replacing what is there.  Raises VaultReadOnly where the disk takes no writing."""
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        write_pieces(beside, [data], mode)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        beside.unlink(missing_ok=True)
        raise cannot_write(path.parent, exc) from exc


def private_folder(folder: Path) -> Path:
    """The folder, made for nobody but this user when it is not there, nor those above it.  Raises VaultReadOnly."""
    missing = [each for each in [folder, *folder.parents] if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(exist_ok=True, mode=0o700)
    except OSError as exc:
        raise cannot_write(folder, exc) from exc
    return folder


def cannot_write(folder: Path, exc: OSError) -> VaultReadOnly:
    """The error for a folder that takes no writing, with the system's reason."""
    gone = exc.errno in (errno.ENOENT, errno.ENOTDIR)
    return VaultReadOnly(
        f"cannot write in {folder.name or folder}: {exc.strerror or 'the system refuses'}",
        "is there such a folder? Check its name, or make it first"
        if gone
        else "check that the disk is not full or read-only and that the folder belongs to you; nothing was lost",
    )


def write_pieces(path: Path, pieces: Iterable[bytes], mode: int = 0o600) -> None:
    """Write a new file piece by piece and sync it; a fault leaves nothing.  Raises OSError."""
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
