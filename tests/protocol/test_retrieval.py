"""What is derived from a retrieval code."""

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whistle.protocol.code import retrieval
from whistle.protocol.code.retrieval import FormDigest, code_for, derive, message_id, place_ids, reference, slip_id
from whistle.protocol.hkdf import hkdf

CODE = bytes(range(16))


def test_hkdf_is_that_of_rfc_5869() -> None:
    """Our HKDF agrees with another implementation."""
    for _ in range(20):
        secret, salt, info = os.urandom(16), os.urandom(10), os.urandom(7)
        assert hkdf(secret, salt, info) == HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def test_the_same_words_give_the_same_keys() -> None:
    """All keys and tokens depend on the code alone, and on all of it."""
    one, same, other = derive(CODE), derive(CODE), derive(bytes(16))
    assert (one.case, one.report_id, one.slip_id) == (same.case, same.report_id, same.slip_id)
    assert len({one.sent, one.replies, one.case, bytes(one.signing), one.mailbox.seed, other.sent, other.case}) == 7


def test_the_case_commits_to_all_three_keys() -> None:
    """Another verify key, mailbox or replies key makes another case."""
    one, other = derive(CODE), derive(bytes(16))
    keys = (one.verify_key, one.mailbox.recipient.raw, one.replies)
    others = (other.verify_key, other.mailbox.recipient.raw, other.replies)
    for place in range(3):
        mixed = [others[i] if i == place else keys[i] for i in range(3)]
        assert retrieval.case_of(*mixed) != one.case


def test_a_reference_is_the_first_39_bits() -> None:
    """The reference has twelve digits and is the case's first 39 bits."""
    case = os.urandom(32)
    said = reference(case)
    assert [len(group) for group in said.split("-")] == [4, 4, 4]
    assert int(said.replace("-", "")) == int.from_bytes(case) >> (256 - 39)


def test_lanes_do_not_meet() -> None:
    """Every place of every lane, the report's and the slip's id are distinct."""
    who = derive(CODE)
    ids = who.lookup_ids(8)
    assert len(set(ids)) == len(ids) == 2 + 16 * 64 == 1026
    assert ids == sorted(ids)
    assert who.report_id in ids and place_ids(who.replies, 15)[63] in ids


def test_ids_are_hashes_under_a_label_of_their_kind() -> None:
    """No token gives the id of another kind of thing; the id of a place or a slip, sent as a token, gives none."""
    who = derive(CODE)
    token = who.report_token
    assert who.report_id == hashlib.blake2b(b"whistle/v1 message" + token, digest_size=16).digest()
    assert who.slip_id == hashlib.blake2b(b"whistle/v1 slip" + token, digest_size=16).digest()
    lane = hashlib.shake_256(b"whistle/v1 replies" + who.replies + b"\3").digest(1024)
    assert place_ids(who.replies, 3)[63] == lane[-16:]
    assert not {give(id) for give in (message_id, slip_id) for id in who.lookup_ids(2)} & set(who.lookup_ids(16))


def test_a_follow_up_has_a_token_of_its_own() -> None:
    """A follow-up's token follows from the attempt and the digest, and is none of a lookup's."""
    who = derive(CODE)
    token = who.follow_up_token(bytes(32), bytes(32))
    assert token == hmac.digest(who.sent, bytes(64), "sha256")[:16]
    assert message_id(token) not in who.lookup_ids(8)


def test_the_digest_is_over_lengths_names_and_values() -> None:
    """The digest is what SPEC.md says, computed by hand."""
    form = FormDigest()
    form.field("text", b"hello")
    form.field("attempt", b"not counted")
    form.field("words", b"nor this")
    form.file("ü.jpg", bytes(32))
    told = b"\0\0\0\4text" + b"\0" * 7 + b"\5hello" + b"\0\0\0\6\xc3\xbc.jpg" + b"\0" * 7 + b"\x20" + bytes(32)
    assert form.digest() == hashlib.sha256(told).digest()


def test_a_field_after_the_first_file_is_refused() -> None:
    """The envelope is sealed last, so nothing may follow the files."""
    form = FormDigest()
    form.file("a", bytes(32))
    with pytest.raises(ValueError):
        form.field("text", b"late")


def test_the_code_depends_on_attempt_and_digest() -> None:
    """The same form twice gives the same code; an edit or another attempt gives another."""
    assert code_for(bytes(32), bytes(32)) == hmac.digest(bytes(32), bytes(32), "sha256")[:16]
    codes = {code_for(a, d) for a in (bytes(32), b"\1" * 32) for d in (bytes(32), b"\1" * 32)}
    assert len(codes) == 4
