"""The exchange with a stick: import what the courier put on it, sign what the tray holds, then write the outbox.

The tray comes after the import, so that nothing is sealed to somebody whom the reporter has left out meanwhile, or who
has left, and no reply takes a place that is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from whistle.protocol.code.retrieval import reference
from whistle.workstation.cases import compose, transcript
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import deliveries, outbox, stale_outbox
from whistle.workstation.exchange.batches import Imported, counted
from whistle.workstation.exchange.imports import Progress, import_files
from whistle.workstation.exchange.stick import bundles
from whistle.workstation.tray import tray
from whistle.workstation.tray.tray import Result
from whistle.workstation.workstation import Workstation

MISSED = (
    "Not confirmed: {what}. The courier reported it as delivered, but no copy came back. "
    "`whistle workstation sent` shows which, `whistle workstation sent --again` sends it again."
)


@dataclass(frozen=True)
class Exchanged:
    """What was imported; how many messages are on their way, in how many parts; how many are overdue; the tray;
    lines about the tray and what stays behind; how many signed messages do."""

    imported: Imported
    waiting: int
    parts: int
    missed: int = 0
    tray: Result = field(default_factory=Result)
    told: tuple[str, ...] = ()
    torn: int = 0

    def lines(self) -> list[str]:
        """The result in words."""
        going = f"On the way: {counted(self.waiting, 'message')}. Leave the stick as it is until the courier has been."
        lines = [*self.imported.lines(), *self.told, going if self.waiting else "Nothing waits to be sent."]
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
    signed = tray.sign(workstation)
    written = outbox.write(workstation, stick)
    stale_outbox.tidy(workstation, stick, inbox)
    missed = len(deliveries.missed(workstation))
    torn = outbox.torn(workstation)
    waiting = len(outbox.pending(workstation)) - len(torn)
    told = (*_told(workstation, signed), *(_left(workstation, hash) for hash in torn))
    return Exchanged(imported, waiting, written, missed, signed, told, len(torn))


def _left(workstation: Workstation, hash: str) -> str:
    left = workstation.message(hash).message
    return (
        f"Stays behind: your {left.kind} in case {reference(bytes.fromhex(left.case))}. A piece of its file is missing "
        "here: bring the folder back from a backup, or set it aside in the tray."
    )


def _told(workstation: Workstation, done: Result) -> Iterator[str]:
    if done.signed:
        yield f"Signed and sealed from the tray: {done.signed}."
    for each in done.left:
        yield f"Stays in the tray: {transcript.waiting(workstation, each)}. {each.reason}"
    for case in done.untold:
        yield f"Case {reference(bytes.fromhex(case))}: {compose.NOT_TOLD}"
