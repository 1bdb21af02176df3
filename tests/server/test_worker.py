"""What the browser's program does in its worker, against a real server: sends, comes back, opens, takes back."""

import base64
import datetime
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from tests import parties
from tests.protocol import browser
from tests.protocol.browser import Peer
from tests.second_ids import AFTER, ALONE, following
from tests.server.test_replies import long
from tests.server.visitor import answer, hide, lose_pending, opened, reported, store_of, turn
from whistle.protocol import schema
from whistle.protocol.case import attachment
from whistle.protocol.case.message import Earlier, FollowUp
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.protocol.trust.manifest import Signing
from whistle.protocol.trust.minisign import SecretKey
from whistle.server.instance import Instance
from whistle.server.sealing import arrival
from whistle.store import Heap, Sealed

peer = browser.peer
pytestmark = browser.needs_node
CODED = base64.b64encode(bytes(range(48))).decode()
TEXT = "Money for the school was taken.\r\nTwice."
BIG = attachment.capacity(3) + 1


class Line:
    """Stands between a browser and the server; `fault` says of a path and its number what goes wrong."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.asked: list[str] = []
        self.fault: Callable[[str, int], str] = lambda path, number: ""
        self.instead: dict[str, bytes] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        fault = self.fault(path, self.asked.count(path))
        if fault == "busy":
            start("503 Service Unavailable", [("Retry-After", "1"), ("Content-Length", "0")])
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return [b""]
        if path in self.instead:
            start("200 OK", [("Content-Length", str(len(self.instead[path])))])
            return [self.instead[path]]
        found = self._app(environ, start)
        if fault == "cut":
            b"".join(found)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return found


@dataclass
class Page:
    """A page that asks its worker."""

    peer: Peer
    line: Line
    environment: dict[str, Any]

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        """All that comes of it."""
        cancel = question.pop("cancel_at", None)
        found = self.peer.ask(
            "task", what=what, question={"environment": self.environment, **question}, cancelAt=cancel
        )
        assert isinstance(found, dict)
        return found

    def report(self, *contents: bytes, cancel_at: int | None = None, **draft: Any) -> dict[str, Any]:
        """All that comes of a report with files."""
        whole = {"channel": "harassment", "language": "en", "text": TEXT, **draft}
        return self.ask("report", draft=whole, files=files(*contents), cancel_at=cancel_at)


def files(*contents: bytes) -> list[dict[str, str]]:
    """Files as a page hands them over."""
    return [
        {"name": f"{number}.bin", "type": "x/y", "content": content.hex()} for number, content in enumerate(contents)
    ]


@pytest.fixture
def page(app: flask.Flask, org: parties.Organisation, peer: Peer) -> Iterator[Page]:
    """A page of a running server."""
    line = Line(app)
    server = make_server("127.0.0.1", 0, line, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    roots = [org.root.public.text]
    yield Page(peer, line, {"origin": origin, "folder": "/static/", "roots": roots, "day": parties.DAY.isoformat()})
    server.shutdown()
    thread.join()
    server.server_close()


def who_sent(outcome: dict[str, Any]) -> Reporter:
    """The reporter behind the words that a page shows."""
    code = words.decode(" ".join(outcome["answer"]["words"]))
    assert words.numbers(code) == outcome["answer"]["numbers"]
    return retrieval.derive(code)


def content_of(app: flask.Flask, record: attachment.Attachment) -> bytes:
    """The content of an attachment to reviewers, from the server's blocks."""
    opener = attachment.Opener(record)
    blocks = [store_of(app).block(id, Heap.REVIEWERS) for id in attachment.block_ids(record)]
    assert all(blocks)
    return b"".join([*(opener.update(block) for block in blocks if block), opener.finish()])


