"""Properties of every age file, tried with random ones."""

import string

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from whistle.protocol import age
from whistle.protocol.age import bech32, hybrid
from whistle.protocol.errors import Malformed, NotForMe

READER = age.X25519Identity.generate()
HYBRID_READER = age.HybridIdentity.generate()
PLAINTEXT = bytes(range(256)) * 300  # 76,800 bytes: two pieces
SEALED = age.encrypt([READER.recipient], PLAINTEXT)
HYBRID = age.encrypt([HYBRID_READER.recipient, READER.recipient], b"short")

arguments = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
stanzas = st.builds(
    age.Stanza,
    st.lists(arguments, min_size=1, max_size=4).map(tuple).filter(lambda args: args[0] != "scrypt"),
    st.binary(max_size=200),
)


def released(data: bytes, step: int) -> tuple[bytes, bool]:
    """Everything that two readers are given of a file fed in steps, and whether it ended well."""
    opener, out = age.Opener([HYBRID_READER, READER]), b""
    try:
        for at in range(0, len(data), step):
            out += opener.update(data[at : at + step])
        return out + opener.finish(), True
    except (Malformed, NotForMe):
        return out, False


@given(st.lists(stanzas, min_size=1, max_size=5), st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_header_round_trip(made: list[age.Stanza], mac: bytes, payload: bytes) -> None:
    """Any header that can be written is read as what it was."""
    header = age.Header(tuple(made), mac)
    text = header.encode()
    assert age.parse_header(text + payload) == (header, len(text))


@given(st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode), st.integers(0, 300))
def test_any_bytes(data: bytes, keep: int) -> None:
    """Any bytes, also behind a good beginning, are a header or a HeaderError; one that is read has one spelling."""
    whole = SEALED[:keep] + data
    try:
        header, length = age.parse_header(whole)
    except age.HeaderError:
        return
    assert header.encode() == whole[:length]


@settings(deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1), st.sampled_from([1000, 70_000, 10**6]))
def test_flipped_bit(bit: int, step: int) -> None:
    """A file with any one bit changed gives a declared error, and releases nothing but its true beginning."""
    altered = bytearray(SEALED)
    altered[bit // 8] ^= 1 << bit % 8
    out, well = released(bytes(altered), step)
    assert not well
    assert PLAINTEXT.startswith(out)


@settings(deadline=None)
@given(st.integers(0, len(HYBRID) * 8 - 1))
def test_flipped_bit_with_two_recipients(bit: int) -> None:
    """The same holds where another stanza still opens."""
    altered = bytearray(HYBRID)
    altered[bit // 8] ^= 1 << bit % 8
    assert released(bytes(altered), 10**6) == (b"", False)


@settings(deadline=None)
@given(st.integers(0, len(SEALED) - 1), st.sampled_from([1000, 10**6]))
def test_cut_off(length: int, step: int) -> None:
    """A file that is cut off anywhere gives a declared error."""
    out, well = released(SEALED[:length], step)
    assert not well
    assert PLAINTEXT.startswith(out)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_trailing_bytes(more: bytes) -> None:
    """A file with anything behind its end gives a declared error."""
    assert not released(SEALED + more, 10**6)[1]


@settings(deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(1, 2000), max_size=20))
def test_round_trip(plaintext: bytes, cuts: list[int]) -> None:
    """Whatever is sealed in whatever pieces opens as it was."""
    sealer, at = age.Sealer([READER.recipient]), 0
    sealed = sealer.header
    for cut in [*cuts, len(plaintext)]:
        sealed += sealer.update(plaintext[at : at + cut])
        at += cut
    assert age.decrypt([READER], sealed + sealer.finish()) == plaintext


@given(st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=30), st.binary(max_size=100))
def test_bech32_round_trip(prefix: str, data: bytes) -> None:
    """Any prefix and data come back from Bech32."""
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)


@settings(deadline=None)
@given(st.text(string.ascii_lowercase, min_size=1, max_size=10), st.binary(max_size=1270))
def test_bech32_is_that_of_its_specification(prefix: str, data: bytes) -> None:
    """The checksum that is reckoned at once, and with parts a period apart, is the one of BIP173's own steps."""
    text = bech32.encode(prefix, data)
    codes = [ord(character) for character in prefix]
    values = [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]
    values += [bech32.CHARSET.index(character.encode()) for character in text[len(prefix) + 1 :]]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            check ^= generator if top >> place & 1 else 0
    assert check == 1
    assert bech32.decode(text) == (prefix, data)


@given(st.integers(0, 767), st.integers(0, 4095) | st.integers(3326, 3332), st.integers(0, 3328))
def test_a_key_is_refused_as_by_the_library(place: int, number: int, others: int) -> None:
    """Of ML-KEM's keys those are taken that the library takes, wherever a number in one is too large."""
    value = sum((number if at == place else others) << 12 * at for at in range(768))
    key = value.to_bytes(1152, "little") + bytes(32)
    try:
        MLKEM768PublicKey.from_public_bytes(key)
        taken = True
    except ValueError:
        taken = False
    assert hybrid._is_reduced(key) == taken == (number < 3329)


def test_a_header_is_held_to_its_mac() -> None:
    """Whoever may read a file cannot have its stanzas changed without their seeing it."""
    one, two = (age.encrypt([HYBRID_READER.recipient, age.Throwaway()], b"short") for _ in range(2))
    (header, length), (other, _) = age.parse_header(one), age.parse_header(two)
    swapped = age.Header((header.stanzas[0], other.stanzas[1]), header.mac).encode()
    assert age.decrypt([HYBRID_READER], one) == b"short" and len(swapped) == length
    with pytest.raises(age.MacError):
        age.decrypt([HYBRID_READER], swapped + one[length:])


@given(st.integers(0, 1), st.data())
def test_mistyped_key(kind: int, data: st.DataObject) -> None:
    """A key with any one character changed is refused."""
    text = [READER.recipient.text, HYBRID_READER.text][kind]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != text[at]))
    with pytest.raises(Malformed):
        [age.recipient, age.identity][kind](text[:at] + other + text[at + 1 :])


@given(st.text(max_size=100), st.sampled_from(["", "age1", "age1pq1", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"]))
def test_any_text(text: str, prefix: str) -> None:
    """Any text that is not a key is Malformed."""
    for read in (age.recipient, age.identity):
        with pytest.raises(Malformed):
            read(prefix + text)
