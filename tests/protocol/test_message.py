"""Messages: each kind comes back as it was signed, and nothing else is taken for one."""

import base64
import dataclasses
import datetime
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests import parties
from tests.parties import DAY
from whistle.protocol import canonical, schema
from whistle.protocol.case import attachment, continuation, message
from whistle.protocol.case.message import Grant, Have, Keys, Message, Note, Reply, Report, Signed, Slip, Status
from whistle.protocol.errors import Forged, Malformed

WHO = parties.reporter()
KEY = SigningKey.generate()
KEYS = Keys(3, "ab" * 32)
SHARED: dict[str, Any] = {"case": WHO.case.hex(), "readers": ("ombuds", "ethics"), "without": (), "keys": KEYS}
REPORTED: dict[str, Any] = {**SHARED, "sender": parties.sender(WHO), "sealed": "device", "day": DAY, "language": "en"}
REVIEWED: dict[str, Any] = {**SHARED, "sender": "ombuds", "day": DAY, "seq": 0, "prev": None, "seen": ()}
MAILBOX = WHO.mailbox.recipient.text
REPORT = Report(**REPORTED, channel="harassment", text="Something happened.")
REPLY = Reply(**REVIEWED, to=MAILBOX, lane=0, n=0, have=Have(1, DAY), language="en", text="Thank you.")
ALL: list[Message] = [
    REPORT,
    message.FollowUp(**REPORTED, text="More."),
    Slip(**REPORTED, channel="harassment"),
    REPLY,
    Note(**REVIEWED, text="Between us."),
    Status(**REVIEWED, status="open", labels=("urgent",), deadline=DAY, claimed="ethics", text="why"),
    Grant(**REVIEWED, grantee="ethics", lane=8, originals=(message.original(message.sign(REPORT, WHO.signing)),)),
]


def with_json(content: Message, **changes: Any) -> bytes:
    """Line 1 with other values."""
    return canonical.dumps({**canonical.loads(message.encode(content)), **changes})


def sealed(content: bytes, kind: str = "file") -> attachment.Attachment:
    """The record of an attachment."""
    sealer = attachment.Sealer()
    sealer.update(content)
    named = ("a.txt", "text/plain") if kind == "file" else ("", "application/json")
    return sealer.finish(*named, kind)[1]


@pytest.mark.parametrize("content", ALL, ids=lambda content: content.kind)
def test_a_message_comes_back(content: Message) -> None:
    """What is signed is read as the same message, whose bytes and signature are those that were signed."""
    signed = message.sign(content, KEY)
    assert message.parse(signed.line) == content
    message.check(signed, bytes(KEY.verify_key))


def test_there_is_a_case_of_every_kind() -> None:
    """The cases above leave no kind out."""
    assert {content.kind for content in ALL} == set(message.KINDS)


@pytest.mark.parametrize("content", ALL, ids=lambda content: content.kind)
def test_a_signature_holds_for_one_kind_one_key_and_one_line(content: Message) -> None:
    """Another key, another byte or another kind's label and the signature is refused."""
    signed = message.sign(content, KEY)
    with pytest.raises(Forged):
        message.check(signed, bytes(SigningKey.generate().verify_key))
    with pytest.raises(Forged):
        message.check(Signed(signed.line + b" ", signed.signature, content), bytes(KEY.verify_key))
    for other in ALL:
        if other.kind != content.kind:
            with pytest.raises(Forged):
                message.check(Signed(signed.line, signed.signature, other), bytes(KEY.verify_key))


def test_a_reporters_message_is_signed_by_the_key_of_its_case() -> None:
    """The key that a report names must have signed it, and the case commits to that key."""
    good, forged = message.sign(REPORT, WHO.signing), message.sign(REPORT, KEY)
    message.check_reporter(good)
    assert good.is_by_reporter and not forged.is_by_reporter
    assert not dataclasses.replace(good, signature=forged.signature).is_by_reporter
    with pytest.raises(Forged):
        message.check_reporter(forged)
    with pytest.raises(Malformed, match="case"):
        dataclasses.replace(REPORT, sender=parties.sender(parties.reporter()))


def test_a_reviewers_message_is_not_taken_for_a_reporters() -> None:
    """Only reports, follow-ups and slips name the key that signs them."""
    reply = message.sign(REPLY, KEY)
    assert not reply.is_by_reporter
    with pytest.raises(Malformed):
        message.check_reporter(reply)


def test_anybody_could_sign_for_a_key_of_small_order() -> None:
    """A report whose key has small order is refused although the equation holds."""
    small = bytes([1]) + bytes(31)
    sender = dataclasses.replace(parties.sender(WHO), sign=small.hex())
    report = dataclasses.replace(REPORT, sender=sender, case=sender.case())
    signed = Signed(message.encode(report), small + bytes(32), report)
    assert not signed.is_by_reporter
    with pytest.raises(Malformed):
        message.check_reporter(signed)


@pytest.mark.parametrize("version", [2, 0, True, "1", None])
def test_there_is_one_version(version: object) -> None:
    """Only the number 1 is the version; `true`, which some languages take for it, is not."""
    with pytest.raises(Malformed):
        message.parse(with_json(REPORT, v=version))


def test_what_is_empty_is_left_out() -> None:
    """An absent text and an empty one would be two forms of one message, so only one of them is read."""
    line = message.encode(dataclasses.replace(REPORT, text=""))
    assert b'"text"' not in line
    with pytest.raises(Malformed):
        message.parse(with_json(REPORT, text=""))


@pytest.mark.parametrize("content", ALL, ids=lambda content: content.kind)
def test_nobody_is_reader_and_left_out(content: Message) -> None:
    """A message that names somebody as both is refused when made and when read."""
    with pytest.raises(Malformed):
        dataclasses.replace(content, without=("ethics",))
    with pytest.raises(Malformed):
        message.parse(with_json(content, without=["ombuds"]))


