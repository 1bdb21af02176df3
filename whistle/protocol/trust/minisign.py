"""Keys and signatures as stock minisign reads and writes them (SPEC 1.3).

Only prehashed signatures (`ED`, over the data's BLAKE2b-512) are made and accepted: the older kind, `Ed`, signs the
data itself, so that it could be mistaken for a signature over something else.  Secret keys have no password
(`minisign -G -W`); the key file around them protects them.  Each text has one spelling, and any other is Malformed,
except for changes by Windows and its editors that stock minisign accepts too: line ends of CR LF, a missing end of the
last line, and a byte order mark before a public key.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cached_property

from nacl.signing import SigningKey

from whistle.protocol import signing
from whistle.protocol.errors import Forged, Malformed

KEY_ALGORITHM = b"Ed"
SIGNATURE_ALGORITHM = b"ED"  # prehashed
NO_PASSWORD = KEY_ALGORITHM + b"\0\0" + b"B2" + bytes(32 + 8 + 8)  # no KDF, so neither salt nor limits
CHECKSUM = bytes(32)  # left at zero where there is no password
KEY_ID = 8  # bytes
UNTRUSTED = "untrusted comment: "
TRUSTED = "trusted comment: "
MAX_UNTRUSTED = 1_022  # bytes in a line that stock minisign reads whole, a CR at its end included
MAX_TRUSTED = 8_190
MARK = "\ufeff"  # byte order mark


@dataclass(frozen=True)
class PublicKey:
    """A key id (8 random bytes) and an Ed25519 public key (32 bytes); Malformed unless the key is valid (SPEC 1.2)."""

    key_id: bytes
    key: bytes

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID:
            raise Malformed("a minisign key has an id of 8 bytes")
        signing.check_key(self.key)

    @classmethod
    def from_text(cls, text: str) -> "PublicKey":
        """From the base64 line, or from a whole `.pub` file of two lines; raises Malformed."""
        data = _decode(_key_line(text), len(KEY_ALGORITHM) + KEY_ID + signing.KEY)
        if not data.startswith(KEY_ALGORITHM):
            raise Malformed("not a minisign public key")
        return cls(data[2:10], data[10:])

    @classmethod
    def from_file(cls, data: bytes) -> "PublicKey":
        """From the bytes of a `.pub` file; raises Malformed."""
        return cls.from_text(_text(data))

    @property
    def text(self) -> str:
        """The base64 line, `RW…`."""
        return _encode(KEY_ALGORITHM + self.key_id + self.key)

    def file(self) -> bytes:
        """The `.pub` file."""
        return f"{UNTRUSTED}minisign public key {_name(self.key_id)}\n{self.text}\n".encode()

    def verify(self, data: bytes, signature_file: bytes) -> str:
        """The trusted comment of a `.minisig` file over `data`.

        Raises Malformed for any other form, and Forged unless both signatures are by this key.
        """
        key_id, signature, comment, seal = _parse_signature(signature_file)
        if key_id != self.key_id:
            raise Forged(f"signed by the key {_name(key_id)}, not by {_name(self.key_id)}")
        signing.verify(self.key, _prehash(data), signature)
        signing.verify(self.key, signature + comment.encode(), seal)
        return comment


@dataclass(frozen=True)
class SecretKey:
    """A key's id and the Ed25519 seed of 32 bytes."""

    key_id: bytes
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID or len(self.seed) != signing.KEY:
            raise Malformed("a minisign secret key has an id of 8 bytes and a seed of 32")

    @classmethod
    def generate(cls) -> "SecretKey":
        """A new one, from the operating system's randomness."""
        return cls(secrets.token_bytes(KEY_ID), secrets.token_bytes(signing.KEY))

    @classmethod
    def from_text(cls, text: str) -> "SecretKey":
        """From the base64 line, or from a whole key file of two lines; Malformed also if it needs a password."""
        data = _decode(_key_line(text), len(NO_PASSWORD) + KEY_ID + 2 * signing.KEY + len(CHECKSUM))
        if not data.startswith(NO_PASSWORD) or not data.endswith(CHECKSUM):
            raise Malformed("not a minisign secret key without a password")
        start = len(NO_PASSWORD)
        read = cls(data[start : start + 8], data[start + 8 : start + 40])
        if read.public.key != data[start + 40 : start + 72]:
            raise Malformed("the halves of a minisign secret key do not belong together")
        return read

    @property
    def text(self) -> str:
        """The base64 line, `RWQAAEIy…`."""
        return _encode(NO_PASSWORD + self.key_id + self.seed + self.public.key + CHECKSUM)

    def file(self) -> bytes:
        """The key file, as `minisign -S -s` takes it."""
        return f"{UNTRUSTED}minisign secret key {_name(self.key_id)}\n{self.text}\n".encode()

    @cached_property
    def signing(self) -> SigningKey:
        """The Ed25519 key, for signatures that are not in minisign's form."""
        return SigningKey(self.seed)

    @cached_property
    def public(self) -> PublicKey:
        """The public half, under the same id."""
        return PublicKey(self.key_id, bytes(SigningKey(self.seed).verify_key))

    def sign(self, data: bytes, trusted_comment: str) -> bytes:
        """The `.minisig` file over `data`; ValueError for a comment that is not one printable line."""
        if not _printable(trusted_comment) or len((TRUSTED + trusted_comment).encode()) > MAX_TRUSTED:
            raise ValueError("a trusted comment is one line of printable text")
        signature = signing.sign(self.signing, _prehash(data))
        seal = signing.sign(self.signing, signature + trusted_comment.encode())
        lines = [
            f"{UNTRUSTED}signature by {_name(self.key_id)}",
            _encode(SIGNATURE_ALGORITHM + self.key_id + signature),
            TRUSTED + trusted_comment,
            _encode(seal),
        ]
        return "\n".join([*lines, ""]).encode()


