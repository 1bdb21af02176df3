"""Rows of twelve words or numbers in a text (SPEC 2.3): a report that holds its words is stopped.

Anybody may send any text, so tokens are looked at many at a time, as one byte each, by regular expressions.
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence

from whistle.protocol.code.tokens import LANGUAGES, all_readings, is_own_number, readings

COUNT = 12  # words
BITS = 11  # of the code and its checksum in each word
CHECK = 4  # bits of checksum
WHOLE = (1 << BITS * COUNT) - 1
MAX_ROWS = 20_000  # of twelve words that are looked at in a text; one in sixteen matches by chance
TOGETHER = 4096  # tokens that are looked at together
# A token's byte: a bit for each language whose list has the word; for a number NUMBER, plus itself up to COUNT.
NUMBER = 1 << len(LANGUAGES)
_A_NUMBER = range(NUMBER, NUMBER + COUNT + 1)
_LISTED = bytes([*range(1, NUMBER), *_A_NUMBER])
_LISTS = tuple(
    bytes(kind for kind in _LISTED if kind >= NUMBER or kind & 1 << place) for place in range(len(LANGUAGES))
)


def _any_of(kinds: bytes) -> bytes:
    return b"[" + re.escape(kinds) + b"]"


_RUNS = tuple(re.compile(_any_of(kinds) + b"{%d,}" % COUNT) for kinds in _LISTS)
_NUMBERED = re.compile(
    b"(?=" + b"".join(re.escape(bytes([NUMBER + count])) + _any_of(_LISTED) for count in range(1, COUNT + 1)) + b")"
)
_WORD_AND_NUMBER = re.compile(_any_of(bytes(range(1, NUMBER))) + b"(?=" + _any_of(bytes(_A_NUMBER)) + b")")


def hold(tokens: Iterator[str], code: bytes | None) -> bool:
    """Whether twelve tokens in a row have a valid checksum, or are those of one ``code``.

    1 to 12 may stand in front of them, and each one's own number behind it.  MAX_ROWS rows are looked at.
    """
    wanted = None if code is None else int.from_bytes(code) << CHECK | checksum(code)
    plain, once = _Rows(), None
    before = ""
    while part := list(itertools.islice(tokens, TOGETHER)):
        kinds = bytes(map(_kinds().get, part, itertools.repeat(0)))
        own = _own_numbers([before, *part], bytes([_kinds().get(before, 0)]) + kinds)
        if own and once is None:
            once = plain.copy()
        if once and once.find(*_without(own, part, kinds), wanted):
            return True
        if plain.find(part, kinds, wanted):
            return True
        if not plain.left and not (once and once.left):
            return False
        before = part[-1]
    return False


class _Rows:
    """Finds rows as tokens come, each once."""

    def __init__(self, tokens: Sequence[str] = (), kinds: bytes = b"", left: int = MAX_ROWS) -> None:
        self._tokens, self._kinds = list(tokens), kinds  # the last ones, of which a row that goes on may consist
        self.left = left

    def copy(self) -> "_Rows":
        """Rows that go on from here in another way."""
        return _Rows(self._tokens, self._kinds, self.left)

    def find(self, tokens: Sequence[str], kinds: bytes, wanted: int | None) -> bool:
        """Whether a row that ends in these tokens is the one that is wanted, or has a valid checksum."""
        known = len(self._tokens)
        tokens, kinds = [*self._tokens, *tokens], self._kinds + kinds
        values = [value for _, _, value in sorted(_values(tokens, kinds, known))[: self.left]]
        self.left -= len(values)
        self._tokens, self._kinds = tokens[1 - 2 * COUNT :], kinds[1 - 2 * COUNT :]
        return any(value == wanted if wanted is not None else checked(value) is not None for value in values)


def _values(tokens: Sequence[str], kinds: bytes, known: int) -> Iterator[tuple[int, int, int]]:
    """The end, a rank and the value of each row that ends behind the first ``known`` tokens."""
    for place, runs in enumerate(_RUNS):
        for run in runs.finditer(kinds):
            start, row = max(run.start(), known + 1 - COUNT), 0
            for end in range(start + 1, run.end() + 1):
                row = (row << BITS | (readings(tokens[end - 1])[place] or 1) - 1) & WHOLE
                if end < start + COUNT or (place and min(kinds[end - COUNT : end]) >= NUMBER):
                    continue  # too short; or of numbers alone, which mean the same in every list
                yield end, place, row
    for numbered in _NUMBERED.finditer(kinds):
        end = numbered.start() + 2 * COUNT
        if end > known:
            twelve = list(zip(*map(readings, tokens[end - 2 * COUNT + 1 : end : 2]), strict=True))
            whole = [value(reading) for reading in twelve if None not in reading]
            yield from ((end, len(LANGUAGES) + rank, row) for rank, row in enumerate(dict.fromkeys(whole)))


def _own_numbers(tokens: Sequence[str], kinds: bytes) -> set[int]:
    """The places, less one, of numbers that stand right behind the word whose number they are."""
    pairs = (found.start() for found in _WORD_AND_NUMBER.finditer(kinds))
    return {place for place in pairs if is_own_number(tokens[place], tokens[place + 1])}


def _without(own: set[int], tokens: Sequence[str], kinds: bytes) -> tuple[list[str], bytes]:
    if not own:
        return list(tokens), kinds
    left = [place for place in range(len(tokens)) if place not in own]
    return [tokens[place] for place in left], bytes(kinds[place] for place in left)


@functools.cache
def _kinds() -> dict[str, int]:
    """The byte of every token that is in a list."""
    return {token: _kind(token) for token in all_readings()}


def _kind(token: str) -> int:
    numbers = readings(token)
    if token.isdecimal():
        return NUMBER + (numbers[0] if numbers[0] and numbers[0] <= COUNT else 0)
    return sum(1 << place for place, number in enumerate(numbers) if number is not None)


def value(reading: Sequence[int | None]) -> int:
    """The 132 bits of twelve numbers from 1 to LIST."""
    row = 0
    for number in reading:
        row = row << BITS | (number or 1) - 1
    return row


def checked(value: int) -> bytes | None:
    """The code in the 132 bits of twelve words, or None if the checksum is wrong."""
    code = (value >> CHECK).to_bytes(COUNT * BITS // 8)
    return code if value & (1 << CHECK) - 1 == checksum(code) else None


def checksum(code: bytes) -> int:
    """The first CHECK bits of a code's SHA-256."""
    return hashlib.sha256(code).digest()[0] >> 8 - CHECK
