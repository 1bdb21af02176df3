"""The retrieval code as twelve words, and back from whatever a person typed (SPEC 2).

The words and their four bits of checksum are BIP39's; its key derivation is not used.
"""

import difflib
import functools
import hashlib
import itertools
import operator
import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from mnemonic import Mnemonic

from whistle.protocol import invisible_text
from whistle.protocol.errors import Malformed

CODE = 16  # bytes
COUNT = 12  # words
LIST = 2048  # words in a list
BITS = 11  # of the code and its checksum in each word
CHECK = 4  # bits of checksum
WHOLE = (1 << BITS * COUNT) - 1
PREFIX = 4  # letters that tell a word from all others of its list
LANGUAGES = ("en", "es", "fr", "zh")
_NAMES = {"en": "english", "es": "spanish", "fr": "french", "zh": "chinese_simplified"}
MOST = 2_000  # tokens that are read of what was typed: a copy of the whole page of the words has some two hundred
LONGEST = 64  # letters of a token that are looked at; no word of a list has as many
MARKS = 30  # signs in a row that are looked at: more than stand on a letter in any script
NOWHERE = (None,) * len(LANGUAGES)
_TOKEN = re.compile(r"\w+")
_HEAP = re.compile(rf"([^\w\s\x00-\x7f]{{{MARKS}}})[^\w\s\x00-\x7f]+")
_WHOLE = operator.itemgetter(0)  # of a match
_CHINESE = re.compile("[\u3400-\u9fff]+")


class WordsError(Malformed):
    """What was typed is not a retrieval code.

    ``reason`` is ``count`` (then ``found`` tells how many words there were), ``unknown`` (then ``word`` is the
    first that is on no list and ``neighbours`` are those that resemble it) or ``checksum``.
    """

    def __init__(self, reason: str, found: int = 0, word: str = "", neighbours: Sequence[str] = ()) -> None:
        super().__init__(f"not a retrieval code: {reason}")
        self.reason, self.found, self.word, self.neighbours = reason, found, word, tuple(neighbours)


@functools.cache
def wordlist(language: str) -> tuple[str, ...]:
    """The 2,048 words of a language of LANGUAGES, in NFC, in BIP39's order."""
    return tuple(unicodedata.normalize("NFC", word) for word in Mnemonic(_NAMES[language]).wordlist)


def numbers(code: bytes) -> list[int]:
    """The twelve numbers, 1 to 2048, that stand for a code of 16 bytes."""
    if len(code) != CODE:
        raise ValueError("a retrieval code has 16 bytes")
    value = int.from_bytes(code) << CHECK | _checksum(code)
    return [(value >> BITS * place & (LIST - 1)) + 1 for place in reversed(range(COUNT))]


def encode(code: bytes, language: str = "en") -> list[str]:
    """The twelve words of a code of 16 bytes in a language of LANGUAGES."""
    return [wordlist(language)[number - 1] for number in numbers(code)]


def decode(typed: str) -> bytes:
    """The 16 bytes behind words or numbers as a person types them; WordsError otherwise.

    Letters' case and accents do not matter, nor do marks between the words, nor which script digits are of.
    The first four letters of a word are enough.  Words may be pasted with the numbers that pages show beside them.
    What nobody sees counts for nothing, or else for spaces.
    """
    read = [_twelve(list(itertools.islice(_tokens(text), MOST))) for text in invisible_text.readings(typed)]
    tokens = next((tokens for tokens in read if len(tokens) == COUNT), read[0])
    if len(tokens) != COUNT:
        raise WordsError("count", found=len(tokens))
    readings = list(zip(*map(_numbers, tokens), strict=True))
    whole = [value for reading, value in zip(readings, map(_value, readings), strict=True) if None not in reading]
    for value in whole:
        code = _checked(value)
        if code is not None:
            return code
    if whole:
        raise WordsError("checksum")
    language, reading = max(zip(LANGUAGES, readings, strict=True), key=lambda pair: COUNT - pair[1].count(None))
    word = tokens[reading.index(None)]
    raise WordsError("unknown", word=word, neighbours=_neighbours(word, language))


def _twelve(tokens: list[str]) -> list[str]:
    """The twelve words among what was typed; all of it where there are none."""
    return tokens if len(tokens) == COUNT else _unnumbered(tokens) or _shown(tokens) or tokens


def holds_code(text: str, code: bytes | None = None) -> bool:
    """Whether a text holds twelve words or numbers in a row with a valid checksum, or those of one ``code``.

    Chinese characters count only where they stand apart, since nearly any Chinese sentence would match, unless
    one ``code`` is looked for.  A text of any length takes linear time and constant memory beside itself.  What nobody
    sees hides no words, within them or between.
    """
    return any(_holds_code(reading, code) for reading in invisible_text.readings(text))


def _holds_code(text: str, code: bytes | None) -> bool:
    if not _may_hold(text, together=code is not None):
        return False
    if code is None:
        return any(_checked(value) is not None for value in _values_of(text, together=False))
    wanted = int.from_bytes(code) << CHECK | _checksum(code)
    return any(value == wanted for value in _values_of(text, together=True))


def _may_hold(text: str, together: bool) -> bool:
    """Whether twelve tokens in a row begin like a word of any list or are numbers: seldom, and quickly known."""
    starts, run = _starts(), 0
    for token in map(_WHOLE, _TOKEN.finditer(_composed(text))):
        if not token.isascii():
            if together and _CHINESE.fullmatch(token):
                return True
            token = _plain(token[:LONGEST])
        run = run + 1 if token[:PREFIX].lower() in starts or token.isdecimal() else 0
        if run == COUNT:
            return True
    return False


