"""The age v1 file format over PyNaCl, read as strictly as C2SP's age.md demands.

Stanzas: `X25519`, `mlkem768x25519`, `scrypt`; others are skipped.  `armor` has ASCII armour; there are no plugins.
Errors: ArmorError, HeaderError, MacError, PayloadError (all Malformed) and NotForMe.
"""

from whistle.protocol.age.errors import (
    ArmorError,
    HeaderError,
    LowOrderError,
    MacError,
    PayloadError,
    SelfTestError,
)
from whistle.protocol.age.format import MAX_HEADER, Header, Stanza, parse_header
from whistle.protocol.age.hybrid import HybridIdentity, HybridRecipient, Throwaway
from whistle.protocol.age.passphrase import ScryptIdentity, ScryptRecipient
from whistle.protocol.age.recipients import Identity, Recipient, identity, recipient
from whistle.protocol.age.selftest import self_test
from whistle.protocol.age.stream import CHUNK, NONCE, SEALED_CHUNK, Opener, Sealer, decrypt, encrypt
from whistle.protocol.age.x25519 import X25519Identity, X25519Recipient

__all__ = [
    "CHUNK",
    "MAX_HEADER",
    "NONCE",
    "SEALED_CHUNK",
    "ArmorError",
    "Header",
    "HeaderError",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "LowOrderError",
    "MacError",
    "Opener",
    "PayloadError",
    "Recipient",
    "ScryptIdentity",
    "ScryptRecipient",
    "Sealer",
    "SelfTestError",
    "Stanza",
    "Throwaway",
    "X25519Identity",
    "X25519Recipient",
    "decrypt",
    "encrypt",
    "identity",
    "parse_header",
    "recipient",
    "self_test",
]
