"""The twelve words: what people type, and what they are told."""

import itertools
import os
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from whistle.protocol.code import rows, words
from whistle.protocol.code.words import WordsError, decode, encode, holds_code, numbers

CODES = st.binary(min_size=16, max_size=16)
LANGUAGES = st.sampled_from(words.LANGUAGES)
ZERO = bytes(16)


@pytest.fixture(autouse=True, scope="module")
def read_lists() -> None:
    """The lists are read and indexed once, which takes longer than any test may."""
    assert decode(" ".join(encode(ZERO, "fr"))) == ZERO


def joined(code: bytes, language: str) -> str:
    """The words as a person of that language writes them."""
    return ("" if language == "zh" else " ").join(encode(code, language))


@given(CODES)
def test_the_words_are_those_of_bip39(code: bytes) -> None:
    """The English words are what the reference implementation of BIP39 makes of the same 16 bytes."""
    assert " ".join(encode(code)) == Mnemonic("english").to_mnemonic(code)


@given(CODES, LANGUAGES)
def test_words_and_numbers_come_back(code: bytes, language: str) -> None:
    """Words, their first four letters and their numbers all give the code back, in every language."""
    separator = "" if language == "zh" else " "
    assert decode(joined(code, language)) == code
    assert decode(separator.join(word[:4] for word in encode(code, language))) == code
    assert decode(" ".join(map(str, numbers(code)))) == code


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(lambda it: it.upper(), id="upper case"),
        pytest.param(lambda it: it.replace(" ", ",  "), id="commas"),
        pytest.param(lambda it: "\u00a0".join(it.split()) + "\n", id="other spaces"),
        pytest.param(lambda it: unicodedata.normalize("NFD", it), id="decomposed"),
        pytest.param(lambda it: " ".join(f"{n}. {word}" for n, word in enumerate(it.split(), 1)), id="numbered"),
    ],
)
@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_the_manner_of_typing_does_not_matter(typed: "type", language: str) -> None:
    """Case, marks, spaces, accents' encoding and numbers in front change nothing."""
    code = os.urandom(16)
    assert decode(typed(joined(code, language))) == code  # type: ignore[call-arg]


@pytest.mark.parametrize("zero", ["0", "٠", "۰", "०", "０"])
def test_digits_of_any_script(zero: str) -> None:
    """The words' numbers may be typed in Arabic, Persian, Devanagari or wide digits."""
    code = os.urandom(16)
    digits = str.maketrans("0123456789", "".join(chr(ord(zero) + digit) for digit in range(10)))
    assert decode(" ".join(map(str, numbers(code))).translate(digits)) == code


def test_too_few_words_are_counted() -> None:
    """Eleven words are told as eleven."""
    with pytest.raises(WordsError) as raised:
        decode(" ".join(encode(ZERO)[:11]))
    assert (raised.value.reason, raised.value.found) == ("count", 11)


def test_an_unknown_word_is_named_with_its_neighbours() -> None:
    """A word on no list is named, and words that resemble it are offered."""
    with pytest.raises(WordsError) as raised:
        decode("abandin " + "abandon " * 11)
    assert (raised.value.reason, raised.value.word) == ("unknown", "abandin")
    assert "abandon" in raised.value.neighbours


def test_a_number_beyond_the_list_is_unknown() -> None:
    """2049 is no word's number."""
    with pytest.raises(WordsError) as raised:
        decode("2049 " + "1 " * 11)
    assert raised.value.word == "2049"


def test_most_swaps_fail_the_checksum() -> None:
    """Two words swapped are told apart from a valid code in about fifteen cases of sixteen."""
    caught = 0
    for _ in range(200):
        swapped = encode(os.urandom(16))
        swapped[3], swapped[8] = swapped[8], swapped[3]
        try:
            decode(" ".join(swapped))
        except WordsError as error:
            assert error.reason == "checksum"
            caught += 1
    assert 160 < caught < 200


