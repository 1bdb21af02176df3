"""The state behind the local page: the workstation, the stick, notices to show, and refused forms."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from whistle import sticks
from whistle.sticks import Stick
from whistle.workstation import files, language
from whistle.workstation.app.refused_forms import Asked, Typed
from whistle.workstation.care.watch import Watch
from whistle.workstation.cases import case_list, overview
from whistle.workstation.cases.case_list import EVERYTHING, Counts, Filter
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import plan
from whistle.workstation.duties.plan import Due
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import exchange, outbox
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

HELD = 32 * 1024**2  # bytes of the messages of the one case that is held in memory; parsed, they take more


@dataclass
class Notice:
    """Lines to show once, on the next page."""

    good: bool
    lines: list[str]


@dataclass(frozen=True)
class Backup:
    """A backup that somebody asked for: its place, as it was typed, and whether it begins anew."""

    place: str
    fresh: bool


@dataclass
class Session:
    """One open workstation and what its page shows; one per process."""

    workstation: Workstation
    stick: Path | None
    courier: Callable[[], Iterable[str]] | None
    saved: Path
    notices: list[Notice] = field(default_factory=list)
    typed_words: str = ""  # what was searched for last
    filter: Filter = EVERYTHING  # which cases the list shows
    ticked: list[str] = field(default_factory=list)  # cases to acknowledge, by their names in addresses
    counted: dict[bool, tuple[object, Counts]] = field(default_factory=dict)  # by whether muted; see `counts`
    planned: tuple[object, list[Due]] = (None, [])  # see `due`
    held: tuple[object, Case] | None = None  # see `case`
    names: dict[str, str] = field(default_factory=dict)  # cases by their names in addresses
    news: dict[str, int] = field(default_factory=dict)  # by case, the number of the first message that was new
    asked: Asked | None = None  # the form that waits for its confirmation
    typed_tray: dict[int, dict[str, str]] = field(default_factory=dict)  # refused changes, by number
    backup: Backup | None = None  # that waits for the passphrase
    watch: Watch = field(default_factory=Watch)  # of a connected workstation
    carrying: threading.Lock = field(default_factory=threading.Lock)  # one errand at a time
    typed_office: dict[str, str] = field(default_factory=dict)  # a refused form of the clocks
    typed_template: dict[str, str] = field(default_factory=dict)  # a refused text for replies
    typed: defaultdict[str, Typed] = field(default_factory=lambda: defaultdict(Typed))  # by case

    def say(self, *lines: str, good: bool = True) -> None:
        """Show these lines on the next page."""
        self.notices.append(Notice(good, list(lines)))

    def take_notices(self) -> list[Notice]:
        """The notices to show now; they are removed."""
        notices, self.notices = self.notices, []
        return notices

    def counts(self, muted: bool = False) -> Counts:
        """How many cases there are of each kind; counted again once the vault or the day is another."""
        current = self.workstation.vault.version, self.workstation.today()
        if muted not in self.counted or self.counted[muted][0] != current:
            counted = case_list.counts(self.workstation, muted)
            current = self.workstation.vault.version, self.workstation.today()
            self.counted[muted] = current, counted
        return self.counted[muted][1]

    def case(self, id: str) -> Case:
        """A case as it is now; one whose pages are looked at in turn is not read anew for each."""
        if self.held and self.held[0] == (id, *self._now()):
            return self.held[1]
        return self._hold(overview.load(self.workstation, id))

    def read(self, case: Case) -> None:
        """Note that a case was read."""
        if case.unread:
            overview.mark_read(self.workstation, case)
            self._hold(replace(case, opened=len(case.entries)))

    def _hold(self, case: Case) -> Case:
        size = sum(len(each.line) for each in case.messages)
        self.held = ((case.id, *self._now()), case) if size <= HELD else None
        return case

    def _now(self) -> tuple[object, ...]:
        """What else a case is computed from, and the language of its remarks."""
        return self.workstation.vault.version, self.workstation.today(), language.current().code

    def due(self) -> list[Due]:
        """All that is due, late first; looked up again once the vault or the day is another."""
        if self.planned[0] != (self.workstation.vault.version, self.workstation.today()):
            found = plan.due(self.workstation)
            self.planned = (self.workstation.vault.version, self.workstation.today()), found
        return self.planned[1]

    def exchange(self) -> None:
        """Import the stick's inbox and write its outbox."""
        stick = self.place()
        done = exchange.exchange(self.workstation, stick)
        try:
            sticks.flush(stick)
        except OSError as exc:
            raise files.cannot_write(stick, exc) from exc
        self.say(*done.lines(), t("session.take_out"), good=_good(done))

    def offered(self) -> tuple[list[Stick], list[Stick]]:
        """The sticks that can be used, and the ones that the reviewer has to be asked about first."""
        return sticks.offered(self.workstation.vault.folder, self.stick)

    def adopt(self, folder: str, name: str) -> None:
        """Use a new stick from now on, under this name if it has none."""
        try:
            if not sticks.adopt(self.workstation.vault.folder, folder, name):
                raise Refused(t("session.gone"), t("session.gone_hint"))
        except ValueError as exc:
            raise Refused(t("session.bad_name"), t("session.bad_name_hint", sticks.LONGEST)) from exc
        except OSError as exc:
            raise files.cannot_write(Path(folder), exc) from exc

    def carry(self) -> None:
        """Write the outbox, let the courier exchange with the server, and import what came."""
        if self.courier is None:
            raise Refused(t("session.offline"), t("session.offline_hint"))
        stick = self.place()
        with self.carrying:
            outbox.write(self.workstation, stick)
            lines = self.errand()
            done = exchange.exchange(self.workstation, stick)
            if done.tray.signed:  # after what came was taken in
                lines += self.errand()
        self.watch.came(self.workstation)
        self.watch.rings = False  # whoever pressed sees it
        self.say(*lines, *done.lines(), good=_good(done))

    def errand(self) -> list[str]:
        """Have the courier exchange between server and stick; lines to show.  Raises CourierError."""
        return list(self.courier()) if self.courier else []

    def place(self) -> Path:
        """Where the stick is.  Raises Refused unless there is exactly one that is known."""
        usable, _ = self.offered()
        if len(usable) != 1:
            what = t("session.sticks") if usable else t("session.no_stick")
            hint = t("session.no_stick_hint")
            raise Refused(what, hint)
        return usable[0].folder


def _good(done: exchange.Exchanged) -> bool:
    return not (done.imported.altered or done.imported.findings or done.tray.left or done.torn)
