"""Copying what must leave the ceremony's machine, reading it back, and comparing."""

import os
from pathlib import Path

from whistle import durable
from whistle.ceremony.root import RootError
from whistle.protocol.errors import ProtocolError
from whistle.workstation import backup
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation


def copy(source: Path, folder: Path) -> Path:
    """Copy a key file into an existing folder, readable by its owner only; returns the path.

    Raises RootError if it cannot be written, would replace another file, or does not read back the same.
    """
    to = folder / source.name
    if not folder.is_dir():
        raise RootError(f"there is no folder {folder.name}", "put the stick in, or check the name")
    if os.path.lexists(to):
        raise RootError(f"there is a file {source.name} in that folder already", "name another folder")
    data = source.read_bytes()
    try:
        durable.write(to, data)
        same = to.read_bytes() == data
    except OSError as exc:
        raise RootError(f"the copy cannot be written: {exc.strerror}", "try another stick") from exc
    if not same:
        raise RootError("the copy is not what was written", "the stick is damaged: use another")
    return to


def back_up(station: Workstation, folder: Path, passphrase: str, log_n: int) -> Path:
    """Write a backup of the vault into an existing folder and check that the passphrase opens it; returns the path.

    Raises RootError, WorkstationError.
    """
    if not folder.is_dir():
        raise RootError(f"there is no folder {folder.name}", "put the disk in, or check the name")
    path = backup.save(station, folder, passphrase, log_n).folder
    try:
        keys = keyfile.read((path / backup.KEYS).read_bytes(), passphrase)
    except (OSError, ProtocolError) as exc:
        raise RootError("the backup does not read back", "the disk is damaged: use another") from exc
    if keys.signing != station.signing:
        raise RootError("the backup holds other keys than the vault", "the disk is damaged: use another")
    return path
