"""A reporter's browser without script, and a server for it to visit."""

import contextlib
import datetime
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests import parties
from whistle.protocol.case import envelope, message
from whistle.protocol.case.message import Have, Reply, Report, Signed
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.protocol.errors import NotForMe
from whistle.server import create_app
from whistle.server.config import Config, Emergency, Outside, Question, Step
from whistle.server.instance import Instance, here
from whistle.server.key_files import write_roots
from whistle.server.places import Line, Place
from whistle.server.topics import Topic
from whistle.store import Heap, Sealed, Store
from whistle.store.models import pending

CHOICES = ("checkbox", "radio")
TEXT = "Money for the school was taken."


class Clock:
    """A clock that tests turn."""

    def __init__(self, day: datetime.date = parties.DAY) -> None:
        self.day = day

    def __call__(self) -> datetime.datetime:
        return datetime.datetime.combine(self.day, datetime.time(12), datetime.UTC)


def turn(instance: Instance, day: datetime.date) -> None:
    """It is another day; the operator accepts whatever leap that is."""
    assert isinstance(instance.now, Clock)
    instance.now.day = day
    if instance.store.clock().leapt:
        instance.store.accept(day)


def config(folder: Path, **changes: Any) -> Config:
    """What the organisation of the tests has decided."""
    fields: dict[str, Any] = {
        "chaff": 0.0,
        "name": {"en": "North Office", "ar": "مكتب الشمال"},
        "emergency": (Emergency("112", {"en": "police and ambulance", "ar": "الشرطة والإسعاف"}),),
        "outside": (Outside({"en": "Council of staff"}, "https://staff.example", {"en": "Elected by all."}),),
        "plan": (
            Step(7, {"en": "we confirm that it arrived"}, "acknowledgement"),
            Step(60, {"en": "we hear everybody"}),
            Step(90, {"en": "we tell you what came of it"}, "feedback"),
        ),
        "questions": {"harassment": (Question("when", {"en": "When was it?"}, {"en": "A rough date will do."}),)},
        "guidance": {"en": (Topic("Think of yourself", "Use *your own* device."),)},
        "places": (Place("FR", "112", (Line("3919", "Violences Femmes Info", "violence"),)),),
        "threads": 4,
        "beat": 0.0,
        "patience": 0.0,
    }
    return Config(folder, **{**fields, **changes})


def site(folder: Path, org: parties.Organisation, clock: Clock | None = None, **changes: Any) -> flask.Flask:
    """The server of an organisation, its manifest installed."""
    (folder / "keys").mkdir()
    write_roots(folder / "keys", [org.root.public])
    app = create_app(config(folder, **changes), clock or Clock())
    with app.app_context():
        here().published.install([(org.known.data, org.known.signature)])
    return app


def still(app: flask.Flask) -> flask.Flask:
    """Let the clock of its limits stand, half a minute after a window began."""
    app.extensions["whistle_limits"]._limiter.limiter.storage._now = lambda: 30.0
    return app


def lose_pending(store: Store, of: int | None = None) -> str:
    """Remove all blocks that wait for a commit; there must be some, or `of` of them."""
    with store.database.read() as connection:
        ids = list(connection.scalars(pending.select()))
    assert len(ids) == of if of is not None else ids
    store.drop(ids)
    return ""


def store_of(app: flask.Flask) -> Store:
    """Where the server keeps sealed things."""
    with app.app_context():
        return here().store


@dataclass
class Form:
    """A form of a page: its fields in order, and its buttons."""

    method: str
    action: str
    kind: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def steps(self) -> set[str]:
        """The steps that it can lead to."""
        return {value for name, value in self.fields + self.buttons if name == "step"}


