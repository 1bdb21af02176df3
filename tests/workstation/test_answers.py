"""What reporters answered, at the desk: in words, to filter by, and what makes of a request for advice a report."""

import datetime
import re
import time

import pytest

from tests.parties import DAY, report, reporter
from tests.workstation.carrying import World
from tests.workstation.test_app import get, post
from tests.workstation.test_hostile import a_reply, case_of
from whistle.protocol.case import envelope, message
from whistle.protocol.case.message import Have
from whistle.workstation import answers, language
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, compose, transcript
from whistle.workstation.cases.case_list import Filter
from whistle.workstation.vault import check

LATER = DAY + datetime.timedelta(days=30)
GIVEN = {
    "way": "advice",
    "q-want": "next talk nothing",
    "q-told": "yes",
    "q-when": "2026-10 ongoing",
    "q-who": "yes",
    "site": "north",
    "gate": "no",
    "asked": "site Which \u202esite?\nsite=north North\ngate Is it open?",
    "lost": "x",
}
ENGLISH = [
    ("What it is", "A request for advice"),
    ("When did it happen?", "October 2026 · It is still going on"),
    ("Who did it, or is involved?", "yes"),
    ("Have you told anybody about it?", "Yes"),
    ("What would you like to know?", "What happens if I report it, I want to talk to somebody and nothing"),
    ("“Is it open?”", "No"),
    ("lost", "x"),
    ("“Which site?”", "“North”"),
]


def test_answers_are_in_the_words_of_the_questions() -> None:
    """Ours first and in their order, unknown ones as they are; those of others in quotation marks."""
    assert [(label, str(answer)) for label, answer in answers.lines(GIVEN)] == ENGLISH


def test_answers_are_in_the_reviewers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reporter's; what is sealed as words stays as it came."""
    monkeypatch.setattr(language, "translation", lambda code: language.catalogues.load(code))
    with language.on_page("fr"):
        said = dict(answers.lines(GIVEN))
        assert said["Quand est-ce arrivé\u202f?"] == "octobre 2026 · Cela continue encore"
        assert said["“Which site?”"] == "“North”" and answers.facet_words("q-often=once").endswith(": Une fois")


@pytest.mark.parametrize(
    "given",
    [
        {"q-part": "label hint", "way": "label", "q-nothing": "yes no", "q-": "a"},
        {"asked": "way We confirm\nq-part Lies\nurgent Lies\n=\nx=\n", "q-part": "me", "way": "report", "x": "1"},
        {"q-ground": "sex " * 500_000, "asked": "x\n" * 1_000_000, "a": "b " * 1_000_000},
        {f"i{n}": " ".join("abcdefghij") for n in range(60)}
        | {"asked": "\n".join(f"i{n}={each} x" for n in range(60) for each in "abcdefghij")},
    ],
    ids=["words of ours as answers", "relabelled", "long", "many"],
)
def test_a_stranger_answers_what_nobody_asked(given: dict[str, str]) -> None:
    """Nothing is shown in words of ours but what we ask, and it costs no more than it is long."""
    shown = answers.lines(given)
    assert len(shown) == len(set(given) - {"asked"})
    assert "Lies" not in str(shown) and "confirm" not in str(shown) and "{" not in "".join(label for label, _ in shown)
    assert ("What is your part in it?", "label and hint") in shown or "label hint" not in str(given)
    assert len(answers.Given(given).facets) <= answers.MOST + 1


def test_cases_are_filtered_and_counted_by_answers(world: World) -> None:
    """What was chosen, by each case once; of a case that is muted with the muted ones."""
    world.report(answers={"q-often": "once", "q-ground": "sex age", "q-where": "once"})
    world.report(answers={"q-often": "once", "site": "north", "asked": "site Which?\nsite=north North"})
    world.report(answers=None)
    world.round("ombuds")
    station = world.station("ombuds")
    counted = {"q-often=once": 2, "q-ground=sex": 1, "q-ground=age": 1, "site=north": 1}
    assert case_list.counts(station).answer == counted
    for facet, count in counted.items():
        assert case_list.rows(station, kept=Filter(answer=facet))[1] == count
    assert case_list.rows(station, kept=Filter(answer="q-often=on"))[1] == 0
    assert transcript.chosen(station, Filter(answer="q-often=once")) == ["How often has it happened?: Once"]
    assert not check.faults(station)


