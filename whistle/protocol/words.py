"""The retrieval code as twelve words, and back from whatever a person typed (SPEC 2).

The words and their four bits of checksum are BIP39's; its key derivation is not used.
"""

import difflib
import functools
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from mnemonic import Mnemonic

from whistle.protocol.errors import Malformed

CODE = 16  # bytes
COUNT = 12  # words
LIST = 2048  # words in a list
PREFIX = 4  # letters that tell a word from all others of its list
LANGUAGES = ("en", "es", "fr", "zh")
_NAMES = {"en": "english", "es": "spanish", "fr": "french", "zh": "chinese_simplified"}
_TOKEN = re.compile(r"\w+")


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
    value = int.from_bytes(code) << 4 | _checksum(code)
    return [(value >> 11 * place & (LIST - 1)) + 1 for place in reversed(range(COUNT))]


def encode(code: bytes, language: str = "en") -> list[str]:
    """The twelve words of a code of 16 bytes in a language of LANGUAGES."""
    return [wordlist(language)[number - 1] for number in numbers(code)]


def decode(typed: str) -> bytes:
    """The 16 bytes behind words or numbers as a person types them; WordsError otherwise.

    Letters' case and accents do not matter, nor do marks between the words, nor which script digits are of.
    The first four letters of a word are enough.
    """
    tokens = _unnumbered(_tokens(typed))
    if len(tokens) != COUNT:
        raise WordsError("count", found=len(tokens))
    readings = [[_number(token, language) for token in tokens] for language in LANGUAGES]
    whole = [found for found in map(_complete, readings) if found]
    for found in whole:
        code = _code(found)
        if code is not None:
            return code
    if whole:
        raise WordsError("checksum")
    language, reading = max(zip(LANGUAGES, readings, strict=True), key=lambda pair: COUNT - pair[1].count(None))
    word = tokens[reading.index(None)]
    raise WordsError("unknown", word=word, neighbours=_neighbours(word, language))


def holds_code(text: str, code: bytes | None = None) -> bool:
    """Whether a text holds twelve words or numbers in a row with a valid checksum, or those of one ``code``.

    Chinese characters count only where they stand apart, since nearly any Chinese sentence would match, unless
    one ``code`` is looked for.
    """
    return any(code is None or found == code for found in _codes(text, together=code is not None))


def _codes(text: str, together: bool) -> Iterator[bytes]:
    tokens = _tokens(text) if together else [_plain(token) for token in _found(text)]
    for language in LANGUAGES:
        reading = [_number(token, language) for token in tokens]
        for whole, run in itertools.groupby(reading, key=lambda number: number is not None):
            found = [number for number in run if number is not None] if whole else []
            for start in range(len(found) - COUNT + 1):
                code = _code(found[start : start + COUNT])
                if code is not None:
                    yield code


def _tokens(text: str) -> list[str]:
    """Words and numbers in plain form; characters of Chinese stand alone."""
    return [part for token in _found(text) for part in _apart(_plain(token))]


def _found(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFC", text))


def _apart(token: str) -> list[str]:
    return list(token) if token and all("\u3400" <= char <= "\u9fff" for char in token) else [token]


def _plain(text: str) -> str:
    """NFKD without marks, case folded."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in spread if not unicodedata.combining(char))


def _unnumbered(tokens: list[str]) -> list[str]:
    """Twelve words that were typed with 1 to 12 in front of them, without those numbers."""
    if len(tokens) == 2 * COUNT and [_digits(token) for token in tokens[::2]] == list(range(1, COUNT + 1)):
        return tokens[1::2]
    return tokens


def _digits(token: str) -> int | None:
    return int(token) if token.isdecimal() and len(token) <= PREFIX else None


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
def _index(language: str) -> tuple[dict[str, int], dict[str, tuple[str, int]]]:
    words = [(_plain(word), number) for number, word in enumerate(wordlist(language), 1)]
    return dict(words), {word[:PREFIX]: (word, number) for word, number in words}


def _complete(reading: list[int | None]) -> list[int]:
    found = [number for number in reading if number is not None]
    return found if len(found) == COUNT else []


def _code(found: list[int]) -> bytes | None:
    value = functools.reduce(lambda high, number: high << 11 | number - 1, found, 0)
    code = (value >> 4).to_bytes(CODE)
    return code if value & 15 == _checksum(code) else None


def _checksum(code: bytes) -> int:
    return hashlib.sha256(code).digest()[0] >> 4


def _neighbours(word: str, language: str) -> list[str]:
    plain = {_plain(known): known for known in wordlist(language)}
    return [plain[near] for near in difflib.get_close_matches(word, plain, n=3, cutoff=0.6)]