@given(CODES, LANGUAGES)
def test_a_text_that_holds_words_is_noticed(code: bytes, language: str) -> None:
    """Twelve words or numbers in a row are found inside a text, and one's own are recognised."""
    for said in (" ".join(encode(code, language)), ", ".join(map(str, numbers(code)))):
        text = f"My code, in case you need it: {said}. Thank you, I am afraid."
        assert holds_code(text)
        assert holds_code(text, code)
        assert not holds_code(text, bytes(byte ^ 1 for byte in code))


@given(
    CODES, LANGUAGES, st.sampled_from([str.upper, str.title, lambda word: word[:4], "«{}»".format, "{}\u0301".format])
)
def test_a_code_is_found_however_it_is_typed(code: bytes, language: str, typed: Callable[[str], str]) -> None:
    """Capitals, beginnings, marks and accents hide no code, nor do Chinese characters that stand together."""
    assert holds_code(f"these are mine ({' '.join(map(typed, encode(code, language)))}) and nobody else's", code)
    assert holds_code(f"写下来：{joined(code, 'zh')}。", code)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "He said that he would end my contract unless I came along.",
        "昨天他在办公室里对我说了很不好的话我不知道应该怎么办因为他是我们的经理大家都怕他",
        "Room 12, 3 May 2026, 14:30",
    ],
)
def test_ordinary_text_is_no_code(text: str) -> None:
    """Prose, Chinese prose included, is not taken for a code."""
    assert not holds_code(text)


@given(st.text())
def test_whatever_is_typed_gets_an_answer(typed: str) -> None:
    """Any text is a code or a WordsError."""
    try:
        assert len(decode(typed)) == 16
    except WordsError as error:
        assert error.reason in {"count", "unknown", "checksum"}


@pytest.mark.parametrize("heap", ["\u0301\u0327", "\u05b0\u0651\u0327"], ids=["Latin", "mixed"])
def test_a_heap_of_marks_is_not_sorted(monkeypatch: pytest.MonkeyPatch, heap: str) -> None:
    """Marks on one letter take the square of their number to sort, so a form full of them would stop the server."""
    longest, normalize = [0], unicodedata.normalize

    def watched(form: str, text: str) -> str:
        found = itertools.groupby(text, lambda char: unicodedata.combining(char) > 0)
        longest.append(max((len(list(run)) for is_mark, run in found if is_mark), default=0))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", watched)
    mine = " ".join(encode(ZERO))
    assert holds_code(f"{heap * 1000} {mine}") and decode(f"{mine}{heap[-1] * 1000}") == ZERO
    assert max(longest) <= 32


@pytest.mark.parametrize("text", ["1 " * 40_000, "1 1 " * 20_000, ("1 " * 11 + "x ") * 4_000], ids=["1", "1 1", "11"])
def test_rows_without_end_are_not_all_hashed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A text of nothing but numbers, or of words from the lists, costs little more than any other."""
    checked: list[int] = []
    monkeypatch.setattr(rows, "checked", lambda value: checked.append(value))
    assert not holds_code(text)
    assert len(checked) <= 2 * words.MAX_ROWS


@pytest.mark.parametrize(
    "typed",
    [
        "① {} ", "{}² ", "•{}\u2009", "👉{}", "{}،", "{}\u0964", "\u201c{}\u201d", "{}ª ",
        "{number}\ufe0f\u20e3 {} ", "{local}. {}\n",
    ],
)  # fmt: skip
def test_what_stands_between_words(typed: str) -> None:
    """Signs of any script separate words and digits of any script are read, whatever this Unicode calls them."""
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    numbered = [(str(number), word) for number, word in enumerate(encode(ZERO), 1)]
    keycaps = [("\ufe0f\u20e3".join(number), number.translate(arabic), word) for number, word in numbered]
    assert decode("".join(typed.format(word, number=keys, local=local) for keys, local, word in keycaps)) == ZERO
