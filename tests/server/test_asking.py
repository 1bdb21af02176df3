"""A channel's questions in the form: default ones in six languages, conditions without script, what is sealed."""

import json
from collections.abc import Mapping
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.server.visitor import Visitor, opened, reported, site
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.reporter import questions
from whistle.protocol.reporter.questions import Choice, Condition, Question
from whistle.protocol.trust.manifest import Channel
from whistle.server.config import Config, usual_questions
from whistle.server.errors import ConfigError
from whistle.server.reporter.render import PAGE
from whistle.translations import catalogues, default_questions

SIX = ("ar", "en", "es", "fr", "ru", "zh")
SITE = Question(
    "site",
    {"en": "Which site?", "ar": "أي موقع؟"},
    {},
    "choice",
    (Choice("north", {"en": "North"}), Choice("south", {"en": "South"})),
)
GATE = Question("gate", {"en": "Which gate?"}, {}, "text", condition=Condition("site", ("north",)))
IDS = ("harassment", "sexual-harassment", "abuse-of-authority", "discrimination", "fraud", "safety", "retaliation")


def with_channels(org: parties.Organisation, *ids: str) -> parties.Organisation:
    """The organisation with these channels, which ombuds reads."""
    channels = tuple(Channel(id, {"en": id.title()}, {"en": "…"}, ("ombuds",), "offline") for id in ids)
    return parties.Organisation(org.root, org.people, org.courier, org.sign(channels=channels))


def test_answers_are_sealed_by_what_was_chosen(tmp_path: Path, org: parties.Organisation) -> None:
    """One text for each; the words of own questions beside them; what is hidden or cannot be chosen is not there."""
    app = site(tmp_path, org, questions={"harassment": (SITE, GATE)})
    visitor = Visitor(app).tell(" ", **{"answer-site": "north", "answer-gate": "B <7>"})
    assert visitor.answer.status_code == 303 or "twelve" in visitor.text
    asked = "site Which site?\nsite=north North\nsite=south South\ngate Which gate?"
    assert reported(app, org).answers == {"site": "north", "gate": "B <7>", "asked": asked}


@pytest.mark.parametrize(
    "given",
    [
        {"answer-site": "south", "answer-gate": "hidden"},
        {"answer-site": "south", "answer-way": "advice", "answer-urgent": "yes", "answer-nothing": "x"},
        {"answer-site": ["south", "north"], "asked": "way We confirm", "answer-asked": "x"},
    ],
    ids=["hidden", "reserved", "twice"],
)
def test_nothing_else_gets_into_the_seal(
    tmp_path: Path, org: parties.Organisation, given: Mapping[str, str | list[str]]
) -> None:
    """Unknown ids, ids that mean something else and what a condition hides are left out."""
    app = site(tmp_path, org, questions={"harassment": (SITE, GATE)})
    Visitor(app).tell(**given)
    report = reported(app, org)
    assert set(report.answers or {}) == {"site", "asked"} and "confirm" not in str(report.answers)


def test_what_an_answer_shows_stands_below_it(tmp_path: Path, org: parties.Organisation) -> None:
    """Inside its group, behind the boxes that show it, in the order of the file; nothing must be answered."""
    app = site(tmp_path, org, questions={"harassment": (SITE, GATE, questions.Question("x", {"en": "X"}, {}))})
    html = Visitor(app).step("report", {"channel": "harassment"}).html
    group = html[html.index('<fieldset class="field pick"') : html.index("</fieldset>")]
    assert group.index('value="north" class="o1"') < group.index('<div class="t1">') < group.index("Which gate?")
    assert 'value="south"><label' in group and "No answer" in group and ">X</label>" not in group


def test_a_refused_form_keeps_what_was_chosen(tmp_path: Path, org: parties.Organisation) -> None:
    """Every type comes back as it was; nothing is lost with the text."""
    kinds = [Question(type, {"en": type}, {}, type) for type in ("text", "people", "date", "yes-no")]
    several = Question("several", {"en": "All?"}, {}, "several", SITE.choices)
    app = site(tmp_path, org, questions={"harassment": (*kinds, several, SITE, GATE)})
    given = {"answer-text": '"a"', "answer-people": "A\nB", "answer-date": ["2025", "ongoing"], "answer-yes-no": "no"}
    given |= {"answer-several": ["north", "south"], "answer-site": "north", "answer-gate": "7"}
    html = Visitor(app).tell("x", **given, without=["ombuds", "ethics"]).html
    for part in (
        'value="&#34;a&#34;"',
        ">\nA\nB</textarea>",
        "<option selected>2025",
        'value="ongoing" checked>',
        '<option value="no" selected>No',
        'value="south" checked>',
        'value="north" class="o1" checked>',
        'value="7"',
    ):
        assert part in html, part
    assert html.count('value="north" checked>') == 1


