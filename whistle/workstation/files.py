"""Durable files and private folders, with the workstation's error for a disk that cannot be written."""

import errno
from pathlib import Path

from whistle import durable
from whistle.workstation.errors import VaultReadOnly
from whistle.workstation.language import t


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path` durably, in place of what is there.  Raises VaultReadOnly."""
    try:
        durable.write(path, data, mode)
    except OSError as exc:
        raise cannot_write(path.parent, exc) from exc


def private_folder(folder: Path) -> Path:
    """Make `folder` and its missing parents, readable by this user only; returns it.  Raises VaultReadOnly."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True, mode=0o700)
    except OSError as exc:
        raise cannot_write(folder, exc) from exc
    return folder


def cannot_write(folder: Path, exc: OSError) -> VaultReadOnly:
    """The error for a folder that cannot be written, with the system's reason."""
    missing = exc.errno in (errno.ENOENT, errno.ENOTDIR)
    reason = exc.strerror or t("files.refused")
    return VaultReadOnly(
        t("files.unwritable", folder=folder.name or str(folder), reason=reason),
        t("files.no_folder_hint") if missing else t("files.unwritable_hint"),
    )
