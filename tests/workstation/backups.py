"""Backups in tests: making one, opening its files by hand, and spoiling them."""

from pathlib import Path

from tests.workstation.carrying import PASSPHRASE
from whistle.workstation.backup import Saved, folder, parts, save
from whistle.workstation.backup.restoring import Opened
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation


def saved(station: Workstation, place: Path, fresh: bool = False) -> Saved:
    """A backup, with a key file that is cheap to open."""
    return save(station, place, PASSPHRASE, keyfile.CHEAP_LOG_N, fresh)


def texts(opened: Opened, kind: str = "") -> dict[str, bytes]:
    """The files that count in a backup, those of one kind."""
    found = {}
    for part in opened.index.parts:
        names = {name: size for name, size in part.holds.items() if name.startswith(kind)}
        found |= dict(parts.read(folder.path(opened.folder, part), part.sha256, opened.identities, names))
    return found


def spoil(path: Path) -> None:
    """Change one bit of a file, near its end."""
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 1
    path.write_bytes(whole)