def test_a_grant_is_sealed_to_whom_it_lets_in() -> None:
    """A grant that does not name its grantee among the readers is refused."""
    with pytest.raises(Malformed):
        Grant(**REVIEWED, grantee="counsel", lane=8)


@pytest.mark.parametrize(("seq", "prev"), [(0, "ab" * 32), (1, None)])
def test_a_chain_begins_once(seq: int, prev: str | None) -> None:
    """The first message of a chain has none before it, and every later one has."""
    with pytest.raises(Malformed):
        dataclasses.replace(REPLY, seq=seq, prev=prev)
    later = dataclasses.replace(REPLY, seq=1, prev=message.sign(REPLY, KEY).hash)
    assert message.parse(message.encode(later)) == later


def test_the_original_in_a_grant_is_what_was_signed() -> None:
    """A report inside a grant comes out with the reporter's own signature, and not as another kind."""
    signed = message.sign(REPORT, WHO.signing)
    inside = message.original(signed)
    assert message.from_original(inside) == signed
    message.check_reporter(message.from_original(inside))
    with pytest.raises(Malformed):
        message.from_original(dataclasses.replace(inside, kind="follow-up"))


def test_the_old_words_prove_that_they_began_the_new_case() -> None:
    """The proof holds for this old case and this new one only."""
    old, new, other = WHO, parties.reporter(), parties.reporter()
    proof = continuation.prove(old.signing, old.case, new.case)
    continuation.check(proof, parties.sender(old), new.case.hex())
    with pytest.raises(Forged):
        continuation.check(proof, parties.sender(old), other.case.hex())
    with pytest.raises(Forged):
        continuation.check(proof, parties.sender(other), new.case.hex())
    stolen = continuation.prove(other.signing, old.case, new.case)
    with pytest.raises(Forged):
        continuation.check(dataclasses.replace(stolen, sign=proof.sign), parties.sender(old), new.case.hex())


def test_content_goes_to_rest_and_comes_back() -> None:
    """A message without its content and with what `rest` held is the same message again."""
    whole = dataclasses.replace(REPORT, answers={"when": "now"}, attachments=(sealed(b"x"),))
    content = message.content_of(whole)
    folded = message.with_rest(whole, sealed(content, "rest"))
    assert (folded.text, folded.attachments, message.parse(message.encode(folded))) == ("", (), folded)
    assert message.with_content(folded, content) == whole


def test_rest_excludes_content() -> None:
    """A message says its content in one place, and only a rest is a rest, and no file is."""
    rest = sealed(b'{"text":"x"}', "rest")
    for wrong in ({"rest": rest}, {"text": "", "rest": sealed(b"x")}, {"attachments": (rest,)}):
        with pytest.raises(Malformed):
            dataclasses.replace(REPORT, **wrong)


@pytest.mark.parametrize(
    "content", [b'{"text":""}', b'{"more":1}', b"[]", b'{"originals":[]}', b'{"language":"fr"}', b'{"text": "x"}', b""]
)
def test_rest_holds_content_and_nothing_else(content: bytes) -> None:
    """Other fields, empty ones and other JSON in a rest are refused."""
    with pytest.raises(Malformed):
        message.with_content(dataclasses.replace(REPORT, text=""), content)


def test_the_whole_of_a_messages_files_is_limited() -> None:
    """Nobody makes a workstation reckon with more than 64 GiB of blocks by one envelope."""
    claimed = {"size": 2**35, "blocks": attachment.blocks_for(2**35)}
    large = {**schema.to_json(sealed(b"x")), **claimed}
    message.parse(with_json(REPORT, attachments=[large]))
    with pytest.raises(Malformed):
        message.parse(with_json(REPORT, attachments=[large] * 3))


def test_a_rest_is_limited() -> None:
    """A rest is read into memory, so it cannot be longer than 16 MiB."""
    size = message.MAX_REST + 1
    claimed = {**schema.to_json(sealed(b"x", "rest")), "size": size, "blocks": attachment.blocks_for(size)}
    line = canonical.loads(message.encode(dataclasses.replace(REPORT, text="")))
    with pytest.raises(Malformed):
        message.parse(canonical.dumps({**line, "rest": claimed}))


@pytest.mark.parametrize("day", ["1999-12-31", "3000-01-01", "9999-12-31", "0001-01-01", "2026-02-29", "2026-1-01"])
def test_days_are_those_one_can_reckon_with(day: str) -> None:
    """A day before 2000, past 2999 or none at all is refused; adding days to the others cannot overflow."""
    with pytest.raises(Malformed):
        message.parse(with_json(REPORT, day=day))
    last = message.parse(with_json(REPORT, day="2999-12-31"))
    assert isinstance(last, Report)
    assert last.day + datetime.timedelta(days=365_000) > last.day


def test_what_no_reader_would_take_is_not_signed() -> None:
    """A message past a limit is refused by its writer, since otherwise it would be lost without a word."""
    for wrong in (
        dataclasses.replace(REPORT, channel="Harassment"),
        dataclasses.replace(REPORT, readers=tuple(f"r{place}" for place in range(65))),
        dataclasses.replace(REPORT, day=datetime.date(1999, 1, 1)),
    ):
        with pytest.raises(Malformed):
            message.sign(wrong, WHO.signing)


def test_the_hash_names_the_line() -> None:
    """A message's name in chains is the SHA-256 of line 1 and does not depend on the signature."""
    signed = message.sign(REPORT, WHO.signing)
    assert signed.hash == message.sign(REPORT, KEY).hash != message.sign(REPLY, KEY).hash
    assert base64.b64encode(signed.signature).decode() == message.original(signed).signature
