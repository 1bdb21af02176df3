"""The way back, as somebody without script walks it."""

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import flask
import pytest

from tests import parties
from tests.server.test_api import fill
from tests.server.visitor import Clock, Visitor, answer, opened, reported, store_of, turn
from whistle.protocol import canonical, schema
from whistle.protocol.case import attachment, continuation, envelope
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import Earlier, FollowUp, Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.reporter import receipts
from whistle.server.instance import Instance
from whistle.server.sealing import case_view
from whistle.store import Heap, Store, StoredEnvelope

NAME = "plan \u202e‮\r\n../x.html"


@pytest.fixture
def visitor(app: flask.Flask) -> Visitor:
    """Somebody who has reported, and left out the counsel."""
    return Visitor(app).tell(without=["counsel"])


@pytest.fixture
def code(visitor: Visitor) -> str:
    """That person's words, as numbers."""
    return visitor.words


@pytest.fixture
def who(code: str) -> Reporter:
    """What only that person can compute."""
    return retrieval.derive(words.decode(code))


def collect(app: flask.Flask) -> None:
    """A courier fetches everything."""
    store = store_of(app)
    store.collect([id for counted in store.days() for id in store.day_ids(counted.day).envelopes])


def attached(app: flask.Flask, content: bytes) -> Attachment:
    """A file that a reviewer sends, its blocks on the server."""
    sealer = attachment.Sealer()
    first = sealer.update(content)
    last, record = sealer.finish("plan.html", "text/html")
    for id, block in first + last:
        store_of(app).put_block(id, block, Heap.REPORTERS)
    store_of(app).commit([], [id for id, _ in first + last])
    return record


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Type your twelve words"),
        ("abandon ability", "Twelve words are needed. You typed 2"),
        ("abandom " * 12, "“abandom” is not one of the words. Did you mean abandon"),
        ("qqqqqqqq " * 12, "“qqqqqqqq” is not one of the words"),
        ("abandon " * 12, "One of the words is wrong, or two of them are swapped"),
        ("abandon " * 11 + "about", "Nothing is stored under these words; check their order"),
    ],
    ids=["none", "two", "near", "strange", "checksum", "nothing"],
)
def test_wrong_words_are_told_by_their_reason(app: flask.Flask, typed: str, said: str) -> None:
    """The page says what is wrong with the words, leaves them in the box, and links to it."""
    visitor = Visitor(app).come_back(typed)
    assert said in visitor.text and "#words" in visitor.page.links
    assert ("words", typed) in visitor.page.form("look").fields


def test_the_box_lets_no_browser_help(app: flask.Flask) -> None:
    """Nothing corrects, completes, checks or translates what is typed into the box for the words."""
    visitor = Visitor(app).step("replies")
    [box] = [given for tag, given in visitor.page.tags if tag == "textarea"]
    given = [box[name] for name in ("autocomplete", "autocorrect", "autocapitalize", "spellcheck", "translate")]
    assert given == ["off", "off", "none", "false", "no"]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_words_of_any_list_open_the_case(visitor: Visitor, who: Reporter, language: str) -> None:
    """Words of each list, in capitals, open the same case."""
    visitor.come_back(" ".join(words.encode(who.code, language)).upper())
    assert f"Case reference: {retrieval.reference(who.case)}" in visitor.text


def test_a_waiting_case_says_only_what_is_known(visitor: Visitor, code: str) -> None:
    """Nobody has picked it up; who reads, who was left out, the next pick-up, the last day and the plan are told."""
    text = visitor.come_back(code).text
    for said in (
        "Waiting. Nobody has picked it up yet.",
        "You sent it on 22 November 2026.",
        "Next planned pick-up: Monday, 23 November 2026.",
        "Replies stay here until 27 December 2027.",
        "Your case Can read your report: Ombudsperson and Ethics office. Left out: Staff counsel.",
        "By 29 November 2026: we confirm that it arrived",
        "No reply yet.",
    ):
        assert said in text
    assert "Money for the school" not in visitor.html


def test_a_collected_case_does_not_claim_that_it_was_read(app: flask.Flask, visitor: Visitor, code: str) -> None:
    """Picked up is not read; and what was picked up cannot be withdrawn."""
    collect(app)
    visitor.come_back(code)
    assert "Picked up on 22 November 2026. We do not know yet whether it was read." in visitor.text
    assert not [form for form in visitor.page.forms if "withdraw" in form.steps]


