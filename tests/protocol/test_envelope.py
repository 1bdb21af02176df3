"""Envelopes: alike from outside whatever they hold, and opened by those whom they are sealed to alone."""

import collections
import dataclasses
import re
import secrets
import statistics

import pytest

from tests import parties
from whistle.protocol import age
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.message import MAX_SLOTS, Body, Report, Status
from whistle.protocol.errors import Malformed, NotForMe

WHO, ORG = parties.reporter(), parties.organisation()
IDENTITIES = [HybridIdentity.generate() for _ in range(8)]
SIGNED = message.sign(parties.report(WHO, ORG), WHO.signing)
POOL = [age.Throwaway() for _ in range(16)]
PAYLOAD = envelope.header_size(8)


def report(text: str) -> Report:
    """A report of that text."""
    return parties.report(WHO, ORG, text=text)


def outside(body: bytes) -> list[bytes]:
    """The header's lines with every character of base64 made the same."""
    lines = body[:PAYLOAD].split(b"\n")
    return [re.sub(rb"(?<=-> mlkem768x25519 ).+|^[A-Za-z0-9+/]{43}$|(?<=--- ).+", b"_", line) for line in lines]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_number_of_readers_does_not_show(count: int) -> None:
    """From one reader to as many as there are slots, size and header have one form, and each reader opens it."""
    readers = IDENTITIES[:count]
    body = envelope.seal(SIGNED, parties.recipients_of(readers), 8, POOL)
    assert len(body) == 32_768
    assert outside(body) == outside(envelope.seal(SIGNED, [IDENTITIES[0].recipient], 8))
    for identity in readers:
        assert envelope.open_(body, [identity], 8) == SIGNED
    if count < 8:
        with pytest.raises(NotForMe):
            envelope.open_(body, [IDENTITIES[count]], 8)


@pytest.mark.parametrize("slots", range(2, MAX_SLOTS + 1))
def test_an_envelope_has_4096_bytes_for_each_slot(slots: int) -> None:
    """The sizes hold for every number of slots that an instance can have."""
    body = envelope.seal(SIGNED, [IDENTITIES[0].recipient], slots, POOL)
    assert len(body) == envelope.size(slots) == slots * 4096
    assert envelope.open_(body, IDENTITIES[:1], slots) == SIGNED


def test_eight_slots_hold_20210_bytes() -> None:
    """The number that everything else was reckoned with."""
    assert (envelope.capacity(8), envelope.line_capacity(8)) == (20_210, 20_120)


@pytest.mark.parametrize("slots", [0, 1, 17])
def test_other_numbers_of_slots_are_refused(slots: int) -> None:
    """An instance has two to sixteen slots."""
    with pytest.raises(ValueError, match="slots"):
        envelope.size(slots)


def test_the_readers_stand_in_no_order() -> None:
    """The stanza that is the first reader's is not always the first."""
    places = set()
    for _ in range(40):
        body = envelope.seal(SIGNED, [IDENTITIES[0].recipient], 2, POOL)
        stanzas = age.parse_header(body)[0].stanzas
        places.add([IDENTITIES[0].unwrap([stanza]) is not None for stanza in stanzas].index(True))
    assert places == {0, 1}


def test_sealing_twice_shares_nothing() -> None:
    """No stanza, nonce or ciphertext comes twice, even for throwaway recipients from a pool."""
    one, two = (envelope.seal(SIGNED, [IDENTITIES[0].recipient], 8, POOL[:7]) for _ in range(2))
    arguments = [stanza.args[1] for body in (one, two) for stanza in age.parse_header(body)[0].stanzas]
    assert len(set(arguments)) == 16
    assert one[PAYLOAD:] != two[PAYLOAD:]


