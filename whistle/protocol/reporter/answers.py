"""Answers as they travel, one text for each question, and which questions are shown (SPEC 9.3).

What stands in the controls of a question makes one text, whoever asks; what no condition shows is not sent.
"""

import re
from collections.abc import Mapping, Sequence

from whistle.protocol.invisible_text import is_blank
from whistle.protocol.reporter.questions import OURS, Question, in_language

ONGOING = "ongoing"
LONG_AGO = "long-ago"
DATE = re.compile(rf"([12][0-9]{{3}}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?|{LONG_AGO})( {ONGOING})?|{ONGOING}")
LINES = ("long", "people")  # types whose answers may have several lines


def for_way(asked: Sequence[Question], way: str) -> tuple[Question, ...]:
    """The questions for those who go this way, `report` or `advice`."""
    return tuple(each for each in asked if each.way in ("", way))


def made(question: Question, values: Sequence[str]) -> str:
    """The answer that the values of a question's controls make, in their order; empty if they make none."""
    given = [value.strip() for value in values if not is_blank(value)]
    if question.options:
        chosen = [id for id in question.options if id in given]
        return " ".join(chosen if question.type == "several" else chosen[:1])
    if question.type in LINES:
        return "\n".join(given)
    line = " ".join(" ".join(given).split())
    return line if question.type != "date" or DATE.fullmatch(line) else ""


def typed(question: Question, text: str) -> str:
    """The answer that somebody typed as one text, ids for choices; empty if there is no such answer."""
    parts = text.replace(",", " ").split() if question.options or question.type == "date" else [text]
    if question.options and (set(parts) - set(question.options) or (question.type != "several" and len(parts) > 1)):
        return ""
    return made(question, parts)


def is_shown(question: Question, answers: Mapping[str, str]) -> bool:
    """Whether a question is shown after these answers to earlier ones."""
    condition = question.condition
    return condition is None or bool(set(answers.get(condition.question, "").split()) & set(condition.among))


def shown(asked: Sequence[Question], answers: Mapping[str, str]) -> dict[str, str]:
    """The answers without blank ones, and without those to questions that are not shown."""
    kept: dict[str, str] = {}
    for question in asked:
        answer = answers.get(question.id, "")
        if not is_blank(answer) and is_shown(question, kept):
            kept[question.id] = answer
    return kept


def words(asked: Sequence[Question], language: str) -> str:
    """The words of the questions that are not Whistle's own and of their choices, as the reporter reads them."""
    lines = []
    for question in asked:
        if not question.id.startswith(OURS):
            lines.append(f"{question.id} {_line(question.label, language)}")
            lines += [f"{question.id}={each.id} {_line(each.label, language)}" for each in question.choices]
    return "\n".join(lines)


def words_of(answers: Mapping[str, str], words: str) -> str:
    """Those of these words that belong to answers which are given."""
    return "\n".join(line for line in words.splitlines() if re.split("[ =]", line, maxsplit=1)[0] in answers)


def read_words(words: str) -> dict[str, str]:
    """Words by question's id, or by id=choice; lines that are none are left out, and so are those of our own ids."""
    pairs = (line.partition(" ") for line in words.split("\n"))
    return {name: said for name, _, said in pairs if name and said and not name.startswith(OURS)}


def _line(texts: Mapping[str, str], language: str) -> str:
    return " ".join(in_language(texts, language).split())
