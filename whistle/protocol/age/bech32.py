"""Bech32 (BIP173) without its limit of 90 characters, as age writes keys.  Mixed case is refused."""

import functools

from whistle.protocol.errors import Malformed

CHARSET = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHECKSUM = 6  # characters
PERIOD = 1023  # characters, the length of BIP173's code
LAST_PERIOD = (1 << 5 * PERIOD) - 1
LONGEST = 2 * PERIOD  # characters after the separator; a post-quantum recipient has 1,952
SHORT = 64  # characters; every other key has at most as many
WIDE = 2048  # a power of two that LONGEST is below
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_TO_DIGITS = bytes.maketrans(CHARSET, b"0123456789abcdefghijklmnopqrstuv")  # as `int` reads base 32
_FROM_DIGITS = CHARSET.ljust(256, b"?")  # each value of five bits as its character


def encode(prefix: str, data: bytes) -> str:
    """`data` under the lower-case human-readable `prefix`, in lower case."""
    body = _digits(data).translate(_FROM_DIGITS)
    check = _checksum(prefix, _value(body + CHARSET[:1] * CHECKSUM), len(body) + CHECKSUM) ^ 1
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
    if len(coded) > LONGEST or _checksum(prefix, value := _value(coded), len(coded)) != 1:
        raise Malformed("a key is mistyped or damaged: its checksum is wrong")
    return prefix, _bytes(value >> 5 * CHECKSUM, len(coded) - CHECKSUM)


def _value(coded: bytes) -> int:
    """The characters' bits as one number."""
    return int(coded.translate(_TO_DIGITS), 32)


def _bytes(value: int, count: int) -> bytes:
    """The bytes of `count` data characters; Malformed if spare bits are not zero."""
    length, spare = divmod(5 * count, 8)
    if spare >= 5:
        raise Malformed("a key is not Bech32: its length is impossible")
    if value & (1 << spare) - 1:
        raise Malformed("a key is not Bech32: its spare bits are not zero")
    return (value >> spare).to_bytes(length)


def _digits(data: bytes) -> bytes:
    """The data's bits in groups of five, each as one byte; the last is padded with zeros.

    Works on one large number, which is split into halves, these into halves again, and so on: no loop over characters.
    """
    count = -(-8 * len(data) // 5)
    value = int.from_bytes(data) << 5 * count - 8 * len(data)
    for half, low, high in _splits(SHORT if count <= SHORT else WIDE):
        value = value & low | (value & high) << 3 * half
    return value.to_bytes(count)


@functools.cache
def _splits(count: int) -> tuple[tuple[int, int, int], ...]:
    """How to split `count` groups of five bits (a power of two): the groups in a half, and the masks of both halves."""
    steps, half = [], count // 2
    while half:
        low = sum(1 << at for at in range(0, 8 * count, 16 * half)) * ((1 << 5 * half) - 1)
        steps.append((half, low, low << 5 * half))
        half //= 2
    return tuple(steps)


def _checksum(prefix: str, value: int, count: int) -> int:
    """BIP173's checksum of 30 bits over the prefix and the `count` characters after the separator, as one number.

    It is linear: each of its bits is the parity of some bits of the characters, so that a long key needs 30 steps
    instead of one for each character.  Characters that are PERIOD apart contribute the same.
    """
    check = 0
    if count > PERIOD:
        value = value >> 5 * PERIOD ^ value & LAST_PERIOD
    for mask in _masks(SHORT if count <= SHORT else PERIOD):
        check = check << 1 | (value & mask).bit_count() & 1
    return check ^ _prefix_checksum(prefix, count)


@functools.lru_cache(maxsize=8)
def _prefix_checksum(prefix: str, count: int) -> int:
    """The checksum of the prefix followed by `count` characters of value zero."""
    raw = prefix.encode("ascii")
    values = bytes(c >> 5 for c in raw) + b"\0" + bytes(c & 31 for c in raw) + bytes(count)
    return functools.reduce(_step, values, 1)


@functools.cache
def _masks(count: int) -> tuple[int, ...]:
    """For each bit of the checksum, highest first, a mask of the bits in the last `count` characters that flip it."""
    adds = [1 << bit for bit in range(5)]  # what each bit contributes to the checksum, from the last character on
    for at in range(5 * (count - 1)):
        adds.append(_step(adds[at], 0))
    rows = zip(*(format(each, "030b") for each in reversed(adds)), strict=True)
    return tuple(int("".join(row), 2) for row in rows)


def _step(check: int, value: int) -> int:
    top = check >> 25
    check = (check & 0x1FFFFFF) << 5 ^ value
    for bit, generator in enumerate(GENERATOR):
        check ^= generator if top >> bit & 1 else 0
    return check