def _parse_signature(data: bytes) -> tuple[bytes, bytes, str, bytes]:
    """Key id, signature, trusted comment and the signature over both, from exactly four lines."""
    text = _text(data)
    if text.startswith(MARK):
        raise Malformed("a minisign signature has a byte order mark: an editor saved it, so copy it again as it was")
    lines = _lines(text)
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED) or not lines[2].startswith(TRUSTED):
        raise Malformed("a minisign signature has four lines, two of them comments")
    comment = lines[2].removeprefix(TRUSTED)
    if not _printable(lines[0]) or not _printable(comment):
        raise Malformed("a minisign signature has a comment that cannot be printed")
    signed = _decode(lines[1], len(SIGNATURE_ALGORITHM) + KEY_ID + signing.SIGNATURE)
    if not signed.startswith(SIGNATURE_ALGORITHM):
        raise Malformed("not a prehashed minisign signature")
    return signed[2:10], signed[10:], comment, _decode(lines[3], signing.SIGNATURE)


def _key_line(text: str) -> str:
    """The base64 line of a key, given alone or as the second of a file's two lines."""
    lines = _lines(text.removeprefix(MARK))
    if len(lines) == 2 and lines[0].startswith(UNTRUSTED) and _printable(lines[0]):
        return lines[1]
    return text


def _lines(text: str) -> list[str]:
    """Lines that end in LF or CR LF; the last one may lack its end."""
    lines = text.removesuffix("\n").split("\n")
    sizes = [len(line.encode("utf-8", "surrogatepass")) for line in lines]
    if sizes[0] > MAX_UNTRUSTED or max(sizes) > MAX_TRUSTED:
        raise Malformed("a minisign file has a line that is too long")
    return [line.removesuffix("\r") for line in lines]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise Malformed("a minisign file is not UTF-8") from exc


def _printable(comment: str) -> bool:
    """Whether a comment can be printed; tabs count, since stock minisign writes them."""
    return comment.replace("\t", "").isprintable()


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(line: str, size: int) -> bytes:
    """The `size` bytes of a line of canonical base64."""
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Malformed("a minisign line is not base64") from exc
    if len(data) != size or _encode(data) != line:
        raise Malformed("a minisign line has the wrong length or is not canonical base64")
    return data


def _name(key_id: bytes) -> str:
    """A key's id as stock minisign prints it."""
    return f"{int.from_bytes(key_id, 'little'):X}"


def _prehash(data: bytes) -> bytes:
    return hashlib.blake2b(data).digest()
