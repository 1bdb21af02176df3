"""What the index holds of a text, and what it is asked: words of every script in one form.

SQLite's own tokenizer (`unicode61`) folds letters' case and diacritics.  Before it, scripts without spaces are split
into characters, Arabic loses vowel signs, article and joined particles, and marks that the tokenizer would take for
spaces become letters.  Only fixed ranges are used, since the index must be told at a deletion exactly what it was
given.
"""

import itertools
import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = 1  # of `terms`; the index is made anew when it changes
MOST_WORDS = 32  # in a query
LONGEST = 1024  # characters of a query

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
_SPACED = f"{_HAN}\U00020000-\U0003ffff\ue500-\ue7ff"  # those below among them, once they have become letters
_CHARACTER = re.compile(f"([{_SPACED}])")
_ARABIC = re.compile("[\u0621-\u064a]{4,}")
_PARTICLES = re.compile("\\A(?:(?:[\u0648\u0641\u0628\u0643]?\u0627\u0644|\u0648?\u0644\u0644)(?=..)|\u0648(?=...))")
_TOKEN = re.compile(f"[{_SPACED}]|[^\\W{_SPACED}]+")  # of what `terms` gives
_UNSPACED = f"{_HAN}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff"
_MARKS = "\u00ad\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u0670\u06d6-\u06ed\u0900-\u0dff\u200b-\u200f"
_PIECE = re.compile(f"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\\w{_MARKS}])+")  # of a text as shown
_TYPED = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


def _table() -> dict[int, int | str | None]:
    table: dict[int, int | str | None] = dict.fromkeys([*range(0x20), 0x7F, *range(0xD800, 0xE000)], " ")
    dropped = [0xAD, 0x640, 0x670, *range(0x610, 0x61B), *range(0x64B, 0x660), *range(0x6D6, 0x6EE)]  # Arabic
    dropped += [*range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7]  # Hebrew
    dropped += [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]  # directions, joiners
    table |= dict.fromkeys(dropped)
    table |= {0x622: 0x627, 0x623: 0x627, 0x625: 0x627, 0x671: 0x627}  # alef
    table |= {0x649: 0x64A, 0x6CC: 0x64A, 0x6A9: 0x643, 0x629: 0x647}  # ya, kaf, ta marbuta
    table |= {first + digit: str(digit) for first in (0x660, 0x6F0) for digit in range(10)}
    table |= {0x401: 0x415, 0x451: 0x435}  # Russian yo
    table |= {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
    for block in range(0x900, 0xE00, 0x80):  # Indic marks
        marks = [*range(4), *range(0x3A, 0x3D), *range(0x3E, 0x50), *range(0x51, 0x58), 0x62, 0x63, 0x70, 0x71]
        table |= {block + mark: 0xE000 + block - 0x900 + mark for mark in marks}
    for first, last, to in ((0xE00, 0xF00, 0xE500), (0x1000, 0x10A0, 0xE600), (0x1780, 0x1800, 0xE700)):
        table |= {code: to + code - first for code in range(first, last)}  # Thai, Lao, Burmese, Khmer
    return table


_TABLE = _table()


def terms(text: str) -> str:
    """The text as the index is given it."""
    translated = _ARABIC.sub(lambda match: _PARTICLES.sub("", match[0], count=1), text.translate(_TABLE))
    return _CHARACTER.sub(r" \1 ", translated)


@dataclass(frozen=True)
class Word:
    """A word or phrase that was typed; one to be left out if `excluded`."""

    text: str
    excluded: bool = False


def words(typed: str) -> list[Word]:
    """What was typed, word by word: `"a phrase"` is one, and `-word` leaves a word out."""
    found = []
    for match in _TYPED.finditer(typed[:LONGEST]):
        text = terms(match[2] if match[3] is None else match[3])
        if _TOKEN.search(text):
            found.append(Word(text, bool(match[1])))
    return found[:MOST_WORDS]


def query(typed: str) -> str:
    """A query for FTS5: all words must be there, each at the beginning of one; empty if nothing can be looked for.

    Every word is quoted, so that nothing that was typed reaches FTS5's own language.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for word in words(typed):
        (unwanted if word.excluded else wanted).append('"' + word.text.replace('"', " ") + '" *')
    if not wanted:
        return ""
    return "(" + " AND ".join(wanted) + ")" + "".join(f" NOT {each}" for each in unwanted)


def places(text: str, typed: str) -> Iterator[tuple[int, int]]:
    """Where the words that were typed stand in a text: first and last character, in order, without overlaps.

    For showing only: what it misses is found nevertheless.
    """
    asked = [tokens for word in words(typed) if not word.excluded and (tokens := list(_tokens(word.text)))]
    longest, at = max(map(len, asked), default=0), 0
    ahead, pieces = deque[tuple[int, int, str]](), _pieces(text)
    while asked:
        ahead.extend(itertools.islice(pieces, longest - len(ahead)))
        if not ahead:
            return
        start, spoken = ahead[0][0], [token for _, _, token in ahead]
        ends = [ahead[len(tokens) - 1][1] for tokens in asked if _begins(spoken, tokens)]
        if ends and start >= at:
            at = max(ends)
            yield start, at
        ahead.popleft()


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """The words of a text with their places, each in the form in which it is compared."""
    for match in _PIECE.finditer(text):
        for token in _tokens(terms(match[0])):
            yield match.start(), match.end(), token


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        decomposed = unicodedata.normalize("NFD", match[0]).casefold()
        yield "".join(each for each in decomposed if not unicodedata.combining(each))


def _begins(pieces: Sequence[str], tokens: Sequence[str]) -> bool:
    *whole, last = tokens
    return len(pieces) > len(whole) and list(pieces[: len(whole)]) == whole and pieces[len(whole)].startswith(last)
