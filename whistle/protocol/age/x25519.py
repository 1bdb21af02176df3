"""The recipient type X25519.  Not post-quantum: for attachments, whose stanza only their readers see."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nacl.bindings import crypto_scalarmult_base

from whistle.protocol.age import bech32
from whistle.protocol.age.errors import HeaderError, LowOrderError
from whistle.protocol.age.format import Stanza
from whistle.protocol.age.primitives import (
    POINT,
    WRAPPED_KEY,
    ZERO_NONCE,
    decode_argument,
    encode_base64,
    exchange,
    is_low_order,
    open_,
    seal,
)
from whistle.protocol.errors import Malformed
from whistle.protocol.hkdf import hkdf

KIND = "X25519"
RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "age-secret-key-"
WRAP_INFO = b"age-encryption.org/v1/X25519"


@dataclass(frozen=True)
class X25519Recipient:
    """A public key of 32 bytes; Malformed if it has small order, since nothing can be sealed to it."""

    raw: bytes

    def __post_init__(self) -> None:
        check_point(self.raw)

    @classmethod
    def from_text(cls, text: str) -> "X25519Recipient":
        """From `age1…`, in lower case; raises Malformed."""
        prefix, raw = bech32.decode(text)
        if prefix != RECIPIENT_PREFIX or text != text.lower():
            raise Malformed("not an X25519 recipient of age")
        return cls(raw)

    @cached_property
    def text(self) -> str:
        """As `age1…`."""
        return bech32.encode(RECIPIENT_PREFIX, self.raw)

    def wrap(self, file_key: bytes) -> Stanza:
        """A fresh stanza that holds `file_key` (16 bytes) for this recipient."""
        ephemeral = secrets.token_bytes(POINT)
        share = crypto_scalarmult_base(ephemeral)
        shared = exchange(ephemeral, self.raw)
        if shared is None:
            raise Malformed("nothing can be sealed to this recipient")
        body = seal(hkdf(shared, share + self.raw, WRAP_INFO), ZERO_NONCE, file_key)
        return Stanza((KIND, encode_base64(share).decode("ascii")), body)


@dataclass(frozen=True)
class X25519Identity:
    """A secret key of 32 bytes."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != POINT:
            raise Malformed("an X25519 identity has 32 bytes")

    @classmethod
    def generate(cls) -> "X25519Identity":
        """A new one, from the operating system's randomness."""
        return cls(secrets.token_bytes(POINT))

    @classmethod
    def from_text(cls, text: str) -> "X25519Identity":
        """From `AGE-SECRET-KEY-1…`, in upper case; raises Malformed."""
        prefix, secret = bech32.decode(text)
        if prefix != IDENTITY_PREFIX or text != text.upper():
            raise Malformed("not an X25519 identity of age")
        return cls(secret)

    @property
    def text(self) -> str:
        """As `AGE-SECRET-KEY-1…`."""
        return bech32.encode(IDENTITY_PREFIX, self.secret).upper()

    @cached_property
    def recipient(self) -> X25519Recipient:
        """The public half."""
        return X25519Recipient(crypto_scalarmult_base(self.secret))

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key from the first stanza that is ours, or None; HeaderError if one has the wrong form.

        LowOrderError if none is ours and a share has small order.
        """
        mine = [(_share(stanza), stanza.body) for stanza in stanzas if stanza.args[0] == KIND]
        for share, body in mine:
            shared = exchange(self.secret, share)
            if shared is None:
                continue  # a share of small order opens nothing
            file_key = open_(hkdf(shared, share + self.recipient.raw, WRAP_INFO), ZERO_NONCE, body)
            if file_key is not None:
                return file_key
        if any(is_low_order(share) for share, _ in mine):
            raise LowOrderError("a stanza holds a share of small order")
        return None


def check_point(raw: bytes) -> None:
    """Raise Malformed unless `raw` is 32 bytes and not of small order."""
    if len(raw) != POINT or is_low_order(raw):
        raise Malformed("not an X25519 public key to which anything can be sealed")


def _share(stanza: Stanza) -> bytes:
    """The ephemeral share; lengths are checked before anything is opened (partitioning oracles)."""
    if len(stanza.args) != 2 or len(stanza.body) != WRAPPED_KEY:
        raise HeaderError("an X25519 stanza has the wrong form")
    return decode_argument(stanza.args[1], POINT)
