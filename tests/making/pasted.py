"""Vectors of sealed reports as text, to be pasted into a form."""

import hashlib
from collections.abc import Callable, Iterator

from tests.making import cast
from tests.making.cast import IDENTITIES, PHOTO, REPORT, REPORTER, SLOTS
from tests.making.vector import Vector
from whistle.protocol import age
from whistle.protocol.age import armor
from whistle.protocol.case import envelope
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.submission import LABEL, Submission

OMBUDS, ETHICS = (IDENTITIES[id][0] for id in ("ombuds", "ethics"))
READERS = [OMBUDS.recipient, ETHICS.recipient]
WITH_PHOTO = cast.signed_by_reporter(cast.report(attachments=(PHOTO,)))
SLIP = cast.signed_by_reporter(cast.slip())
TOKEN = REPORTER.report_token
[BLOCK], _ = cast.stored("photo", b"a photograph")
Make = Callable[[], bytes]


def _submission(with_photo: bool = False) -> Submission:
    report = envelope.seal(WITH_PHOTO if with_photo else REPORT, READERS, SLOTS)
    slip = envelope.seal(SLIP, [REPORTER.mailbox.recipient], SLOTS)
    return Submission(TOKEN, (report, slip), (BLOCK,) if with_photo else ())


def _text() -> bytes:
    return submission.armored(_submission()).encode()


def _with_block() -> bytes:
    return submission.armored(_submission(True)).encode()


def _armored(body: bytes, label: str = LABEL) -> bytes:
    return armor.encode(body + hashlib.sha256(body).digest(), label)


def _body(**changes: object) -> bytes:
    """The bytes to armour, without their hash, of a submission with changes."""
    found = _submission()
    given = {"token": TOKEN, "envelopes": found.envelopes, "blocks": (), **changes}
    return submission.encode(**given)  # type: ignore[arg-type]


def _lines(change: Callable[[list[bytes]], list[bytes]], make: Make = _text) -> Make:
    """A valid text with its lines changed."""
    return lambda: b"\n".join(change(make().split(b"\n")))


def _from_a_browser() -> bytes:
    return b"\r\n \r\n" + _text().replace(b"\n", b"\r\n")


