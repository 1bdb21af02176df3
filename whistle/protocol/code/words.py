"""The retrieval code as twelve words, and back from what a person typed (SPEC 2).

The word lists and the four bits of checksum are BIP39's; its key derivation is not used.
"""

import difflib
import functools
import hashlib
import itertools
import operator
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

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
MAX_TOKENS = 2_000  # of what was typed; a copy of the whole page of the words has about two hundred
MAX_ROWS = 20_000  # of twelve words that are looked at in a text; one in sixteen matches by chance
MAX_LETTERS = 64  # of a token; the rest is ignored, since no word of a list is as long
MAX_MARKS = 30  # combining marks in a row; no script puts as many on a letter
# By fixed ranges, like invisible characters: what Unicode says changes from version to version.
SEPARATORS = (
    r"\x00-/:-@\[-^`{-\xbf\xd7\xf7\u02b0-\u02ff\u037e\u0387\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4"
    r"\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4\u0700-\u070d\u0964\u0965\u0970\u0e4f\u0e5a\u0e5b\u1680\u2000-\u20cf"
    r"\u2150-\u2bff\u2e00-\u2e7f\u2ff0-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30fb\u3200-\u33ff\ud800-\uf8ff"
    r"\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffff"
    r"\U0001d100-\U0001d1ff\U0001f000-\U0001faff\U000f0000-\U0010ffff"
)
MARKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
ZEROS = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰"  # of each row of ten decimal digits but the first
Numbers = Callable[[str], tuple[int | None, ...]]
IN_NO_LIST = (None,) * len(LANGUAGES)
_TOKEN = re.compile(f"[^{SEPARATORS}]+")
_A_MARK = rf"(?![{SEPARATORS}])\W"
_EXCESS_MARKS = re.compile(rf"((?:{_A_MARK}){{{MAX_MARKS}}})(?:{_A_MARK})+")
_COMBINING = re.compile(f"[{MARKS}]+")
_DIGITS = str.maketrans({ord(zero) + digit: str(digit) for zero in ZEROS for digit in range(10)})
_MATCHED = operator.itemgetter(0)
_CHINESE = re.compile("[\u3400-\u9fff]+")


class WordsError(Malformed):
    """What was typed is not a retrieval code.

    ``reason`` is ``count`` (then ``found`` is the number of words), ``unknown`` (then ``word`` is the first that is
    in no list, and ``neighbours`` are similar words of the list) or ``checksum``.
    """

    def __init__(self, reason: str, found: int = 0, word: str = "", neighbours: Sequence[str] = ()) -> None:
        super().__init__(f"not a retrieval code: {reason}")
        self.reason, self.found, self.word, self.neighbours = reason, found, word, tuple(neighbours)


@functools.cache
def wordlist(language: str) -> tuple[str, ...]:
    """The 2,048 words of a language of LANGUAGES, in NFC, in BIP39's order."""
    return tuple(unicodedata.normalize("NFC", word) for word in Mnemonic(_NAMES[language]).wordlist)


def numbers(code: bytes) -> list[int]:
    """The twelve numbers, 1 to 2048, of a code of 16 bytes."""
    if len(code) != CODE:
        raise ValueError("a retrieval code has 16 bytes")
    value = int.from_bytes(code) << CHECK | _checksum(code)
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
    read = [_twelve(list(itertools.islice(_tokens(text), MAX_TOKENS))) for text in invisible_text.readings(typed)]
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
    """The twelve words among the tokens; all tokens if twelve words cannot be told apart."""
    return tokens if len(tokens) == COUNT else _unnumbered(tokens) or _followed_by_numbers(tokens) or tokens


def holds_code(text: str, code: bytes | None = None) -> bool:
    """Whether a text holds twelve words or numbers in a row with a valid checksum, or those of one ``code``.

    Chinese characters count only where they stand apart, since nearly any Chinese sentence would match, unless one
    ``code`` is searched for.  Takes linear time and, beside the text, constant memory; only the first MAX_ROWS rows are
    looked at.  Invisible characters within or between words hide nothing.
    """
    return any(_holds_code(reading, code) for reading in invisible_text.readings(text))


def _holds_code(text: str, code: bytes | None) -> bool:
    if not _may_hold(text, together=code is not None):
        return False
    if code is None:
        return any(_checked(value) is not None for value in _values_of(text, together=False))
    expected = int.from_bytes(code) << CHECK | _checksum(code)
    return any(value == expected for value in _values_of(text, together=True))


def _may_hold(text: str, together: bool) -> bool:
    """A quick test that is seldom true: whether twelve tokens in a row are numbers or begin like a word of any list."""
    starts, run = _starts(), 0
    for token in map(_MATCHED, _TOKEN.finditer(_composed(text))):
        if not token.isascii():
            if together and _CHINESE.fullmatch(token):
                return True
            token = _plain(token[:MAX_LETTERS])
        run = run + 1 if token[:PREFIX].lower() in starts or _is_number(token) else 0
        if run == COUNT:
            return True
    return False


def _values_of(text: str, together: bool) -> Iterator[int]:
    """The values of a text as it is, then without the numbers that repeat the word before them; MAX_ROWS at most."""
    numbers = functools.lru_cache(maxsize=LIST)(_numbers)  # local, so that nothing of a text outlives the call
    yield from itertools.islice(_values(_tokens(text, together), numbers), MAX_ROWS)
    pairs = itertools.pairwise(_tokens(text, together))
    if any(_is_own_number(word, number, numbers) for word, number in pairs):  # seldom
        once = _without_own_numbers(_tokens(text, together), numbers)
        yield from itertools.islice(_values(once, numbers), MAX_ROWS)


