"""A whole organisation in one process: a server that restarts, two couriers with a stick each, three workstations."""

import contextlib
import dataclasses
import datetime
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey
from sqlalchemy import select
from werkzeug.serving import WSGIRequestHandler, make_server

from tests import parties
from tests.server.visitor import Clock, Visitor, config, site, turn
from tests.workstation.carrying import station
from whistle import courier as couriers
from whistle.courier import Courier, Settings, folder
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.message import Body, Message, Signed
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.trust.manifest import Courier as Listed
from whistle.server import create_app
from whistle.server.config import Config, Rate
from whistle.server.instance import NAME, Instance
from whistle.server.running import housekeeping
from whistle.store import Heap, Store
from whistle.store.models import ALL_TABLES
from whistle.workstation.cases import overview
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.workstation import Workstation

SLOTS = 4
RATES = dict.fromkeys(Config(Path()).rates, Rate("1000000 per second", "1000000 per second"))
COURIERS = ("first", "second")
PEOPLE = tuple(parties.ROLES)
ENVELOPES = ["id", "heap", "day", "state", "state_day"]
COLUMNS = {
    "envelopes": ENVELOPES,
    "bodies": ["k", "body"],
    "blocks": ["id", "heap", "day"],
    "today_envelopes": ENVELOPES,
    "today_bodies": ["k", "body"],
    "today_blocks": ["id", "heap", "day"],
    "pending": ["id", "day", "upload"],
    "imports": ["reviewer", "day", "hash"],
    "visits": ["courier", "day"],
    "manifests": ["serial", "data", "signature"],
    "clock": ["day"],
    "alembic_version": ["version_num"],
}
STATES = {
    "waiting": "Nobody has picked it up yet",
    "collected": "We do not know yet whether it was read",
    "answered": "There is a reply",
    "removed": "Removed on",
}


class Quiet(WSGIRequestHandler):
    """Serves without a line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def _organisation() -> tuple[parties.Organisation, dict[str, SigningKey]]:
    org = parties.organisation(slots=SLOTS)
    keys = {id: SigningKey.generate() for id in COURIERS}
    listed = tuple(Listed(id, id.title(), bytes(key.verify_key).hex()) for id, key in keys.items())
    return dataclasses.replace(org, known=org.sign(couriers=listed)), keys


ORG, KEYS = _organisation()


@dataclasses.dataclass
class Said:
    """Something that was said in a case, with its files by name."""

    text: str
    files: dict[str, bytes]
    by: str = ""


@dataclasses.dataclass
class Case:
    """A case as the tests know it."""

    words: str
    who: Reporter
    without: tuple[str, ...]
    readers: tuple[str, ...]
    told: list[Said]
    state: str = "waiting"
    replies: list[Said] = dataclasses.field(default_factory=list)
    notes: list[Said] = dataclasses.field(default_factory=list)
    granted: set[str] = dataclasses.field(default_factory=set)

    @property
    def name(self) -> str:
        """The case's name, in hexadecimal."""
        return self.who.case.hex()


@dataclasses.dataclass(frozen=True)
class Row:
    """An envelope as it lies in the store."""

    id: bytes
    heap: Heap
    day: datetime.date
    state: str
    body: bytes | None


