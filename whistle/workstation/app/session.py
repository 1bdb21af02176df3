"""The state behind the local page: the workstation, the stick, notices to show, and refused forms."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from whistle.workstation.app.refused_forms import Typed
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import exchange, outbox
from whistle.workstation.workstation import Workstation


@dataclass
class Notice:
    """Lines to show once, on the next page."""

    good: bool
    lines: list[str]


@dataclass
class Session:
    """One open workstation and what its page shows; one per process."""

    workstation: Workstation
    stick: Path | None
    courier: Callable[[], Iterable[str]] | None
    saved: Path
    notices: list[Notice] = field(default_factory=list)
    typed_words: str = ""  # what was searched for last
    names: dict[str, str] = field(default_factory=dict)  # cases by their names in addresses
    typed: defaultdict[str, Typed] = field(default_factory=lambda: defaultdict(Typed))  # by case

    def say(self, *lines: str, good: bool = True) -> None:
        """Show these lines on the next page."""
        self.notices.append(Notice(good, list(lines)))

    def take_notices(self) -> list[Notice]:
        """The notices to show now; they are removed."""
        notices, self.notices = self.notices, []
        return notices

    def exchange(self) -> None:
        """Import the stick's inbox and write its outbox."""
        done = exchange.exchange(self.workstation, self._mounted())
        self.say(*done.lines(), good=_good(done))

    def carry(self) -> None:
        """Write the outbox, let the courier exchange with the server, and import what came."""
        if self.courier is None:
            raise Refused("this workstation is offline", "use a stick")
        stick = self._mounted()
        outbox.write(self.workstation, stick)
        lines = list(self.courier())
        done = exchange.exchange(self.workstation, stick)
        self.say(*lines, *done.lines(), good=_good(done))

    def _mounted(self) -> Path:
        if self.stick is None:
            raise Refused("no stick was named", "start `whistle workstation open` with the folder of the stick")
        return self.stick


def _good(done: exchange.Exchanged) -> bool:
    return not (done.imported.altered or done.imported.findings)
