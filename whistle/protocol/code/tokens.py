"""Words of the lists and tokens of a text: what the words of a code are looked for in (SPEC 2.2).

The lists are BIP39's.  What anybody may send is cut and looked up at a cost that grows with its length alone.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

from mnemonic import Mnemonic

LIST = 2048  # words in a list
PREFIX = 4  # letters that tell a word from all others of its list
LANGUAGES = ("en", "es", "fr", "zh")
_NAMES = {"en": "english", "es": "spanish", "fr": "french", "zh": "chinese_simplified"}
MAX_LETTERS = 64  # of a token; the rest is ignored, since no word of a list is as long
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
IN_NO_LIST = (None,) * len(LANGUAGES)
_TOKEN = re.compile(f"[^{SEPARATORS}]+")
_COMBINING = re.compile(f"[{MARKS}]+")
_LETTERS = {letter: chr(letter).lower() for letter in range(128)}
_DIGITS = {ord(zero) + digit: str(digit) for zero in ZEROS for digit in range(10)}
_DECOMPOSED = (range(0x80, 0x20000), range(0x2F800, 0x2FA20))  # where Unicode has characters with another NFKD
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")

Readings = tuple[int | None, ...]  # the number of a token in each language


@functools.cache
def wordlist(language: str) -> tuple[str, ...]:
    """The 2,048 words of a language of LANGUAGES, in NFC, in BIP39's order."""
    return tuple(unicodedata.normalize("NFC", word) for word in Mnemonic(_NAMES[language]).wordlist)


def tokens(text: str, together: bool = True) -> Iterator[str]:
    """Words and numbers in plain form; with ``together``, Chinese characters that are not separated count singly."""
    if text.isascii():
        return (match[0][:MAX_LETTERS] for match in _TOKEN.finditer(text.lower()))
    return filter(None, _plain_tokens(_COMBINING.sub("", text), together))


def _plain_tokens(text: str, together: bool) -> Iterator[str]:
    forms = _plain_forms()
    for match in _TOKEN.finditer(text):
        if together and _CHINESE.fullmatch(match[0]):
            yield from map(plain, match[0])
        else:
            yield match[0][:MAX_LETTERS].translate(forms)


def plain(text: str) -> str:
    """NFKD without marks, capitals of the Latin alphabet as small letters, digits as those of ASCII.

    Character by character; so marks that are left stand in the order in which they came.
    """
    return text.translate(_plain_forms())


@functools.cache
def _plain_forms() -> dict[int, str]:
    """The plain form of each character that has another than itself, and of each of ASCII."""
    chars = [chr(char) for part in _DECOMPOSED for char in part]
    forms = _COMBINING.sub("", unicodedata.normalize("NFKD", "\n".join(chars))).split("\n")  # of each by itself
    others = {ord(char): form.translate(_LETTERS) for char, form in zip(chars, forms, strict=True) if form != char}
    return _LETTERS | others | _DIGITS


def is_number(token: str) -> bool:
    """Whether a token is a number in digits of ASCII."""
    return token.isascii() and token.isdecimal()


def digits(token: str) -> int | None:
    """The number that a token of one to four digits is."""
    return int(token) if len(token) <= PREFIX and is_number(token) else None


def readings(token: str) -> Readings:
    """A token's number in each language."""
    return all_readings().get(token, IN_NO_LIST)


@functools.cache
def all_readings() -> dict[str, Readings]:
    """The numbers, in each language, of every token that is in any list: words, their beginnings and numbers."""
    found: dict[str, list[int | None]] = {}
    for place, language in enumerate(LANGUAGES):
        words = {plain(word): number for number, word in enumerate(wordlist(language), 1)}
        begun = {word[:PREFIX]: word for word in words}
        short = {word[:end]: words[word] for word in begun.values() for end in range(PREFIX, len(word))}
        for token, number in (short | words).items():
            found.setdefault(token, [*IN_NO_LIST])[place] = number
    written = {f"{number:0{width}}": number for number in range(1, LIST + 1) for width in range(1, PREFIX + 1)}
    numbers = {token: (number,) * len(LANGUAGES) for token, number in written.items()}
    return {token: tuple(each) for token, each in found.items()} | numbers


def is_own_number(word: str, number: str) -> bool:
    """Whether this is the number of the word in some list."""
    value = digits(number) if not is_number(word) else None
    return value is not None and value in readings(word)
