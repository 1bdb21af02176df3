"""Enrolment files: self-signed public keys of reviewers and couriers, for root to list (SPEC 1.4)."""

import base64
import datetime
import functools
import hashlib
from dataclasses import dataclass
from typing import ClassVar

from nacl.signing import SigningKey

from whistle.protocol import canonical, schema, signing
from whistle.protocol.age import HybridRecipient
from whistle.protocol.case.message import mailbox
from whistle.protocol.errors import Malformed
from whistle.protocol.trust.minisign import PublicKey, SecretKey

LABEL = b"whistle/v1 "
VERSION = 1
MAX_FILE = 262_144  # bytes


def signing_key(value: object) -> str:
    """The form of a minisign public key's line."""
    if not isinstance(value, str) or PublicKey.from_text(value).text != value:
        raise Malformed("not a minisign public key")
    return value


def verify_key(value: object) -> str:
    """The form of an Ed25519 public key."""
    text = str(schema.hexadecimal(32)(value))
    signing.check_key(bytes.fromhex(text))
    return text


@dataclass(frozen=True)
class Period:
    """A reviewer's recipient with the first and last day on which it is the newest."""

    recipient: str = schema.field(mailbox)
    first: datetime.date = schema.field(schema.day)
    last: datetime.date = schema.field(schema.day)

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise Malformed("a period ends before it begins")

    @functools.cached_property
    def key(self) -> HybridRecipient:
        """The recipient itself."""
        return HybridRecipient.from_text(self.recipient)


@dataclass(frozen=True)
class ReviewerKeys:
    """The public keys that a reviewer asks root to list."""

    kind: ClassVar[str] = "reviewer-keys"
    name: str = schema.field(schema.text(128))
    role: str = schema.field(schema.text(128))
    languages: tuple[str, ...] = schema.field(schema.list_of(schema.identifier, 32, unique=True))
    signing: str = schema.field(signing_key)
    recipients: tuple[Period, ...] = schema.field(schema.list_of(schema.record(Period), 64))

    @property
    def key(self) -> bytes:
        """The Ed25519 key that signs the file."""
        return PublicKey.from_text(self.signing).key


@dataclass(frozen=True)
class CourierKey:
    """The public key that a courier asks root to list."""

    kind: ClassVar[str] = "courier-key"
    name: str = schema.field(schema.text(128))
    public: str = schema.field(verify_key, name="key")

    @property
    def key(self) -> bytes:
        """The Ed25519 key that signs the file."""
        return bytes.fromhex(self.public)


Enrolment = ReviewerKeys | CourierKey
KINDS: dict[str, type[ReviewerKeys] | type[CourierKey]] = {kind.kind: kind for kind in (ReviewerKeys, CourierKey)}


def reviewer_file(keys: ReviewerKeys, secret: SecretKey) -> bytes:
    """The file that a reviewer hands to root."""
    return _file(keys, secret.signing)


def courier_file(name: str, key: SigningKey) -> bytes:
    """The file that a courier hands to root."""
    return _file(CourierKey(name, bytes(key.verify_key).hex()), key)


def read(data: bytes) -> Enrolment:
    """The content of an enrolment file; Malformed or Forged unless it is whole and signed by the key that it names."""
    lines = data[: MAX_FILE + 1].split(b"\n")
    if len(data) > MAX_FILE or len(lines) != 3 or lines[2]:
        raise Malformed("not a file of two lines")
    kind, value = schema.parse_object(lines[0], VERSION)
    if kind not in KINDS:
        raise Malformed("not the public keys of a reviewer or a courier")
    keys = schema.parse(KINDS[kind], value)
    signature = schema.unbase64(lines[1].decode("ascii", "replace"))
    signing.verify(keys.key, _signed(keys.kind, lines[0]), signature)
    return keys


def digits(data: bytes) -> str:
    """The digits of an enrolment file, to compare aloud: 10 groups of 4, like root's fingerprint."""
    return grouped(hashlib.blake2b(data, digest_size=16).digest())


def grouped(fingerprint: bytes) -> str:
    """16 bytes as a number in 10 groups of 4 digits."""
    number = str(int.from_bytes(fingerprint)).zfill(40)
    return " ".join(number[start : start + 4] for start in range(0, 40, 4))


def _file(keys: Enrolment, key: SigningKey) -> bytes:
    line = canonical.dumps({"v": VERSION, "kind": keys.kind, **schema.to_json(keys)})
    signature = signing.sign(key, _signed(keys.kind, line))
    return line + b"\n" + base64.b64encode(signature) + b"\n"


def _signed(kind: str, line: bytes) -> bytes:
    return LABEL + kind.encode() + b"\n" + line