def test_a_reply_is_shown_with_who_wrote_it(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """A reply stands under its verified writer, with its day and what had arrived by then, and as text."""
    answer(app, org, who, reported(app, org), "Are you <b>safe</b>?\nTell us.")
    collect(app)
    visitor.come_back(code)
    assert "Picked up on 22 November 2026. There is a reply." in visitor.text
    assert "From Ombudsperson" in visitor.text and "signature checked" in visitor.text
    assert "they had 1 message from you, dated 22 November 2026" in visitor.text
    assert "Are you &lt;b&gt;safe&lt;/b&gt;?\nTell us." in visitor.html
    assert ("div", {"class": "text", "lang": "en", "dir": "auto", "translate": "no"}) in visitor.page.tags


def test_a_receipt_is_kept_without_asking_the_server(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """The page holds both files; a receipt by somebody else, or of another day, is not shown, and the reply is."""
    report, signer = reported(app, org), org.people["ombuds"].secret
    good = receipts.sign(signer, who.case.hex(), parties.DAY)
    for n, receipt in enumerate((good, dataclasses.replace(good, received=parties.DAY + datetime.timedelta(days=1)))):
        answer(app, org, who, report, f"Reply {n}.", mark="acknowledgement", receipt=receipt, n=n)
    visitor.come_back(code)
    assert "Reply 0." in visitor.text and "Reply 1." in visitor.text
    [stated, seal] = [given["href"] for tag, given in visitor.page.tags if given.get("download")]
    text, signature = (unquote(each.removeprefix("data:text/plain;charset=utf-8,")) for each in (stated, seal))
    assert text.endswith("received: 2026-11-22\n") and visitor.text.count("Save the receipt") == 1
    assert signer.public.verify(text.encode(), signature.encode()) == "whistle receipt"
    assert report.text not in text + signature


def test_the_newest_reply_stands_first(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """The newest reply is read first, before where the case stands."""
    for n, text in enumerate(("The first of them.", "The second of them.")):
        answer(app, org, who, reported(app, org), text, n=n)
    html = visitor.come_back(code).html
    assert html.index("The second of them.") < html.index("The first of them.") < html.index("Where it stands")


@pytest.mark.parametrize(
    ("mark", "done"), [("", 0), ("acknowledgement", 1), ("feedback", 2)], ids=["neither", "acknowledged", "feedback"]
)
def test_a_step_of_the_plan_is_done_by_a_marked_reply(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter, mark: str, done: int
) -> None:
    """Only the reply that a step names does it, feedback acknowledges too, and other steps are never done."""
    answer(app, org, who, reported(app, org), mark=mark)
    text = visitor.come_back(code).text
    steps = ("we confirm that it arrived", "we tell you what came of it")
    assert [f"Done on 22 November 2026: {step}" in text for step in steps] == [place < done for place in range(2)]
    assert text.count("Done on") == done and "By 21 January 2027: we hear everybody" in text


def test_who_was_let_in_is_told_without_a_reply(app: flask.Flask, org: parties.Organisation) -> None:
    """A notice tells by whose word somebody reads the case, and is no reply."""
    visitor = Visitor(app).tell()
    code = visitor.words
    collect(app)
    assert "Let in later" not in visitor.come_back(code).text
    who, everybody = retrieval.derive(words.decode(code)), ("ombuds", "ethics", "counsel")
    answer(app, org, who, reported(app, org), "", readers=everybody)
    text = visitor.come_back(code).text
    assert "Let in later: Staff counsel. Ombudsperson says so in a signed message of 22 November 2026." in text
    assert "No reply yet." in text and "There is a reply" not in text
    assert "Will read it: Ombudsperson, Ethics office and Staff counsel." in text


def test_a_reply_that_nobody_signed_is_counted_and_not_shown(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """What lies in a reply's place without a reviewer's signature is told of, never shown."""
    other = dataclasses.replace(org, people={**org.people, "ombuds": parties.person("ombuds", "Ombudsperson")})
    answer(app, other, who, reported(app, org), "Come to the back door.")
    visitor.come_back(code)
    assert "1 thing stored under your words could not be checked" in visitor.text
    assert "back door" not in visitor.html


def test_up_to_six_replies_look_like_none(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """The page of a case with six full replies is as long as that of a case with none."""
    report = reported(app, org)
    before = len(visitor.come_back(code).answer.get_data())
    for n in range(6):
        answer(app, org, who, report, "ض" * 5_000, n=n)
    assert len(visitor.come_back(code).answer.get_data()) == before == 262_144
    assert visitor.text.count("From Ombudsperson") == 6


@pytest.mark.parametrize("size", [5, 300_000])
def test_a_replys_file_is_given_to_keep_and_never_to_show(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter, size: int
) -> None:
    """A file comes whole, as a download of no kind, under a plain name."""
    record = dataclasses.replace(attached(app, b"a" * size), name=NAME)
    answer(app, org, who, reported(app, org), attachments=(record,))
    visitor.come_back(code).step("download")
    assert visitor.answer.get_data() == b"a" * size
    assert visitor.answer.headers["Content-Type"] == "application/octet-stream"
    assert visitor.answer.headers["X-Content-Type-Options"] == "nosniff"
    assert visitor.answer.headers["Content-Disposition"] == "attachment; filename=file-1.html"


@pytest.mark.parametrize("file", ["0-0-0", "0-1-0", "0-0-9", "1-0-0", "", "../x"])
def test_a_file_that_is_not_there_is_told(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter, file: str
) -> None:
    """A file whose blocks are missing, or that no reply names, gets a page and a way back."""
    record = dataclasses.replace(attached(app, b"abc"), seed=bytes(32).hex())
    answer(app, org, who, reported(app, org), attachments=(record,))
    visitor.come_back(code).step("download", {"file": file})
    assert visitor.answer.status_code == 404 and "The file is not here" in visitor.text
    assert visitor.step("look").text.count("Your case") == 1


def test_a_follow_up_goes_to_who_reads_the_case(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str
) -> None:
    """A follow-up with a file reaches the case's readers and nobody who was left out; a reload adds nothing."""
    visitor.come_back(code)
    assert "Will read it: Ombudsperson and Ethics office. Left out: Staff counsel." in visitor.text
    form = visitor.page
    for _ in range(2):
        visitor.page = form
        visitor.step("follow-up", {"text": "There is more."}, [("b.txt", b"two")])
        assert "Your follow-up is stored" in visitor.text
    [found] = [each.message for each in opened(app, org, "ethics") if isinstance(each.message, FollowUp)]
    assert (found.text, found.readers, found.without) == ("There is more.", ("ombuds", "ethics"), ("counsel",))
    assert [each.name for each in found.attachments] == ["b.txt"]
    assert not opened(app, org, "counsel")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lambda who: " ", "Write something or choose a file"),
        (lambda who: "mine: " + " ".join(words.encode(who.code)), "Your text holds twelve secret words"),
    ],
    ids=["empty", "words"],
)
def test_a_refused_follow_up_is_given_back(
    visitor: Visitor, code: str, who: Reporter, text: Callable[[Reporter], str], said: str
) -> None:
    """What was typed stands in the box again, beside what to mend, on a page as long as any of the case."""
    typed = text(who)
    visitor.come_back(code).step("follow-up", {"text": typed})
    assert said in visitor.text and ("text", typed) in visitor.page.form("follow-up").fields
    assert len(visitor.answer.get_data()) == 262_144


def test_a_case_without_readers_offers_the_channels_present_ones(
    app: flask.Flask, org: parties.Organisation, instance: Instance, visitor: Visitor, code: str
) -> None:
    """When no reader of the case is active any more, the channel's present ones are offered, less who was left out."""
    people = {**org.people, "new": parties.person("new", "New reader")}
    listed = tuple(each.listed(retired=each.id in ("ombuds", "ethics")) for each in people.values())
    harassment, fraud = org.manifest.channels
    channels = (dataclasses.replace(harassment, readers=("new", "counsel")), fraud)
    known = org.next(reviewers=listed, channels=channels)
    instance.published.install([(known.data, known.signature)])
    visitor.come_back(code)
    offered = [given["value"] for _, given in visitor.page.tags if given.get("name") == "without"]
    assert offered == ["new"] and "Other people would read this" in visitor.text
    collect(app)
    visitor.come_back(code)
    assert not [given for _, given in visitor.page.tags if given.get("value") == "stop"]  # nobody new is to know
    visitor.step("follow-up", {"text": "Anybody?", "without": ["new"]})
    assert "You left out everybody" in visitor.text and "Council of staff" in visitor.text
    visitor.step("follow-up", {"text": "Anybody?", "without": []})
    [found] = [each.message for each in opened(app, dataclasses.replace(org, people=people), "new")]
    assert isinstance(found, FollowUp) and found.readers == ("new",)


def test_withdrawing_is_asked_twice_and_then_final(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str
) -> None:
    """A waiting report can be withdrawn after one more question; then nobody can open it, and the state says so."""
    visitor.come_back(code).step("withdraw")
    assert opened(app, org, "ombuds")
    visitor.step("withdraw-now")
    assert "Your report is withdrawn" in visitor.text and not opened(app, org, "ombuds")
    assert "Removed on 22 November 2026. Either it was withdrawn with your words, or nobody picked it up in time." in (
        visitor.come_back(code).text
    )


def test_who_withdraws_too_late_may_ask_to_stop(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str
) -> None:
    """A report that was picked up meanwhile stays, and the readers can be asked to stop, knowing what may go on."""
    visitor.come_back(code).step("withdraw")
    collect(app)
    visitor.step("withdraw-now")
    assert "It was already picked up" in visitor.text
    visitor.step("stop")
    assert "Some things may go on anyway" in visitor.text
    visitor.step("stop-now")
    [asked] = [each.message for each in opened(app, org, "ombuds") if isinstance(each.message, FollowUp)]
    assert asked.text.startswith("Please stop.") and asked.readers == ("ombuds", "ethics")


def test_who_withdraws_too_late_and_has_no_reader_any_more_is_offered_no_stop(
    app: flask.Flask, org: parties.Organisation, instance: Instance, visitor: Visitor, code: str
) -> None:
    """Nobody is left who could be asked, and nobody new is to know."""
    visitor.come_back(code).step("withdraw")
    collect(app)
    listed = tuple(dataclasses.replace(each, retired=each.id != "counsel") for each in org.manifest.reviewers)
    channels = tuple(dataclasses.replace(each, readers=("counsel",)) for each in org.manifest.channels)
    known = org.next(reviewers=listed, channels=channels)
    assert instance.published.install([(known.data, known.signature)]) == "installed"
    visitor.step("withdraw-now")
    assert "It was already picked up" in visitor.text and "ask us to stop" not in visitor.text.lower()
    assert not [given for _, given in visitor.page.tags if given.get("value") == "stop"]


def test_new_words_continue_the_case_for_the_same_readers(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, code: str, who: Reporter
) -> None:
    """*Someone saw my words* gives other words, whose report proves that it continues the case."""
    old = reported(app, org)
    visitor.come_back(code).step("exposed").step("renew", {"text": "My brother did."})
    fresh = retrieval.derive(words.decode(visitor.words))
    assert fresh.code != who.code
    reports = [each.message for each in opened(app, org, "ombuds") if isinstance(each.message, Report)]
    [new] = [each for each in reports if each.case == fresh.case.hex()]
    assert new.continues and new.text.endswith("\n\nMy brother did.")
    continuation.check(new.continues, old.sender, new.case)
    assert (new.readers, new.without, new.channel) == (old.readers, old.without, old.channel)


def test_replies_outlive_the_list_of_readers(
    app: flask.Flask,
    instance: Instance,
    org: parties.Organisation,
    clock: Clock,
    visitor: Visitor,
    code: str,
    who: Reporter,
) -> None:
    """When nothing can be sealed any more replies are still shown, and no box for a follow-up is."""
    answer(app, org, who, reported(app, org), "We are here.")
    turn(instance, clock.day + datetime.timedelta(days=120))
    visitor.come_back(code)
    assert "We are here." in visitor.text
    assert not [form for form in visitor.page.forms if "follow-up" in form.steps]


@pytest.mark.parametrize("step", ["withdraw", "withdraw-now", "stop", "stop-now", "exposed", "renew", "download"])
def test_no_step_of_a_case_does_anything_without_its_words(app: flask.Flask, visitor: Visitor, step: str) -> None:
    """A step that comes without the right words asks for them."""
    before = [store_of(app).day_ids(counted.day) for counted in store_of(app).days()]
    answer = visitor.client.post("/en/", data={"step": step, "attempt": "00" * 32})
    assert "Type your twelve words" in answer.get_data(as_text=True)
    assert [store_of(app).day_ids(counted.day) for counted in store_of(app).days()] == before


def long(app: flask.Flask, text: str, attachments: Sequence[Attachment] = ()) -> dict[str, object]:
    """The fields of a reply whose content is in blocks on the server."""
    files = {"attachments": [schema.to_json(each) for each in attachments]} if attachments else {}
    content = canonical.dumps({"text": text, **files})
    sealer = attachment.Sealer()
    first = sealer.update(content)
    last, record = sealer.finish("", "application/json", kind="rest")
    for id, block in first + last:
        store_of(app).put_block(id, block, Heap.REPORTERS)
    store_of(app).commit([], [id for id, _ in first + last])
    return {"rest": record}


def test_nobodys_long_replies_fill_the_page(
    app: flask.Flask,
    org: parties.Organisation,
    visitor: Visitor,
    code: str,
    who: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each reviewer's long replies a bounded number of bytes is opened at a look, the shortest first."""
    report = reported(app, org)
    for n in range(6):
        answer(app, org, who, report, "", n=n, **long(app, f"rogue {n} " + "x" * (90_000 + n)))
    answer(app, org, who, report, "", by="ethics", lane=1, **long(app, "honest " + "y" * 200_000))
    fetched: list[Attachment] = []
    whole = case_view._whole
    monkeypatch.setattr(case_view, "_whole", lambda store, record: fetched.append(record) or whole(store, record))
    html = visitor.come_back(code).html
    assert sum(record.size for record in fetched) <= 2 * case_view.PAGE
    assert [n for n in range(6) if f"rogue {n} " in html] == [0, 1] and "honest " in html
    assert html.count("This reply is long") == 4
    fetched.clear()
    alone = visitor.step("look", {"reply": "0-5", "words": code}).html  # as its button does
    assert "rogue 5 " in alone and "rogue 0 " not in alone and len(fetched) == 1


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the envelopes that the server opens from now on."""
    sizes: list[int] = []
    real = envelope.open_
    monkeypatch.setattr(envelope, "open_", lambda body, *more: sizes.append(len(body)) or real(body, *more))
    return sizes


def test_junk_costs_a_bounded_look_and_hides_nothing(
    app: flask.Flask,
    org: parties.Organisation,
    instance: Instance,
    visitor: Visitor,
    code: str,
    who: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With junk in all other places each page opens 64 things, newest first; its button leads through all the rest."""
    report = reported(app, org)
    old = answer(app, org, who, report, "The old one.")
    turn(instance, parties.DAY + datetime.timedelta(days=1))
    fill(instance, who, but={(0, 0), (0, 1)})
    turn(instance, parties.DAY + datetime.timedelta(days=2))
    named = (Earlier(parties.DAY, "ombuds", hashlib.sha256(old.line).hexdigest(), 0),)
    answer(app, org, who, report, "The new one.", n=1, seq=1, prev=hashlib.sha256(old.line).hexdigest(), earlier=named)
    sizes = counted(monkeypatch)
    visitor.come_back(code)
    assert len(sizes) == 1 + 64 and len(visitor.answer.get_data()) == 262_144
    assert "The new one." in visitor.text and "The old one." not in visitor.text
    assert "An earlier reply from" not in visitor.text  # it is not missing, only further on
    assert "63 things stored under your words could not be checked" in visitor.text
    assert "960 older things are stored under your words and not shown on this page" in visitor.text
    assert "our plan" not in visitor.text.lower()  # what older replies have done is not known here
    for passed, left in ((64, 896), (960, 0)):
        sizes.clear()
        assert not [form for form in visitor.page.forms if "download" in form.steps]
        visitor.step("look", {"passed": str(passed), "words": code})
        assert len(sizes) == 65 and (f"{left} older things" in visitor.text) == bool(left)
        assert ("The old one." in visitor.text) == (not left)
        assert not [form for form in visitor.page.forms if form.files]  # nothing can be added here
    assert "Where it stands" in visitor.step("look").text


@pytest.mark.parametrize(
    ("step", "most"),
    [("withdraw", 65), ("follow-up", 65), ("renew", 66), ("download", 2)],
)
def test_no_step_of_a_case_opens_more(
    app: flask.Flask,
    instance: Instance,
    code: str,
    who: Reporter,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    most: int,
) -> None:
    """Whatever is done with the case, a bounded number of envelopes is opened, and bodies are read one at a time."""
    fill(instance, who)
    sizes, read = counted(monkeypatch), []
    real = Store.lookup

    def lookup(store: Store, ids: Sequence[bytes], *more: Any, **options: Any) -> list[StoredEnvelope]:
        found = real(store, ids, *more, **options)
        read.append(sum(len(each.body or b"") for each in found))
        return found

    monkeypatch.setattr(Store, "lookup", lookup)
    form = {"step": step, "words": code, "attempt": "ab" * 32, "file": "0-0-0", "text": "More."}
    answered = app.test_client().post("/en/", data=form)
    assert answered.status_code == (404 if step == "download" else 200)
    assert 0 < len(sizes) <= most and max(read) <= 32_768 and sum(read) <= (most + 2) * 32_768
