"""What a reporter submits to the server: envelopes, the token to store them under, and their blocks (SPEC 9.1, 9.6).

It travels as the body of a request or, pasted into a field of text, as one armoured sealed report.  Whoever carries or
stores it cannot open any of it.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from whistle.protocol import canonical, invisible_text
from whistle.protocol.age import armor
from whistle.protocol.case import envelope
from whistle.protocol.case.attachment import BLOCK, Block
from whistle.protocol.code.retrieval import TOKEN
from whistle.protocol.errors import Malformed
from whistle.protocol.schema import hexadecimal, list_of

MAX_BLOCKS = 20_000  # of one submission
SERIAL = "Whistle-Manifest"  # a header: the serial of the manifest by which a message was sealed (SPEC 9.1)
MAX_HEAD = 1024 * 1024  # bytes of the JSON before the envelopes
REPORT = 2  # envelopes: a report and its slip
LABEL = "WHISTLE SEALED REPORT"
SUM = 32  # bytes: SHA-256 of everything before it, without which damage to a block would go unnoticed
MAX_PASTED = 1_000_000  # bytes of a sealed report, its lines ending in CR LF as browsers send them
FRAGMENT = 1024  # characters of base64 in a text that may be part of a sealed report
_DASHES = "[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+"  # what editors make of a row of hyphens
_JOINED = LABEL.replace(" ", "")
_WHOLE = re.compile(f"{_DASHES}BEGIN{_JOINED}{_DASHES}([A-Za-z0-9+/]*={{0,2}}){_DASHES}END{_JOINED}{_DASHES}")
_NAMED = re.compile(f"{_JOINED}|(?:begin|end){_DASHES[:-1]}*{_JOINED.lower()}")
_BETWEEN = re.compile("[>|\x00-\x20\x7f-\xa0\u3000]+")  # words
_TELLING = re.compile("-----(?:BEGIN|END)|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{32}")  # in a line that tells anything
_CODED = re.compile("(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9+/]{32,}={0,2}")


class TooLarge(Malformed):
    """A sealed report does not fit into a field of text."""


@dataclass(frozen=True)
class Submission:
    """A report and its slip, in this order, or a follow-up alone; `blocks` are those made with them."""

    token: bytes = field(repr=False)
    envelopes: tuple[bytes, ...] = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)


@dataclass(frozen=True)
class StoreRequest:
    """A submission as `/api/store` takes it: its blocks were uploaded before, so `blocks` are ids."""

    token: bytes = field(repr=False)
    envelopes: tuple[bytes, ...] = field(repr=False)
    blocks: tuple[bytes, ...] = field(repr=False)


def encode(token: bytes, envelopes: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    """The body of a request to store envelopes under a token; ``blocks`` are ids (SPEC 9.1)."""
    head = {"token": token.hex(), "blocks": [id.hex() for id in blocks]}
    return b"".join([canonical.dumps(head), b"\n", *envelopes])


def parse(body: bytes, slots: int) -> StoreRequest:
    """The request in a body; Malformed unless each envelope has the size and form of an instance with ``slots``."""
    token, blocks, rest = _parse_head(body)
    count = len(rest) // envelope.size(slots)
    if count not in (1, REPORT):
        raise Malformed("a submission has one or two envelopes")
    return StoreRequest(token, _envelopes(rest, count, slots), blocks)


def armored(sealed: Submission) -> str:
    """The sealed report as armoured text, including its blocks; TooLarge above `MAX_PASTED`."""
    body = encode(sealed.token, sealed.envelopes, [id for id, _ in sealed.blocks])
    whole = b"".join([body, *(block for _, block in sealed.blocks)])
    text = armor.encode(whole + hashlib.sha256(whole).digest(), LABEL)
    if len(text) + text.count(b"\n") > MAX_PASTED:
        raise TooLarge("a sealed report is too large for a field of text")
    return text.decode("ascii")


def is_armored(text: str) -> bool:
    """Whether a text may be a sealed report or part of one, whatever editors and mailers made of it.

    It contains the label, or much base64 outside armour with another label.
    """
    flat = _flat(text)
    return bool(_NAMED.search(flat) or _NAMED.search(flat.lower())) or _fragment(text) >= FRAGMENT


def dearmor(text: str, slots: int) -> Submission:
    """The sealed report in a text; Malformed if it is damaged or the text holds anything else.

    Changes to lines by editors and mailers are tolerated, since the hash shows that nothing is missing.
    """
    if len(text) > 2 * MAX_PASTED:
        raise TooLarge("a sealed report is too large for a field of text")
    data = armor.decode(_straight(text).encode("utf-8", "replace"), LABEL)
    if hashlib.sha256(data[:-SUM]).digest() != data[-SUM:]:
        raise Malformed("a sealed report is damaged")
    token, blocks, rest = _parse_head(data[:-SUM])
    end = REPORT * envelope.size(slots)
    if len(rest) - end != BLOCK * len(blocks):
        raise Malformed("a sealed report has other envelopes or blocks than it should")
    bodies = [rest[at : at + BLOCK] for at in range(end, len(rest), BLOCK)]
    return Submission(token, _envelopes(rest[:end], REPORT, slots), tuple(zip(blocks, bodies, strict=True)))


def _flat(text: str) -> str:
    return invisible_text.strip_blank(text).replace(">", "").replace("|", "")


def _straight(text: str) -> str:
    """A sealed report with its original lines; any other text unchanged."""
    match = _WHOLE.fullmatch(_flat(text))
    return armor.lines(match[1].encode("ascii"), LABEL).decode("ascii") if match else text


def _fragment(text: str) -> int:
    """How many characters of base64 a text holds outside armour with another label."""
    count, other = 0, ""
    for line in _telling_lines(invisible_text.strip_invisible(text).replace("\r", "\n")):
        words = [word for word in _BETWEEN.split(line) if word]
        joined = " ".join(words)
        if joined.startswith("-----BEGIN ") and not other:
            other = joined.replace("BEGIN", "END", 1)
        elif joined == other:
            other = ""
        elif not other:
            count += sum(len(word) for word in words if _CODED.fullmatch(word))
    return count


def _telling_lines(text: str) -> Iterator[str]:
    """The lines with a mark of armour, or with 32 characters of base64: others change nothing, and may be a million."""
    at = 0
    while found := _TELLING.search(text, at):
        start = text.rfind("\n", at, found.start()) + 1 or at
        end = text.find("\n", found.end())
        at = end if end >= 0 else len(text)
        yield text[start:at]


def _parse_head(body: bytes) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """The token and the blocks' ids at the start of ``body``, and the bytes after them."""
    head, newline, _ = body[:MAX_HEAD].partition(b"\n")
    value = canonical.loads(head)
    if not newline or not isinstance(value, dict) or set(value) != {"token", "blocks"}:
        raise Malformed("a submission has no JSON head")
    blocks = list_of(hexadecimal(TOKEN), MAX_BLOCKS, unique=True)(value["blocks"])
    token = bytes.fromhex(hexadecimal(TOKEN)(value["token"]))
    return token, tuple(map(bytes.fromhex, blocks)), body[len(head) + 1 :]


def _envelopes(data: bytes, count: int, slots: int) -> tuple[bytes, ...]:
    """The envelopes that ``data`` consists of; Malformed unless each has the size and form that it should have."""
    size = envelope.size(slots)
    if len(data) != size * count:
        raise Malformed("a submission has the wrong size")
    bodies = tuple(data[at : at + size] for at in range(0, len(data), size))
    for body in bodies:
        envelope.check_form(body, slots)
    return bodies