def _values(tokens: Iterable[str], numbers: Numbers) -> Iterator[int]:
    """The 132 bits of every twelve words or numbers in a row, with 1 to 12 in front of them or not."""
    row, length = deque[str](maxlen=2 * COUNT), 0  # of tokens that are in a list
    for token in tokens:
        if not any(numbers(token)):
            length = 0
            continue
        row.append(token)
        length += 1
        if length >= COUNT:
            recent = list(row)
            yield from _row_values(recent[-COUNT:], numbers)
            if length >= 2 * COUNT and (unnumbered := _unnumbered(recent)):
                yield from _row_values(unnumbered, numbers)


def _row_values(twelve: Sequence[str], numbers: Numbers) -> Iterator[int]:
    """The values of twelve words or numbers, in each list that has them all; of numbers alone there is one."""
    readings = zip(*map(numbers, twelve), strict=True)
    whole = [_value(reading) for reading in readings if None not in reading]
    yield from whole[:1] if all(map(_is_number, twelve)) else whole


def _tokens(text: str, together: bool = True) -> Iterator[str]:
    """Words and numbers in plain form; with ``together``, Chinese characters that are not separated count singly."""
    for match in _TOKEN.finditer(_composed(text)):
        if together and _CHINESE.fullmatch(match[0]):
            yield from match[0]
        elif token := _plain(match[0][:MAX_LETTERS]):
            yield token


def _composed(text: str) -> str:
    """NFC, after long runs of combining marks are cut: NFC takes quadratic time in the marks on one letter.

    This changes no word, since marks that a list knows are left out anyway, and a word with others is in no list.
    """
    return unicodedata.normalize("NFC", _EXCESS_MARKS.sub(r"\1", text))


def _plain(text: str) -> str:
    """NFKD without marks, capitals of the Latin alphabet as small letters, digits as those of ASCII."""
    if text.isascii():
        return text.lower()
    spread = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
    return "".join(char.lower() if char.isascii() else char for char in spread.translate(_DIGITS))


def _is_number(token: str) -> bool:
    return token.isascii() and token.isdecimal()


def _unnumbered(tokens: list[str]) -> list[str]:
    """Twelve words typed with 1 to 12 in front of them, without those numbers; else nothing."""
    counts = tokens[::2] if len(tokens) == 2 * COUNT else []
    if counts and _digits(counts[-1]) == COUNT and [*map(_digits, counts)] == list(range(1, COUNT + 1)):
        return tokens[1::2]
    return []


def _followed_by_numbers(tokens: Sequence[str]) -> list[str]:
    """The twelve words that stand in a row, each followed by its own number; else nothing.

    The page of the words shows them like this; other numbers, such as positions, are skipped.
    """
    pairs = itertools.pairwise([*tokens, ""])
    named = [token if _is_own_number(token, after, _numbers) else "" for token, after in pairs if not _is_number(token)]
    runs = [list(run) for is_named, run in itertools.groupby(named, bool) if is_named]
    twelve = [run for run in runs if len(run) == COUNT]
    return twelve[0] if len(twelve) == 1 else []


def _without_own_numbers(tokens: Iterable[str], numbers: Numbers) -> Iterator[str]:
    """The tokens without each number that directly follows the word whose number it is."""
    before = ""
    for token in tokens:
        if not _is_own_number(before, token, numbers):
            yield token
        before = token


def _is_own_number(word: str, number: str, numbers: Numbers) -> bool:
    """Whether this is the number of the word in some list."""
    value = _digits(number) if not _is_number(word) else None
    return value is not None and value in numbers(word)


def _digits(token: str) -> int | None:
    return int(token) if _is_number(token) and len(token) <= PREFIX else None


def _numbers(token: str) -> tuple[int | None, ...]:
    """A token's number in each language."""
    if token[:PREFIX] not in _starts() and not _is_number(token):
        return IN_NO_LIST
    return tuple(_number(token, language) for language in LANGUAGES)


def _number(token: str, language: str) -> int | None:
    number = _digits(token)
    if number is not None:
        return number if 1 <= number <= LIST else None
    whole, short = _index(language)
    if token in whole:
        return whole[token]
    entry = short.get(token[:PREFIX]) if len(token) >= PREFIX else None
    return entry[1] if entry and entry[0].startswith(token) else None


@functools.cache
def _starts() -> frozenset[str]:
    """The first letters, PREFIX of them, of the words of all lists."""
    return frozenset(start for language in LANGUAGES for start in _index(language)[1])


@functools.cache
def _index(language: str) -> tuple[dict[str, int], dict[str, tuple[str, int]]]:
    words = [(_plain(word), number) for number, word in enumerate(wordlist(language), 1)]
    return dict(words), {word[:PREFIX]: (word, number) for word, number in words}


def _value(reading: Iterable[int | None]) -> int:
    return functools.reduce(lambda high, number: high << BITS | (number or 1) - 1, reading, 0)


def _checked(value: int) -> bytes | None:
    """The code in the 132 bits of twelve words, or None if the checksum is wrong."""
    code = (value >> CHECK).to_bytes(CODE)
    return code if value & (1 << CHECK) - 1 == _checksum(code) else None


def _checksum(code: bytes) -> int:
    return hashlib.sha256(code).digest()[0] >> 8 - CHECK


def _neighbours(word: str, language: str) -> list[str]:
    plain = {_plain(entry): entry for entry in wordlist(language)}
    return [plain[near] for near in difflib.get_close_matches(word, plain, n=3, cutoff=0.6)]
