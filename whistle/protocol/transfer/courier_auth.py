"""Authentication of couriers: a signature over a request's method, path, time and digest (SPEC 9.2)."""

import hashlib
import re

from nacl.signing import SigningKey

from whistle.protocol import signing
from whistle.protocol.errors import Expired, Malformed

LABEL = b"whistle/v1 courier\n"
SKEW = 300  # seconds
METHOD = re.compile("[A-Z]{1,16}")
PATH = re.compile("/[!-~]{0,255}")
DIGEST = re.compile("[0-9a-f]{64}")


def digest(body: bytes) -> str:
    """SHA-256 in hexadecimal of a request's body, or of the listing with which a push begins."""
    return hashlib.sha256(body).hexdigest()


def sign_request(key: SigningKey, method: str, path: str, time: int, digest: str) -> bytes:
    """The signature, 64 bytes; ``time`` in seconds since 1970, ``digest`` in hexadecimal."""
    return signing.sign(key, _signed(method, path, time, digest))


def check_request(key: bytes, method: str, path: str, time: int, digest: str, signature: bytes, now: int) -> None:
    """Raise Forged unless ``key`` signed the request, Expired unless it is at most five minutes old or ahead."""
    signing.verify(key, _signed(method, path, time, digest), signature)
    if abs(now - time) > SKEW:
        raise Expired("a courier's clock and the server's differ by more than five minutes")


def _signed(method: str, path: str, time: int, digest: str) -> bytes:
    if not (METHOD.fullmatch(method) and PATH.fullmatch(path) and DIGEST.fullmatch(digest) and 0 <= time < 2**53):
        raise Malformed("not a valid courier request")
    return LABEL + "\n".join((method, path, str(time), digest, "")).encode()