class Page(HTMLParser):
    """The forms, links, ids and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.title = ""
        self._area: str | None = None
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag in ("a", "link") and "href" in given:
            self.links.append(given["href"])
        if tag == "form":
            self.forms.append(Form(given["method"], given["action"], given.get("enctype", "")))
        elif tag == "textarea":
            self._area = ""
            self.forms[-1].fields.append((given["name"], ""))
        elif tag == "button" and "name" in given:
            self.forms[-1].buttons.append((given["name"], given["value"]))
        elif tag == "input" and given.get("type") == "file":
            self.forms[-1].files.append(given["name"])
        elif tag == "input" and "name" in given and (given.get("type") not in CHOICES or "checked" in given):
            self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            self.forms[-1].fields[-1] = (self.forms[-1].fields[-1][0], self._area.removeprefix("\n"))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area += data
        elif self._open and self._open[-1] == "title" and not self.title:
            self.title = data.strip()
        elif self._open and self._open[-1] == "style":
            return
        else:
            self.text += data

    def form(self, step: str) -> Form:
        """The form that leads to a step."""
        return next(form for form in self.forms if step in form.steps)


class Visitor:
    """Somebody with a browser; every answer is kept in ``answer``, its forms in ``page``."""

    def __init__(self, app: flask.Flask, language: str = "en") -> None:
        self.client = app.test_client(use_cookies=True)
        self.here = f"/{language}/"
        self.open(self.here)

    def open(self, path: str) -> "Visitor":
        """Go to an address."""
        return self.took(self.client.get(path))

    def step(
        self, step: str, fill: Mapping[str, str | Sequence[str]] | None = None, files: Sequence[tuple[str, bytes]] = ()
    ) -> "Visitor":
        """Fill in the form that leads to a step, and send it."""
        form = self.page.form(step)
        data = MultiDict(form.fields)
        data["step"] = step
        for name, value in (fill or {}).items():
            data.setlist(name, [value] if isinstance(value, str) else list(value))
        if not form.kind:
            return self.took(self.client.post(form.action, data=data))
        order = [*data.items(multi=True), *(("files", (io.BytesIO(body), name)) for name, body in files)]
        return self.took(self.client.post(form.action, data=MultiDict(order), content_type=form.kind))

    def tell(self, text: str = TEXT, channel: str = "harassment", **more: Any) -> "Visitor":
        """From the first page to an answer to a report."""
        files = more.pop("files", ())
        self.open(self.here).step("report", {"channel": channel})
        return self.step("send", {"text": text, **more}, files)

    def come_back(self, words: str) -> "Visitor":
        """From the first page to the case."""
        return self.open(self.here).step("replies").step("look", {"words": words})

    @property
    def text(self) -> str:
        """The words of the page, each run of white space as one space."""
        return " ".join(self.page.text.split())

    @property
    def words(self) -> str:
        """The words that the page carries in its hidden fields, as numbers."""
        return next(value for form in self.page.forms for name, value in form.fields if name == "words")

    def took(self, answer: TestResponse) -> "Visitor":
        """Show an answer."""
        self.answer = answer
        self.html = answer.get_data(as_text=True)
        self.page = Page(self.html)
        return self


def opened(app: flask.Flask, org: parties.Organisation, reader: str) -> list[Signed]:
    """The messages that a reviewer can open of all that lies on the server, in no order."""
    found: list[Signed] = []
    store = store_of(app)
    for body in (store.body(id) for counted in store.days() for id in store.day_ids(counted.day).envelopes):
        with contextlib.suppress(NotForMe):
            found.append(envelope.open_(body or b"", org.people[reader].identities, org.manifest.slots))
    return found


def reported(app: flask.Flask, org: parties.Organisation, reader: str = "ombuds") -> Report:
    """The one report that a reviewer can open."""
    [report] = [each.message for each in opened(app, org, reader) if isinstance(each.message, Report)]
    return report


def answer(
    app: flask.Flask, org: parties.Organisation, who: Reporter, report: Report, text: str = "We read it.", **more: Any
) -> Reply:
    """A reply of the report's first reader, or of ``by``, laid into its place, or the one ``at`` a lane and n."""
    by, at = org.people[more.pop("by", report.readers[0])], more.pop("at", None)
    fields: dict[str, Any] = {
        "case": report.case,
        "readers": report.readers,
        "without": report.without,
        "keys": org.known.keys,
        "sender": by.id,
        "day": parties.DAY,
        "seq": 0,
        "prev": None,
        "seen": (),
        "to": report.sender.mailbox,
        "lane": 0,
        "n": 0,
        "have": Have(1, parties.DAY),
        "language": "en",
        "text": text,
    }
    reply = Reply(**{**fields, **more})
    signed = message.sign(reply, by.secret.signing)
    body = envelope.seal(signed, [who.mailbox.recipient], org.manifest.slots, parties.POOL)
    lane, n = (at["lane"], at["n"]) if at else (reply.lane, reply.n)
    id = place_ids(who.replies, lane)[n]
    store_of(app).commit([Sealed(id, Heap.REPORTERS, body)], [])
    return reply


def hide(monkeypatch: pytest.MonkeyPatch, id: bytes) -> None:
    """Let the server say nothing of something."""
    lookup = Store.lookup

    def hiding(self: Store, ids: Sequence[bytes], *more: Any, **options: Any) -> list[Any]:
        return lookup(self, [each for each in ids if each != id], *more, **options)

    monkeypatch.setattr(Store, "lookup", hiding)
