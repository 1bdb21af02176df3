"""ASCII armour: C2SP's vectors, Debian's age both ways, and the one spelling that there is."""

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stock.programs import run
from whistle.protocol import age
from whistle.protocol.age import ArmorError, armor

LABEL = "WHISTLE TEST"
GOOD = b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"QUJD" * 16 + b"\nQUI=\n-----END AGE ENCRYPTED FILE-----\n"


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 70_000])
def test_debian_age_opens_ours(tmp_path: Path, size: int) -> None:
    """Debian's age opens an armoured file of ours."""
    identity, plaintext = age.X25519Identity.generate(), secrets.token_bytes(size)
    (tmp_path / "key").write_text(identity.text)
    sealed = armor.encode(age.encrypt([identity.recipient], plaintext))
    assert run("age", "-d", "-i", tmp_path / "key", given=sealed) == plaintext


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 70_000])
def test_we_read_debian_ages(size: int) -> None:
    """What `age -a` writes is read, and written again as the same bytes."""
    identity, plaintext = age.X25519Identity.generate(), secrets.token_bytes(size)
    text = run("age", "-a", "-r", identity.recipient.text, given=plaintext)
    assert age.decrypt([identity], armor.decode(text)) == plaintext
    assert armor.encode(armor.decode(text)) == text


@given(st.binary(max_size=300))
def test_what_is_written_is_read(data: bytes) -> None:
    """Bytes of any length come back, under the label they were given and no other."""
    text = armor.encode(data, LABEL)
    assert armor.decode(text, LABEL) == armor.decode(text.replace(b"\n", b"\r\n"), LABEL) == data
    assert max(map(len, text.splitlines()[1:-1]), default=0) <= 64
    with pytest.raises(ArmorError):
        armor.decode(text)


@given(st.data())
def test_there_is_one_spelling(data: st.DataObject) -> None:
    """A text with one byte changed is refused, or it holds other bytes."""
    text = bytearray(GOOD)
    place = data.draw(st.integers(0, len(text) - 2))
    text[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != GOOD[place]))
    try:
        assert armor.decode(bytes(text)) != armor.decode(GOOD)
    except ArmorError:
        pass


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" \n",
        GOOD[:-2],
        GOOD * 2,
        GOOD.replace(b"\nQUI=", b"QUI="),
        GOOD.replace(b"QUI=", b"QUI"),
        GOOD.replace(b"QUI=", b"QUJ="),
        GOOD.replace(b"QUI=", b"QUI=\n"),
        GOOD.replace(b"QUI=", b"QUI= "),
        GOOD.replace(b"\nQUI", b"\rQUI"),
        b" " + GOOD,
        GOOD.rstrip() + b" x",
        GOOD.replace(b"FILE-----\nQ", b"FILE-----\n\nQ"),
    ],
    ids=["nothing", "space", "cut", "twice", "long", "unpadded", "spare bits", "empty line", "trailing space",
         "carriage return", "indented", "garbage", "empty first line"],
)  # fmt: skip
def test_any_other_form_is_refused(text: bytes) -> None:
    """Whatever differs in more than line ends and the room around it is no armour."""
    with pytest.raises(ArmorError):
        armor.decode(text)


def test_room_around_it_is_passed_over() -> None:
    """Empty lines and white space before and behind do not matter, nor does a missing last line end."""
    assert armor.decode(b"\n\r  \t\n" + GOOD.rstrip()) == armor.decode(GOOD + b"\n \r\n") == b"ABC" * 16 + b"AB"
