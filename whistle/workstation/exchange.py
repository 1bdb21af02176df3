"""One stick, one button: take in what the courier laid on it, then write what is to go."""

import itertools
import stat
from dataclasses import dataclass
from pathlib import Path

from whistle.workstation import outbox
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.importing import Imported, Progress, import_files
from whistle.workstation.workstation import Workstation

MOST_PARTS = 9999  # as many as a list can count


@dataclass(frozen=True)
class Exchanged:
    """What came, how many messages are on their way, in how many parts."""

    imported: Imported
    waiting: int
    parts: int

    def lines(self) -> list[str]:
        """The result in words."""
        going = f"{self.waiting} messages are on their way; keep them on the stick until the courier has been."
        return [*self.imported.lines(), going if self.waiting else "Nothing waits to be sent."]


def parts(place: Path) -> list[Path]:
    """The bundles of a stick (its folder inbox), of a folder, or the one file.  Raises Refused for none of these."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Refused("there is no stick or file of this name", "put the stick in, or check the name")
    folder = place / "inbox" if (place / "inbox").is_dir() else place
    try:
        found = list(itertools.islice(filter(_plain, folder.glob("*.tar")), MOST_PARTS + 1))
    except OSError as exc:
        raise Untrusted(f"the stick cannot be read: {exc.strerror}", "take it out, put it in again, try again") from exc
    if len(found) > MOST_PARTS:
        raise Untrusted(
            f"more than {MOST_PARTS} bundles lie there: no courier wrote that", "have the stick written anew"
        )
    return sorted(found)


def _plain(path: Path) -> bool:
    """A file, and neither a link nor a pipe nor a device: those could hold this program up or lead elsewhere."""
    return not path.name.startswith(".") and stat.S_ISREG(path.lstat().st_mode)


def exchange(workstation: Workstation, stick: Path, progress: Progress | None = None) -> Exchanged:
    """Import the stick's inbox and write its outbox.  Raises WorkstationError."""
    if not stick.is_dir():
        raise Refused("there is no stick", "put it in, or check the folder that you named")
    imported = import_files(workstation, parts(stick), progress)
    written = outbox.write(workstation, stick)
    return Exchanged(imported, len(outbox.pending(workstation)), written)
