"""The way in, as somebody without script walks it."""

import datetime
import errno
import io
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import TEXT, Clock, Visitor, lose_pending, opened, reported, site, store_of
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.trust.manifest import Recovery
from whistle.server.instance import Instance
from whistle.server.sealing.multipart import Bounds
from whistle.store import Full, Sealed, Store

CODE = bytes(range(16))


def stored(app: flask.Flask) -> int:
    """How many envelopes lie on the server for reviewers."""
    return sum(counted.envelopes for counted in store_of(app).days())


def again(visitor: Visitor, *parts: str) -> None:
    """The form is back with what was typed, and its summary says all of ``parts``."""
    assert visitor.answer.status_code == 422
    assert ("text", TEXT) in visitor.page.form("send").fields
    assert visitor.text.count("Something is missing or wrong") == 1
    assert all(part in visitor.text for part in parts)


def test_a_report_reaches_the_channels_readers(app: flask.Flask, org: parties.Organisation) -> None:
    """Text, answer and file arrive sealed for the channel's readers, with who was left out, and for nobody else."""
    more = {"answer-when": "In May", "without": ["ethics", "counsel", "nobody-we-know"]}
    Visitor(app).tell(**more, files=[("a.txt", b"one"), ("b.txt", b"two")])
    report = reported(app, org)
    assert (report.text, report.answers, report.channel) == (
        TEXT,
        {"when": "In May", "asked": "when When was it?"},
        "harassment",
    )
    assert (report.readers, set(report.without)) == (("ombuds",), {"ethics", "counsel"})
    assert [each.name for each in report.attachments] == ["a.txt", "b.txt"]
    assert not opened(app, org, "ethics") and not opened(app, org, "counsel")


def test_advice_says_that_it_is_one(app: flask.Flask, org: parties.Organisation) -> None:
    """Somebody who asks for advice sends a message that says so, and no empty one."""
    visitor = Visitor(app).step("advice", {"channel": "harassment"}).step("send", {"text": " "})
    assert visitor.answer.status_code == 422
    visitor.step("send", {"text": "May I?"})
    assert reported(app, org).answers == {"way": "advice"}


def test_haste_is_told_with_the_report_and_kept_when_it_is_refused(app: flask.Flask, org: parties.Organisation) -> None:
    """The box says so inside the seal; alone it is no report, and it stays ticked when the form comes back."""
    visitor = Visitor(app).tell(" ", urgent="yes")
    assert visitor.answer.status_code == 422
    visitor.step("send", {"text": "He waits at the gate tonight."})
    assert reported(app, org).answers == {"urgent": "yes"}


def test_offers_every_active_reviewer_to_be_left_out(app: flask.Flask) -> None:
    """Not only the channel's readers can be left out; they stand first, in a group of their own."""
    visitor = Visitor(app).step("report", {"channel": "fraud"})
    offered = [given["value"] for _, given in visitor.page.tags if given.get("name") == "without"]
    assert offered == ["counsel", "ombuds", "ethics"]
    reads, could = visitor.text.partition("These people do not get your message.")[::2]
    assert "Leave out Staff counsel" in reads and "Leave out Ombudsperson Leave out Ethics office" in could


def test_files_come_last_in_every_form_that_has_some(app: flask.Flask) -> None:
    """No field stands behind the files, since the server refuses what comes after them."""
    visitor = Visitor(app).step("report", {"channel": "fraud"})
    names = [given["name"] for tag, given in visitor.page.tags if tag in ("input", "textarea") and "name" in given]
    assert names[-1] == "files" and names.count("files") == 1


def test_the_same_form_again_shows_the_same_words(app: flask.Flask, clock: Clock) -> None:
    """A reload, even a day later, stores nothing twice; an edited form is a new report."""
    visitor = Visitor(app).step("report", {"channel": "harassment"})
    form = visitor.page
    first = visitor.step("send", {"text": TEXT}, [("a.txt", b"one")]).words
    clock.day += datetime.timedelta(days=1)
    visitor.page = form
    assert visitor.step("send", {"text": TEXT}, [("a.txt", b"one")]).words == first
    assert stored(app) == 1
    visitor.page = form
    assert visitor.step("send", {"text": TEXT}, [("a.txt", b"two")]).words != first
    assert stored(app) == 2


