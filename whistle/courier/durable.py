"""Files that are there whole or not at all, also when the power fails or the stick is pulled out."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

UNFINISHED = ".unfinished"


def write(path: Path, pieces: Iterable[bytes], mode: int = 0o644) -> None:
    """Write beside, sync, rename, sync the folder. An error leaves the old file, or none."""
    beside = stage(path, pieces, mode)
    beside.replace(path)
    sync_folder(path.parent)


def stage(path: Path, pieces: Iterable[bytes], mode: int = 0o644) -> Path:
    """Write the content beside `path`, synced but not renamed yet; gives where. An error leaves nothing."""
    beside = path.with_name(path.name + UNFINISHED)
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    return beside


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable, where the system can."""
    with contextlib.suppress(OSError):  # neither Windows nor every driver of FAT can sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
