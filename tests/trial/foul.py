"""Foul play in the demo's folder: `python -m tests.trial.foul [FOLDER]`, `make run` being stopped.

The ethics office plays foul with a modified program and a courier's help, in a new case of the demo's organisation;
then it is shown what the two other workstations and the reporter read.  Nothing in the demo is real.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

from click.testing import CliRunner

from tests.reporter.device import readable, twelve
from tests.trial.rogue import Rogue, lay, squatted
from whistle.ceremony import demo
from whistle.ceremony.demo import Ports
from whistle.ceremony.server_process import serving
from whistle.ceremony.steps import Layout
from whistle.cli.reporter import reporter as command
from whistle.courier import Courier
from whistle.protocol.case.message import Note, Reply
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.workstation.cases import compose, overview, transcript
from whistle.workstation.cases.overview import Case
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.workstation import Workstation

OMBUDS, ETHICS, COUNSEL = demo.REVIEWERS
STORY = """\
The ethics office, who reads the case, has played foul:
  - told the ombudsperson and the staff counsel different things under one number;
  - answered the reporter without a copy to them, and then wrote to them as if nothing were;
  - had a courier lay junk where the ombudsperson's answer was to lie."""


class Play:
    """The demo's three workstations, its courier and stick, and somebody who reports."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.layout, self.url = Layout(folder), url
        self.stations = {id: self._open(id, stack) for id in demo.REVIEWERS}
        self.courier = Courier(self.layout.courier)

    def _open(self, id: str, stack: ExitStack) -> Workstation:
        station = Workstation.open(self.layout.workstation(id), demo.PASSPHRASE)
        stack.callback(station.close)
        return station

    def round(self, *ids: str) -> None:
        """The courier goes to the server and to each of these workstations."""
        for id in ids:
            self.courier.pull(self.layout.stick)
            exchange(self.stations[id], self.layout.stick)
            self.courier.push(self.layout.stick)

    def reporter(self, name: str, *options: str, **given: str) -> str:
        """A command of `whistle reporter`; `words` and `text` are read as from the terminal."""
        read = [part for what, content in given.items() for part in (f"--{what}-fd", str(readable(content)))]
        root = ["--root", str(self.layout.keys / "root-1.pub")]
        return CliRunner().invoke(command, [name, "--server", self.url, *root, *read, *options]).output

    def squat(self, reporter: Reporter, place: int) -> None:
        """A courier lays junk in a reply place of the first lane."""
        junk = Rogue(self.stations[ETHICS], reporter.case.hex()).seal_junk()
        name = bundle.envelope_name(place_ids(reporter.replies, 0)[place])
        members, files = squatted(junk, "reporters", name)
        day, foul = self.stations[ETHICS].today(), self.layout.folder / "foul-stick"
        lay(foul / "outbox", Listing("server", day, members, 1, 1), files)
        self.courier.push(foul)

    def case(self, id: str, reporter: Reporter) -> Case:
        """The case as one of the three has it."""
        return overview.load(self.stations[id], reporter.case.hex())

    def note(self, id: str, reporter: Reporter, text: str) -> None:
        """An honest note, which all have afterwards."""
        compose.note(self.stations[id], self.case(id, reporter), text)
        self.round(id, *self.stations)

    def story(self) -> dict[str, str]:
        """Play it; what each of the others then reads, by whom."""
        told = self.reporter("send", "--channel", "harassment", text="Somebody shouts at us every Monday.")
        reporter = derive(words.decode(twelve(told)))
        self.round(OMBUDS, ETHICS)
        compose.grant(self.stations[OMBUDS], self.case(OMBUDS, reporter), COUNSEL)
        self.round(OMBUDS, COUNSEL, ETHICS)
        self.foul(reporter)
        compose.reply(self.stations[OMBUDS], self.case(OMBUDS, reporter), "We believe you, and look into it.")
        self.round(OMBUDS, *self.stations)
        self.note(COUNSEL, reporter, "What did ethics tell you?")
        compose.grant_whole(self.stations[COUNSEL], self.case(COUNSEL, reporter), OMBUDS)
        self.round(COUNSEL, OMBUDS)
        read = {id: "\n".join(transcript.lines(self.stations[id], self.case(id, reporter))) for id in (OMBUDS, COUNSEL)}
        return {**read, "the reporter": self.reporter("replies", words=twelve(told))}

    def foul(self, reporter: Reporter) -> None:
        """What the ethics office does."""
        rogue, readers = Rogue(self.stations[ETHICS], reporter.case.hex()), tuple(demo.REVIEWERS)
        for to, text in ((OMBUDS, "It was the head of the kitchen."), (COUNSEL, "It was nobody.")):
            signed = rogue.say(Note, [to], text=text, readers=readers)
        rogue.keep(signed)
        past = rogue.sign(Reply, text="Come to my office, and tell nobody.", readers=readers)
        rogue.send(past, ())
        rogue.keep(past)
        rogue.keep(rogue.say(Note, [OMBUDS, COUNSEL], text="Nothing new from me.", readers=readers))
        self.squat(reporter, 1)  # the notice of the grant lies in the place before
        self.round(ETHICS, OMBUDS, COUNSEL)


def play(folder: Path, ports: Ports) -> dict[str, str]:
    """Play foul in a demo's folder, which is made if there is none; what each of the others then reads."""
    with serving(Layout(folder).server, ports.server) as url, ExitStack() as stack:
        return Play(folder, url, stack).story()


def main() -> None:
    """Play, and show it."""
    folder, ports = Path(sys.argv[1] if len(sys.argv) > 1 else "demo").absolute(), Ports()
    demo.prepare(folder, ports)
    print(STORY)
    for who, read in play(folder, ports).items():
        print(f"\n{'=' * 16} What {who} reads {'=' * 16}\n\n{read}")


if __name__ == "__main__":
    main()