def test_the_same_form_again_outlives_a_new_list_of_readers(
    app: flask.Flask, org: parties.Organisation, instance: Instance
) -> None:
    """The words of a stored report come back though the manifest has changed; another report is asked to look again."""
    visitor = Visitor(app).step("report", {"channel": "harassment"})
    form = visitor.page
    first = visitor.step("send", {"text": TEXT}).words
    known = org.next()
    instance.published.install([(known.data, known.signature)])
    visitor.page = form
    assert visitor.step("send", {"text": TEXT}).words == first
    visitor.page = form
    visitor.step("send", {"text": TEXT + " "})
    assert "The list of readers changed" in visitor.text
    assert "Council of staff" not in visitor.text
    assert visitor.step("send", {"text": "Other"}).words != first


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"text": "  ", "answer-when": ""}, "Write something or choose a file"),
        ({"text": "\u200b\u2060", "answer-when": "\u3164"}, "Write something or choose a file"),
        ({"text": "\u3164\u2800", "answer-when": "\u00ad"}, "Write something or choose a file"),
        ({"text": " ".join(map("\u200b".join, words.encode(CODE)))}, "Your text holds twelve secret words"),
        ({"text": "\u3164".join(words.encode(CODE))}, "Your text holds twelve secret words"),
        ({"text": "see " + " ".join(words.encode(CODE))}, "Your text holds twelve secret words"),
        ({"without": ["ombuds", "ethics"]}, "You left out everybody who would read this"),
        ({"attempt": "short"}, "The form was incomplete"),
    ],
    ids=["empty", "zero width", "fillers", "split words", "joined words", "words", "nobody", "no attempt"],
)
def test_a_refused_report_is_given_back(app: flask.Flask, more: dict[str, str], said: str) -> None:
    """What was typed stands in the form again, beside a summary that says what to mend; nothing is stored."""
    more = {"text": TEXT, "answer-when": "In May", **more}
    visitor = Visitor(app).tell(**more)
    assert visitor.answer.status_code == 422 and stored(app) == 0
    assert said in visitor.text and "Choose your files again" not in visitor.text
    fields = visitor.page.form("send").fields
    assert ("text", more["text"]) in fields and ("answer-when", more["answer-when"]) in fields
    assert all(("without", each) in fields for each in more.get("without", ()))


def test_files_are_asked_for_again(app: flask.Flask) -> None:
    """Whoever had chosen files reads that they must be chosen again."""
    again(Visitor(app).tell(without=["ombuds", "ethics"], files=[("a", b"1")]), "Choose your files again")


def test_nobody_left_shows_other_places(app: flask.Flask) -> None:
    """Who left out everybody keeps the text and learns where else to turn."""
    visitor = Visitor(app).tell(without=["ombuds", "ethics"])
    again(visitor, "Council of staff", "Your text is still here")


def test_nobody_left_may_choose_another_channel(app: flask.Flask, org: parties.Organisation) -> None:
    """The text moves to a channel with other readers, who are shown before anything is stored."""
    visitor = Visitor(app).tell(without=["ombuds", "ethics"])
    visitor.step("send", {"channel": "fraud"})
    assert visitor.answer.status_code == 200 and stored(app) == 0
    assert "You chose: Fraud" in visitor.text and "Will read it: Staff counsel." in visitor.text
    visitor.step("send")
    report = reported(app, org, "counsel")
    assert (report.text, report.channel, report.readers) == (TEXT, "fraud", ("counsel",))
    assert set(report.without) == {"ombuds", "ethics"}


def test_a_file_may_be_all_there_is(app: flask.Flask, org: parties.Organisation) -> None:
    """No text is needed beside a file."""
    Visitor(app).tell("", files=[("a.txt", b"one")])
    assert [each.size for each in reported(app, org).attachments] == [3]


@pytest.mark.parametrize(
    ("bounds", "files", "said"),
    [
        (Bounds(upload=100_000, files=2), 3, "Too many files: choose at most 2"),
        (Bounds(upload=100), 1, "The files are too big: at most 100 bytes together"),
        (Bounds(upload=100_000, text=4096), 0, "The text is too long: shorten it to 4 KB"),
    ],
    ids=["many", "big", "long"],
)
def test_too_much_is_told_with_the_bound(
    app: flask.Flask, monkeypatch: pytest.MonkeyPatch, bounds: Bounds, files: int, said: str
) -> None:
    """Whatever is too much, the page says how much may be sent, and gives the text back."""
    visitor = Visitor(app).step("report", {"channel": "harassment"})
    monkeypatch.setattr("whistle.server.reporter.render.Bounds", lambda _: bounds)
    text = TEXT if files else TEXT * 200
    visitor.step("send", {"text": text}, [(f"{n}.txt", b"x" * 100) for n in range(files)])
    assert visitor.answer.status_code == 422 and said in visitor.text and TEXT in visitor.html