def test_advice_goes_straight_to_who_advises(tmp_path: Path, org: parties.Organisation) -> None:
    """Without topics; the page says that asking starts nothing; by one press it becomes a report, in the same case."""
    org = with_channels(org, "harassment", "fraud", "safety", "advice")
    app = site(tmp_path, org)
    visitor = Visitor(app).step("report")
    assert "Advice" not in visitor.text and "Fraud" in visitor.text
    visitor.open("/en/").step("advice")
    assert "Asking starts nothing" in visitor.text and "Our plan" not in visitor.text
    visitor.step("send", {"text": "May I?", "answer-q-about": "money", "answer-q-want": ["talk", "next"]})
    report = reported(app, org)
    assert report.channel == "advice"
    assert report.answers == {"q-about": "money", "q-want": "next talk", "way": "advice"}
    typed = visitor.words
    code = words.encode(words.decode(typed))
    asked = [name for name, _ in visitor.step("keep").page.form("kept").fields if name.startswith("word-")]
    visitor.step("kept", {name: code[int(name[5:]) - 1] for name in asked})
    assert "You have your words." in visitor.text and "we confirm that it arrived" not in visitor.text
    assert "we confirm that it arrived" not in visitor.come_back(typed).text
    visitor.step("make-report")
    [told] = [each.message for each in opened(app, org, "ombuds") if isinstance(each.message, FollowUp)]
    assert told.case == report.case and told.answers == {"way": "report"} and "report from now on" in told.text


@pytest.mark.parametrize(("ticked", "answers"), [({}, {"way": "advice"}), ({"way": "report"}, None)])
def test_new_words_go_on_asking_for_advice(
    app: flask.Flask, org: parties.Organisation, ticked: dict[str, str], answers: dict[str, str] | None
) -> None:
    """Unless their reporter says that it is a report; until then the page of the case has the button for that."""
    visitor = Visitor(app).step("advice", {"channel": "harassment"}).step("send", {"text": "May I?"})
    visitor.come_back(visitor.words).step("exposed")
    assert "If you already made it a report, do so again" in visitor.text
    visitor.step("renew", {"text": "He read them.", **ticked})
    fresh = retrieval.derive(words.decode(visitor.words)).case.hex()
    [new] = [each.message for each in opened(app, org, "ombuds") if each.message.case == fresh]
    assert isinstance(new, Report) and new.answers == answers
    visitor.come_back(visitor.words)
    assert ("make-report" in visitor.html) == bool(answers)


def test_new_words_for_a_report_say_nothing_of_advice(app: flask.Flask) -> None:
    """A report goes on as one."""
    visitor = Visitor(app).tell()
    assert "advice" not in visitor.come_back(visitor.words).step("exposed").page.ids


def test_few_channels_offer_what_they_are_for(tmp_path: Path, org: parties.Organisation) -> None:
    """On the first page too: advice with whom that is for, reports with the others."""
    page = Visitor(site(tmp_path, with_channels(org, "fraud", "advice"))).page
    ways = [(dict(form.fields)["channel"].strip(), form.steps) for form in page.forms if "channel" in dict(form.fields)]
    assert ways == [("fraud", {"report"}), ("advice", {"advice"})]


def test_only_a_request_for_advice_can_be_made_a_report(app: flask.Flask, org: parties.Organisation) -> None:
    """A report's page does not offer it, and a form that asks for it all the same stores nothing."""
    visitor = Visitor(app).tell()
    visitor.come_back(visitor.words)
    assert "make-report" not in visitor.html
    visitor.step("follow-up", {"step": "make-report"})
    assert len(opened(app, org, "ombuds")) == 1


def test_every_default_form_is_one_page_in_each_language(tmp_path: Path, org: parties.Organisation) -> None:
    """So that its size tells no channel; all its ids differ, and each question has its words."""
    names = dict.fromkeys(SIX, "North Office")
    app = site(tmp_path, with_channels(org, *IDS, "advice", "whatever"), name=names)
    for language in SIX:
        sizes = set()
        for channel in (*IDS, "advice", "whatever"):
            visitor = Visitor(app, language).step("report", {"channel": channel})
            sizes.add(len(visitor.answer.data))
            assert len(visitor.page.ids) == len(set(visitor.page.ids))
            assert all(text for each in usual_questions(channel, SIX) for text in [each.label[language]])
        assert sizes == {PAGE}, language


