"""Coming back with script on: what a server that answers wrongly is met with, and every state that a case can be in."""

import dataclasses
import datetime
import hashlib
import struct
from collections.abc import Callable

import flask
import pytest

from tests import parties
from tests.browser.remote import remote
from tests.browser.serving import Line, without_script
from tests.browser.walks import LOGIC, PAIRS, spread
from tests.server.visitor import Visitor, answer, hide, opened, store_of, turn
from whistle.protocol.case.message import Earlier, FollowUp, Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter, place_ids

pytestmark = pytest.mark.browser
REPLY = "We have read it, and ask who else was there."
HEAD = 29  # bytes of an entry of a lookup's answer before its body: id, state, day, length
KEPT_BACK = "An earlier reply from Ombudsperson is not here."
NOT_PROVEN = "could not be checked and is not shown"


def entries(look: bytes) -> dict[bytes, bytes]:
    """What an answer to a lookup holds: by id, the rest of the entry."""
    count, at, found = struct.unpack(">I", look[:4])[0], 5, {}
    for _ in range(count):
        end = at + HEAD - 4 + struct.unpack(">I", look[at + HEAD - 8 : at + HEAD - 4])[0]
        found[look[at : at + 16]] = look[at + 16 : end]
        at = end
    return found


def packed(found: dict[bytes, bytes]) -> bytes:
    """An answer that holds these."""
    whole = struct.pack(">IB", len(found), 0) + b"".join(id + rest for id, rest in sorted(found.items()))
    return whole.ljust(262_144, b"\0")


def without(look: bytes, id: bytes) -> bytes:
    """An answer to a lookup that says nothing of something."""
    return packed({each: rest for each, rest in entries(look).items() if each != id})


def told(app: flask.Flask, text: str) -> Reporter:
    """Somebody who has told that."""
    return retrieval.derive(words.decode(Visitor(app).tell(text).words))


def report_of(app: flask.Flask, org: parties.Organisation, who: Reporter) -> Report:
    """Their report."""
    messages = (each.message for each in opened(app, org, "ombuds"))
    return next(each for each in messages if isinstance(each, Report) and each.case == who.case.hex())


def place(who: Reporter, n: int = 0) -> bytes:
    """The id of a place for a reply of the first reader."""
    return place_ids(who.replies, 0)[n]


def _altered(found: dict[bytes, bytes], mine: Reporter, other: Reporter, theirs: dict[bytes, bytes]) -> None:
    body = bytearray(found[place(mine)])
    body[-9000] ^= 1
    found[place(mine)] = bytes(body)


def _of_another_case(found: dict[bytes, bytes], mine: Reporter, other: Reporter, theirs: dict[bytes, bytes]) -> None:
    found[place(mine)] = theirs[place(other)]


def _replayed(found: dict[bytes, bytes], mine: Reporter, other: Reporter, theirs: dict[bytes, bytes]) -> None:
    found[place(mine, 1)] = found[place(mine)]


WRONG: dict[str, tuple[Callable[..., None], int]] = {  # and how often the reply is then to be seen
    "altered": (_altered, 0),
    "of another case": (_of_another_case, 0),
    "replayed": (_replayed, 1),
}


@pytest.mark.parametrize("name", LOGIC)
def test_replies_that_prove_nothing(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str
) -> None:
    """A reply that was altered, that belongs to another case or that was shown before is counted and not shown; of one
    that is kept back, the next one that names it tells.
    """
    address, line = served
    mine, other = told(app, "Money was taken."), told(app, "So was the bus.")
    for who in (mine, other):
        first = answer(app, org, who, report_of(app, org, who), REPLY)
    theirs = entries(app.test_client().post("/api/lookup", data=b"".join(other.lookup_ids(8)),
                                            content_type="application/octet-stream").data)  # fmt: skip
    typed = " ".join(words.encode(mine.code))
    with remote(name, address, axe=name == "chrome") as page:
        text = page.open(typed)
        assert (text.count(REPLY), NOT_PROVEN in text) == (1, False)
        for what, (change, shown) in WRONG.items():

            def changed(path: str, body: bytes, change: Callable[..., None] = change) -> bytes:
                if path != "/api/lookup":
                    return body
                found = entries(body)
                change(found, mine, other, theirs)
                return packed(found)

            line.answer = changed
            text = page.open(typed)
            assert (text.count(REPLY), NOT_PROVEN in text) == (shown, True), what
            page("look", f"wrong-{what.replace(' ', '-')}")
        line.answer = lambda path, body: body
        named = Earlier(parties.DAY, "ombuds", hashlib.sha256(first.line).hexdigest(), 0)
        answer(app, org, other, report_of(app, org, other), "And where?", n=1, earlier=(named,))
        typed = " ".join(words.encode(other.code))
        text = page.open(typed)
        assert (text.count(REPLY), KEPT_BACK in text) == (1, False)
        line.answer = lambda path, body: without(body, place(other)) if path == "/api/lookup" else body
        text = page.open(typed)
        assert (text.count(REPLY), KEPT_BACK in text, NOT_PROVEN in text) == (0, True, False)
        page("look", "wrong-kept-back")


