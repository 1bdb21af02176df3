"""Bech32 (BIP173) without its limit on the length, as age writes keys.  Mixed case is refused."""

import base64
import binascii

from whistle.protocol.errors import Malformed

CHARSET = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CHECKSUM = 6  # characters
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_FOLD = tuple(
    sum_
    for top in range(32)
    for sum_ in [
        (GENERATOR[0] if top & 1 else 0)
        ^ (GENERATOR[1] if top & 2 else 0)
        ^ (GENERATOR[2] if top & 4 else 0)
        ^ (GENERATOR[3] if top & 8 else 0)
        ^ (GENERATOR[4] if top & 16 else 0)
    ]
)
_TO_VALUES = bytes.maketrans(CHARSET, bytes(range(32)))
_TO_BASE32 = bytes.maketrans(CHARSET, BASE32)
_FROM_BASE32 = bytes.maketrans(BASE32, CHARSET)


def encode(prefix: str, data: bytes) -> str:
    """`data` under the lower-case human-readable `prefix`, in lower case."""
    body = base64.b32encode(data).rstrip(b"=").translate(_FROM_BASE32)
    values = _expand(prefix) + body.translate(_TO_VALUES)
    check = _polymod(values + bytes(CHECKSUM)) ^ 1
    tail = bytes(CHARSET[check >> 5 * (CHECKSUM - 1 - i) & 31] for i in range(CHECKSUM))
    return f"{prefix}1{(body + tail).decode('ascii')}"


def decode(text: str) -> tuple[str, bytes]:
    """The prefix, in lower case, and the data of `text`; raises Malformed."""
    if not text.isascii() or (text != text.lower() and text != text.upper()):
        raise Malformed("a key is not Bech32: characters outside its alphabet, or mixed case")
    prefix, separator, rest = text.lower().rpartition("1")
    coded = rest.encode("ascii")
    if not prefix or not separator or len(coded) < CHECKSUM or not prefix.isprintable() or " " in prefix:
        raise Malformed("a key is not Bech32: no prefix or no checksum")
    if coded.translate(None, CHARSET):
        raise Malformed("a key is not Bech32: characters outside its alphabet")
    if _polymod(_expand(prefix) + coded.translate(_TO_VALUES)) != 1:
        raise Malformed("a key is mistyped or damaged: its checksum is wrong")
    return prefix, _bytes(coded[:-CHECKSUM])


def _bytes(coded: bytes) -> bytes:
    """The bytes that the data characters stand for; spare bits other than zero are refused."""
    letters = coded.translate(_TO_BASE32)
    try:
        data = base64.b32decode(letters + b"=" * (-len(letters) % 8))
    except binascii.Error as exc:
        raise Malformed("a key is not Bech32: its length is impossible") from exc
    if base64.b32encode(data).rstrip(b"=") != letters:
        raise Malformed("a key is not Bech32: its spare bits are not zero")
    return data


def _expand(prefix: str) -> bytes:
    """The prefix as the checksum takes it in."""
    raw = prefix.encode("ascii")
    return bytes(c >> 5 for c in raw) + b"\0" + bytes(c & 31 for c in raw)


def _polymod(values: bytes) -> int:
    """BIP173's checksum over five-bit values."""
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _FOLD[check >> 25]
    return check
