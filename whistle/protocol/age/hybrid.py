"""The post-quantum recipient type `mlkem768x25519`: HPKE (RFC 9180) over the KEM MLKEM768-X25519.

This is the only module that uses the library `cryptography`; `self_test` checks that it works correctly.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from nacl.bindings import crypto_scalarmult_base

from whistle.protocol.age import bech32
from whistle.protocol.age.errors import HeaderError, LowOrderError
from whistle.protocol.age.format import Stanza
from whistle.protocol.age.primitives import POINT, WRAPPED_KEY, encode_base64, is_low_order
from whistle.protocol.age.x25519 import check_point
from whistle.protocol.errors import Malformed

KIND = "mlkem768x25519"
RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "age-secret-key-pq-"
INFO = b"age-encryption.org/mlkem768x25519"
SEED = 32  # bytes
MLKEM_SEED = 64
MLKEM_PUBLIC = 1184
PUBLIC = MLKEM_PUBLIC + POINT  # 1,216
ENCAPSULATED = 1088 + POINT  # 1,120
MODULUS = 3329  # of ML-KEM, whose keys are 768 numbers of twelve bits, followed by a seed
NUMBERS = 1152  # bytes
_ONES = sum(1 << at for at in range(0, 8 * NUMBERS, 24))  # the lowest bit of every second number
EVERY_SECOND = 0xFFF * _ONES
TO_OVERFLOW = ((1 << 12) - MODULUS) * _ONES
OVERFLOWN = (1 << 12) * _ONES

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class HybridRecipient:
    """A public key of 1,216 bytes, ML-KEM-768's and then X25519's; Malformed if no identity can have it."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC:
            raise Malformed("a post-quantum recipient has 1,216 bytes")
        check_point(self.raw[MLKEM_PUBLIC:])
        if not _is_reduced(self.raw[:MLKEM_PUBLIC]):
            raise Malformed("not a public key of ML-KEM-768")

    @classmethod
    def from_text(cls, text: str) -> "HybridRecipient":
        """From `age1pq1…`, in lower case; raises Malformed."""
        prefix, raw = bech32.decode(text)
        if prefix != RECIPIENT_PREFIX or text != text.lower():
            raise Malformed("not a post-quantum recipient of age")
        return cls(raw)

    @cached_property
    def text(self) -> str:
        """As `age1pq1…`, 1,959 characters."""
        return bech32.encode(RECIPIENT_PREFIX, self.raw)

    @cached_property
    def _key(self) -> hpke.MLKEM768X25519PublicKey:
        first = MLKEM768PublicKey.from_public_bytes(self.raw[:MLKEM_PUBLIC])
        return hpke.MLKEM768X25519PublicKey(first, X25519PublicKey.from_public_bytes(self.raw[MLKEM_PUBLIC:]))

    def wrap(self, file_key: bytes) -> Stanza:
        """A fresh stanza that holds `file_key` (16 bytes) for this recipient."""
        return _stanza(_SUITE.encrypt(file_key, self._key, info=INFO))


class Throwaway:
    """A recipient whose identity nobody has, not even its maker; it fills unused slots of an envelope.

    Its stanzas look like all others: the encapsulation is a real one, of ML-KEM-768 and X25519, and fresh each time.
    Nobody has its secret, so 32 random bytes cannot be told from a file key sealed under it (SPEC 5.2).
    """

    def __init__(self) -> None:
        self._key = MLKEM768PrivateKey.generate().public_key()

    def wrap(self, file_key: bytes) -> Stanza:
        """A fresh stanza that nobody can open."""
        _, encapsulated = self._key.encapsulate()
        share = crypto_scalarmult_base(secrets.token_bytes(POINT))
        return _stanza(encapsulated + share + secrets.token_bytes(WRAPPED_KEY))


@dataclass(frozen=True)
class HybridIdentity:
    """A secret seed of 32 bytes, from which SHAKE256 derives both keys."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED:
            raise Malformed("a post-quantum identity has 32 bytes")

    @classmethod
    def generate(cls) -> "HybridIdentity":
        """A new one, from the operating system's randomness."""
        return cls(secrets.token_bytes(SEED))

    @classmethod
    def from_seed(cls, seed: bytes) -> "HybridIdentity":
        """The identity of this seed; raises Malformed unless it has 32 bytes."""
        return cls(seed)

    @classmethod
    def from_text(cls, text: str) -> "HybridIdentity":
        """From `AGE-SECRET-KEY-PQ-1…`, in upper case; raises Malformed."""
        prefix, seed = bech32.decode(text)
        if prefix != IDENTITY_PREFIX or text != text.upper():
            raise Malformed("not a post-quantum identity of age")
        return cls(seed)

    @property
    def text(self) -> str:
        """As `AGE-SECRET-KEY-PQ-1…`."""
        return bech32.encode(IDENTITY_PREFIX, self.seed).upper()

    @cached_property
    def recipient(self) -> HybridRecipient:
        """The public half."""
        mlkem, x25519 = self._halves
        return HybridRecipient(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    @cached_property
    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed).digest(MLKEM_SEED + POINT)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM_SEED]),
            X25519PrivateKey.from_private_bytes(expanded[MLKEM_SEED:]),
        )

    @cached_property
    def _key(self) -> hpke.MLKEM768X25519PrivateKey:
        return hpke.MLKEM768X25519PrivateKey(*self._halves)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key from the first stanza that is ours, or None; HeaderError if one has the wrong form.

        LowOrderError if none is ours and a share has small order.
        """
        mine = [_encapsulated(stanza) + stanza.body for stanza in stanzas if stanza.args[0] == KIND]
        for sealed in mine:
            try:
                return _SUITE.decrypt(sealed, self._key, info=INFO)
            except (InvalidTag, ValueError):
                continue  # also raised for an X25519 share of small order
        if any(is_low_order(sealed[ENCAPSULATED - POINT : ENCAPSULATED]) for sealed in mine):
            raise LowOrderError("a stanza holds a share of small order")
        return None


def _is_reduced(key: bytes) -> bool:
    """Whether all numbers in an ML-KEM-768 key are below MODULUS, the only check of FIPS 203 (7.2).

    All at once: adding 2^12 - MODULUS to every second number overflows exactly those that are too large.
    """
    numbers = int.from_bytes(key[:NUMBERS], "little")
    return not ((numbers & EVERY_SECOND) + TO_OVERFLOW | (numbers >> 12 & EVERY_SECOND) + TO_OVERFLOW) & OVERFLOWN


def _stanza(sealed: bytes) -> Stanza:
    """The stanza of an encapsulated key and the file key sealed under it."""
    return Stanza((KIND, encode_base64(sealed[:ENCAPSULATED]).decode("ascii")), sealed[ENCAPSULATED:])


def _encapsulated(stanza: Stanza) -> bytes:
    """The encapsulated key; lengths are checked before anything is opened (partitioning oracles)."""
    if len(stanza.body) != WRAPPED_KEY or len(stanza.share) != ENCAPSULATED:
        raise HeaderError("a post-quantum stanza has the wrong form")
    return stanza.share