def compressed(share: bytes) -> float:
    """How often, of the 768 numbers of ten bits that begin a ciphertext of ML-KEM-768, one stands for four values of
    its field and not for three: 0.309 of them, if the ciphertext is one; 0.251 of random bits.
    """
    bits = int.from_bytes(share[:960], "little")
    numbers = [bits >> 10 * place & 1023 for place in range(768)]
    preimages = collections.Counter((1024 * value + 1664) // 3329 % 1024 for value in range(3329))
    return sum(preimages[number] == 4 for number in numbers) / 768


def on_the_curve(point: bytes) -> bool:
    """Whether a share of X25519 is a point of the curve, as every real one is, and not of its twist."""
    u = int.from_bytes(point, "little")
    return pow(u**3 + 486_662 * u**2 + u, (2**255 - 20) // 2, 2**255 - 19) == 1


@pytest.mark.parametrize("recipient", [age.Throwaway(), IDENTITIES[0].recipient], ids=["throwaway", "reader"])
def test_encapsulations_are_real_ones(recipient: age.Recipient) -> None:
    """What can be told of a stanza by its numbers is the same for a throwaway recipient and for a reader, and other
    than of random bytes."""
    shares = [recipient.wrap(bytes(16)).share for _ in range(100)]
    assert 0.295 < statistics.mean(map(compressed, shares)) < 0.322
    assert all(on_the_curve(share[1088:]) for share in shares)
    noise = [secrets.token_bytes(1120) for _ in range(100)]
    assert statistics.mean(map(compressed, noise)) < 0.265
    assert not all(on_the_curve(share[1088:]) for share in noise)


def test_nobody_opens_a_throwaways_stanza() -> None:
    """It holds no file key for any reader, and no two stanzas share anything."""
    recipient = age.Throwaway()
    one, two = (recipient.wrap(b"sixteen bytes ok") for _ in range(2))
    assert all(identity.unwrap([one, two]) is None for identity in IDENTITIES)
    assert one.body != two.body and one.share[:1088] != two.share[:1088] and one.share[1088:] != two.share[1088:]


def test_a_reader_named_twice_takes_one_slot() -> None:
    """The same recipient twice is sealed to once; too many or none are refused."""
    twice = [IDENTITIES[0].recipient] * 3
    assert len(age.parse_header(envelope.seal(SIGNED, twice, 2))[0].stanzas) == 2
    for wrong in ([], parties.recipients_of(IDENTITIES[:3])):
        with pytest.raises(ValueError, match="recipients"):
            envelope.seal(SIGNED, wrong, 2)


def test_a_message_that_just_fits_is_not_folded() -> None:
    """Line 1 may have as many bytes as fit beside the signature, and one more goes to rest."""
    room = envelope.line_capacity(8) - len(message.encode(report(""))) - len('"text":"",')
    folded, blocks = envelope.fold(report("x" * room), 8)
    assert (folded, blocks) == (report("x" * room), [])
    body = envelope.seal(message.sign(folded, WHO.signing), [IDENTITIES[0].recipient], 8, POOL)
    assert len(body) == 32_768
    folded, blocks = envelope.fold(report("x" * (room + 1)), 8)
    assert isinstance(folded, Body)
    assert folded.rest and len(blocks) == 1


@pytest.mark.parametrize("slots", [2, 8])
def test_what_overflows_goes_to_rest_and_comes_back(slots: int) -> None:
    """A long text, answers and files travel in an attachment, and the message that is opened is the whole one."""
    sealer = attachment.Sealer()
    sealer.update(b"a photograph")
    record = sealer.finish("photo.jpg", "image/jpeg")[1]
    whole = dataclasses.replace(report("ü" * 300_000), answers={"when": "x" * 9000}, attachments=(record,) * 40)
    folded, blocks = envelope.fold(whole, slots)
    body = envelope.seal(message.sign(folded, WHO.signing), [IDENTITIES[0].recipient], slots, POOL)
    opened = envelope.open_(body, IDENTITIES[:1], slots).message
    assert isinstance(opened, Report)
    assert opened.rest
    assert [id for id, _ in blocks] == attachment.block_ids(opened.rest)
    opener = attachment.Opener(opened.rest)
    content = b"".join([*(opener.update(block) for _, block in blocks), opener.finish()])
    assert message.with_content(opened, content) == whole


def test_content_that_no_reader_would_take_is_not_folded() -> None:
    """Too many files or too long a text are refused before anything is sealed, in an envelope or in its rest."""
    sealer = attachment.Sealer()
    record = sealer.finish("", "")[1]
    for wrong in (
        dataclasses.replace(report("x"), attachments=(record,) * 501),
        report("x" * (message.MAX_TEXT + 1)),
        dataclasses.replace(report("x"), answers={"When": "now"}),
    ):
        with pytest.raises(Malformed):
            envelope.fold(wrong, 8)


def test_a_status_that_is_too_long_is_refused() -> None:
    """What has no rest and does not fit cannot be sealed."""
    fields = {"case": WHO.case.hex(), "readers": ("ombuds",), "without": (), "keys": ORG.known.keys}
    chain = {"sender": "ombuds", "day": parties.DAY, "seq": 0, "prev": None, "seen": ()}
    status = Status(**fields, **chain, status="open", text="ü" * 4096)  # type: ignore[arg-type]
    with pytest.raises(Malformed, match="too long"):
        envelope.fold(status, 2)
    with pytest.raises(Malformed, match="too long"):
        envelope.seal(message.sign(status, WHO.signing), [IDENTITIES[0].recipient], 2, POOL)


def test_the_form_is_checked_without_opening() -> None:
    """A server refuses what is no envelope, and what is one of other slots, knowing no key."""
    body = envelope.seal(SIGNED, [IDENTITIES[0].recipient], 2, POOL)
    envelope.check_form(body, 2)
    for wrong in (
        body[:-1],
        body + b"\0",
        bytes(8192),
        b"x" + body[1:],
        body.replace(b"-> mlkem768x", b"-> mlkem512x", 1),
    ):
        with pytest.raises(Malformed):
            envelope.check_form(wrong, 2)
    with pytest.raises(Malformed):
        envelope.check_form(envelope.seal(SIGNED, [IDENTITIES[0].recipient], 3, POOL), 2)


def test_a_stanza_of_a_share_of_small_order_is_not_mine() -> None:
    """Libraries report it in different ways; here it is simply nobody's."""
    good = envelope.seal(SIGNED, [IDENTITIES[0].recipient], 2, POOL)
    header, length = age.parse_header(good)
    zeroed = []
    for stanza in header.stanzas:
        raw = age.primitives.decode_base64(stanza.args[1].encode())
        text = age.primitives.encode_base64(raw[:-32] + bytes(32)).decode()
        zeroed.append(age.Stanza((stanza.args[0], text), stanza.body))
    with pytest.raises(NotForMe):
        envelope.open_(age.Header(tuple(zeroed), header.mac).encode() + good[length:], IDENTITIES[:1], 2)


@pytest.mark.parametrize("bit", [0, 7 * 8, 100 * 8, 1600 * 8, 3190 * 8, 3200 * 8, 8000 * 8, 8191 * 8 + 7])
def test_no_bit_can_be_turned(bit: int) -> None:
    """An envelope with a bit turned anywhere is damaged or not mine, and is never read otherwise."""
    body = bytearray(envelope.seal(SIGNED, parties.recipients_of(IDENTITIES[:2]), 2))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Malformed, NotForMe)):
        envelope.open_(bytes(body), IDENTITIES[:1], 2)


@pytest.mark.parametrize(
    "plaintext",
    [b"", b"\n", b"\n\n", b"{}\nAA==\n", SIGNED.line, SIGNED.line + b"\n" + b"A" * 88, SIGNED.line + b"\n\xff\n"],
)
def test_two_lines_and_spaces_or_nothing(plaintext: bytes) -> None:
    """Any other plaintext is malformed."""
    with pytest.raises(Malformed):
        envelope.split(plaintext)
