"""What the local page works on: the workstation, the stick, what was last done, and what was refused."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from whistle.workstation.app.refused_forms import Typed
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import exchange, outbox
from whistle.workstation.workstation import Workstation


@dataclass
class Said:
    """What is shown once, on the next page."""

    good: bool
    lines: list[str]


@dataclass
class Desk:
    """One reviewer at one computer."""

    workstation: Workstation
    stick: Path | None
    courier: Callable[[], Iterable[str]] | None
    saved: Path
    said: list[Said] = field(default_factory=list)
    typed: defaultdict[str, Typed] = field(default_factory=lambda: defaultdict(Typed))  # by case

    def say(self, *lines: str, good: bool = True) -> None:
        """Show these lines on the next page."""
        self.said.append(Said(good, list(lines)))

    def take_said(self) -> list[Said]:
        """What is to be shown now, and then no more."""
        said, self.said = self.said, []
        return said

    def exchange(self) -> None:
        """Take in what lies on the stick, and write on it what is to go."""
        done = exchange.exchange(self.workstation, self._mounted())
        self.say(*done.lines(), good=_good(done))

    def carry(self) -> None:
        """Write the outbox, let the courier carry it to the server and back, and take in what came."""
        if self.courier is None:
            raise Refused("this workstation is offline", "use a stick")
        stick = self._mounted()
        outbox.write(self.workstation, stick)
        told = list(self.courier())
        done = exchange.exchange(self.workstation, stick)
        self.say(*told, *done.lines(), good=_good(done))

    def _mounted(self) -> Path:
        if self.stick is None:
            raise Refused("no stick was named", "start `whistle workstation open` with the folder of the stick")
        return self.stick


def _good(done: exchange.Exchanged) -> bool:
    return not (done.imported.altered or done.imported.findings)