@pytest.mark.parametrize(("name", "fault"), spread(["half", "500", "slow"]))
def test_answers_that_do_not_come(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, fault: str
) -> None:
    """An answer that is cut off, refused or slow is waited for, said in words, and asked for again; what was typed
    for the readers stays where it is."""
    address, line = served
    who = told(app, "Money was taken.")
    answer(app, org, who, report_of(app, org, who), REPLY)
    typed, more = " ".join(words.encode(who.code)), "One more thing that I saw."
    with remote(name, address, axe=False) as page:
        line.fault = lambda path, number: fault if path == "/api/lookup" and number <= 2 else ""
        page("comeBack", typed)
        page("see", "main section[aria-labelledby=sending] [role=status]")
        if fault != "slow":
            page("see", "main [data-do=plain]:not([hidden])")
            assert "Our server does not answer" in page("text", "main section[aria-labelledby=sending]")
        page("see", "main article")
        assert REPLY in page("text", "main")
        # nothing of an answer without a body can be cut off
        unsent = {"half": "lost"}.get(fault, fault)
        line.fault = lambda path, number: unsent if path == "/api/store" and number <= 2 else ""
        page("type", "#text", more)
        page("click", "#care-happened")
        page("send", "follow-up")
        if fault != "slow":
            page("see", "main [data-do=plain]:not([hidden])")
            page("click", "main [data-do=cancel]")
            page("see", "[data-said]")
            assert page("value", "#text") == more
            line.fault = lambda path, number: ""
            page("send", "follow-up")
        page("gone", "article")
    came = [each.message for each in opened(app, org, "ethics") if isinstance(each.message, FollowUp)]
    assert (more, {"check-in": "happened"}) in [(each.text, each.answers) for each in came]


@pytest.mark.parametrize("script", ["on", "off"])
@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_a_case_with_answers(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, language: str, script: str
) -> None:
    """The newest reply is read first, who was let in by whose word, and which step of the plan is done."""
    address, line = served
    line.answer = without_script if script == "off" else line.answer
    who, everybody = told(app, "Money was taken."), ("ombuds", "ethics", "counsel")
    report = report_of(app, org, who)
    answer(app, org, who, report, "We have your report.", mark="acknowledgement")
    answer(app, org, who, report, "", n=1, readers=everybody)
    answer(app, org, who, report, REPLY, n=2, readers=everybody)
    with remote(name, address, language, axe=name == "chrome") as page:
        page("home")
        page("go", "replies")
        page("type", "#words", " ".join(words.encode(who.code)))
        page("press" if script == "on" else "go", "look")
        page("see", "main article")
        page("look", f"case-answers-{script}")
        text = page("text", "main")
        assert page("told", "document.querySelectorAll('main article').length") == 2
        assert text.index(REPLY) < text.index("We have your report.")
        done = page("text", ".plan .done")
        assert "we confirm that it arrived" in done and "22" in done
        assert page("told", "document.querySelectorAll('.plan li').length") == 3
        if language == "en":
            assert text.index("We have your report.") < text.index("Where it stands")
            assert "Let in later: Staff counsel. Ombudsperson says so in a signed message of 22 Nov" in text


def collected(app: flask.Flask) -> None:
    """A courier has fetched everything."""
    store = store_of(app)
    for counted in store.days():
        store.collect(store.day_ids(counted.day).envelopes)


