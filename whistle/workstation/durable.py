"""Writing that survives a pulled plug: beside first, synced, then renamed.  No half-written file under its name."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from whistle.workstation.errors import VaultReadOnly


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; where folders cannot be synced (Windows) the system does it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems of sticks know no sync of folders
        pass
    finally:
        os.close(handle)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path`, replacing what is there.  Raises VaultReadOnly where the disk takes no writing."""
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise cannot_write(path.parent, exc) from exc
    sync_folder(path.parent)


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
    return VaultReadOnly(
        f"cannot write in {folder.name or folder}: {exc.strerror or 'the system refuses'}",
        "check that the disk is not full or read-only and that the folder belongs to you; nothing was lost",
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
