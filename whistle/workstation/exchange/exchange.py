"""The exchange with a stick: import what the courier put on it, sign what the tray holds, then write the outbox.

The tray comes after the import, so that nothing is sealed to somebody whom the reporter has left out meanwhile, or who
has left, and no reply takes a place that is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from whistle.protocol.code.retrieval import reference
from whistle.workstation.cases import naming, transcript
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import deliveries, outbox, stale_outbox
from whistle.workstation.exchange.batches import Imported
from whistle.workstation.exchange.imports import Progress, import_files
from whistle.workstation.exchange.stick import bundles
from whistle.workstation.language import t
from whistle.workstation.tray import tray
from whistle.workstation.tray.tray import Result
from whistle.workstation.workstation import Workstation


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
        lines = [*self.imported.lines(), *self.told]
        if self.waiting:
            lines.append(t("exchange.going", self.waiting))
        else:
            lines.append(t("exchange.nothing"))
        if self.missed:
            lines.append(t("exchange.missed", self.missed))
        return lines


def parts(place: Path) -> list[Path]:
    """The bundles of a stick (its folder inbox), of a folder, or the file itself.  Raises Refused if it is neither."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Refused(t("exchange.no_file"), t("exchange.no_file_hint"))
    return bundles(place / "inbox" if (place / "inbox").is_dir() else place)


def exchange(workstation: Workstation, stick: Path, progress: Progress | None = None) -> Exchanged:
    """Import the stick's inbox and write its outbox.  Raises WorkstationError."""
    if not stick.is_dir():
        raise Refused(t("exchange.no_stick"), t("exchange.no_stick_hint"))
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
    name = reference(bytes.fromhex(left.case))
    return t("exchange.torn", case=name, message=naming.own(left))


def _told(workstation: Workstation, done: Result) -> Iterator[str]:
    if done.signed:
        yield t("exchange.signed", done.signed)
    for each in done.left:
        what = transcript.waiting(workstation, each)
        yield t("exchange.stays", what=what, why=each.reason)
    for case in done.untold:
        yield t("exchange.untold", case=reference(bytes.fromhex(case)))
