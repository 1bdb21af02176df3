"""An organisation with a running server, and reporters who look with each of their three programs."""

import datetime
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests import parties
from tests.office import Office, working
from tests.protocol.browser import CLIENT, NODE, Peer
from tests.reporter.device import Device, instead
from tests.server.visitor import Visitor, turn
from tests.trial.rogue import Rogue, lay, squatted
from tests.workstation.carrying import PASSPHRASE
from whistle.cli import reporter_options
from whistle.courier import Courier, folder
from whistle.protocol.case import message
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.protocol.transfer.listing import Heap, Listing
from whistle.reporter import connection
from whistle.server.config import Config, Rate
from whistle.server.instance import NAME
from whistle.workstation import backup
from whistle.workstation.cases import compose, transcript
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.vault import keyfile

RATES = dict.fromkeys(Config(Path()).rates, Rate("1000000 per second", "1000000 per second"))
OFFICE = ("ombuds", "ethics")


class Stage:
    """An office, and whoever reports to it."""

    def __init__(self, office: Office, peer: Peer | None) -> None:
        self.office, self.peer = office, peer
        self.url = office.courier._settings.server
        (office.where / "root-1.pub").write_bytes(office.org.root.public.file())
        self.device = Device(office.app, office.org, office.where, self.url)

    def tell(self, text: str = "It happened again.", **more: Any) -> "Told":
        """Somebody reports; all readers have the report."""
        told = Told(self, self.visitor().tell(text, **more).words)
        self.office.round(*OFFICE)
        return told

    def visitor(self) -> Visitor:
        """Somebody with a browser."""
        return Visitor(self.office.app)

    def junk(self) -> bytes:
        """An envelope that none of these readers can open."""
        other = parties.reporter()
        signed = message.sign(parties.report(other, self.office.org), other.signing)
        return parties.sealed(signed, self.office.org, ("counsel",))

    def courier(self, key: SigningKey, name: str) -> Courier:
        """A courier with a key of its own."""
        self.office.another(self.url, name)
        where = self.office.where / name
        (where / folder.KEY).write_text(folder.SECRET + b64encode(bytes(key)).decode())
        return Courier(where, clock=lambda: self.office.clock().timestamp())

    def restore(self, reviewer: str) -> None:
        """A reviewer's vault is lost, and its backup of now restored."""
        station = self.office.stations[reviewer]
        saved = backup.save(station, self.office.where / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
        station.close()
        again = self.office.where / f"restored-{reviewer}"
        self.office.stations[reviewer] = backup.restore(
            saved, again, PASSPHRASE, PASSPHRASE, "test", lambda: self.office.clock.day
        )

    def published(self) -> dict[str, bytes]:
        """What the server publishes now about manifests, by its address."""
        client = self.office.app.test_client()
        names = [f"/{stem}.json{end}" for stem in ("manifest", "manifest-1") for end in ("", ".minisig")]
        return {name: client.get(name).data for name in names}

    def serve(self, answers: dict[str, bytes]) -> None:
        """From now on the server gives these answers at these addresses."""
        honest = self.office.app.wsgi_app

        def between(environ: dict[str, Any], start: Any) -> Any:
            return instead(answers)(honest, environ, start)

        self.office.app.wsgi_app = between  # type: ignore[method-assign]

    def days(self, days: int) -> None:
        """Days go by, for everybody."""
        turn(self.office.app.extensions[NAME], self.office.clock.day + datetime.timedelta(days=days))

    def foul_push(self, content: bytes, heap: Heap, *names: str) -> None:
        """A courier pushes what was never on any honest stick."""
        foul = self.office.where / "foul"
        members, files = squatted(content, heap, *names)
        lay(foul / "outbox", Listing("server", self.office.clock.day, members, 1, 1), files)
        self.office.courier.push(foul)

    def foul_inbox(self, reviewer: str, **claims: Any) -> None:
        """A courier brings nothing but claims of its own, and the workstation hears them."""
        listing = Listing("workstation", self.office.clock.day, (), 1, 1, **claims)
        lay(self.office.stick(reviewer) / "inbox", listing, {})
        self.office.exchange(reviewer)


class Told:
    """A case: its reporter's words, and what everybody reads of it."""

    def __init__(self, stage: Stage, shown: str) -> None:
        self.stage, self.office = stage, stage.office
        code = words.decode(shown)
        self.words = " ".join(words.encode(code))
        self.who: Reporter = derive(code)
        self.id = self.who.case.hex()

    def rogue(self, reviewer: str) -> Rogue:
        """This reviewer's program, modified."""
        return Rogue(self.office.stations[reviewer], self.id)

    def reply(self, reviewer: str, text: str, *uploads: Upload) -> None:
        """An honest answer, delivered, which all readers have."""
        compose.reply(self.office.stations[reviewer], self.case(reviewer), text, uploads)
        self.office.round(reviewer, *OFFICE)

    def note(self, reviewer: str, text: str = "Seen.") -> None:
        """An honest note on the stick."""
        compose.note(self.office.stations[reviewer], self.case(reviewer), text)

    def grant(self, reviewer: str, grantee: str) -> None:
        """An honest grant, which has arrived."""
        compose.grant(self.office.stations[reviewer], self.case(reviewer), grantee)
        self.office.round(reviewer, grantee)

    def case(self, reviewer: str) -> Any:
        """The case at a workstation."""
        return self.office.case(reviewer, self.id)

    def faults(self, reviewer: str) -> list[str]:
        """What a workstation's page and `whistle workstation show` ask its reviewer to look into."""
        prefix = "Look into this: "
        return [line.removeprefix(prefix) for line in self.shown(reviewer) if line.startswith(prefix)]

    def shown(self, reviewer: str) -> list[str]:
        """The whole case as a reviewer reads it."""
        return transcript.lines(self.office.stations[reviewer], self.case(reviewer))

    def page(self) -> str:
        """What the reporter reads with script off."""
        return self.come_back().text

    def come_back(self) -> Visitor:
        """The reporter's browser with script off, at the case."""
        return self.stage.visitor().come_back(self.words)

    def program(self, *options: str) -> Any:
        """What `whistle reporter replies` says."""
        return self.stage.device.run("replies", *options, words=self.words.replace(" ", "\n"))

    def browser(self) -> dict[str, Any]:
        """What the reporter's browser makes of it with script on; only where there is Node.js."""
        assert self.stage.peer
        day = self.office.clock.day.isoformat()
        roots = [self.office.org.root.public.text]
        where = {"origin": self.stage.url, "folder": "/static/", "roots": roots, "day": day}
        found = self.stage.peer.ask("task", what="lookup", question={"environment": where, "typed": self.words})
        assert "answer" in found, found
        answer: dict[str, Any] = found["answer"]
        return answer

    def everywhere(self) -> Iterator[str]:
        """What each of the reporter's programs shows."""
        yield self.page()
        yield self.program().output
        if self.stage.peer:
            yield json.dumps(self.browser())


@contextmanager
def staged(where: Path, peer: Peer | None) -> Iterator[Stage]:
    """A stage with a server that runs, where programs wait for no server and know the office's day."""
    with working(where, rates=RATES) as office, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporter_options, "today", lambda: office.clock.day)
        patch.setattr(connection, "WAITS", (0,) * len(connection.WAITS))
        yield Stage(office, peer)


@contextmanager
def node() -> Iterator[Peer | None]:
    """The browser's half in a process, where Node.js and its packages are."""
    if NODE is None or not (CLIENT / "node_modules").is_dir():
        yield None
        return
    started = Peer()
    yield started
    started.close()