def test_a_report_with_files(app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page) -> None:
    """Readers open what the browser sealed, and the words find it on the pages too; nobody else was sealed to."""
    contents = [os.urandom(BIG), b"", b"x"]
    outcome = page.report(*contents, without=["ethics", "nobody"], answers={"when": "In May.", "who": " "})
    who, found = who_sent(outcome), reported(app, org)
    assert (found.case, found.text, found.answers) == (who.case.hex(), TEXT.replace("\r", ""), {"when": "In May."})
    assert (found.readers, found.without, found.sealed) == (("ombuds",), ("ethics",), "browser")
    assert found.keys == org.known.keys
    assert not opened(app, org, "ethics") and not opened(app, org, "counsel")
    assert [content_of(app, record) for record in found.attachments] == contents
    assert [(record.name, record.type) for record in found.attachments] == [(f"{n}.bin", "x/y") for n in range(3)]
    assert outcome["progress"] == [[done, 6] for done in range(1, 7)]
    assert outcome["answer"]["reference"] == retrieval.reference(who.case)
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    assert view and view.slip and view.slip.without == ("ethics",)


def test_a_long_report_travels_in_its_rest(app: flask.Flask, org: parties.Organisation, page: Page) -> None:
    """A text that fits no envelope arrives whole."""
    text = "Es war nicht das erste Mal. " * 5000
    page.report(text=text)
    found = reported(app, org)
    assert found.rest and text.encode() in content_of(app, found.rest)


def test_what_the_words_find(app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page) -> None:
    """State, slip, replies with their files and who was brought in are what the server's own page finds."""
    who = who_sent(page.report())
    sealer = attachment.Sealer()
    content = os.urandom(BIG)
    blocks = sealer.update(content)
    last, record = sealer.finish("answer.pdf", "application/pdf")
    for id, block in blocks + last:
        instance.store.put_block(id, block, Heap.REPORTERS)
    instance.store.commit([], [id for id, _ in blocks + last])
    found = reported(app, org)
    first = answer(app, org, who, found, "We read it.", attachments=(record,))
    answer(app, org, who, found, "We all read it.", by="ethics", lane=1, readers=("ombuds", "ethics", "counsel"))
    answer(app, org, who, found, "In the place of another.", by="ethics", lane=2)
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    there = page.ask("lookup", typed=" ".join(map(str, words.numbers(who.code))))["answer"]
    assert view and view.slip and view.state
    assert (there["state"], there["day"]) == (view.state.value, parties.DAY.isoformat())
    assert tuple(there["slip"]["readers"]) == view.slip.readers
    assert [(each["reviewer"]["id"], each["reply"]["text"]) for each in there["replies"]] == [
        (each.reviewer.id, each.reply.text) for each in view.replies
    ]
    assert (
        brought_in(there)
        == [("counsel", "ethics", parties.DAY)]
        == [(each.reviewer.id, each.by.id, each.day) for each in view.brought_in]
    )
    assert there["late"] == view.late == 1
    given = there["replies"][0]["reply"]["attachments"][0]
    assert page.ask("download", attachment=given)["answer"] == content.hex()
    assert page.ask("download", attachment=given | {"sha256": "00" * 32})["fault"] == {"kind": "malformed"}
    assert first.text == "We read it."


def brought_in(there: dict[str, Any]) -> list[tuple[str, str, datetime.date]]:
    """Who was brought in, by whom and when, as the browser found it."""
    day = datetime.date.fromisoformat
    return [(each["reviewer"]["id"], each["by"]["id"], day(each["day"])) for each in there["broughtIn"]]


def test_a_notice(app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page) -> None:
    """A reply without content is shown as none: it tells who was brought in, before any reply names them."""
    who, all_of = who_sent(page.report()), ("ombuds", "ethics", "counsel")
    answer(app, org, who, reported(app, org), "", by="ethics", lane=1, readers=all_of)
    answer(app, org, who, reported(app, org), "We all read it.", readers=all_of, mark="feedback")
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert view and [each.reply.text for each in view.replies] == ["We all read it."]
    assert [each["reply"]["text"] for each in there["replies"]] == ["We all read it."]
    assert [(each.reviewer.id, each.by.id) for each in view.brought_in] == [("counsel", "ethics")]
    assert brought_in(there) == [("counsel", "ethics", parties.DAY)]
    assert view.done == dict.fromkeys(("acknowledgement", "feedback"), parties.DAY)
    opened_ = page.ask("open", typed=" ".join(words.encode(who.code)))["answer"]
    assert opened_["done"] == dict.fromkeys(("acknowledgement", "feedback"), parties.DAY.isoformat())


