"""Answers as they travel: what controls make of them, and what is not sent."""

from dataclasses import replace

import pytest

from whistle.protocol.reporter import answers
from whistle.protocol.reporter.questions import Choice, Condition, Question


def question(type: str, *choices: str, id: str = "it", on: Condition | None = None) -> Question:
    """A question of a type."""
    return Question(id, {"en": "Well?"}, {}, type, tuple(Choice(each, {"en": each.upper()}) for each in choices), on)


@pytest.mark.parametrize(
    ("asked", "values", "made"),
    [
        (question("choice", "a", "b"), ["b"], "b"),
        (question("choice", "a", "b"), ["", "b", "a"], "a"),
        (question("choice", "a"), ["x" * 100_000], ""),
        (question("several", "a", "b", "c"), ["c", "nothing", "a", "c"], "a c"),
        (question("yes-no"), ["no"], "no"),
        (question("yes-no"), ["maybe"], ""),
        (question("date"), ["2026-10", "ongoing"], "2026-10 ongoing"),
        (question("date"), ["2025"], "2025"),
        (question("date"), ["2026-10-03"], "2026-10-03"),
        (question("date"), ["long-ago"], "long-ago"),
        (question("date"), ["", "ongoing"], "ongoing"),
        (question("date"), ["2026-13"], ""),
        (question("date"), ["ongoing", "2026"], ""),
        (question("sum"), [" 1200 ", "EUR"], "1200 EUR"),
        (question("text"), ["two\nlines  here "], "two lines here"),
        (question("place"), ["\u200b\u3164"], ""),
        (question("people"), ["A.\nB. "], "A.\nB."),
        (question("long"), [" a\n\nb "], "a\n\nb"),
    ],
)
def test_each_type_makes_one_text(asked: Question, values: list[str], made: str) -> None:
    """What no control of ours can hold makes no answer."""
    assert answers.made(asked, values) == made


SEEN = question("yes-no", id="seen")
WHO = question("people", id="who", on=Condition("seen", ("yes",)))
DEEP = question("text", id="deep", on=Condition("fits", ("b",)))
FITS = question("several", "a", "b", id="fits", on=Condition("seen", ("no",)))
LIST = (SEEN, WHO, FITS, DEEP)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"seen": "yes", "who": "A."}, {"seen", "who"}),
        ({"seen": "no", "who": "A."}, {"seen"}),
        ({"who": "A."}, set()),
        ({"seen": "no", "fits": "a b", "deep": "x"}, {"seen", "fits", "deep"}),
        ({"seen": "yes", "fits": "b", "deep": "x"}, {"seen"}),
        ({"seen": " ", "other": "x"}, set()),
    ],
)
def test_what_no_condition_shows_is_not_sent(given: dict[str, str], kept: set[str]) -> None:
    """Neither what stands behind it; nor what is not asked at all."""
    assert set(answers.shown(LIST, given)) == kept


def test_words_of_own_questions_travel_with_their_answers() -> None:
    """One line each, in the reporter's language; ours need none, and lines that are none are nothing."""
    own = replace(question("choice", "n"), label={"en": "Which\nsite?", "fr": "Quel site ?"})
    ours = question("choice", "x", id="q-part")
    words = answers.words((own, ours, SEEN), "fr")
    assert words == "it Quel site ?\nit=n N\nseen Well?"
    assert answers.words_of({"it": "n"}, words) == "it Quel site ?\nit=n N"
    assert answers.read_words(words) == {"it": "Quel site ?", "it=n": "N", "seen": "Well?"}
    assert answers.read_words("q-part Lies\n\nnothing\n x") == {}


def test_questions_are_for_one_way_or_both() -> None:
    """Who asks for advice is asked nothing that is for reports."""
    both = (SEEN, replace(WHO, way="report"), replace(FITS, way="advice"))
    assert [each.id for each in answers.for_way(both, "advice")] == ["seen", "fits"]
    assert [each.id for each in answers.for_way(both, "report")] == ["seen", "who"]
