"""Ed25519 signatures, verified strictly (SPEC 1.2): keys and nonces of small order are refused."""

import functools

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from whistle.protocol.errors import Forged, Malformed

KEY = 32  # bytes
SIGNATURE = 64  # bytes


def check_key(key: bytes) -> bytes:
    """The same 32 bytes if they are a canonical point of the main subgroup; Malformed otherwise."""
    if len(key) != KEY or not _is_valid(key):
        raise Malformed("not a valid Ed25519 key")
    return key


@functools.lru_cache(maxsize=256)  # of public keys; it takes nearly as long as verifying a signature
def _is_valid(key: bytes) -> bool:
    return bool(crypto_core_ed25519_is_valid_point(key))


def sign(key: SigningKey, message: bytes) -> bytes:
    """The signature of 64 bytes."""
    return key.sign(message).signature


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Raise Forged unless ``signature`` over ``message`` is by ``key``."""
    check_key(key)
    if len(signature) != SIGNATURE:
        raise Malformed("a signature has 64 bytes")
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError as error:
        raise Forged("the signature is not by this key") from error
