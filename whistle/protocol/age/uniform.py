"""Files all of whose stanzas are post-quantum, as many as is known beforehand, with a payload of one piece.

Such a header has one length, and all that may stand in it is one regular expression: to check it so takes a quarter of
the time that it takes line by line.  The expression admits what `parse_header` admits and nothing else.
"""

import binascii
import functools
import re
from collections.abc import Sequence

from whistle.protocol.age.errors import HeaderError, MacError
from whistle.protocol.age.format import MAX_HEADER, is_sealed_with
from whistle.protocol.age.hybrid import HybridIdentity
from whistle.protocol.age.stream import open_short
from whistle.protocol.errors import NotForMe

INTRO = 70  # bytes of a header without stanzas
STANZA = 1557  # bytes of a stanza
MOST = (MAX_HEADER - INTRO) // STANZA  # 84 stanzas

# Base64 of 32 and of 1,120 bytes, whose last character has two spare bits, or four, that are zero.
_SHORT = rb"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048])"
_LONG = rb"([A-Za-z0-9+/]{1493}[AQgw])"
_STANZA = rb"-> mlkem768x25519 " + _LONG + rb"\n" + _SHORT + rb"\n"


def header_length(count: int) -> int:
    """Bytes of a header of `count` stanzas."""
    return INTRO + count * STANZA


def check_header(data: bytes, count: int) -> re.Match[bytes]:
    """The header that `data` begins with, in its parts; HeaderError for any other form.  Opens nothing."""
    found = _pattern(count).match(data)
    if found is None:
        raise HeaderError(f"not a header of {count} post-quantum stanzas")
    return found


def decrypt_uniform(identities: Sequence[HybridIdentity], data: bytes, count: int) -> bytes:
    """A whole file at once; raises HeaderError, NotForMe, MacError or PayloadError.

    Identities are tried in order, and the first stanza that opens decides; a share of small order opens nothing.
    """
    header = check_header(data, count)
    file_key = _file_key(header, count, identities)
    if file_key is None:
        raise NotForMe("none of the identities opens this file")
    mac = count * 2 + 1
    if not is_sealed_with(file_key, data[: header.start(mac) - 1], _decoded(header[mac])):
        raise MacError("the header was altered")
    return open_short(file_key, data[header.end() :])


def _file_key(header: re.Match[bytes], count: int, identities: Sequence[HybridIdentity]) -> bytes | None:
    sealed: list[bytes] = []  # each is decoded when it is first tried
    for identity in identities:
        for place in range(count):
            if place == len(sealed):
                sealed.append(b"".join(map(_decoded, header.group(2 * place + 1, 2 * place + 2))))
            file_key = identity.open(sealed[place])
            if file_key is not None:
                return file_key
    return None


def _decoded(text: bytes) -> bytes:
    """The bytes of base64 that the expression has admitted."""
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


@functools.cache
def _pattern(count: int) -> re.Pattern[bytes]:
    if not 1 <= count <= MOST:
        raise ValueError(f"a header has 1 to {MOST} such stanzas")
    return re.compile(rb"age-encryption\.org/v1\n" + _STANZA * count + rb"--- " + _SHORT + rb"\n")
