"""The header of an age v1 file, read and written exactly as in C2SP's age.md.

There is one way to write a header: reading and writing it again gives the same bytes, and anything else is a
HeaderError.  Lines end in LF alone, base64 is canonical, a body ends in a line shorter than 64 columns,
and a passphrase's stanza is the only one.
"""

import functools
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whistle.protocol.age.errors import HeaderError
from whistle.protocol.age.primitives import decode_base64, encode_base64
from whistle.protocol.hkdf import hkdf

VERSION = b"age-encryption.org/v1"
MAX_HEADER = 131_072  # bytes; 64 stanzas of the hybrid kind take 99,718
END = b"---"
COLUMNS = 64  # characters in a full line of a body
MAC = 32  # bytes
SCRYPT = "scrypt"

_ARGUMENTS = re.compile(rb"-> [\x21-\x7e]+(?: [\x21-\x7e]+)*")
_END = re.compile(rb"--- ([A-Za-z0-9+/]{43})")


@dataclass(frozen=True)
class Stanza:
    """The file key wrapped for one recipient: `args[0]` is the kind, `body` the decoded bytes."""

    args: tuple[str, ...]
    body: bytes

    @functools.cached_property
    def share(self) -> bytes:
        """The bytes of the argument after the kind; HeaderError unless it is the only one, in base64."""
        if len(self.args) != 2:
            raise HeaderError("a stanza has the wrong number of arguments")
        return decode_base64(self.args[1].encode("ascii"))

    @property
    def first(self) -> bytes:
        """The line of arguments, without its LF."""
        return b"-> " + " ".join(self.args).encode("ascii")

    def encode(self) -> bytes:
        """The stanza's lines, each with its LF."""
        text = encode_base64(self.body)
        lines = [text[at : at + COLUMNS] for at in range(0, len(text) + 1, COLUMNS)]
        return b"\n".join([self.first, *lines, b""])


@dataclass(frozen=True)
class Header:
    """The stanzas of a file, in order, and the MAC over them (32 bytes), which parsing does not check."""

    stanzas: tuple[Stanza, ...]
    mac: bytes

    def encode(self) -> bytes:
        """The bytes of the header, up to and including the last LF."""
        return _ended(self.signed, self.mac)

    @functools.cached_property
    def signed(self) -> bytes:
        """The bytes that the MAC covers: everything up to and including the `---`."""
        return _signed(self.stanzas)

    def is_sealed_with(self, file_key: bytes) -> bool:
        """Whether the MAC is the one that `file_key` gives these stanzas."""
        return hmac.compare_digest(self.mac, _mac(self.signed, file_key))


def sealed_header(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """The bytes of a header of `stanzas` with its MAC; ValueError if a reader would refuse it.

    Bodies are not checked: whatever `Stanza.encode` writes is valid.
    """
    signed = _signed(stanzas)
    header = _ended(signed, _mac(signed, file_key))
    try:
        _checked(stanzas)
    except HeaderError as exc:
        raise ValueError("these recipients do not make a header that age reads") from exc
    if len(header) > MAX_HEADER or not all(_ARGUMENTS.fullmatch(stanza.first) for stanza in stanzas):
        raise ValueError("these recipients do not make a header that age reads")
    return header


def header_end(data: bytes | bytearray) -> int | None:
    """The length of the header at the start of `data`, or None if more bytes are needed.

    HeaderError as soon as no further bytes could make it valid.
    """
    intro = VERSION + b"\n"
    if data[: len(intro)] != intro[: len(data)]:
        raise HeaderError("not an age file, or of another version")
    last = data.find(b"\n---", 0, MAX_HEADER)
    end = data.find(b"\n", last + 1, MAX_HEADER) if last >= 0 else -1
    if end < 0 and len(data) >= MAX_HEADER:
        raise HeaderError(f"the header does not end within {MAX_HEADER} bytes")
    return end + 1 if end >= 0 else None


def parse_header(data: bytes) -> tuple[Header, int]:
    """The header that `data` begins with, and its length in bytes; HeaderError for any other form."""
    length = header_end(data)
    if length is None:
        raise HeaderError("the header is cut off")
    lines = iter(bytes(data[: length - 1]).split(b"\n")[1:])
    stanzas: list[Stanza] = []
    for line in lines:
        if line.startswith(END):
            header = Header(_checked(stanzas), _parse_mac(line))
            header.__dict__["signed"] = bytes(data[: length - len(line) - 1 + len(END)])  # as it would be written
            return header, length
        stanzas.append(_parse_stanza(line, lines))
    raise HeaderError("the header has no last line")


def _parse_stanza(first: bytes, lines: Iterator[bytes]) -> Stanza:
    """A stanza, from its line of arguments and the lines of its body, which are taken from `lines`."""
    if not _ARGUMENTS.fullmatch(first):
        raise HeaderError("a stanza does not begin with its arguments")
    body = []
    for line in lines:
        if len(line) > COLUMNS:
            raise HeaderError("a stanza has a line that is too long")
        body.append(line)
        if len(line) < COLUMNS:
            return Stanza(tuple(first[3:].decode("ascii").split(" ")), decode_base64(b"".join(body)))
    raise HeaderError("a stanza has no end")


def _parse_mac(line: bytes) -> bytes:
    """The MAC in the last line."""
    match = _END.fullmatch(line)
    if not match:
        raise HeaderError("the header's last line has the wrong form")
    return decode_base64(match[1])


def _checked(stanzas: Sequence[Stanza]) -> tuple[Stanza, ...]:
    """The stanzas; HeaderError if there is none, or another beside a passphrase's."""
    if not stanzas:
        raise HeaderError("the header has no stanza")
    if len(stanzas) > 1 and any(stanza.args[0] == SCRYPT for stanza in stanzas):
        raise HeaderError("a passphrase's stanza is not the only one")
    return tuple(stanzas)


def _signed(stanzas: Sequence[Stanza]) -> bytes:
    return VERSION + b"\n" + b"".join(stanza.encode() for stanza in stanzas) + END


def _ended(signed: bytes, mac: bytes) -> bytes:
    return signed + b" " + encode_base64(mac) + b"\n"


def _mac(signed: bytes, file_key: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, b"", b"header"), signed, "sha256")