def _flipped() -> bytes:
    data = bytearray(armor.decode(_text(), LABEL))
    data[len(data) // 2] ^= 1
    return armor.encode(bytes(data), LABEL)


def _other_stanzas() -> bytes:
    """A report's envelope that is sealed to another kind of recipient."""
    size = envelope.size(SLOTS)
    other = age.encrypt([age.X25519Identity.generate().recipient], bytes(size))[:size]
    return _armored(_body(envelopes=(other, _submission().envelopes[1])))


def _spare_bits(lines: list[bytes]) -> list[bytes]:
    """Base64 whose last character says the same bytes with its lowest bit turned."""
    coded = lines[-3]
    start, ending = coded.rstrip(b"="), coded[len(coded.rstrip(b"=")) :]
    assert ending
    return [*lines[:-3], start[:-1] + bytes([start[-1] + 1]) + ending, *lines[-2:]]


def _said(change: Callable[[str], str]) -> Make:
    """Valid texts as programs change them."""
    return lambda: change(_text().decode()).encode()


def _wrapped(lines: list[bytes], columns: int) -> list[bytes]:
    return [line[at : at + columns] for line in lines for at in range(0, max(len(line), 1), columns)]


def _smart(text: str) -> str:
    return text.replace("-----BEGIN", "\u2014\u2013-BEGIN").replace("REPORT-----", "REPORT\u2014\u2014-")


EDITED: dict[str, tuple[str, Make]] = {
    "line_long": ("two lines as one", _lines(lambda lines: [*lines[:40], lines[40] + lines[41], *lines[42:]])),
    "one_line": ("all on one line, spaces in place of line ends", _lines(lambda lines: [b" ".join(lines)])),
    "indented": ("two spaces before each line", _lines(lambda lines: [b"  " + line for line in lines])),
    "trailing": ("a space behind each line", _lines(lambda lines: [line + b" " for line in lines])),
    "apart": ("an empty line behind each", _lines(lambda lines: [each for line in lines for each in (line, b"")])),
    "quoted": ("as a mailer quotes it", _lines(lambda lines: [b"> > " + line for line in lines])),
    "wrapped": ("wrapped at 20 columns, the label too", _lines(lambda lines: _wrapped(lines, 20))),
    "byte_order_mark": ("a byte order mark before it", _said(lambda text: "\ufeff" + text)),
    "dashes": ("dashes in place of hyphens", _said(_smart)),
    "no_break_spaces": ("no-break spaces in the label", _said(lambda text: text.replace(" ", "\u00a0"))),
    "unseen": ("characters that nobody sees between lines", _said(lambda text: text.replace("\n", "\u200b\n\u2060"))),
}
MALFORMED: dict[str, tuple[str, Make]] = {
    "nothing_inside": ("armour around nothing", lambda: armor.encode(b"", LABEL)),
    "label_of_age": ("the label of an age file", lambda: _armored(_body(), armor.LABEL)),
    "no_end": ("the last line is missing", _lines(lambda lines: lines[:-2])),
    "line_missing": ("a line is missing", _lines(lambda lines: [*lines[:40], *lines[41:]])),
    "text_before": ("a greeting before it", _lines(lambda lines: [b"Hello", *lines])),
    "text_behind": ("a greeting behind it", _lines(lambda lines: [*lines, b"Thank you", b""])),
    "no_label": ("its lines of base64 alone", _lines(lambda lines: lines[1:-2])),
    "label_lower": (
        "the label in small letters",
        _said(lambda text: text.replace("WHISTLE SEALED REPORT", "whistle sealed report")),
    ),
    "spare_bits": ("base64 that is not canonical", _lines(_spare_bits, _with_block)),
    "altered": ("a bit turned in the slip", _flipped),
    "sum_missing": ("without the sum", lambda: armor.encode(_body(), LABEL)),
    "head_spaced": ("JSON that is not canonical", lambda: _armored(_body().replace(b',"token"', b', "token"', 1))),
    "one_envelope": (
        "no slip",
        lambda: _armored(_body(envelopes=_submission().envelopes[:1])),
    ),
    "token_short": ("a token of 15 bytes", lambda: _armored(_body(token=TOKEN[:15]))),
    "tokens": ("a list of tokens in place of one", lambda: _armored(_body().replace(b'"token":', b'"tokens":', 1))),
    "envelope_short": (
        "a byte of the slip is missing",
        lambda: _armored(_body()[:-1]),
    ),
    "envelope_other": ("an envelope with other stanzas", _other_stanzas),
    "block_missing": ("a block is named that is not there", lambda: _armored(_body(blocks=(BLOCK[0],)))),
    "block_unnamed": ("a block is there that is not named", lambda: _armored(_body() + BLOCK[1])),
}


def _made(name: str, about: str, expect: str, make: Make, slots: int = SLOTS, photo: bool = False) -> Vector:
    given = {
        "text": {"file": f"pasted_{name}.txt"},
        "slots": slots,
        "identities": [OMBUDS.text, REPORTER.mailbox.text],
    }
    output = {
        "token": TOKEN.hex(),
        "hashes": [(WITH_PHOTO if photo else REPORT).hash, SLIP.hash],
        "blocks": {BLOCK[0].hex(): hashlib.sha256(BLOCK[1]).hexdigest()} if photo else {},
    }
    return Vector(
        f"pasted_{name}", about, expect, given, output if expect == "ok" else {}, {f"pasted_{name}.txt": make}
    )


def vectors() -> Iterator[Vector]:
    """All of this module."""
    yield _made("ok", "a report and its slip", "ok", _text)
    yield _made("crlf", "lines as browsers send them, with room around them", "ok", _from_a_browser)
    yield _made("block", "with a photo in a block", "ok", _with_block, photo=True)
    yield _made("slots", "sealed for another number of slots", "malformed", _text, slots=4)
    for name, (about, make) in EDITED.items():
        yield _made(name, about, "ok", make)
    for name, (about, make) in MALFORMED.items():
        yield _made(name, about, "malformed", make)
