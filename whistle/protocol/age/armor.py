"""ASCII armour as in age, strict PEM (C2SP age.md), for bytes that must pass through a field of text.

Lines end in LF or CRLF, all but the last have 64 columns, base64 is padded and canonical, and nothing but white space
may surround it; anything else is an ArmorError.  It does not stream.
"""

import base64
import binascii

from whistle.protocol.age.errors import ArmorError

LABEL = "AGE ENCRYPTED FILE"
COLUMNS = 64
SPACE = b" \t\r\n"


def begin(label: str = LABEL) -> bytes:
    """The first line of armour, without its line end."""
    return b"-----BEGIN " + label.encode("ascii") + b"-----"


def end(label: str = LABEL) -> bytes:
    """The last line of armour, without its line end."""
    return b"-----END " + label.encode("ascii") + b"-----"


def encode(data: bytes, label: str = LABEL) -> bytes:
    """The armoured text of ``data``, each line with its LF."""
    return lines(base64.b64encode(data), label)


def lines(coded: bytes, label: str = LABEL) -> bytes:
    """The armoured text around base64."""
    body = [coded[at : at + COLUMNS] for at in range(0, len(coded), COLUMNS)]
    return b"\n".join([begin(label), *body, end(label), b""])


def decode(text: bytes, label: str = LABEL) -> bytes:
    """The data in an armoured text; ArmorError for any text that ``encode`` would not write, except for line ends."""
    rows = [line.removesuffix(b"\r") for line in text.split(b"\n")]
    first, last = _outermost(rows)
    if first == last or rows[first] != begin(label) or rows[last] != end(label):
        raise ArmorError("armour lacks its first or last line")
    body = rows[first + 1 : last]
    if any(len(line) != COLUMNS for line in body[:-1]) or (body and not 1 <= len(body[-1]) <= COLUMNS):
        raise ArmorError("armour has a line of the wrong length")
    coded = b"".join(body)
    try:
        data = base64.b64decode(coded, validate=True)
    except binascii.Error as exc:
        raise ArmorError("armour holds something that is not base64") from exc
    if base64.b64encode(data) != coded:  # one spelling only
        raise ArmorError("armour holds base64 that is not canonical")
    return data


def _outermost(lines: list[bytes]) -> tuple[int, int]:
    """The first and the last line that hold more than white space."""
    full = [index for index, line in enumerate(lines) if line.strip(SPACE)]
    return (full[0], full[-1]) if full else (0, 0)
