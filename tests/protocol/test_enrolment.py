"""Enrolment files: whole, and signed by the key that they name."""

import base64
import dataclasses
import datetime

import pytest
from nacl.signing import SigningKey

from tests import parties
from tests.parties import DAY
from whistle.protocol import canonical, signing
from whistle.protocol.errors import Forged, Malformed
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.enrolment import CourierKey, Period, ReviewerKeys
from whistle.protocol.trust.minisign import SecretKey

PERSON = parties.person("ombuds", "Ombudsperson")
FILE = enrolment.reviewer_file(PERSON.keys, PERSON.secret)
COURIER = SigningKey.generate()


def resigned(line: bytes, key: SigningKey = PERSON.secret.signing, kind: str = "reviewer-keys") -> bytes:
    """A file of that line, signed."""
    return line + b"\n" + base64.b64encode(signing.sign(key, f"whistle/v1 {kind}\n".encode() + line)) + b"\n"


def test_a_reviewers_file_comes_back() -> None:
    """Root reads the keys that the reviewer wrote."""
    assert enrolment.read(FILE) == PERSON.keys


def test_a_couriers_file_comes_back() -> None:
    """Root reads the courier's name and key."""
    key = bytes(COURIER.verify_key)
    assert enrolment.read(enrolment.courier_file("Van", COURIER)) == CourierKey("Van", key.hex())


def test_nobody_enrols_a_key_that_they_do_not_have() -> None:
    """A file that names another's key, or was changed on its way, is forged."""
    stranger = SecretKey.generate()
    line = FILE.split(b"\n")[0]
    for wrong in (
        enrolment.reviewer_file(PERSON.keys, stranger),
        FILE.replace(b"Ombudsperson", b"Managing director", 1),
        resigned(line, kind="courier-key"),
    ):
        with pytest.raises(Forged):
            enrolment.read(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        FILE[:-1],
        FILE + b"\n",
        FILE + FILE,
        FILE.replace(b"\n", b"\r\n"),
        b"\n" + FILE,
        FILE.split(b"\n")[0] + b"\nAAAA\n",
        FILE.split(b"\n")[0] + b"\n" + b"\xff" * 88 + b"\n",
        b"[]\n" + FILE.split(b"\n")[1] + b"\n",
        b" " * (enrolment.MAX_FILE + 1),
    ],
    ids=["nothing", "cut", "longer", "twice", "carriage", "before", "short", "other", "list", "huge"],
)
def test_two_lines_or_nothing(wrong: bytes) -> None:
    """Anything but a line of JSON and a line of signature is malformed."""
    with pytest.raises(Malformed):
        enrolment.read(wrong)


@pytest.mark.parametrize(
    "changes", [{"v": True}, {"v": 2}, {"kind": "reviewer"}, {"kind": 1}, {"id": "ombuds"}, {"languages": ["en", "en"]}]
)
def test_other_fields_are_refused(changes: dict[str, object]) -> None:
    """Even well signed, a file of another version, kind or field is malformed."""
    value = {**canonical.loads(FILE.split(b"\n")[0]), **changes}
    with pytest.raises(Malformed):
        enrolment.read(resigned(canonical.dumps(value), kind=str(value["kind"])))


def test_a_courier_of_small_order_is_refused() -> None:
    """A key for which anybody can sign enrols nobody, although the equation holds."""
    small = bytes([1]) + bytes(31)
    line = canonical.dumps({"v": 1, "kind": "courier-key", "name": "Van", "key": small.hex()})
    with pytest.raises(Malformed):
        enrolment.read(line + b"\n" + base64.b64encode(small + bytes(32)) + b"\n")


def test_a_period_ends_after_it_begins() -> None:
    """The last day may be the first, and no earlier."""
    recipient = parties.POOL[0].text
    assert Period(recipient, DAY, DAY)
    with pytest.raises(Malformed):
        Period(recipient, DAY, DAY - datetime.timedelta(days=1))


def test_the_digits_are_those_of_the_file() -> None:
    """What is compared aloud changes with any byte of the file, and reads like root's."""
    digits = enrolment.digits(FILE)
    other = enrolment.reviewer_file(dataclasses.replace(PERSON.keys, role="x"), PERSON.secret)
    assert [len(group) for group in digits.split(" ")] == [4] * 10
    assert digits != enrolment.digits(other)


def test_the_largest_number_has_forty_digits() -> None:
    """Digits never overflow their groups, nor lose leading zeros."""
    assert enrolment.grouped(b"\xff" * 16) == "0340 2823 6692 0938 4634 6337 4607 4317 6821 1455"
    assert enrolment.grouped(bytes(16)) == " ".join(["0000"] * 10)


def test_a_reviewers_keys_are_of_their_kind() -> None:
    """A signing key has one spelling, and a recipient is post-quantum."""
    value = canonical.loads(FILE.split(b"\n")[0])
    for name, wrong in (
        ("signing", PERSON.secret.public.file().decode()),
        ("signing", value["signing"] + "\n"),
        ("recipients", [{**value["recipients"][0], "recipient": "age1pq1"}]),
    ):
        with pytest.raises(Malformed):
            enrolment.read(resigned(canonical.dumps({**value, name: wrong})))
    assert isinstance(enrolment.read(FILE), ReviewerKeys)