def _values_of(text: str, together: bool) -> Iterator[int]:
    """The values of a text as it stands, then without the numbers that say the word before them again."""
    yield from _values(_tokens(text, together))
    if any(itertools.starmap(_says_again, itertools.pairwise(_tokens(text, together)))):  # seldom
        yield from _values(_said_once(_tokens(text, together)))


def _values(tokens: Iterable[str]) -> Iterator[int]:
    """The 132 bits of every twelve words or numbers in a row, with 1 to 12 in front of them or not."""
    numbers = functools.lru_cache(maxsize=LIST)(_numbers)  # ours alone: nothing of a text outlives the call
    values, runs, digits = [0] * len(LANGUAGES), [0] * len(LANGUAGES), 0
    last: deque[str] = deque(maxlen=2 * COUNT)
    for token in tokens:
        found = numbers(token)
        last.append(token)
        if not any(found):  # most words: all before them is forgotten, for a value is read when twelve have come since
            runs, digits = [0] * len(LANGUAGES), 0
            continue
        digits = digits + 1 if token.isdecimal() else 0
        for place, number in enumerate(found):
            runs[place] = runs[place] + 1 if number else 0
            values[place] = (values[place] << BITS | (number or 1) - 1) & WHOLE
            if runs[place] >= COUNT and not (place and digits >= COUNT):  # bare numbers mean the same in all languages
                yield values[place]
        if len(last) == 2 * COUNT and (_digits(last[0]), _digits(last[-2])) == (1, COUNT):
            yield from _values(_unnumbered(list(last)))


def _tokens(text: str, together: bool = True) -> Iterator[str]:
    """Words and numbers in plain form; characters of Chinese that stand ``together`` are taken apart."""
    for match in _TOKEN.finditer(_composed(text)):
        if together and _CHINESE.fullmatch(match[0]):
            yield from match[0]
        else:
            yield _plain(match[0][:LONGEST])


def _composed(text: str) -> str:
    """NFC, which takes the square of the number of marks on one letter, so that a heap of them is made smaller first.

    Words stay as they are, since marks in such a number part them, be it one more or less.
    """
    return unicodedata.normalize("NFC", _HEAP.sub(r"\1", text))


def _plain(text: str) -> str:
    """NFKD without marks, case folded."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in spread if not unicodedata.combining(char))


def _unnumbered(tokens: list[str]) -> list[str]:
    """Twelve words that were typed with 1 to 12 in front of them, without those numbers; else nothing."""
    if len(tokens) == 2 * COUNT and [_digits(token) for token in tokens[::2]] == list(range(1, COUNT + 1)):
        return tokens[1::2]
    return []


def _shown(tokens: Sequence[str]) -> list[str]:
    """The twelve words of a text that stand in a row, each with its own number behind it; else nothing.

    So the page of the words shows them; other numbers, such as their places, are passed over.
    """
    pairs = itertools.pairwise([*tokens, ""])
    named = [token if _says_again(token, after) else "" for token, after in pairs if not token.isdecimal()]
    runs = [list(run) for is_named, run in itertools.groupby(named, bool) if is_named]
    twelve = [run for run in runs if len(run) == COUNT]
    return twelve[0] if len(twelve) == 1 else []


def _said_once(tokens: Iterable[str]) -> Iterator[str]:
    """The tokens without each number that stands right behind the word whose number it is."""
    before = ""
    for token in tokens:
        if not _says_again(before, token):
            yield token
        before = token


def _says_again(word: str, number: str) -> bool:
    """Whether that is the number of this word, in some list."""
    return number.isdecimal() and not word.isdecimal() and _digits(number) in set(_numbers(word)) - {None}


def _digits(token: str) -> int | None:
    return int(token) if token.isdecimal() and len(token) <= PREFIX else None


def _numbers(token: str) -> tuple[int | None, ...]:
    """A token's number in each language."""
    if token[:PREFIX] not in _starts() and not token.isdecimal():
        return NOWHERE
    return tuple(_number(token, language) for language in LANGUAGES)


def _number(token: str, language: str) -> int | None:
    number = _digits(token)
    if number is not None:
        return number if 1 <= number <= LIST else None
    whole, short = _index(language)
    if token in whole:
        return whole[token]
    known = short.get(token[:PREFIX]) if len(token) >= PREFIX else None
    return known[1] if known and known[0].startswith(token) else None


@functools.cache
def _starts() -> frozenset[str]:
    """How the words of all lists begin."""
    return frozenset(start for language in LANGUAGES for start in _index(language)[1])


@functools.cache
def _index(language: str) -> tuple[dict[str, int], dict[str, tuple[str, int]]]:
    words = [(_plain(word), number) for number, word in enumerate(wordlist(language), 1)]
    return dict(words), {word[:PREFIX]: (word, number) for word, number in words}


def _value(reading: Iterable[int | None]) -> int:
    return functools.reduce(lambda high, number: high << BITS | (number or 1) - 1, reading, 0)


def _checked(value: int) -> bytes | None:
    """The code in the 132 bits of twelve words, or None if the checksum is another."""
    code = (value >> CHECK).to_bytes(CODE)
    return code if value & (1 << CHECK) - 1 == _checksum(code) else None


def _checksum(code: bytes) -> int:
    return hashlib.sha256(code).digest()[0] >> 8 - CHECK


def _neighbours(word: str, language: str) -> list[str]:
    plain = {_plain(known): known for known in wordlist(language)}
    return [plain[near] for near in difflib.get_close_matches(word, plain, n=3, cutoff=0.6)]
