"""The retrieval code as twelve words, and back from what a person typed (SPEC 2).

The word lists and the four bits of checksum are BIP39's; its key derivation is not used.
"""

import difflib
import itertools
import unicodedata
from collections.abc import Sequence

from whistle.protocol import invisible_text
from whistle.protocol.code import rows
from whistle.protocol.code.rows import BITS, CHECK, COUNT, MAX_ROWS
from whistle.protocol.code.tokens import (
    LANGUAGES,
    LIST,
    digits,
    is_number,
    is_own_number,
    plain,
    readings,
    tokens,
    wordlist,
)
from whistle.protocol.errors import Malformed

__all__ = [
    "COUNT",
    "LANGUAGES",
    "LIST",
    "MAX_ROWS",
    "WordsError",
    "decode",
    "encode",
    "holds_code",
    "list_for",
    "numbers",
    "wordlist",
]

CODE = 16  # bytes
MAX_TOKENS = 2_000  # of what was typed; a copy of the whole page of the words has about two hundred


class WordsError(Malformed):
    """What was typed is not a retrieval code.

    ``reason`` is ``count`` (then ``found`` is the number of words), ``unknown`` (then ``word`` is the first that is
    in no list, and ``neighbours`` are similar words of the list) or ``checksum``.
    """

    def __init__(self, reason: str, found: int = 0, word: str = "", neighbours: Sequence[str] = ()) -> None:
        super().__init__(f"not a retrieval code: {reason}")
        self.reason, self.found, self.word, self.neighbours = reason, found, word, tuple(neighbours)


def list_for(language: str) -> str:
    """The list, one of LANGUAGES, for people who read a language: its own or, where there is none, the English one."""
    return language if language in LANGUAGES else LANGUAGES[0]


def numbers(code: bytes) -> list[int]:
    """The twelve numbers, 1 to 2048, of a code of 16 bytes."""
    if len(code) != CODE:
        raise ValueError("a retrieval code has 16 bytes")
    value = int.from_bytes(code) << CHECK | rows.checksum(code)
    return [(value >> BITS * place & (LIST - 1)) + 1 for place in reversed(range(COUNT))]


def encode(code: bytes, language: str = "en") -> list[str]:
    """The twelve words of a code of 16 bytes in a language of LANGUAGES."""
    return [wordlist(language)[number - 1] for number in numbers(code)]


def decode(typed: str) -> bytes:
    """The code (16 bytes) of words or numbers as a person types them; WordsError otherwise.

    Case, accents, punctuation between words and the script of digits do not matter.  The first four letters of a word
    are enough.  Words may be pasted with the numbers that pages show beside them.  Invisible characters are removed
    or, if that does not give twelve words, read as spaces.
    """
    read = [_twelve(list(itertools.islice(tokens(text), MAX_TOKENS))) for text in invisible_text.readings(typed)]
    twelve = next((each for each in read if len(each) == COUNT), read[0])
    if len(twelve) != COUNT:
        raise WordsError("count", found=len(twelve))
    by_language = list(zip(*map(readings, twelve), strict=True))
    whole = [reading for reading in by_language if None not in reading]
    for reading in whole:
        code = rows.checked(rows.value(reading))
        if code is not None:
            return code
    if whole:
        raise WordsError("checksum")
    language, reading = max(zip(LANGUAGES, by_language, strict=True), key=lambda pair: COUNT - pair[1].count(None))
    word = unicodedata.normalize("NFKD", twelve[reading.index(None)])
    raise WordsError("unknown", word=word, neighbours=_neighbours(word, language))


def holds_code(text: str, code: bytes | None = None) -> bool:
    """Whether a text holds twelve words or numbers in a row with a valid checksum, or those of one ``code``.

    Chinese characters count only where they stand apart, since nearly any Chinese sentence would match, unless one
    ``code`` is searched for.  Takes linear time and, beside the text, constant memory; only the first MAX_ROWS rows are
    looked at.  Invisible characters within or between words hide nothing.
    """
    together = code is not None
    return any(rows.hold(tokens(reading, together), code) for reading in invisible_text.readings(text))


def _twelve(tokens: list[str]) -> list[str]:
    """The twelve words among the tokens; all tokens if twelve words cannot be told apart."""
    return tokens if len(tokens) == COUNT else _unnumbered(tokens) or _followed_by_numbers(tokens) or tokens


def _unnumbered(tokens: list[str]) -> list[str]:
    """Twelve words typed with 1 to 12 in front of them, without those numbers; else nothing."""
    counts = tokens[::2] if len(tokens) == 2 * COUNT else []
    if counts and digits(counts[-1]) == COUNT and [*map(digits, counts)] == list(range(1, COUNT + 1)):
        return tokens[1::2]
    return []


def _followed_by_numbers(tokens: Sequence[str]) -> list[str]:
    """The twelve words that stand in a row, each followed by its own number; else nothing.

    The page of the words shows them like this; other numbers, such as positions, are skipped.
    """
    pairs = itertools.pairwise([*tokens, ""])
    named = [token if is_own_number(token, after) else "" for token, after in pairs if not is_number(token)]
    runs = [list(run) for is_named, run in itertools.groupby(named, bool) if is_named]
    twelve = [run for run in runs if len(run) == COUNT]
    return twelve[0] if len(twelve) == 1 else []


def _neighbours(word: str, language: str) -> list[str]:
    entries = {plain(entry): entry for entry in wordlist(language)}
    return [entries[near] for near in difflib.get_close_matches(word, entries, n=3, cutoff=0.6)]
