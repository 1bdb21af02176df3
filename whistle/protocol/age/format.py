"""The header of an age v1 file, read and written exactly as C2SP's age.md gives it.

There is one way to write a header: whatever is read and written again is the same bytes, and anything else
is a HeaderError.  Lines end in LF alone, base64 is canonical, a body ends in a line shorter than 64 columns,
and a passphrase's stanza stands alone.
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
    """The file key as wrapped for one recipient: `args[0]` names the kind, `body` is not decoded further."""

    args: tuple[str, ...]
    body: bytes

    @functools.cached_property
    def share(self) -> bytes:
        """What the argument behind the kind stands for; HeaderError unless it is the only one, in base64."""
        if len(self.args) != 2:
            raise HeaderError("a stanza has another number of arguments")
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
    """Every stanza of a file, in order, and the MAC over them (32 bytes), which reading alone does not check."""

    stanzas: tuple[Stanza, ...]
    mac: bytes

    def encode(self) -> bytes:
        """The header as it stands in the file, up to and with the last LF."""
        return _ended(self.signed, self.mac)

    @functools.cached_property
    def signed(self) -> bytes:
        """What the MAC is over: everything up to and with the `---`."""
        return _signed(self.stanzas)

    def is_sealed_with(self, file_key: bytes) -> bool:
        """Whether the MAC is the one that `file_key` gives these stanzas."""
        return hmac.compare_digest(self.mac, _mac(self.signed, file_key))


def sealed_header(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """A header of `stanzas` with its MAC, as it stands in the file; ValueError where a reader would have to refuse it.

    Not all of it is read back: how a body is written leaves nothing to refuse.
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
    """Where the header of a file that begins with `data` ends, or None while more bytes could tell.

    HeaderError as soon as none could.
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
    """A stanza from its line of arguments and as many of the lines that follow as are its body."""
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
    """The MAC that the last line holds."""
    match = _END.fullmatch(line)
    if not match:
        raise HeaderError("the header's last line has the wrong form")
    return decode_base64(match[1])


def _checked(stanzas: Sequence[Stanza]) -> tuple[Stanza, ...]:
    """The stanzas, of which there is one at least, and no other beside a passphrase's."""
    if not stanzas:
        raise HeaderError("the header has no stanza")
    if len(stanzas) > 1 and any(stanza.args[0] == SCRYPT for stanza in stanzas):
        raise HeaderError("a passphrase's stanza does not stand alone")
    return tuple(stanzas)


def _signed(stanzas: Sequence[Stanza]) -> bytes:
    return VERSION + b"\n" + b"".join(stanza.encode() for stanza in stanzas) + END


def _ended(signed: bytes, mac: bytes) -> bytes:
    return signed + b" " + encode_base64(mac) + b"\n"


def _mac(signed: bytes, file_key: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, b"", b"header"), signed, "sha256")
