"""What the pages' forms hold, read strictly, and what is said when one cannot be taken.

Nothing is stored here and nothing is sealed; a value that no page of ours can have sent counts as missing.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from whistle.protocol.code import words
from whistle.protocol.code.retrieval import ATTEMPT
from whistle.protocol.code.words import WordsError
from whistle.protocol.invisible_text import is_blank
from whistle.protocol.reporter.compose import Empty, HoldsSealedReport, HoldsWords, NobodyLeft, Refused, TooLong
from whistle.protocol.reporter.questions import WAY, Question
from whistle.protocol.trust.manifest import RECOVERY, Manifest
from whistle.server.errors import (
    Broken,
    FieldAfterFile,
    FormError,
    NoRoom,
    TooBig,
)
from whistle.server.i18n import Translation
from whistle.server.sealing.multipart import Arrived, Bounds

WAYS = ("report", "advice")
ATTEMPT_TEXT = re.compile(r"[0-9a-f]{64}")
ANSWER = "answer-"
PLACES = 3  # of the twelve words, asked back


class Busy(FormError):
    """Too many files arrive at once; nothing of this form was kept.  `wait` is in seconds, 0 when nobody knows."""

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = (), wait: int = 0) -> None:
        super().__init__(message, fields)
        self.wait = wait


TOLD: Mapping[type[Exception], tuple[str, str]] = {  # which field to mend, and the message
    HoldsWords: ("text", "error.holds_words"),
    HoldsSealedReport: ("text", "error.sealed_text"),
    Empty: ("text", "error.empty"),
    NobodyLeft: ("without", "error.nobody"),
    TooLong: ("without", "error.too_long_names"),
    NoRoom: ("", "error.no_room"),
    Broken: ("", "error.broken"),
    FieldAfterFile: ("", "error.old_form"),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a form; `field` is the id of the control to mend, empty when there is none.

    `nobody`: everybody who could read it was left out, so that other places are to be shown.  `heading` is the
    message above the list of problems that it begins; `wait` is after how many seconds the same form may be taken.
    """

    field: str
    text: str
    nobody: bool = False
    heading: str = "page.problem"
    wait: int = 0


def new_attempt() -> str:
    """The random part of a form, in hexadecimal: with what is typed it makes the code (SPEC 2)."""
    return os.urandom(ATTEMPT).hex()


def attempt(arrived: Arrived) -> bytes | None:
    """The 32 random bytes that a form carries; None when they are missing."""
    text = arrived.get("attempt")
    return bytes.fromhex(text) if ATTEMPT_TEXT.fullmatch(text) else None


def way(arrived: Arrived) -> str:
    """Which of the two ways a visitor has taken."""
    return arrived.get(WAY) if arrived.get(WAY) in WAYS else WAYS[0]


def text(arrived: Arrived) -> str:
    """The text as it was typed, without the room around it."""
    return arrived.get("text").strip()


def answers(arrived: Arrived, questions: Sequence[Question]) -> dict[str, str]:
    """The answers that were given to a channel's questions, by their ids."""
    given = {question.id: arrived.get(ANSWER + question.id).strip() for question in questions}
    return {id: answer for id, answer in given.items() if not is_blank(answer)}


def left_out(arrived: Arrived, manifest: Manifest) -> tuple[str, ...]:
    """The ids of those who were ticked and may be: active reviewers, and the recovery identity."""
    known = [reviewer.id for reviewer in manifest.active()] + ([RECOVERY] if manifest.recovery else [])
    ticked = set(arrived.all("without"))
    return tuple(id for id in known if id in ticked)


def file_key(text: str) -> tuple[int, int, int] | None:
    """Which file is asked for: lane and number of its reply, and its place there."""
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})-(\d{1,3})", text, re.ASCII)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def hidden_code(code: bytes) -> str:
    """The code as numbers, for the hidden field of a page that needs it."""
    return " ".join(map(str, words.numbers(code)))


def matches(code: bytes, arrived: Arrived) -> bool:
    """Whether three of the words were typed right, in any of the lists or as their numbers."""
    asked = {place: arrived.get(f"word-{place}") for place in range(1, words.COUNT + 1)}
    typed = {place: answer for place, answer in asked.items() if answer.strip()}
    return len(typed) >= PLACES and any(_fits(code, typed, language) for language in words.LANGUAGES)


def _fits(code: bytes, typed: Mapping[int, str], language: str) -> bool:
    whole = [typed.get(place, word) for place, word in enumerate(words.encode(code, language), 1)]
    try:
        return words.decode(" ".join(whole)) == code
    except WordsError:
        return False


def words_problem(t: Translation, error: WordsError) -> Problem:
    """What is said about twelve words that are none."""
    if error.reason == "count":
        said = t("replies.count", error.found) if error.found else t.text("replies.empty")
    elif error.reason == "unknown" and error.neighbours:
        said = t("replies.unknown_near", word=error.word, near=t.listed(error.neighbours))
    elif error.reason == "unknown":
        said = t("replies.unknown", word=error.word)
    else:
        said = t("replies.checksum")
    return Problem("words", said)


def problem(t: Translation, error: FormError | Refused, bounds: Bounds) -> Problem:
    """What is said about a form that could not be taken."""
    if isinstance(error, TooBig):
        return _too_big(t, error, bounds)
    if isinstance(error, Busy):
        return limited(t, error.wait)
    field, key = next((said for kind, said in TOLD.items() if isinstance(error, kind)), ("", "error.not_stored"))
    return Problem(field, t(key), isinstance(error, NobodyLeft))


def limited(t: Translation, wait: int) -> Problem:
    """What is said where more arrives than may; `wait` in seconds, 0 when nobody knows."""
    said = t("notice.limit_text", wait=_duration(t, wait)) if wait else t("notice.busy_text")
    return Problem("", said, heading="notice.limit", wait=wait)


def _duration(t: Translation, seconds: int) -> Markup:
    return t("wait.seconds", seconds) if seconds < 60 else t("wait.minutes", -(-seconds // 60))


def _too_big(t: Translation, error: TooBig, bounds: Bounds) -> Problem:
    if error.what == "text":
        return Problem("text", t("error.too_long", size=t.size(bounds.text)))
    if error.what == "files":
        return Problem("files", t("error.too_many", count=bounds.files))
    return Problem("files", t("error.too_big", size=t.size(bounds.upload)))
