"""Statements of import: a reviewer's signed word of what the workstation holds of one server day (SPEC 8.3).

They name no case and no id, only the day and one hash over all its ids and contents.
"""

import base64
import binascii
import datetime
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nacl.signing import SigningKey

from whistle.protocol import canonical, schema, signing
from whistle.protocol.errors import Malformed

LABEL = b"whistle/v1 import\n"
REVIEWER = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
SIGNATURE = 64  # bytes


def day_hash(contents: Iterable[tuple[bytes, bytes]]) -> bytes:
    """BLAKE2b-256 over the sorted pairs of id (16 bytes) and SHA-256 of the content (32 bytes).

    The pairs are those of a day's envelopes and blocks in the reviewers' heap.
    """
    return hashlib.blake2b(b"".join(sorted(id + digest for id, digest in contents)), digest_size=32).digest()


@dataclass(frozen=True)
class ImportStatement:
    """Reviewer id, server day (UTC), hash (32 bytes) and Ed25519 signature (64 bytes)."""

    reviewer: str
    day: datetime.date
    hash: bytes
    signature: bytes

    def check(self, key: bytes) -> None:
        """Raises Forged unless the signature is by this Ed25519 key (32 bytes)."""
        signing.verify(key, _signed(self.reviewer, self.day, self.hash), self.signature)

    def record(self) -> dict[str, str]:
        """The JSON object for bundle.json."""
        return {
            "reviewer": self.reviewer,
            "day": self.day.isoformat(),
            "hash": self.hash.hex(),
            "signature": base64.b64encode(self.signature).decode("ascii"),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "ImportStatement":
        """The statement in a JSON object. Raises Malformed for any other form."""
        try:
            statement = cls(
                reviewer=record["reviewer"],
                day=schema.day(record["day"]),
                hash=bytes.fromhex(record["hash"]),
                signature=base64.b64decode(record["signature"], validate=True),
            )
            same = statement.record() == record
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as exc:
            raise Malformed("an import statement has the wrong form") from exc
        sizes = (len(statement.hash), len(statement.signature)) == (32, SIGNATURE)
        named = isinstance(statement.reviewer, str) and REVIEWER.fullmatch(statement.reviewer)
        if not (same and sizes and named):
            raise Malformed("an import statement has the wrong form")
        return statement


def sign(reviewer: str, day: datetime.date, hash: bytes, key: SigningKey) -> ImportStatement:
    """The statement of this reviewer, signed with the reviewer's signing key."""
    return ImportStatement(reviewer, day, hash, signing.sign(key, _signed(reviewer, day, hash)))


def _signed(reviewer: str, day: datetime.date, hash: bytes) -> bytes:
    return LABEL + canonical.dumps({"day": day.isoformat(), "hash": hash.hex(), "reviewer": reviewer})
