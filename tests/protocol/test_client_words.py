"""The browser's half and this one: words, what follows from them, and canonical JSON."""

import random
import sys
import unicodedata
from typing import Any

import pytest

from tests.protocol import browser
from tests.protocol.browser import Peer, outcome, some_text
from whistle.protocol import canonical
from whistle.protocol.code import retrieval, tokens, words

peer, chance = browser.peer, browser.chance
pytestmark = browser.needs_node


def test_everything_that_follows_from_the_words(peer: Peer, chance: random.Random) -> None:
    """Keys, tokens, the ids of a lookup, the case and its reference are the same on both sides."""
    for _ in range(8):
        code, attempt, digest = chance.randbytes(16), chance.randbytes(32), chance.randbytes(32)
        who, slots, form = retrieval.derive(code), chance.randint(2, 16), retrieval.FormDigest()
        form.field("text", code)
        form.file("a.txt", digest)
        tokens = (who.report_token, who.follow_up_token(attempt, digest))
        assert peer.ask("reporter", code=code.hex(), attempt=attempt.hex(), digest=digest.hex(), slots=slots) == {
            "mailbox": who.mailbox.recipient.text,
            "identity": who.mailbox.text,
            "verify": who.verify_key.hex(),
            "replies": who.replies.hex(),
            "case": who.case.hex(),
            "reference": retrieval.reference(who.case),
            "tokens": [token.hex() for token in tokens],
            "look": [id.hex() for id in who.lookup_ids(slots)],
            "form": form.digest().hex(),
        }


def decoded(typed: str) -> dict[str, Any]:
    """What Python makes of typed words, as the peer says it."""
    try:
        return {"code": words.decode(typed).hex()}
    except words.WordsError as error:
        names = ("reason", "found", "word", "neighbours")
        found = {name: getattr(error, name) for name in names}
        return found | {"neighbours": list(error.neighbours)}


def as_people_type(chance: random.Random, code: bytes) -> str:
    """The words of a code in some language, in some manner, right or nearly so."""
    listed: list[Any] = chance.choice([words.encode(code, chance.choice(words.LANGUAGES)), words.numbers(code)])
    typed = [str(word) for word in listed]
    if chance.random() < 0.3:
        typed = [word[: max(1, chance.choice([3, 4, 4, 4, 5]))] for word in typed]
    if chance.random() < 0.3:
        one, other = chance.sample(range(12), 2)
        typed[one], typed[other] = typed[other], typed[one]
    if chance.random() < 0.15:
        typed[chance.randrange(12)] += chance.choice("sxéٱß1")
    if chance.random() < 0.2:
        typed = [f"{number}. {word}" for number, word in enumerate(typed, chance.choice([1, 1, 1, 0]))]
    if chance.random() < 0.1:
        typed.pop()
    text = chance.choice([" ", ", ", "\u00a0", "\n", "-", "、"]).join(typed)
    form = chance.choice(["NFC", "NFD", "NFKC", "NFKD"])
    zero = chance.choice("0٠۰०０𝟎")
    digits = str.maketrans("0123456789", "".join(chr(ord(zero) + digit) for digit in range(10)))
    return unicodedata.normalize(form, chance.choice([str.upper, str.title, str])(text)).translate(digits)


def test_words_in_four_languages(peer: Peer, chance: random.Random) -> None:
    """Both sides write the same words and read the same from them, however they are typed, faults included."""
    for _ in range(300):
        code = chance.randbytes(16)
        assert peer.ask("encode", code=code.hex()) == [words.encode(code, language) for language in words.LANGUAGES]
        typed = as_people_type(chance, code)
        assert peer.ask("decode", typed=typed) == decoded(typed), typed


def test_every_character_of_unicode_is_taken_alike(peer: Peer) -> None:
    """Words are told apart, folded and stripped of marks alike whatever the character, alone and beside letters."""
    rows = [range(0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000)]
    others = [*range(0x3400, 0xA000, 97), *range(0xAC00, 0xD800, 97), *range(0x20000, sys.maxunicode, 997)]
    known = map(chr, [*rows[0], *rows[1], *rows[2], *others])
    assigned = "".join(char for char in known if unicodedata.category(char) != "Cn")
    text = " ".join(f"{char} a{char}e" for char in peer.ask("assigned", text=assigned))
    assert peer.ask("tokens", text=text) == list(tokens.tokens(text))


def test_a_text_that_holds_words_is_noticed_on_both_sides(peer: Peer, chance: random.Random) -> None:
    """Both sides find a code in a text, or none, whether one is looked for or any."""
    found = 0
    for _ in range(200):
        code = chance.randbytes(16)
        text = f"{some_text(chance)} 1 {as_people_type(chance, code)} {some_text(chance)}"
        for wanted in (None, code):
            answer = words.holds_code(text, wanted)
            assert peer.ask("holds", text=text, code=wanted and wanted.hex()) == answer, text
            found += answer
    assert 100 < found < 400


@pytest.mark.parametrize(
    "data",
    [
        b"{}", b"[]", b'""', b"0", b"-1", b"-0", b"1.0", b"1e2", b"1E400", b"9007199254740991", b"9007199254740992",
        b"-9007199254740991", b"-9007199254740992", b"true", b"null", b"nul", b"NaN", b"Infinity", b"-Infinity", b"",
        b" {}", b"{}\n", b"\xef\xbb\xbf{}", b"\xff", b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u00e9"', b'"\xc3\xa9"',
        b'"\\/"', b'"/"', b'"\\u001f"', b'"\\u001F"', b'"\\u007f"', b'"\x7f"', b'"\\b\\f\\n\\r\\t"', b'"\\u000b"',
        b'"\x0b"', b'"\\u2028"', b'"\xe2\x80\xa8"', b'"\xf0\x9f\x98\x80"', b'{"a":1,"a":1}', b'{"b":1,"a":1}',
        b'{"a":1,"b":1}', b'{"10":1,"9":1}', b'{"9":1,"10":1}', b'{"\xc3\xa9":1}', b'{"":1}', b'{"__proto__":1}',
        b'{"__proto__":{"a":1},"a":2}', b'{"constructor":[]}', b'{"A":1,"a":1}', b'{"a":1,"A":1}', b"[1,]", b"[01]",
        b"[[[[[[[[]]]]]]]]", b"[[[[[[[[[]]]]]]]]]", b"[[[[[[[[0]]]]]]]]", b"[" * 100_000, b"[" * 5_000 + b"]" * 5_000,
        b"1" * 5_000, b"'a'", b'"a" ', b'["a", "b"]', b'{"a" :1}',
    ],
    ids=lambda data: data[:24].decode("latin-1"),
)  # fmt: skip
def test_canonical_json(peer: Peer, data: bytes) -> None:
    """Both sides take the same bytes for canonical JSON and refuse the same."""
    assert peer.ask("canonical", data=data.hex()) == outcome(lambda: canonical.dumps(canonical.loads(data)).hex())
