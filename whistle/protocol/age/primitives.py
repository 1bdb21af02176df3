"""The primitives of age v1: ChaCha20-Poly1305, X25519 and unpadded base64."""

import binascii

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
)
from nacl.exceptions import CryptoError

from whistle.protocol.age.errors import HeaderError

FILE_KEY = 16  # bytes
TAG = 16  # bytes that ChaCha20-Poly1305 adds
WRAPPED_KEY = FILE_KEY + TAG
POINT = 32  # bytes of an X25519 scalar, point or shared secret
FIELD = 2**255 - 19
LOW_ORDER = frozenset(
    {
        *(0, 1, FIELD - 1, FIELD, FIELD + 1),
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)  # the u coordinates of small order, RFC 7748 section 6.1 and its reference [CURVE25519]
ZERO_NONCE = bytes(12)  # safe where the key is used once, as every wrap key is


def seal(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """ChaCha20-Poly1305 (RFC 8439) without additional data: `plaintext` and 16 bytes more."""
    return crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, None, nonce, key)


def open_(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes | None:
    """The plaintext, or None if `ciphertext` (at least 16 bytes) was not sealed with this key and nonce."""
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext, None, nonce, key)
    except CryptoError:
        return None


def exchange(scalar: bytes, point: bytes) -> bytes | None:
    """X25519 (RFC 7748) of two times 32 bytes; None where the shared secret would be all zeros."""
    if len(scalar) != POINT or len(point) != POINT:
        raise ValueError("X25519 takes 32 bytes and 32 bytes")  # libsodium would read past the end
    try:
        return crypto_scalarmult(scalar, point)
    except CryptoError:
        return None


def is_low_order(point: bytes) -> bool:
    """Whether an X25519 share of 32 bytes has small order: the shared secret is zero for every scalar."""
    return int.from_bytes(point, "little") & (2**255 - 1) in LOW_ORDER


def encode_base64(data: bytes) -> bytes:
    """Standard base64 without padding."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=")


def decode_base64(text: bytes) -> bytes:
    """The bytes of unpadded base64; HeaderError for anything that `encode_base64` would not write."""
    try:
        data = binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error as exc:
        raise HeaderError("the header holds something that is not base64") from exc
    if encode_base64(data) != text:
        raise HeaderError("the header holds base64 that is not canonical")
    return data


def decode_argument(text: str, size: int) -> bytes:
    """The `size` bytes of a stanza's argument; HeaderError if there are more or fewer."""
    data = decode_base64(text.encode("ascii"))
    if len(data) != size:
        raise HeaderError("a stanza's argument has the wrong length")
    return data
