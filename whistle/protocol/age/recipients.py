"""Recipients, which are public and to which files are sealed, and identities, which are secret and open them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from whistle.protocol.age import hybrid, x25519
from whistle.protocol.age.format import Stanza
from whistle.protocol.age.hybrid import HybridIdentity, HybridRecipient
from whistle.protocol.age.x25519 import X25519Identity, X25519Recipient
from whistle.protocol.errors import Malformed


class Recipient(Protocol):
    """Wraps a file key."""

    def wrap(self, file_key: bytes) -> Stanza:
        """A fresh stanza that holds `file_key` (16 bytes)."""


class Identity(Protocol):
    """Unwraps a file key."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key of the first stanza that opens, or None; HeaderError if one of its kind is malformed."""


RECIPIENTS: dict[str, Callable[[str], X25519Recipient | HybridRecipient]] = {
    hybrid.RECIPIENT_PREFIX + "1": HybridRecipient.from_text,
    x25519.RECIPIENT_PREFIX + "1": X25519Recipient.from_text,
}
IDENTITIES: dict[str, Callable[[str], X25519Identity | HybridIdentity]] = {
    hybrid.IDENTITY_PREFIX.upper() + "1": HybridIdentity.from_text,
    x25519.IDENTITY_PREFIX.upper() + "1": X25519Identity.from_text,
}


def recipient(text: str) -> X25519Recipient | HybridRecipient:
    """The recipient in `text`, of the kind that its prefix names; raises Malformed."""
    for prefix, read in RECIPIENTS.items():
        if text.startswith(prefix):
            return read(text)
    raise Malformed("not a recipient of age")


def identity(text: str) -> X25519Identity | HybridIdentity:
    """The identity in `text`, of the kind that its prefix names; raises Malformed."""
    for prefix, read in IDENTITIES.items():
        if text.startswith(prefix):
            return read(text)
    raise Malformed("not an identity of age")