def test_a_full_disk_is_told(app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing more can be kept, the page says so and gives the text back."""

    def full(*_: object) -> None:
        raise Full(errno.ENOSPC)

    visitor = Visitor(app)
    monkeypatch.setattr(type(store_of(app)), "put_blocks", full)
    again(visitor.tell(files=[("a.txt", b"one")]), "Our server is full", "Choose your files again")


def test_files_that_the_store_loses(app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """When blocks are gone before the report is stored, its text comes back; those still at hand are put again."""
    store, commit, lost = store_of(app), Store.commit, []

    def lose(self: Store, sealed: list[Sealed], blocks: list[bytes]) -> None:
        if blocks and not lost:
            lost.append(lose_pending(store))
        commit(self, sealed, blocks)

    monkeypatch.setattr(Store, "commit", lose)
    visitor = Visitor(app)
    again(
        visitor.tell(files=[("a.txt", b"one")]), "Nothing was stored. Please send it again", "Choose your files again"
    )
    assert lose_pending(store, of=0) == ""
    lost.clear()
    assert Visitor(app).tell(TEXT * 5000).words and lost


def test_a_broken_upload_is_told(app: flask.Flask) -> None:
    """A form that ends early gets a page with the text that had arrived."""
    visitor = Visitor(app).step("report", {"channel": "harassment"})
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in [*visitor.page.form("send").fields[:-1], ("text", TEXT)]
        if name != "text" or value
    )
    body += '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf a fi'
    kind = "multipart/form-data; boundary=x"
    sent = {"input_stream": io.BytesIO(body.encode()), "content_length": len(body), "content_type": kind}
    again(visitor.took(visitor.client.post("/en/", **sent)), "The upload broke off")


def test_typed_text_brings_no_markup(app: flask.Flask) -> None:
    """What was typed comes back as text."""
    visitor = Visitor(app).tell("</textarea><script>alert(1)</script>", without=["ombuds", "ethics"])
    assert "<script>" not in visitor.html and "&lt;script&gt;" in visitor.html


def test_words_are_shown_with_their_numbers_in_any_list(app: flask.Flask) -> None:
    """The page shows the same code as words of the chosen list, with numbers, and the case reference."""
    visitor = Visitor(app).tell()
    code = words.decode(visitor.words)
    for language in words.LANGUAGES:
        visitor.step("words", {"list": language})
        shown = [
            f"{word} {number}" for word, number in zip(words.encode(code, language), words.numbers(code), strict=True)
        ]
        assert all(each in visitor.text for each in shown)
    assert retrieval.reference(retrieval.derive(code).case) in visitor.text


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_three_words_are_asked_back(app: flask.Flask, language: str) -> None:
    """Three right words, by their first letters, or their numbers, end the way; a wrong one shows all again."""
    visitor = Visitor(app).tell()
    code = words.decode(visitor.words)
    visitor.step("words", {"list": language}).step("keep")
    asked = [name for name, _ in visitor.page.form("kept").fields if name.startswith("word-")]
    assert len(asked) == 3
    right = {name: words.encode(code, language)[int(name[5:]) - 1] for name in asked}
    numbers = {name: str(words.numbers(code)[int(name[5:]) - 1]) for name in asked}
    form = visitor.page
    for typed in (right, numbers, {name: word[:4].upper() for name, word in right.items()}):
        visitor.page = form
        assert "You have your words" in visitor.step("kept", typed).text
    other = str(int(numbers[asked[1]]) % words.LIST + 1)
    for wrong in ({**right, asked[1]: other}, {**right, asked[2]: ""}):
        visitor.page = form
        visitor.step("kept", wrong)
        assert "here are the words again" in visitor.text and visitor.words == form.form("kept").fields[0][1]


def test_who_will_not_come_back_carries_no_words_on(app: flask.Flask) -> None:
    """After *I will not come back* no page holds the words any more."""
    visitor = Visitor(app).tell()
    code = visitor.words
    visitor.step("leave")
    assert code not in visitor.html and "The readers can still read your message" in visitor.text


def test_one_channel_needs_no_choice(tmp_path: Path, org: parties.Organisation) -> None:
    """Where there is only one channel its form comes at once."""
    channels = org.manifest.channels[:1]
    alone = parties.Organisation(org.root, org.people, org.courier, org.sign(channels=channels))
    assert Visitor(site(tmp_path, alone)).step("report").page.form("send")


def test_what_was_typed_while_the_list_ended_is_given_back(app: flask.Flask, clock: Clock) -> None:
    """When nothing can be sealed any more the page says so, and shows the text so that it is not lost."""
    visitor = Visitor(app).step("report", {"channel": "harassment"})
    clock.day += datetime.timedelta(days=114)
    visitor.step("send", {"text": TEXT})
    assert visitor.answer.status_code == 503 and TEXT in visitor.text and stored(app) == 0


def test_the_recovery_key_is_offered_too(tmp_path: Path, org: parties.Organisation) -> None:
    """The recovery identity is shown as what it is, and can be left out like anybody."""
    keys = parties.person("reserve", "Reserve")
    recovery = Recovery("Board's envelopes", keys.periods[0].recipient)
    kept = parties.Organisation(org.root, org.people, org.courier, org.sign(recovery=recovery))
    app = site(tmp_path, kept)
    visitor = Visitor(app).tell(without=["recovery"])
    assert visitor.answer.status_code == 200
    assert (reported(app, org).readers, reported(app, org).without) == (("ombuds", "ethics"), ("recovery",))
    assert "Board's envelopes" in Visitor(app).text


def test_reports_and_follow_ups_are_different_things(app: flask.Flask, org: parties.Organisation) -> None:
    """A report comes first, a follow-up later, both signed by the same keys."""
    visitor = Visitor(app).tell()
    visitor.come_back(visitor.words).step("follow-up", {"text": "More."})
    kinds = {type(each.message) for each in opened(app, org, "ombuds")}
    assert kinds == {Report, FollowUp}
    assert len({each.message.case for each in opened(app, org, "ombuds")}) == 1
