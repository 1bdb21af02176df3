"""What a reporter answered, in the words of the questions: to be shown, and by what cases are filtered and counted.

Words of Whistle's own questions are in the reviewer's language.  Those of an organisation's are sealed with the answers
and stand as they came, in quotation marks, since only the reporter vouches for them.  Whatever is unknown is shown as
it is.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence

from whistle.protocol.reporter import answers as protocol
from whistle.protocol.reporter.questions import ADVICE, ASKED, CHOOSING, OURS, REPORT, URGENT, WAY, YES, YES_NO
from whistle.protocol.untrusted_text import one_line, plain
from whistle.translations import catalogues, default_questions
from whistle.workstation import language

MOST = 100  # answers by which a case is found
MOST_WORDS = 65_536  # characters of the words that came with answers
LONGEST_CHOICE = 600  # characters of an answer that is read as a choice: sixteen ids
LONGEST = 80  # characters of one that is listed: two ids and a sign
FIRST = (WAY, URGENT)
ADVICE_FACET = f"{WAY}={ADVICE}"


class Given:
    """What a reporter answered: in the report, and in each of the messages, of which the report's own stands empty.

    A request for advice starts nothing, until a later message makes it a report (SPEC 9.3).
    """

    def __init__(self, report: Mapping[str, str], later: Sequence[Mapping[str, str]] = ()) -> None:
        self._report, self._later = report, later

    @property
    def is_urgent(self) -> bool:
        """Whether something is about to happen."""
        return self._report.get(URGENT) == YES

    @functools.cached_property
    def made_report(self) -> int | None:
        """The number of the message, from 0, that made a request for advice a report; None if none did."""
        made = (number for number, each in enumerate(self._later) if each.get(WAY) == REPORT)
        return next(made, None) if self._report.get(WAY) == ADVICE else None

    @property
    def is_advice(self) -> bool:
        """Whether it is a request for advice."""
        return self._report.get(WAY) == ADVICE and self.made_report is None

    @property
    def facets(self) -> list[str]:
        """What was chosen, as `question=choice`, for filters."""
        chosen = {facet for each in (self._report, *self._later) for facet in _facets(each)}
        return sorted(chosen)[:MOST] + ([ADVICE_FACET] if self.is_advice else [])


def lines(answers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each question with its answer in words, safe to show: ours in their order, then others."""
    words = _words(answers)
    order = [*FIRST, *(OURS + name for name in default_questions.all_of_them())]
    ids = [id for id in order if id in answers] + sorted(set(answers) - {*order, ASKED})
    return [(_label(id, words), _answer(id, answers[id], words)) for id in ids]


def facet_words(facet: str) -> str:
    """What a filter by an answer is called: words where they are known, else the ids."""
    id, _, choice = facet.partition("=")
    return f"{_label(id, {})}: {_answer(id, choice, {})}"


def _words(answers: Mapping[str, str]) -> dict[str, str]:
    return protocol.read_words(answers.get(ASKED, "")[:MOST_WORDS])


def _facets(answers: Mapping[str, str]) -> list[str]:
    words = _words(answers)
    given = {id: answer for id, answer in answers.items() if id != WAY}  # which counts as is_advice says
    found = [f"{id}={choice}" for id, answer in given.items() for choice in _chosen(id, answer, words)]
    return [each for each in found if len(each) <= LONGEST]


def _chosen(id: str, answer: str, words: Mapping[str, str]) -> Iterator[str]:
    """The choices among the answers to a question; none where it has another type, or where nothing is known of it."""
    ours = default_questions.all_of_them().get(id.removeprefix(OURS)) if id.startswith(OURS) else None
    given = set(answer.split()) if len(answer) <= LONGEST_CHOICE else set()
    if ours:
        known: Sequence[str] = ours.choices or YES_NO if ours.type in CHOOSING else ()
    elif id == URGENT or (id in words and answer in YES_NO):
        known = YES_NO
    else:
        known = [choice for choice in given if f"{id}={choice}" in words]
    yield from (choice for choice in known if choice in given)


def _label(id: str, words: Mapping[str, str]) -> str:
    known = _said(id.removeprefix(OURS), "label") if id.startswith(OURS) or id in FIRST else ""
    if known:
        return known
    return f"“{one_line(words[id])}”" if id in words else one_line(id)


def _answer(id: str, answer: str, words: Mapping[str, str]) -> str:
    name = id.removeprefix(OURS)
    ours = default_questions.all_of_them().get(name) if id.startswith(OURS) else None
    parts = answer.split() if len(answer) <= LONGEST_CHOICE else []
    if ours and ours.choices and parts:
        return language.listed(_said(name, part) if part in ours.choices else part for part in parts)
    if id == WAY and answer in (ADVICE, REPORT):
        return _said(WAY, answer)
    if answer in YES_NO and (ours is None or ours.type == "yes-no"):
        return _reporters(f"answer.{answer}")
    if protocol.DATE.fullmatch(answer) and (ours is None or ours.type == "date"):
        return " · ".join(_date(part) for part in parts)
    if parts and all(f"{id}={part}" in words for part in parts):
        return language.listed(f"“{one_line(words[f'{id}={part}'])}”" for part in parts)
    return plain(answer)


def _date(part: str) -> str:
    year, *rest = part.split("-")
    if part == protocol.ONGOING:
        return _reporters("answer.ongoing")
    if part == protocol.LONG_AGO:
        return _reporters("answer.long_ago")
    return language.current().month(int(year), int(rest[0])) if len(rest) == 1 else part


def _said(name: str, part: str) -> str:
    """A text of Whistle's own questions in the reviewer's language; empty if there is none."""
    return default_questions.said(language.current().code, name, part)


def _reporters(key: str) -> str:
    """A text of the reporters' pages in the reviewer's language."""
    return catalogues.load(language.current().code).text(key)
