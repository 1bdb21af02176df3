"""The exchange with a stick: import what the courier put on it, then write the outbox."""

from dataclasses import dataclass
from pathlib import Path

from whistle.workstation.errors import Refused
from whistle.workstation.exchange import deliveries, outbox, stale_outbox
from whistle.workstation.exchange.batches import Imported, counted
from whistle.workstation.exchange.imports import Progress, import_files
from whistle.workstation.exchange.stick import bundles
from whistle.workstation.workstation import Workstation

MISSED = (
    "Not confirmed: {what}. The courier reported it as delivered, but no copy came back. "
    "`whistle workstation sent` shows which, `whistle workstation sent --again` sends it again."
)


@dataclass(frozen=True)
class Exchanged:
    """What was imported; how many messages are on their way, in how many parts; how many are overdue."""

    imported: Imported
    waiting: int
    parts: int
    missed: int = 0

    def lines(self) -> list[str]:
        """The result in words."""
        going = f"On the way: {counted(self.waiting, 'message')}. Leave the stick as it is until the courier has been."
        lines = [*self.imported.lines(), going if self.waiting else "Nothing waits to be sent."]
        return [*lines, MISSED.format(what=counted(self.missed, "message"))] if self.missed else lines


def parts(place: Path) -> list[Path]:
    """The bundles of a stick (its folder inbox), of a folder, or the file itself.  Raises Refused if it is neither."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Refused("there is no stick or file of this name", "put the stick in, or check the name")
    return bundles(place / "inbox" if (place / "inbox").is_dir() else place)


def exchange(workstation: Workstation, stick: Path, progress: Progress | None = None) -> Exchanged:
    """Import the stick's inbox and write its outbox.  Raises WorkstationError."""
    if not stick.is_dir():
        raise Refused("there is no stick", "put it in, or check the folder that you named")
    inbox = parts(stick)
    imported = import_files(workstation, inbox, progress)
    written = outbox.write(workstation, stick)
    stale_outbox.tidy(workstation, stick, inbox)
    return Exchanged(imported, len(outbox.pending(workstation)), written, len(deliveries.missed(workstation)))
