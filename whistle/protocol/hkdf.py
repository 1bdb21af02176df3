"""HKDF with SHA-256 (RFC 5869), for keys of 32 bytes."""

import hashlib
import hmac

LENGTH = hashlib.sha256().digest_size  # bytes


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Extract with ``salt`` and expand with ``info`` to 32 bytes, which is one round of the expansion."""
    extracted = hmac.digest(salt or bytes(LENGTH), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")