def test_more_than_one_answer_holds(app: flask.Flask, org: parties.Organisation, page: Page) -> None:
    """As many questions follow as it takes, also when some are lost: all replies, and junk beside them is counted."""
    who = who_sent(page.report())
    junk = [Sealed(id, Heap.REPORTERS, bytes(8 * 4096)) for id in place_ids(who.replies, 1)[:9]]
    store_of(app).commit(junk, [])
    report = reported(app, org)
    for n in range(8):
        answer(app, org, who, report, f"Answer {n}.", n=n, seq=n, prev="ab" * 32 if n else None)
    page.line.fault = lambda path, number: "busy" if (path, number) == ("/api/lookup", 2) else ""
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert [each["reply"]["text"] for each in there["replies"]] == [f"Answer {n}." for n in range(8)]
    assert there["late"] == 9
    assert page.line.asked.count("/api/lookup") == 1 + 3  # 17 in reply places, and the slip; seven in each answer


def test_a_reply_that_was_left_closed_is_opened_by_itself(
    app: flask.Flask, org: parties.Organisation, page: Page
) -> None:
    """As the page asks for it, when its author's long replies are too much to be opened at once."""
    who = who_sent(page.report())
    answer(app, org, who, reported(app, org), "A short one.")
    [shown] = page.ask("open", typed=" ".join(words.encode(who.code)))["answer"]["replies"]
    rest = schema.to_json(long(app, "A long one.")["rest"])
    closed = {name: value for name, value in shown.items() if name != "text"} | {"rest": rest}
    found = page.ask("content", reply=closed)["answer"]
    assert found == shown | {"text": "A long one.", "rest": None}
    closed["rest"] = rest | {"sha256": "00" * 32}
    assert page.ask("content", reply=closed)["fault"] == {"kind": "malformed"}


def test_what_cannot_be_checked_is_not_fetched_anew_for_each_manifest(
    app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page
) -> None:
    """Junk makes a browser read older manifests too; what it has opened and fetched it judges by all of them."""
    who = who_sent(page.report())
    answer(app, org, who, reported(app, org), "", **long(app, "A long one."))
    store_of(app).commit([Sealed(place_ids(who.replies, 3)[0], Heap.REPORTERS, bytes(8 * 4096))], [])
    newer = org.next(collection=("friday",))
    instance.published.install([(newer.data, newer.signature)])
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert ([each["reply"]["text"] for each in there["replies"]], there["late"]) == (["A long one."], 1)
    assert "/manifest-1.json" in page.line.asked and page.line.asked.count("/api/blocks") == 1


ENDLESS = {
    "the same again": lambda id: bytes(3) + b"\1\1" + id + bytes(9),
    "nothing, and more": lambda id: bytes(4) + b"\1",
}


@pytest.mark.parametrize("wrong", ENDLESS)
def test_an_answer_without_end(page: Page, wrong: str) -> None:
    """A server that says there is more without going on is not asked for ever."""
    who = who_sent(page.report())
    page.line.instead = {"/api/lookup": ENDLESS[wrong](who.slip_id).ljust(262_144, b"\0")}
    assert page.ask("lookup", typed=" ".join(words.encode(who.code)))["fault"]["kind"] == "refused"
    assert page.line.asked.count("/api/lookup") <= 2