def retired(org: parties.Organisation, *ids: str) -> tuple[bytes, bytes]:
    """The next manifest, in which these are retired and the channel is read by those who are left."""
    content = org.manifest
    left = tuple(each.id for each in content.reviewers if each.id not in ids)
    reviewers = tuple(dataclasses.replace(each, retired=each.id in ids) for each in content.reviewers)
    channels = tuple(
        dataclasses.replace(each, readers=tuple(id for id in each.readers if id in left) or left)
        for each in content.channels
    )
    changed = dataclasses.replace(content, serial=2, previous=org.known.hash, reviewers=reviewers, channels=channels)
    known = parties.signed(changed, org.root)
    return known.data, known.signature


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_states_of_a_case(
    app: flask.Flask,
    org: parties.Organisation,
    served: tuple[str, Line],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    language: str,
) -> None:
    """Picked up, asked to stop, with readers who have left, withdrawn, and gone: each page is sound, and says and
    offers what is true of it."""
    address, _ = served
    stopped, withdrawn = told(app, "Money was taken."), told(app, "So was the bus.")
    with remote(name, address, language, axe=name == "chrome") as page:
        page.open(" ".join(words.encode(withdrawn.code)))
        page("press", "withdraw")
        page("see", "main [value=withdraw-now]")
        page("look", "back-withdraw")
        page("press", "withdraw-now")
        page("gone", "main [value=withdraw-now]")
        page("comeBack", " ".join(words.encode(withdrawn.code)))
        page("see", "main ul li")
        page("look", "back-removed")
        assert not page("told", "!!document.querySelector('main form, main article')")
        collected(app)
        page.open(" ".join(words.encode(stopped.code)))
        page("look", "back-collected")
        page("press", "stop")
        page("see", "main [value=stop-now]")
        page("look", "back-stop")
        page("press", "stop-now")
        page("gone", "main [value=stop-now]")
        page("look", "back-stopped")
        asked = [each.message for each in opened(app, org, "ethics") if isinstance(each.message, FollowUp)]
        assert [each.case for each in asked] == [stopped.case.hex()]
        page.open(" ".join(words.encode(stopped.code)))
        page("press", "stop")
        page("see", "main [value=stop-now]")
        with app.app_context():
            assert app.extensions["whistle"].published.install([retired(org, "ombuds", "ethics")]) == "installed"
        page("press", "stop-now")
        page("see", "main .summary")
        page("look", "back-nobody-to-stop")
        assert not opened(app, org, "counsel")  # who came after them was not asked
        page.open(" ".join(words.encode(stopped.code)))
        page("look", "back-instead")
        assert not page("told", "!!document.querySelector('[value=stop]')")
        page("type", "#text", "Are you still there?")
        page("send", "follow-up")
        page("gone", "#text")
        turn(app.extensions["whistle"], org.manifest.expires + datetime.timedelta(days=31))
        page.open(" ".join(words.encode(stopped.code)), "main ul li")
        page("look", "back-closed")
        assert not page("told", "!!document.querySelector('#text')")
        turn(app.extensions["whistle"], parties.DAY)
        hide(monkeypatch, stopped.slip_id)
        page.open(" ".join(words.encode(stopped.code)), "main ul li")
        page("look", "back-no-slip")
        assert not page("told", "!!document.querySelector('#text')")
    texts = [each.message.text for each in opened(app, org, "counsel") if isinstance(each.message, FollowUp)]
    assert texts == ["Are you still there?"]


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_a_case_while_the_clock_is_wrong(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, language: str
) -> None:
    """The page of a case says that the server's clock may be wrong, and names no day to come; put right, it does."""
    address, _ = served
    who = told(app, "Money was taken.")
    typed, clock = " ".join(words.encode(who.code)), app.extensions["whistle"].now
    with remote(name, address, language, axe=name == "chrome") as page:
        page.open(typed)
        facts = "document.querySelector('main section ul').children.length"
        dated = page("told", facts)
        assert page("told", "!document.querySelector('header .notice')")
        lists = "document.querySelectorAll('main section ul').length"
        planned = page("told", lists)
        clock.day = parties.DAY + datetime.timedelta(days=200)
        page.open(typed)
        page("look", f"back-clock-{language}")
        assert page("text", "header .notice")
        assert page("told", lists) == planned - 1
        assert page("told", facts) == dated - 2  # the next pick-up, and how long replies stay
        page("type", "#text", "One thing more.")
        page("send", "follow-up")
        page("gone", "#text")
    assert len(store_of(app).day_ids(parties.DAY + datetime.timedelta(days=1)).envelopes) == 1


@pytest.mark.parametrize("left", [True, False], ids=["with readers", "without"])
def test_too_late_to_withdraw(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], left: bool
) -> None:
    """Who withdraws too late is offered to ask the readers to stop, if any who had the case is left."""
    address, _ = served
    who = told(app, "Money was taken.")
    if not left:
        with app.app_context():
            assert app.extensions["whistle"].published.install([retired(org, "ombuds", "ethics")]) == "installed"
    with remote("chrome", address, "en" if left else "ar") as page:
        page.open(" ".join(words.encode(who.code)))
        page("press", "withdraw")
        page("see", "main [value=withdraw-now]")
        collected(app)
        page("press", "withdraw-now")
        page("gone", "main [value=withdraw-now]")
        page("see", "main [value=look]")
        page("look", f"late-{'with' if left else 'without'}")
        assert page("told", "!!document.querySelector('main [value=stop]')") == left
