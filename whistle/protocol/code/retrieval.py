"""Everything derived from a retrieval code: keys, tokens, ids, the case (SPEC 2, 3).

The ids of a reporter's own envelopes are hashes of tokens: an id is enough to read, only the token can store or
withdraw.  Reply places have ids and no tokens, so nobody writes there but a courier, whose push names ids.
"""

import functools
import hashlib
import hmac
import struct
from dataclasses import dataclass

from nacl.signing import SigningKey

from whistle.protocol.age import HybridIdentity
from whistle.protocol.code.words import CODE
from whistle.protocol.hkdf import hkdf

SALT = b"whistle/v1"
TOKEN = ID = 16  # bytes
ATTEMPT = 32  # bytes
ONCE = 8  # bytes
PLACES = 64  # reply places in a lane
LABEL_MAILBOX, LABEL_SIGN, LABEL_SENT, LABEL_REPLIES = b"mailbox", b"sign", b"sent", b"replies"
LABEL_MESSAGE, LABEL_SLIP = b"whistle/v1 message", b"whistle/v1 slip"
LABEL_CASE = b"whistle/v1 case"
LABEL_LANES = b"whistle/v1 replies"
REFERENCE_BITS = 39
REFERENCE_DIGITS = 12


def message_id(token: bytes) -> bytes:
    """The server's id (16 bytes) of the report or follow-up with this token (16 bytes; SPEC 3.2)."""
    return _labelled(LABEL_MESSAGE, token)


def slip_id(token: bytes) -> bytes:
    """The server's id (16 bytes) of the slip of the report with this token (16 bytes; SPEC 3.2)."""
    return _labelled(LABEL_SLIP, token)


def _labelled(label: bytes, token: bytes) -> bytes:
    if len(token) != TOKEN:
        raise ValueError("a token has 16 bytes")
    return hashlib.blake2b(label + token, digest_size=ID).digest()


def case_of(verify_key: bytes, mailbox: bytes, replies: bytes) -> bytes:
    """The case, 32 bytes, of a verify key, a mailbox recipient (raw) and a replies key (SPEC 3.1)."""
    if (len(verify_key), len(mailbox), len(replies)) != (32, 1216, 32):
        raise ValueError("the keys must have 32, 1216 and 32 bytes")
    return hashlib.blake2b(LABEL_CASE + verify_key + mailbox + replies, digest_size=32).digest()


def reference(case: bytes) -> str:
    """The case reference that people may quote: twelve digits in three groups.  It opens nothing (SPEC 3.1)."""
    value = int.from_bytes(case[:8]) >> (64 - REFERENCE_BITS)
    digits = str(value).zfill(REFERENCE_DIGITS)
    return "-".join(digits[start : start + 4] for start in range(0, REFERENCE_DIGITS, 4))


def place_ids(replies: bytes, lane: int) -> list[bytes]:
    """The server's ids of the 64 reply places of a lane, 0 to 255 (SPEC 3.3)."""
    stream = hashlib.shake_256(LABEL_LANES + replies + bytes([lane])).digest(PLACES * ID)
    return [stream[start : start + ID] for start in range(0, len(stream), ID)]


def code_for(attempt: bytes, digest: bytes) -> bytes:
    """The code (16 bytes) of a form, from its 32 random bytes and the digest of its content (SPEC 2.4)."""
    if (len(attempt), len(digest)) != (ATTEMPT, 32):
        raise ValueError("an attempt and a digest have 32 bytes each")
    return hmac.digest(attempt, digest, "sha256")[:CODE]


@dataclass(frozen=True)
class Reporter:
    """The secrets that only the holder of the words can compute; made by ``derive``."""

    code: bytes
    mailbox: HybridIdentity
    signing: SigningKey
    sent: bytes
    replies: bytes

    @property
    def verify_key(self) -> bytes:
        """The public half of the signing key, 32 bytes."""
        return bytes(self.signing.verify_key)

    @functools.cached_property
    def case(self) -> bytes:
        """The case, 32 bytes."""
        return case_of(self.verify_key, self.mailbox.recipient.raw, self.replies)

    @property
    def report_token(self) -> bytes:
        """The token of the report, 16 bytes."""
        return self._sent(b"report")

    @property
    def report_id(self) -> bytes:
        """The server's id of the report, 16 bytes."""
        return message_id(self.report_token)

    @property
    def slip_id(self) -> bytes:
        """The server's id of the report's slip, 16 bytes."""
        return slip_id(self.report_token)

    def follow_up_token(self, attempt: bytes, digest: bytes) -> bytes:
        """The token of the follow-up with this attempt and digest, 32 bytes each."""
        return self._sent(attempt + digest)

    def once(self, attempt: bytes) -> str:
        """What tells the follow-up with this attempt from another of the same words, in hexadecimal (SPEC 4.4)."""
        return self._sent(b"once" + attempt)[:ONCE].hex()

    def lookup_ids(self, slots: int) -> list[bytes]:
        """All ids that a lookup asks for, sorted: the report's, the slip's and every reply place of 2 × slots lanes."""
        places = [id for lane in range(2 * slots) for id in place_ids(self.replies, lane)]
        return sorted([self.report_id, self.slip_id, *places])

    def _sent(self, what: bytes) -> bytes:
        return hmac.digest(self.sent, what, "sha256")[:TOKEN]


def derive(code: bytes) -> Reporter:
    """The reporter behind a code of 16 bytes."""
    if len(code) != CODE:
        raise ValueError("a retrieval code has 16 bytes")
    return Reporter(
        code,
        HybridIdentity.from_seed(hkdf(code, SALT, LABEL_MAILBOX)),
        SigningKey(hkdf(code, SALT, LABEL_SIGN)),
        hkdf(code, SALT, LABEL_SENT),
        hkdf(code, SALT, LABEL_REPLIES),
    )


class FormDigest:
    """SHA-256 over a form in the order sent: each field, then each file (SPEC 2.4).

    ``attempt`` and ``words`` are left out.  ValueError for a field after the first file.
    """

    LEFT_OUT = frozenset({"attempt", "words"})

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._files = False

    def field(self, name: str, value: bytes) -> None:
        """Add a field with its value as sent."""
        if self._files:
            raise ValueError("a field follows the first file")
        if name not in self.LEFT_OUT:
            self._add(name.encode("utf-8", "surrogatepass"), value)

    def file(self, filename: str, sha256: bytes) -> None:
        """Add a file by its name, as the browser gave it, and the SHA-256 of its content."""
        self._files = True
        self._add(filename.encode("utf-8", "surrogatepass"), sha256)

    def digest(self) -> bytes:
        """The digest so far, 32 bytes."""
        return self._hash.digest()

    def _add(self, name: bytes, value: bytes) -> None:
        self._hash.update(struct.pack(">I", len(name)) + name + struct.pack(">Q", len(value)))
        self._hash.update(value)