class World:
    """Everything that takes part; `close` ends it."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="whistle-trial-")
        self.folder = Path(self._place.name)
        self.clock = Clock()
        (self.folder / "server").mkdir()
        self.app = site(self.folder / "server", ORG, self.clock, slots=SLOTS, rates=RATES)
        self._ended = contextlib.ExitStack()
        url = self._ended.enter_context(self._served())
        self.couriers = {id: self._courier(id, url) for id in COURIERS}
        self.stations = {id: self._station(id) for id in PEOPLE}
        self.cases: list[Case] = []
        self.written: dict[tuple[str, str], list[str]] = {}
        self.delivered: set[str] = set()

    def close(self) -> None:
        """End the server, lock the workstations, remove all files."""
        self._ended.close()
        for each in self.stations.values():
            each.close()
        self.store.close()
        self._place.cleanup()

    @property
    def instance(self) -> Instance:
        """The server's."""
        found = self.app.extensions[NAME]
        assert isinstance(found, Instance)
        return found

    @property
    def store(self) -> Store:
        """The server's."""
        return self.instance.store

    def stick(self, courier: str) -> Path:
        """The courier's stick."""
        return self.folder / f"stick-{courier}"

    def restart(self) -> None:
        """End the server and begin it again in its folder."""
        self.store.close()
        self.app = create_app(config(self.folder / "server", slots=SLOTS, rates=RATES), self.clock)

    def wait(self, days: int) -> None:
        """Some days go by; in the first minutes of the last the server keeps house."""
        turn(self.instance, self.clock.day + datetime.timedelta(days=days))
        housekeeping.clean(self.instance)

    def visitor(self) -> Visitor:
        """Somebody with a browser."""
        return Visitor(self.app)

    def carry(self, courier: str) -> None:
        """A courier's exchange."""
        self.couriers[courier].exchange(self.stick(courier))
        for (stick, _), texts in self.written.items():
            if stick == courier:
                self.delivered.update(texts)
        for case in self.cases:
            if case.state == "waiting":
                case.state = "collected"

    def take(self, reviewer: str, courier: str) -> None:
        """A workstation's exchange with a courier's stick."""
        exchange(self.stations[reviewer], self.stick(courier))
        mine = [each.text for case in self.cases for each in case.replies if each.by == reviewer]
        self.written[courier, reviewer] = [text for text in mine if text not in self.delivered]

    def rows(self) -> dict[bytes, Row]:
        """All envelopes."""
        found: dict[bytes, Row] = {}
        with self.store.database.read() as connection:
            for place in ALL_TABLES:
                for row in connection.execute(select(place.envelopes)):
                    found.setdefault(row.id, Row(row.id, row.heap, row.day, str(row.state), None))
        bodies = {each.id: each.body for each in self.store.lookup(list(found), bodies=Heap)}
        return {id: dataclasses.replace(row, body=bodies[id]) for id, row in found.items()}

    def ids(self) -> dict[datetime.date, set[bytes]]:
        """What the reviewers' heap holds of each day."""
        days = [counted.day for counted in self.store.days()]
        return {day: {*self.store.day_ids(day).envelopes, *self.store.day_ids(day).blocks} for day in days}

    def openers(self, body: bytes) -> dict[str, Signed]:
        """Everybody who can open an envelope, by name, with what they find: reviewers, and cases' reporters."""
        keys = {id: person.identities for id, person in ORG.people.items()}
        keys |= {case.name: [case.who.mailbox] for case in self.cases}
        found = {}
        for name, identities in keys.items():
            with contextlib.suppress(NotForMe):
                found[name] = envelope.open_(body, identities, SLOTS)
        return found

    def whole(self, signed: Signed, heap: Heap) -> Message:
        """A message with its `rest`."""
        found = signed.message
        if not isinstance(found, Body) or found.rest is None:
            return found
        return message.with_content(found, self.content(found.rest, heap))

    def content(self, record: attachment.Attachment, heap: Heap) -> bytes:
        """An attachment's content from the server's blocks."""
        opener = attachment.Opener(record)
        pieces = []
        for id in attachment.block_ids(record):
            block = self.store.block(id, heap)
            if block is None:
                raise Malformed("a block is missing")
            pieces.append(opener.update(block))
        return b"".join([*pieces, opener.finish()])

    def said(self, reviewer: str) -> dict[str, Counter[str]]:
        """The texts that a workstation shows, by case."""
        shown = overview.queue(self.stations[reviewer])
        return {case.id: Counter(getattr(entry.content, "text", "") for entry in case.entries) for case in shown}

    def _station(self, id: str) -> Workstation:
        made = station(self.folder / id, ORG.people[id], lambda: self.clock.day)
        made.trust.pin([ORG.root.public])
        return made

    def _courier(self, id: str, url: str) -> Courier:
        where = self.folder / f"courier-{id}"
        couriers.create(where, Settings(url, id, (ORG.root.public,), None))
        (where / folder.KEY).write_text(folder.SECRET + folder.base64.b64encode(bytes(KEYS[id])).decode())
        self.stick(id).mkdir()
        return Courier(where, clock=lambda: self.clock().timestamp())

    @contextlib.contextmanager
    def _served(self) -> Iterator[str]:
        def answer(environ: dict[str, Any], start: Any) -> Any:
            return self.app.wsgi_app(environ, start)

        server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
