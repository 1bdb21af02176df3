"""A channel's questions as a form shows them, and the answers in a form.

A question with a condition stands below the question that it looks at, inside its group, and the style shows it while
one of the answers is chosen that it looks for: no script is needed, and nothing is sent before.  Browsers send what the
style hides, so what no condition shows is dropped here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from markupsafe import Markup

from whistle.protocol.reporter import answers
from whistle.protocol.reporter.questions import ASKED, Question, ways_on
from whistle.server.reporter import long_texts
from whistle.server.reporter.render import Visit
from whistle.server.sealing.multipart import Arrived

ANSWER = "answer-"
YEARS = 9  # that can be chosen, this one among them


def asked(visit: Visit, channel: str, way: str) -> tuple[Question, ...]:
    """What the form of a channel asks those who go this way."""
    return answers.for_way(visit.config.asked_in(channel), way)


def given(arrived: Arrived, questions: Sequence[Question], language: str) -> dict[str, str]:
    """The answers in a form to questions that are shown, by id, with the words of an organisation's own questions."""
    made = {each.id: answers.made(each, arrived.all(ANSWER + each.id)) for each in questions}
    kept = answers.shown(questions, made)
    words = answers.words_of(kept, answers.words(questions, language))
    return {**kept, **({ASKED: words} if words else {})}


def words(visit: Visit, questions: Sequence[Question]) -> str:
    """The words of an organisation's own questions, for the program to seal with the answers."""
    return answers.words(questions, visit.t.code)


def groups(visit: Visit, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """The questions that stand on no condition, each with those below it."""
    return [_group(visit, questions, each) for each in questions if each.condition is None]


def _group(visit: Visit, questions: Sequence[Question], question: Question) -> dict[str, Any]:
    ways = ways_on(questions, question.id)
    typed = visit.arrived.all(ANSWER + question.id)
    return {
        "name": ANSWER + question.id,
        "key": f"q{questions.index(question)}",
        "type": question.type,
        "label": visit.localized(question.label),
        "hint": _hint(visit, question),
        "typed": long_texts.set_apart("\n".join(typed)),
        "options": list(_options(visit, question, typed, ways)),
        "ongoing": answers.ONGOING in typed,
        "below": [
            {"shown_by": ways.index(each.condition.among) + 1, "group": _group(visit, questions, each)}
            for each in questions
            if each.condition and each.condition.question == question.id
        ],
    }


def _hint(visit: Visit, question: Question) -> Markup | str:
    own = visit.localized(question.hint)
    more = visit.t(f"answer.{question.type}") if question.type in ("people", "sum") else Markup()
    said = Markup("<bdi>{}</bdi>").format(own) if own else Markup()
    return Markup(" ").join(filter(None, (said, more)))


def _options(
    visit: Visit, question: Question, typed: Iterable[str], ways: Sequence[tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """What can be chosen: its value and label, and which of the questions below it shows."""
    labels: Iterable[tuple[str, str]] = [(each.id, visit.localized(each.label)) for each in question.choices]
    if question.type == "yes-no":
        labels = [(id, visit.t.text(f"answer.{id}")) for id in question.options]
    if question.type == "date":
        labels = _dates(visit)
    for value, label in labels:
        shows = [f"o{number}" for number, among in enumerate(ways, 1) if value in among]
        yield {"value": value, "label": label, "shows": " ".join(shows), "chosen": value in typed}


def _dates(visit: Visit) -> Iterator[tuple[str, str]]:
    """The last twelve months, newest first, then years, then *longer ago*."""
    t, today = visit.t, visit.day
    for back in range(12):
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        yield f"{year}-{month + 1:02}", t.month(year, month + 1)
    for back in range(YEARS):
        yield str(today.year - back), str(today.year - back)
    yield answers.LONG_AGO, t.text("answer.long_ago")