def test_what_is_kept_back(app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page) -> None:
    """Which replies are named and not there, and which differ, both programs say alike."""
    who, day = who_sent(page.report()), parties.DAY
    report, typed = reported(app, org), " ".join(words.encode(who.code))
    first = answer(app, org, who, report, "We read it.")
    own, other = hashlib.sha256(first.line).hexdigest(), "ab" * 32
    known = (Earlier(day, "ombuds", own, 0), Earlier(day, "ombuds", other, 9), Earlier(day, "counsel", other, 700))
    answer(app, org, who, report, "So did we.", by="ethics", lane=1, earlier=known)
    named = (Earlier(day, "ethics", other, 64), Earlier(day, "nobody", other, 3), Earlier(day, "ombuds", other, 2))
    answer(app, org, who, report, "We ask again.", n=1, earlier=named)
    view = arrival.view_case(who, instance.published.now(), instance.store, day)
    there = page.ask("lookup", typed=typed)["answer"]
    assert view and [(each.author.id, each.by.id, each.differs) for each in view.missing] == [
        ("ethics", "ombuds", True), ("ombuds", "ombuds", False), ("counsel", "ethics", False),
    ]  # fmt: skip
    assert [(each["author"]["id"], each["by"]["id"], each["differs"]) for each in there["missing"]] == [
        (each.author.id, each.by.id, each.differs) for each in view.missing
    ]
    keys = [each["key"] for each in page.ask("open", typed=typed)["answer"]["missing"]]
    assert keys == ["differs", "absent_own", "absent"]
    page.environment["day"] = (day + datetime.timedelta(days=401)).isoformat()
    assert page.ask("lookup", typed=typed)["answer"]["missing"] == []


FAKES: dict[str, dict[str, Any]] = {
    "by somebody who does not read the case": {"by": "counsel"},
    "by the one who was left out": {"by": "ethics"},
    "in another's lane": {"by": "ombuds", "lane": 1},
    "that leaves nobody out": {"without": ()},
    "that names the one who was left out": {"without": (), "readers": ("ombuds", "ethics")},
    "of another case": {"case": "00" * 32},
    "for another mailbox": {"to": parties.reporter().mailbox.recipient.text},
    "for another place": {"n": 3},
    "that names nobody whom the manifest lists": {"readers": ("ombuds", "director")},
}


@pytest.mark.parametrize("fake", FAKES)
def test_a_notice_that_is_made_up(
    app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page, fake: str
) -> None:
    """Nobody is shown as brought in who was left out, nor by the word of anybody but a reader of the case."""
    who = who_sent(page.report(without=["ethics"]))
    fields = {"readers": ("ombuds", "counsel"), **FAKES[fake]}
    where = {"lane": fields.get("lane", 0), "n": 0}
    answer(app, org, who, reported(app, org), "", **{"by": "ombuds", **fields}, at=where)
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert view and view.brought_in == () and there["broughtIn"] == []
    assert view.late == there["late"] == (0 if "director" in fields["readers"] else 1)
    assert view.replies == () and there["replies"] == []


def test_a_follow_up(app: flask.Flask, org: parties.Organisation, page: Page) -> None:
    """A follow-up reaches the report's readers and whoever was brought in, never who was left out."""
    outcome = page.report(without=["ethics"])
    who, typed = who_sent(outcome), " ".join(outcome["answer"]["words"])
    answer(app, org, who, reported(app, org), readers=("ombuds", "counsel"))
    draft = {"language": "en", "text": "One more thing."}
    sent = page.ask("followUp", draft=draft, files=files(b"abc"), typed=typed)
    assert "fault" not in sent, sent
    for reader in ("ombuds", "counsel"):
        told = [each.message for each in opened(app, org, reader) if isinstance(each.message, FollowUp)]
        assert [(each.text, each.readers, each.without) for each in told] == [
            ("One more thing.", ("ombuds", "counsel"), ("ethics",))
        ]
        assert len(told[0].once) == 16
        assert content_of(app, told[0].attachments[0]) == b"abc"
    again = page.ask("followUp", draft={**draft, "text": "My words: " + typed}, typed=typed)
    assert again["fault"] == {"kind": "holds-words"}


def test_taking_it_back(page: Page) -> None:
    """A report is withdrawn once; under other words lies nothing."""
    typed = " ".join(page.report()["answer"]["words"])
    assert page.ask("withdraw", typed=typed)["answer"] == "withdrawn"
    assert page.ask("lookup", typed=typed)["answer"]["state"] == "removed"
    other = " ".join(words.encode(os.urandom(16), "zh"))
    assert page.ask("lookup", typed=other)["answer"] is None
    assert page.ask("withdraw", typed=other)["answer"] == "unknown"


