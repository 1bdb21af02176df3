"""Where backups are, and where one can be made: the folders that the vault remembers, and the sticks that are in."""

from dataclasses import dataclass
from pathlib import Path

from whistle import sticks
from whistle.sticks import Stick
from whistle.workstation.backup import folder as folders
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault import backups
from whistle.workstation.vault.models import BackupRow
from whistle.workstation.workstation import Workstation


@dataclass(frozen=True)
class Place:
    """A folder for a backup, the name of the stick that it is, what the vault remembers of the backup there, if
    anything, whether it is there now, and whether the folder carries bundles too.
    """

    folder: Path
    name: str
    row: BackupRow | None
    is_there: bool
    carries: bool


def places(workstation: Workstation) -> tuple[list[Place], list[Stick]]:
    """The places of backups, the newest first, then known sticks that have none; and sticks that are new here."""
    mounted = sticks.mounted()
    known = sticks.usable(mounted, sticks.known(workstation.vault.folder))
    found = {Path(row.place): _place(Path(row.place), row.name, row) for row in backups.remembered(workstation.vault)}
    empty = [_place(stick.folder, stick.name, None) for stick in known if stick.folder not in found]
    return [*found.values(), *empty], [stick for stick in mounted if stick not in known and stick.folder not in found]


def _place(folder: Path, name: str, row: BackupRow | None) -> Place:
    is_there = folder.is_dir() if row is None else (folders.within(folder) / folders.INDEX).is_file()
    return Place(folder, name, row, is_there, any((folder / part).is_dir() for part in ("inbox", "outbox")))


def only(workstation: Workstation) -> Path:
    """The one place that is there and carries nothing else.  Raises Refused if there is none, or more."""
    found = [place.folder for place in places(workstation)[0] if place.is_there and not place.carries]
    if len(found) != 1:
        what = t("backup.several_places") if found else t("backup.no_place")
        raise Refused(what, t("backup.no_place_hint"))
    return found[0]