def test_advice_starts_nothing_until_its_reporter_says_so(world: World) -> None:
    """It is answered within a week, and nothing more is due; by the reporter's word it is a report from that day."""
    who = world.report(answers={"way": "advice"}, text="May I?")
    world.round("ombuds")
    case = case_of(world, who)
    assert case.given.is_advice and [each.what for each in case.deadlines] == ["acknowledge"]
    assert case_list.rows(world.station("ombuds"), kept=Filter(answer="way=advice"))[0][0].advice
    assert compose.usual_mark(case) == ""
    world.send(a_reply(world, who), ("ombuds",))
    world.round("ombuds")
    assert case_of(world, who).deadlines == []

    world.day = world.carrier.today = LATER
    world.follow_up(who, text="Act on it.", answers={"way": "report"})
    world.round("ombuds")
    case = case_of(world, who)
    assert not case.given.is_advice and case.unanswered and compose.usual_mark(case) == "acknowledgement"
    [first, _] = [(each.what, each.day) for each in case.deadlines]
    assert first == ("acknowledge", LATER + datetime.timedelta(days=7))
    assert not case_list.counts(world.station("ombuds")).answer
    shown = "\n".join(transcript.lines(world.station("ombuds"), case))
    assert re.search(r"\| What it is: A request for advice\n(.*\n)*\| What it is: From now on it is a report", shown)
    world.send(a_reply(world, who, mark="acknowledgement", n=1, have=Have(2, DAY)), ("ombuds",))
    world.round("ombuds")
    assert [each.what for each in case_of(world, who).deadlines] == ["check-in", "feedback"]


def test_the_page_shows_answers_and_filters_by_them(world: World) -> None:
    """A case has the questions' words, markup and marks of direction are text; the list says what asks for advice."""
    world.report(answers={"way": "advice", "q-told": "no", "x": "<b>\u202e", "asked": "x <i>Bold"})
    world.report(answers={"q-told": "yes"})
    world.round("ombuds")
    page = create_app(world.station("ombuds"), world.stick, token="t").test_client()
    listed = get(page)
    assert listed.count("asks for advice") == 1 and "Have you told anybody about it?: Yes (1)" in listed
    shown = post(page, "filter", answer="q-told=no")
    [name] = set(re.findall(r"case/([0-9a-f]{32})", shown))
    assert "1 of 2 cases</strong>: Have you told anybody about it?: No" in shown
    case = get(page, f"case/{name}")
    assert '<dt><bdi>“&lt;i&gt;Bold”</bdi></dt><dd class="text"><bdi>&lt;b&gt;</bdi></dd>' in case
    assert "It starts nothing: answer it" in case


def test_nobody_makes_a_report_less(world: World) -> None:
    """A report stays one, whatever later messages say."""
    who = world.report()
    world.follow_up(who, answers={"way": "advice"})
    world.round("ombuds")
    case = case_of(world, who)
    assert not case.given.is_advice and len(case.deadlines) == 2


def test_what_a_stranger_makes_up_is_read_once() -> None:
    """Not all words for each answer: a case of many such messages would hold up every list."""
    given = {**{f"a{n}": "x y" for n in range(63)}, "asked": "\n".join(f"w{n} y" for n in range(9_000))}
    begun = time.process_time()
    assert answers.Given(given, [given] * 60).facets == []
    assert time.process_time() - begun < 1.5


def test_made_up_words_list_no_report_as_advice() -> None:
    """They would make a choice of what says whether it is advice."""
    way = {"way": "advice", "asked": "way=advice x"}
    assert answers.Given(way).facets == [answers.ADVICE_FACET]
    assert answers.Given(way, [{"way": "report"}]).facets == [] == answers.Given({}, [way]).facets


@pytest.mark.parametrize("sentences", [1, 15_000], ids=["short", "long"])
def test_a_report_that_answers_no_does_not_come_first(world: World, sentences: int) -> None:
    """Only `yes` says that something is about to happen (SPEC 9.3); its page would say that nothing is."""
    who = reporter()
    whole = report(who, world.org, text="Not at the door. " * sentences, answers={"urgent": "no"})
    folded, blocks = envelope.fold(whole, world.org.manifest.slots)
    world.send(message.sign(folded, who.signing), folded.readers)
    world.carrier.put_blocks(blocks)
    world.round("ombuds")
    [row] = case_list.rows(world.station("ombuds"))[0]
    assert not row.urgent and not case_of(world, who).urgent