def test_what_cannot_be_sent(page: Page) -> None:
    """What is wrong is told by its kind, before any file is sealed."""
    held = " ".join(words.encode(bytes(16), "fr"))
    for text in (" ", "\u200b\u2060", "\u3164\u2800", "\U000e0041\ufe0f"):
        assert page.report(text=text, answers={"when": text})["fault"] == {"kind": "empty"}
    assert page.report(b"x", text="\u2060".join(held.split()))["fault"] == {"kind": "holds-words"}
    assert page.report(b"x", answers={"when": "\u200b".join(held)})["fault"] == {"kind": "holds-words"}
    for part in ("WHISTLE SEALED\nREPORT", "\n".join([CODED] * 16)):
        assert page.report(b"x", answers={"when": part})["fault"] == {"kind": "holds-sealed"}
    assert page.report(b"x", text=f"Remember: {held}")["fault"] == {"kind": "holds-words"}
    assert page.report(b"x", answers={"when": held})["fault"] == {"kind": "holds-words"}
    assert page.report(text=" ", answers={"way": "advice"})["fault"] == {"kind": "empty"}
    assert page.report(b"x", answers={"way": held})["fault"] == {"kind": "holds-words"}
    assert page.report(b"x", without=["ombuds", "ethics"])["fault"] == {"kind": "nobody-left"}
    assert "/api/block" not in page.line.asked
    told = page.ask("lookup", typed="abandin " + "abandon " * 11)["fault"]
    assert (told["kind"], told["reason"], told["word"]) == ("malformed", "unknown", "abandin")


def test_a_line_that_breaks(app: flask.Flask, org: parties.Organisation, page: Page) -> None:
    """Lost requests and lost answers are made up for: the upload goes on, and everything is stored once."""
    faults = {("/api/block", 2): "cut", ("/api/block", 4): "busy", ("/api/store", 1): "cut"}
    page.line.fault = lambda path, number: faults.get((path, number), "")
    content = os.urandom(BIG)
    outcome = page.report(content)
    assert outcome["waits"] == 3
    assert content_of(app, reported(app, org).attachments[0]) == content
    assert page.line.asked.count("/api/block") == 4 + 2


@pytest.mark.parametrize("losses", [1, 2])
def test_blocks_that_the_server_loses(app: flask.Flask, org: parties.Organisation, page: Page, losses: int) -> None:
    """A program whose blocks are gone before the last request sends them again by itself, once, and else says so."""
    page.line.fault = lambda path, number: (
        lose_pending(store_of(app)) if path == "/api/store" and number <= losses else ""
    )
    content = os.urandom(BIG)
    outcome = page.report(content)
    assert page.line.asked.count("/api/block") == 2 * 4 and page.line.asked.count("/api/store") == 2
    if losses == 1:
        assert content_of(app, reported(app, org).attachments[0]) == content
    else:
        assert outcome["fault"] == {"kind": "lost", "wait": 0}
    assert lose_pending(store_of(app), of=0) == ""


def test_somebody_stops_it(app: flask.Flask, org: parties.Organisation, page: Page) -> None:
    """An upload that is cancelled under way stores no report."""
    assert page.report(os.urandom(BIG), cancel_at=2)["fault"] == {"kind": "cancelled", "wait": 0}
    assert not opened(app, org, "ombuds")
    assert "/api/store" not in page.line.asked


@pytest.mark.parametrize(
    ("days", "kind"),
    [(-30, "expired"), (82, None), (113, None), (114, "expired")],
    ids=["ahead", "last", "grace", "closed"],
)
def test_the_days_of_the_manifest(page: Page, days: int, kind: str | None) -> None:
    """Nothing is sealed by a manifest that has not begun, or has ended thirty days ago."""
    page.environment["day"] = (parties.DAY + datetime.timedelta(days=days)).isoformat()
    assert page.report().get("fault", {}).get("kind") == kind


def test_a_manifest_of_another_root(page: Page) -> None:
    """Whoever pins another root gets nothing sealed."""
    page.environment["roots"] = [SecretKey.generate().public.text]
    assert page.report()["fault"] == {"kind": "forged"}


