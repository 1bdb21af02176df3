"""C2SP's vectors for age, each answered as it expects."""

import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass

import pytest

from tests.stock import typage
from whistle.protocol import age
from whistle.protocol.age import armor
from whistle.protocol.errors import NotForMe

ANSWERS = {
    age.ArmorError: "armor failure",
    age.HeaderError: "header failure",
    age.LowOrderError: "header failure",
    age.MacError: "HMAC failure",
    age.PayloadError: "payload failure",
    NotForMe: "no match",
}
PIECE = 5000  # bytes fed at a time


@dataclass(frozen=True)
class Vector:
    """A file, what holds the keys to it, and what must come of it."""

    expect: str
    payload: str
    identities: list[age.Identity]
    armored: bool
    file: bytes


def _read(data: bytes) -> Vector:
    """A vector."""
    head, _, file = data.partition(b"\n\n")
    fields = defaultdict(list)
    for line in head.decode().split("\n"):
        key, _, value = line.partition(": ")
        fields[key].append(value)
    identities: list[age.Identity] = [age.identity(text) for text in fields["identity"]]
    identities += [age.ScryptIdentity(passphrase) for passphrase in fields["passphrase"]]
    payload = fields["payload"][0] if fields["payload"] else hashlib.sha256(b"").hexdigest()
    armored, file = bool(fields["armored"]), zlib.decompress(file) if fields["compressed"] else file
    return Vector(fields["expect"][0], payload, identities, armored, file)


@pytest.fixture(scope="module")
def vectors() -> dict[str, Vector]:
    """Every vector."""
    return {name: _read(data) for name, data in typage.vectors().items()}


def _open(vector: Vector) -> tuple[str, bytes]:
    """What came of opening it, and everything released on the way."""
    opener, released = age.Opener(vector.identities), b""
    try:
        file = armor.decode(vector.file) if vector.armored else vector.file
        for at in range(0, len(file), PIECE):
            released += opener.update(file[at : at + PIECE])
        return "success", released + opener.finish()
    except tuple(ANSWERS) as exc:
        return ANSWERS[type(exc)], released


def test_every_vector(vectors: dict[str, Vector], subtests: pytest.Subtests) -> None:
    """Each vector succeeds or fails in its own way, and releases exactly the payload it names."""
    assert len(vectors) > 130 and sum(vector.armored for vector in vectors.values()) > 25
    for name, vector in vectors.items():
        with subtests.test(name):
            answer, released = _open(vector)
            assert (answer, hashlib.sha256(released).hexdigest()) == (vector.expect, vector.payload)


def test_every_header_has_one_spelling(vectors: dict[str, Vector], subtests: pytest.Subtests) -> None:
    """A vector's header that can be read is written again as the same bytes."""
    for name, vector in vectors.items():
        if vector.expect != "header failure" and not vector.armored:
            with subtests.test(name):
                header, length = age.parse_header(vector.file)
                assert header.encode() == vector.file[:length]
