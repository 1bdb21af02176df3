"""C2SP's vectors for age, all but those in ASCII armour, each answered as it expects."""

import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass

import pytest

from tests.stock import typage
from whistle.protocol import age
from whistle.protocol.errors import NotForMe

ANSWERS = {
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
    file: bytes


def _read(data: bytes) -> Vector | None:
    """A vector, or None for one in armour."""
    head, _, file = data.partition(b"\n\n")
    fields = defaultdict(list)
    for line in head.decode().split("\n"):
        key, _, value = line.partition(": ")
        fields[key].append(value)
    if fields["armored"]:
        return None
    identities: list[age.Identity] = [age.identity(text) for text in fields["identity"]]
    identities += [age.ScryptIdentity(passphrase) for passphrase in fields["passphrase"]]
    payload = fields["payload"][0] if fields["payload"] else hashlib.sha256(b"").hexdigest()
    return Vector(fields["expect"][0], payload, identities, zlib.decompress(file) if fields["compressed"] else file)


@pytest.fixture(scope="module")
def vectors() -> dict[str, Vector]:
    """Every vector that is not armoured."""
    read = {name: _read(data) for name, data in typage.vectors().items()}
    return {name: vector for name, vector in read.items() if vector}


def _open(vector: Vector) -> tuple[str, bytes]:
    """What came of opening it, and everything released on the way."""
    opener, released = age.Opener(vector.identities), b""
    try:
        for at in range(0, len(vector.file), PIECE):
            released += opener.update(vector.file[at : at + PIECE])
        return "success", released + opener.finish()
    except tuple(ANSWERS) as exc:
        return ANSWERS[type(exc)], released


def test_every_vector(vectors: dict[str, Vector], subtests: pytest.Subtests) -> None:
    """Each vector succeeds or fails in its own way, and releases exactly the payload it names."""
    assert len(vectors) > 100
    for name, vector in vectors.items():
        with subtests.test(name):
            answer, released = _open(vector)
            assert (answer, hashlib.sha256(released).hexdigest()) == (vector.expect, vector.payload)


def test_every_header_has_one_spelling(vectors: dict[str, Vector], subtests: pytest.Subtests) -> None:
    """A vector's header that can be read is written again as the same bytes."""
    for name, vector in vectors.items():
        if vector.expect != "header failure":
            with subtests.test(name):
                header, length = age.parse_header(vector.file)
                assert header.encode() == vector.file[:length]