def test_keys_that_are_out_of_use(app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page) -> None:
    """A reply by a key that has a last day since is shown on the word of the newest manifest alone."""
    who = who_sent(page.report())
    answer(app, org, who, reported(app, org))
    renewed = SecretKey.generate()
    people = [
        replace(each, signing=(replace(each.signing[0], last=parties.DAY), Signing(renewed.public.text, None)))
        if each.id == "ombuds"
        else each
        for each in org.manifest.reviewers
    ]
    follows = org.next(reviewers=tuple(people))
    instance.published.install([(follows.data, follows.signature)])
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert ([each["reply"]["text"] for each in there["replies"]], there["late"]) == (["We read it."], 0)
    assert "/manifest.json" in page.line.asked and "/manifest-1.json" not in page.line.asked


def test_a_case_without_its_slip(
    app: flask.Flask, org: parties.Organisation, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies are shown, and nothing is sealed to whom they name: nobody could tell who was left out."""
    who = who_sent(page.report(without=["ethics"]))
    answer(app, org, who, reported(app, org), readers=("ombuds", "ethics"), without=())
    hide(monkeypatch, who.slip_id)
    typed = " ".join(words.encode(who.code))
    there = page.ask("lookup", typed=typed)["answer"]
    assert there["slip"] is None and [each["reply"]["readers"] for each in there["replies"]] == [["ombuds", "ethics"]]
    sent = page.ask("followUp", typed=typed, draft={"language": "en", "text": TEXT}, files=[])
    assert sent["fault"] == {"kind": "nobody-left"}


@pytest.mark.parametrize("what", ALONE)
def test_a_manifest_with_a_second_id(org: parties.Organisation, page: Page, what: str) -> None:
    """A browser that has seen nothing before seals nothing when one key stands under two ids, whoever signed it."""
    wrong = following(org, org.known, ALONE[what])
    page.line.instead = {"/manifest.json": wrong.data, "/manifest.json.minisig": wrong.signature}
    assert page.report()["fault"] == {"kind": "malformed"}
    assert "/api/store" not in page.line.asked


@pytest.mark.parametrize("what", AFTER)
def test_a_manifest_that_moves_an_id(
    app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page, what: str
) -> None:
    """Where a browser needs the manifest before the newest, it holds the newest to it."""
    who = who_sent(page.report())
    answer(app, org, who, reported(app, org), by="ethics", lane=1)
    wrong = following(org, org.known, AFTER[what])
    page.line.instead = {"/manifest.json": wrong.data, "/manifest.json.minisig": wrong.signature}
    assert page.ask("lookup", typed=" ".join(words.encode(who.code)))["fault"] == {"kind": "malformed"}


def test_who_left_before_they_wrote(
    app: flask.Flask, org: parties.Organisation, instance: Instance, page: Page
) -> None:
    """Of somebody who left, an older manifest tells since when; what came after that does not count."""
    who = who_sent(page.report())
    found, last, one = reported(app, org), org.known, datetime.timedelta(days=1)
    people = [replace(each, retired=each.id == "ethics") for each in org.manifest.reviewers]
    channels = tuple(
        replace(each, readers=tuple(id for id in each.readers if id != "ethics")) for each in org.manifest.channels
    )
    for days in (1, 4):  # by the newest alone, ethics would have left only then
        content = replace(
            last.manifest,
            serial=last.manifest.serial + 1,
            previous=last.hash,
            begins=parties.DAY + days * one,
            reviewers=tuple(people),
            channels=channels,
        )
        last = parties.signed(content, org.root)
        instance.published.install([(last.data, last.signature)])
    answer(app, org, who, found, "In time.", by="ethics", lane=1)
    turn(instance, parties.DAY + 2 * one)
    answer(app, org, who, found, "Dated back.", by="ethics", lane=1, n=1)
    answer(app, org, who, found, "Dated after.", by="ethics", lane=1, n=2, day=parties.DAY + 2 * one)
    view = arrival.view_case(who, instance.published.now(), instance.store, parties.DAY)
    there = page.ask("lookup", typed=" ".join(words.encode(who.code)))["answer"]
    assert view and ([each.reply.text for each in view.replies], view.late) == (["In time."], 2)
    assert ([each["reply"]["text"] for each in there["replies"]], there["late"]) == (["In time."], 2)
