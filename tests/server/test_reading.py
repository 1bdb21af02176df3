"""Who will read a message and who was left out: said before it is sent, when it is stored, and in the case."""

import dataclasses
import html
import re
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Visitor, answer, hide, opened, reported, site
from whistle.protocol.case.message import Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.trust.manifest import Recovery
from whistle.server.instance import Instance
from whistle.store import Store, StoreError

WHO = "Will read it: Ethics office. Left out: Ombudsperson."


def said(visitor: Visitor) -> list[str]:
    """What the page says of who reads, in order."""
    parts = re.findall(r'<(p|div) class="reading(?: steady)?"[^>]*>(.*?)</\1>', visitor.html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", part).split()) for _, part in parts]


def boxes(visitor: Visitor) -> dict[str, str]:
    """What each box is called, by whom it leaves out."""
    named = {given["for"]: re.sub(r"<[^>]+>", "", text) for given, text in _labels(visitor.html)}
    ticks = [given for _, given in visitor.page.tags if given.get("name") == "without"]
    return {given["value"]: named[given["id"]] for given in ticks}


def _labels(page: str) -> list[tuple[dict[str, str], str]]:
    return [
        ({"for": id}, html.unescape(text))
        for id, text in re.findall(r'<label for="([^"]+)">(.*?)</label>', page, re.DOTALL)
    ]


@pytest.fixture
def form(app: flask.Flask) -> Visitor:
    """Somebody before the form."""
    return Visitor(app).step("report", {"channel": "harassment"})


@pytest.fixture
def known_words(form: Visitor) -> str:
    """The words of a report that left the ombudsperson out."""
    return form.step("send", {"text": "Money was taken.", "without": ["ombuds"]}).words


def test_a_box_says_what_its_tick_does(form: Visitor) -> None:
    """Each box is called *Leave out* and whom; nothing beside it says that this person reads."""
    assert "Leave anyone out?" in form.text
    assert boxes(form) == {
        "ombuds": "Leave out Ombudsperson",
        "ethics": "Leave out Ethics office",
        "counsel": "Leave out Staff counsel",
    }
    beside = form.text.partition("Leave anyone out?")[2]
    assert "reads this" not in beside and "asked in" not in beside


def test_what_stands_beside_send_is_true_whatever_is_ticked(form: Visitor) -> None:
    """Before anything is sent the page says who reads unless left out, and that the next page says it."""
    [line] = said(form)
    assert line == (
        "Will read it, except whoever you leave out above: Ombudsperson and Ethics office. "
        "The boxes count as they are when you press Send. The next page then shows who will read it."
    )


@pytest.mark.parametrize(
    ("without", "who"),
    [
        (["ombuds"], WHO),
        (["counsel"], "Will read it: Ombudsperson and Ethics office. Left out: Staff counsel."),
        (["ombuds", "ethics"], "Nobody will read it. Left out: Ombudsperson and Ethics office."),
    ],
    ids=["reader", "other", "all"],
)
def test_the_page_of_an_error_repeats_the_choice(form: Visitor, without: list[str], who: str) -> None:
    """A form that comes back says who would read it by the boxes as they were sent."""
    form.step("send", {"text": " ", "without": without})
    assert form.answer.status_code == 422
    said_of = [line.partition(" The boxes count")[0] for line in said(form)]
    assert said_of == [f"Your choice when you pressed Send: {who}"]


def test_it_stands_on_every_page_after_that(form: Visitor) -> None:
    """With the words, in another list, after a wrong word, when they were kept, and when nobody comes back."""
    pages = form.page
    form.step("send", {"text": "Money was taken.", "without": ["ombuds"]})
    assert said(form) == [WHO]
    code, kept = form.words, form.page
    form.page = pages
    assert said(form.step("send", {"text": "Money was taken.", "without": ["ombuds"]})) == [WHO]  # a reload
    form.page = kept
    assert said(form.step("words", {"list": "fr"})) == [WHO]
    assert said(form.step("keep").step("kept", {})) == [WHO]
    typed = dict(enumerate(words.encode(words.decode(code), "en"), 1))
    form.step("keep")
    asked = [name for name, _ in form.page.form("kept").fields if name.startswith("word-")]
    assert said(form.step("kept", {name: typed[int(name.split("-")[1])] for name in asked})) == [WHO]
    form.page = kept
    assert said(form.step("leave")) == [WHO]


def test_a_forged_field_says_nothing_of_a_stored_report(form: Visitor, known_words: str) -> None:
    """What is said with the words is what was sealed, whatever comes with them."""
    forged = {"step": "words", "words": known_words, "without": "ethics", "channel": "fraud", "text": "x"}
    form.took(form.client.post(form.here, data=forged))
    assert said(form) == [WHO]


def test_what_cannot_be_known_is_not_guessed(form: Visitor, known_words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the slip is hidden, or the store does not answer, the words are shown all the same."""
    who, unknown = retrieval.derive(words.decode(known_words)), "Who will read it cannot be shown just now."
    page = form.page

    def broken(*_: object, **__: object) -> None:
        raise StoreError

    with monkeypatch.context() as patch:
        hide(patch, who.slip_id)
        assert unknown in form.step("words").text and form.words == known_words
    form.page = page
    monkeypatch.setattr(Store, "lookup", broken)
    assert unknown in form.step("words").text and form.words == known_words


def test_who_leaves_without_words_is_told_that_it_is_stored(form: Visitor, known_words: str) -> None:
    """A form that lost its words on the way ends well, and claims nothing of who reads."""
    form.took(form.client.post(form.here, data={"step": "leave"}))
    assert form.answer.status_code == 200 and "Your message is stored" in form.text and not said(form)


def test_the_first_lines_of_a_case(
    app: flask.Flask, org: parties.Organisation, form: Visitor, known_words: str
) -> None:
    """They say who can read the report, who was left out, and who was let in later."""
    who = "Can read your report: Ethics office. Left out: Ombudsperson."
    assert form.come_back(known_words).text.partition("Your case ")[2].startswith(who)
    mine = retrieval.derive(words.decode(known_words))
    answer(app, org, mine, reported(app, org, "ethics"), readers=("ethics", "counsel"))
    assert form.come_back(known_words).text.partition("Your case ")[2].startswith(f"{who} Let in later: Staff counsel.")


def test_every_message_to_a_case_says_it(form: Visitor, known_words: str) -> None:
    """Before and after a follow-up, before *stop* is asked, and for new words."""
    case = form.come_back(known_words).page
    assert said(form)[1:] == [WHO]
    assert said(form.step("follow-up", {"text": "More."})) == [WHO]
    form.page = case
    assert said(form.step("exposed")) == [WHO]
    assert said(form.step("renew", {"text": ""})) == [WHO]
    form.took(form.client.post(form.here, data={"step": "stop", "words": known_words}))
    assert said(form) == [WHO]
    assert said(form.step("stop-now")) == [WHO]


def successors(org: parties.Organisation, instance: Instance) -> parties.Organisation:
    """All readers of the case have left; two others read the channel."""
    people = {**org.people, **{id: parties.person(id, role) for id, role in (("new", "New reader"), ("boss", "Boss"))}}
    listed = tuple(each.listed(retired=each.id in ("ombuds", "ethics")) for each in people.values())
    harassment, fraud = org.manifest.channels
    channels = (dataclasses.replace(harassment, readers=("new", "boss")), fraud)
    known = org.next(reviewers=listed, channels=channels)
    instance.published.install([(known.data, known.signature)])
    return dataclasses.replace(org, people=people)


def test_successors_can_be_left_out_of_a_follow_up(
    org: parties.Organisation, instance: Instance, form: Visitor, known_words: str
) -> None:
    """Who came after all readers of the case is offered, and what is said follows the choice."""
    successors(org, instance)
    form.come_back(known_words)
    assert boxes(form) == {"new": "Leave out New reader", "boss": "Leave out Boss"}
    assert "Will read it, except whoever you leave out above: New reader and Boss." in said(form)[1]
    assert "could still show it to them later" in form.text
    form.step("follow-up", {"text": " ", "without": ["boss"]})
    assert "Will read it: New reader. Left out: Ombudsperson and Boss." in said(form)[1]
    assert said(form.step("follow-up", {"text": "More."})) == [
        "Will read it: New reader. Left out: Ombudsperson and Boss."
    ]


def test_successors_can_be_left_out_of_new_words(
    app: flask.Flask, org: parties.Organisation, instance: Instance, form: Visitor, known_words: str
) -> None:
    """A report under new words goes to none of them unasked; whoever is ticked is left out of it for good."""
    org = successors(org, instance)
    form.come_back(known_words).step("exposed")
    assert boxes(form) == {"new": "Leave out New reader", "boss": "Leave out Boss"}
    form.step("renew", {"without": ["new", "boss"]})
    assert "You left out everybody" in form.text and "Council of staff" in form.text
    form.step("renew", {"without": ["boss"]})
    assert said(form) == ["Will read it: New reader. Left out: Boss and Ombudsperson."]
    [report] = [each.message for each in opened(app, org, "new")]
    assert isinstance(report, Report) and (report.readers, set(report.without)) == (("new",), {"boss", "ombuds"})
    assert not opened(app, org, "boss")


def test_the_key_in_reserve_is_no_reader(tmp_path: Path, org: parties.Organisation) -> None:
    """It is named as what it is; with it alone nobody reads."""
    recovery = Recovery("Board's envelopes", parties.person("reserve", "Reserve").periods[0].recipient)
    kept = parties.Organisation(org.root, org.people, org.courier, org.sign(recovery=recovery))
    visitor = Visitor(site(tmp_path, kept)).tell(without=["ombuds", "ethics"])
    assert boxes(visitor)["recovery"] == "Leave out Board's envelopes"
    assert "Nobody will read it. Left out: Ombudsperson and Ethics office." in said(visitor)[0]
    visitor.step("send", {"without": ["ombuds"]})
    assert "Will read it: Ethics office and Board's envelopes (in reserve)." in visitor.text
