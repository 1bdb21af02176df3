"""The fields of the pages' forms, parsed strictly, and the messages for rejected forms.

Nothing is stored or sealed here.  A value that our pages cannot have sent counts as missing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from whistle.protocol.code import words
from whistle.protocol.code.retrieval import ATTEMPT
from whistle.protocol.code.words import WordsError
from whistle.protocol.reporter.compose import Empty, HoldsSealedReport, HoldsWords, NobodyLeft, Refused, TooLong
from whistle.protocol.reporter.questions import ADVICE, CHECK_IN, EARLIER, HOW, REPORT, WAY
from whistle.protocol.trust.manifest import RECOVERY, Manifest
from whistle.server.errors import (
    Broken,
    DiskFull,
    FieldAfterFile,
    FormError,
    NotAForm,
    Texts,
    TooBig,
)
from whistle.server.sealing.multipart import Arrived, Bounds
from whistle.translations.translation import Translation

WAYS = (REPORT, ADVICE)
ATTEMPT_TEXT = re.compile(r"[0-9a-f]{64}")
WORDS_ASKED = 3  # of the twelve, to check that they were written down


class Busy(FormError):
    """Too many uploads at once; nothing of this form was stored.  `wait` is in seconds, 0 if unknown."""

    def __init__(self, message: str, texts: Texts = (), wait: int = 0) -> None:
        super().__init__(message, texts)
        self.wait = wait


MESSAGES: Mapping[type[Exception], tuple[str, str]] = {  # the field to correct, and the message
    HoldsWords: ("text", "error.holds_words"),
    HoldsSealedReport: ("text", "error.sealed_text"),
    Empty: ("text", "error.empty"),
    NobodyLeft: ("without", "error.nobody"),
    TooLong: ("without", "error.too_long_names"),
    DiskFull: ("", "error.no_room"),
    Broken: ("", "error.broken"),
    FieldAfterFile: ("", "error.old_form"),
    NotAForm: ("", "error.old_form"),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a form; `field` is the id of the control to correct, or empty.

    `nobody`: everybody who could read it was left out, so other places to turn to are shown.  `heading` is the key of
    the message above the problems; `wait` is the number of seconds until the same form may be accepted.
    """

    field: str
    text: str
    nobody: bool = False
    heading: str = "page.problem"
    wait: int = 0


def new_attempt() -> str:
    """The random part of a form, in hexadecimal: the code is derived from it and what is typed (SPEC 2)."""
    return os.urandom(ATTEMPT).hex()


def attempt(arrived: Arrived) -> bytes | None:
    """The 32 random bytes in a form; None if missing."""
    text = arrived.get("attempt")
    return bytes.fromhex(text) if ATTEMPT_TEXT.fullmatch(text) else None


def way(arrived: Arrived) -> str:
    """Whether the visitor wants to report or to ask for advice, as one of `WAYS`."""
    return arrived.get(WAY) if arrived.get(WAY) in WAYS else WAYS[0]


def channel(arrived: Arrived) -> str:
    """The id of the chosen channel, without what made its form as long as another channel's."""
    return arrived.get("channel").rstrip()


def text(arrived: Arrived) -> str:
    """The text as typed, without surrounding whitespace."""
    return arrived.get("text").strip()


def earlier(arrived: Arrived) -> dict[str, str]:
    """Which other case a message says it is about, under the id of that; nothing if it names none."""
    named = arrived.get(f"answer-{EARLIER}").strip()
    return {EARLIER: named} if named else {}


def added(arrived: Arrived) -> dict[str, str]:
    """What a follow-up says besides its text: how its writer is, in one choice, and which other case it is about."""
    how = arrived.get(f"answer-{CHECK_IN}").rstrip()  # the shorter ones are sent as long as the longest
    return {**earlier(arrived), **({CHECK_IN: how} if how in HOW else {})}


def left_out(arrived: Arrived, manifest: Manifest) -> tuple[str, ...]:
    """The ids that were ticked, among active reviewers and the recovery identity."""
    allowed = [reviewer.id for reviewer in manifest.active()] + ([RECOVERY] if manifest.recovery else [])
    ticked = set(arrived.all("without"))
    return tuple(id for id in allowed if id in ticked)


def reply_key(text: str) -> tuple[int, int] | None:
    """The requested reply: its lane and number."""
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text, re.ASCII)
    return (int(match[1]), int(match[2])) if match else None


def file_key(text: str) -> tuple[int, int, int] | None:
    """The requested file: lane and number of its reply, and its index there."""
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})-(\d{1,3})", text, re.ASCII)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def passed(arrived: Arrived) -> int:
    """How many of the newest things in reply places the page passes over; 0 for the first page."""
    text = arrived.get("passed")
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0


def hidden_code(code: bytes) -> str:
    """The code as numbers, for hidden fields."""
    return " ".join(map(str, words.numbers(code)))


def matches(code: bytes, arrived: Arrived) -> bool:
    """Whether at least three words were typed correctly, from any of the lists or as numbers."""
    asked = {place: arrived.get(f"word-{place}") for place in range(1, words.COUNT + 1)}
    typed = {place: answer for place, answer in asked.items() if answer.strip()}
    return len(typed) >= WORDS_ASKED and any(_fits(code, typed, language) for language in words.LANGUAGES)


def _fits(code: bytes, typed: Mapping[int, str], language: str) -> bool:
    whole = [typed.get(place, word) for place, word in enumerate(words.encode(code, language), 1)]
    try:
        return words.decode(" ".join(whole)) == code
    except WordsError:
        return False


def words_problem(t: Translation, error: WordsError) -> Problem:
    """The problem with words that are not a code."""
    if error.reason == "count":
        message = t("replies.count", error.found) if error.found else t.text("replies.empty")
    elif error.reason == "unknown" and error.neighbours:
        message = t("replies.unknown_near", word=error.word, near=t.listed(error.neighbours))
    elif error.reason == "unknown":
        message = t("replies.unknown", word=error.word)
    else:
        message = t("replies.checksum")
    return Problem("words", message)


def problem(t: Translation, error: FormError | Refused, bounds: Bounds) -> Problem:
    """The problem for a form that was rejected."""
    if isinstance(error, TooBig):
        return _too_big(t, error, bounds)
    if isinstance(error, Busy):
        return limited(t, error.wait)
    field, key = next((entry for kind, entry in MESSAGES.items() if isinstance(error, kind)), ("", "error.not_stored"))
    return Problem(field, t(key), isinstance(error, NobodyLeft))


def limited(t: Translation, wait: int) -> Problem:
    """The problem for a rate limit or a busy server; `wait` in seconds, 0 if unknown."""
    message = t("notice.limit_text", wait=duration(t, wait)) if wait else t("notice.busy_text")
    return Problem("", message, heading="notice.limit", wait=wait)


def duration(t: Translation, seconds: int) -> Markup:
    """A duration, in minutes from 60 seconds on."""
    return t("wait.seconds", seconds) if seconds < 60 else t("wait.minutes", -(-seconds // 60))


def _too_big(t: Translation, error: TooBig, bounds: Bounds) -> Problem:
    if error.what == "text":
        return Problem("text", t("error.too_long", size=t.size(bounds.text)))
    if error.what == "files":
        return Problem("files", t("error.too_many", count=bounds.files))
    return Problem("files", t("error.too_big", size=t.size(bounds.upload)))