def test_default_questions_are_sound() -> None:
    """Each set can be asked, and each has its label, in every language; none is left that no set asks."""
    asked = {name for names in default_questions.sets().values() for name in names}
    assert asked == set(default_questions.all_of_them())
    for channel in default_questions.sets():
        questions.check(usual_questions(channel, SIX))
        for each in usual_questions(channel, SIX):
            assert set(each.label) == set(SIX) and all(set(choice.label) == set(SIX) for choice in each.choices)
    used = {f"{name}.label" for name in asked} | {"other"}
    used |= {f"{each.name}.{id}" for each in default_questions.all_of_them().values() for id in each.choices}
    texts = catalogues.load("en", default_questions.QUESTIONS).messages
    assert not [key for key in texts if key not in used and not key.endswith(".hint") and key[:3] not in ("way", "urg")]


def test_programs_are_told_what_every_channel_asks(client: FlaskClient) -> None:
    """Own questions and default ones, in the languages of the pages."""
    asked = questions.parse(client.get("/questions.json").data)
    assert [each.id for each in asked["harassment"]] == ["when"]
    assert asked["fraud"][0].id == "q-loss" and set(asked["fraud"][0].label) == {"en", "ar"}
    assert json.loads(client.get("/questions.json").data)["channels"]["fraud"][5]["if"] == {
        "is": ["yes"],
        "question": "q-proof",
    }


ASK = "[[channels.fraud.questions]]\nid = 'a'\nlabel.en = 'A'\n"
CHOICES = "type = 'choice'\nchoices = [{ id = 'n', label.en = 'N' }]\n"
MISTAKES = {
    "type": (ASK + "type = 'colour'", 4, "type must be one of text, long"),
    "id": (ASK.replace("'a'", "'A b'"), 2, "must be made of a to z"),
    "our id": (ASK.replace("'a'", "'q-a'"), 2, "must not begin with q-"),
    "reserved": (ASK.replace("'a'", "'asked'"), 2, "must not be asked"),
    "twice": (ASK * 2, 5, "must be another than a"),
    "no label": ("[[channels.fraud.questions]]\nid = 'a'", 1, "label is missing"),
    "no choices": (ASK + "type = 'several'", 1, "choices must list"),
    "choices too many": (ASK + CHOICES.replace("}]", "}" + ", {id = 'n', label.en = 'N'}" * 16 + "]"), 5, "16 at most"),
    "choice twice": (ASK + CHOICES.replace("}]", "}, {id = 'n', label.en = 'N'}]"), 5, "same id twice"),
    "choice without label": (ASK + "type = 'choice'\nchoices = [{ id = 'n' }]", 5, "label is missing"),
    "if later": (ASK + "if = { question = 'b', is = ['n'] }\n" + ASK.replace("'a'", "'b'"), 4, "stands before it"),
    "if of no such answer": (
        ASK + CHOICES + ASK.replace("'a'", "'b'") + "if = { question = 'a', is = ['x'] }",
        9,
        "answers to choose: n",
    ),
    "if misspelt": (ASK + "if = { question = 'a', in = ['x'] }", 4, "stands before it"),
    "for": (ASK + "for = 'everybody'", 4, "for must be report or advice"),
    "ask": ("[channels.fraud]\nask = ['whence']", 2, "names whence, which there is not"),
    "like": ("[channels.fraud]\nlike = 'theft'", 2, "names theft, which there is not"),
    "unknown": (ASK + "must = true", 4, "must is not known here"),
    "too long": (ASK + f"hint.en = '{'x' * 8200}'", 1, "bytes of a page in en; 7168 are free"),
}


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes_are_told_by_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Each kind at start, with its place and what to do."""
    (tmp_path / "whistle.toml").write_text(f"name.en = 'N'\n{text}", "utf-8")
    with pytest.raises(ConfigError) as caught:
        Config.load(tmp_path)
    assert f"whistle.toml, line {line + 1}: channels.fraud." in str(caught.value) and said in str(caught.value)
    assert caught.value.hint


def test_a_channel_asks_what_the_file_says(tmp_path: Path) -> None:
    """Single questions of ours, those of another channel, own ones behind them, or none."""
    (tmp_path / "whistle.toml").write_text(
        "name.en = 'N'\n[channels.a]\nask = []\n"
        "[channels.b]\nask = ['when', 'seen']\n"
        "[[channels.b.questions]]\nid = 'c'\nlabel.en = 'C'\nif = { question = 'seen', is = ['no'] }\n"
        "[channels.c]\nlike = 'advice'\n",
        "utf-8",
    )
    config = Config.load(tmp_path)
    assert config.asked_in("a") == ()
    assert [each.id for each in config.asked_in("b")] == ["q-when", "q-seen", "c"]
    assert config.asked_in("b")[2].condition == Condition("q-seen", ("no",))
    assert [each.id for each in config.asked_in("c")][:2] == ["q-about", "q-want"]
    assert config.asked_in("safety")[0].id == "q-danger" and config.asked_in("anything")[0].id == "q-part"
