"""Vectors of envelopes, and of attachments with their blocks."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.making import cast
from tests.making.cast import IDENTITIES, PHOTO, REPORT, REPORTER, SLOTS
from tests.making.vector import Vector, secret, told
from whistle.protocol import age, schema
from whistle.protocol.age import HybridIdentity, HybridRecipient, Stanza, X25519Identity
from whistle.protocol.age.format import parse_header, sealed_header
from whistle.protocol.age.hybrid import ENCAPSULATED, KIND
from whistle.protocol.age.primitives import POINT, decode_base64, encode_base64, seal
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.attachment import BLOCK, Attachment
from whistle.protocol.case.message import Signed
from whistle.protocol.hkdf import hkdf

OMBUDS, ETHICS, COUNSEL = (IDENTITIES[id][0] for id in cast.IDS)
READERS = [OMBUDS.recipient, ETHICS.recipient]
SPARE = HybridIdentity(secret("throwaway")).recipient
SIZE = envelope.size(SLOTS)
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
Make = Callable[[], bytes]


def plaintext(signed: Signed, end: bytes = b"\n", fill: bytes = b" ", size: int = envelope.capacity(SLOTS)) -> bytes:
    """An envelope's plaintext, with another end of line 2 or other padding."""
    start = signed.line + b"\n" + cast.base64_of(signed.signature).encode() + end
    return start + fill * (size - len(start))


GOOD = plaintext(REPORT)


def assembled(stanzas: Sequence[Stanza], file_key: bytes, content: bytes) -> bytes:
    """An age file of one chunk from its parts, whether they match or not."""
    nonce = secrets.token_bytes(16)
    payload = seal(hkdf(file_key, nonce, b"payload"), bytes(11) + b"\1", content)
    return sealed_header(stanzas, file_key) + nonce + payload


def _fitting(make: Callable[[bytes], bytes]) -> bytes:
    """An age file whose content is padded with spaces to give it an envelope's size."""
    room = SIZE - len(make(b" ")) + 1
    assert room > len(GOOD.rstrip())
    return make(GOOD.rstrip(b" ").ljust(room))


def _altered(offset: int) -> Make:
    """A good envelope with one bit turned at an offset."""

    def make() -> bytes:
        data = bytearray(age.encrypt(READERS, GOOD))
        data[offset] ^= 1
        return bytes(data)

    return make


def _wrong_mac() -> bytes:
    data = age.encrypt(READERS, GOOD)
    start = data.index(b"\n--- ") + 5
    return data[:start] + (b"B" if data[start : start + 1] == b"A" else b"A") + data[start + 1 :]


def _uneven() -> bytes:
    """Two stanzas whose bodies have 31 and 33 bytes, so that the header is as long as it should be."""
    file_key = secrets.token_bytes(16)
    one, two = (reader.wrap(file_key) for reader in READERS)
    return assembled([replace(one, body=one.body[:31]), replace(two, body=two.body + b"\0")], file_key, GOOD)


def _spare(text: bytes) -> bytes:
    """The same bytes in non-canonical base64, with the lowest bit of the last character set."""
    last = ALPHABET[ALPHABET.index(text.rstrip(b"=")[-1]) ^ 1]
    return text.rstrip(b"=")[:-1] + bytes([last]) + text[len(text.rstrip(b"=")) :]


def _respelled(data: bytes, place: str, file_key: bytes = b"") -> bytes:
    """The first stanza's share or body, or the MAC, with spare bits in its base64; with the file key the MAC is over
    the header as it then stands, else over what the base64 stands for."""
    end = data.index(b"\n", data.index(b"\n---") + 1)
    lines = data[:end].split(b"\n")
    next_ = next(at for at, line in enumerate(lines) if at > 1 and line[:2] in (b"->", b"--"))
    at = {"share": 1, "body": next_ - 1, "mac": len(lines) - 1}[place]
    lines[at] = _spare(lines[at])
    if file_key:
        signed = b"\n".join([*lines[:-1], b"---"])
        lines[-1] = b"--- " + encode_base64(hmac.digest(hkdf(file_key, b"", b"header"), signed, "sha256"))
    return b"\n".join(lines) + data[end:]


def _spare_bits(place: str, *, is_sealed: bool = False) -> Make:
    """An envelope with spare bits set in its header's base64, at `place`."""

    def make() -> bytes:
        good = age.encrypt(READERS, GOOD)
        file_key = OMBUDS.unwrap(parse_header(good)[0].stanzas) if is_sealed else b""
        return _respelled(good, place, file_key or b"")

    return make


def _odd_signature() -> bytes:
    """A signature in base64 that is not canonical."""
    line, signature, spaces = GOOD.split(b"\n")
    return age.encrypt(READERS, b"\n".join([line, _spare(signature), spaces]))


def _zero_share(others: Sequence[HybridRecipient]) -> bytes:
    """Stanzas whose X25519 share is zero, before those of other readers."""
    file_key = secrets.token_bytes(16)
    stanzas = []
    for reader in [SPARE] * (SLOTS - len(others)):
        good = reader.wrap(file_key)
        share = decode_base64(good.args[1].encode())[: ENCAPSULATED - POINT] + bytes(POINT)
        stanzas.append(replace(good, args=(KIND, encode_base64(share).decode())))
    return assembled([*stanzas, *(reader.wrap(file_key) for reader in others)], file_key, GOOD)


def _two_keys() -> bytes:
    """Two stanzas for one reader with different file keys; the header's MAC is by the second."""
    first, second = secrets.token_bytes(16), secrets.token_bytes(16)
    return assembled([READERS[0].wrap(first), READERS[0].wrap(second)], second, GOOD)


def _long_file_key() -> bytes:
    """A stanza that holds 17 bytes, and no tag at all where the body would have to be longer."""
    file_key = secrets.token_bytes(16)
    wrapped = READERS[0].wrap(file_key + b"\0")
    return assembled([wrapped, READERS[1].wrap(file_key)], file_key, GOOD[: len(GOOD) - 1])


def _foreign(stanza: Callable[[bytes], Stanza]) -> Make:
    """A reader's stanza and one of another form beside it, the whole of an envelope's size."""

    def make(content: bytes) -> bytes:
        file_key = secrets.token_bytes(16)
        return assembled([READERS[0].wrap(file_key), stanza(file_key)], file_key, content)

    return lambda: _fitting(make)


def _cut_argument(file_key: bytes) -> Stanza:
    good = READERS[1].wrap(file_key)
    return replace(good, args=(KIND, good.args[1][:700], good.args[1][701:]))


def _renamed(file_key: bytes) -> Stanza:
    good = READERS[1].wrap(file_key)
    return replace(good, args=(KIND.replace("19", "20"), good.args[1]))


MALFORMED: dict[str, tuple[str, Make]] = {
    "size_short": ("a byte too few", lambda: age.encrypt(READERS, GOOD[:-1])),
    "size_long": ("a byte too many", lambda: age.encrypt(READERS, GOOD + b" ")),
    "size_cut_off": ("a byte cut off", lambda: age.encrypt(READERS, GOOD)[:-1]),
    "size_byte_behind": ("a byte behind", lambda: age.encrypt(READERS, GOOD) + b"\0"),
    "stanza_count_one": ("a stanza too few", lambda: _fitting(lambda content: age.encrypt(READERS[:1], content))),
    "stanza_count_three": (
        "a stanza too many",
        lambda: _fitting(lambda content: age.encrypt([*READERS, SPARE], content)),
    ),
    "stanza_x25519": (
        "a stanza of the kind X25519",
        _foreign(lambda file_key: X25519Identity(secret("x25519")).recipient.wrap(file_key)),
    ),
    "stanza_unknown": ("a stanza of a kind that nobody knows, as long as the right one", _foreign(_renamed)),
    "stanza_three_arguments": ("a stanza with an argument more, not longer for it", _foreign(_cut_argument)),
    "stanza_bodies_uneven": ("stanzas of the right length together, not each", _uneven),
    "stanza_spare_bits": (
        "spare bits in the base64 of a stanza's argument, under a MAC over the header as it stands",
        _spare_bits("share", is_sealed=True),
    ),
    "body_spare_bits": (
        "spare bits in the base64 of a stanza's body, under a MAC over what it stands for",
        _spare_bits("body"),
    ),
    "body_spare_bits_sealed": (
        "spare bits in the base64 of a stanza's body, under a MAC over the header as it stands",
        _spare_bits("body", is_sealed=True),
    ),
    "mac_spare_bits": ("spare bits in the base64 of the MAC", _spare_bits("mac")),
    "file_key_long": ("a file key of 17 bytes", _long_file_key),
    "mac": ("a header whose MAC is another", _wrong_mac),
    "two_keys": ("the first stanza that opens decides, and its key is not the header's", _two_keys),
    "version": ("another version of age", _altered(20)),
    "nonce_altered": ("a nonce with one bit turned", _altered(SIZE - envelope.capacity(SLOTS) - 20)),
    "payload_altered": ("a payload with one bit turned", _altered(SIZE - 100)),
    "tag_altered": ("a payload's tag with one bit turned", _altered(SIZE - 1)),
    "one_line": ("no signature", lambda: age.encrypt(READERS, REPORT.line.ljust(len(GOOD)))),
    "line_2_unended": ("a second line without its end", lambda: age.encrypt(READERS, plaintext(REPORT, end=b""))),
    "line_2_carriage_return": (
        "a second line that ends in CR LF",
        lambda: age.encrypt(READERS, plaintext(REPORT, end=b"\r\n")),
    ),
    "three_lines": ("a third line", lambda: age.encrypt(READERS, GOOD[:-1] + b"\n")),
    "filling_zeros": ("zeros after the second line", lambda: age.encrypt(READERS, plaintext(REPORT, fill=b"\0"))),
    "filling_hidden": ("a letter among the spaces", lambda: age.encrypt(READERS, GOOD[:-9] + b"x" + GOOD[-8:])),
    "signature_short": (
        "a signature of 63 bytes",
        lambda: age.encrypt(READERS, plaintext(replace(REPORT, signature=REPORT.signature[:-1]))),
    ),
    "signature_spare_bits": ("a signature with spare bits in its base64", _odd_signature),
    "line_1_not_canonical": (
        "a space in line 1",
        lambda: age.encrypt(READERS, GOOD.replace(b'":', b'": ', 1)[: len(GOOD)]),
    ),
    "not_age": ("spaces only", lambda: b" " * SIZE),
}


def _opened(
    name: str, about: str, expect: str, make: Make, signed: Signed = REPORT, slots: int = SLOTS, **given: Any
) -> Vector:
    """A vector of an envelope, opened by `ombuds` unless given otherwise."""
    file = f"envelope_{name}.age"
    shown = {"envelope": {"file": file}, "slots": slots, "identities": [OMBUDS.text], "reader": "ombuds", **given}
    output = {"line": told(signed.line), "hash": signed.hash} if expect == "ok" else {}
    return Vector(f"envelope_{name}", about, expect, shown, output, {file: make})


def _good() -> Iterator[Vector]:
    yield _opened("ok", "a report to two readers", "ok", lambda: envelope.seal(REPORT, READERS, SLOTS))
    yield _opened(
        "second_reader",
        "opened by the other",
        "ok",
        lambda: envelope.seal(REPORT, READERS, SLOTS),
        identities=[ETHICS.text],
        reader="ethics",
    )
    one = cast.signed_by_reporter(cast.report(readers=("ombuds",)))
    yield _opened("one_reader", "one reader, one throwaway", "ok", lambda: envelope.seal(one, READERS[:1], SLOTS), one)
    yield _opened("eight_slots", "eight slots", "ok", lambda: envelope.seal(REPORT, READERS, 8), slots=8)
    yield _opened(
        "many_identities",
        "the third of the identities at hand opens it",
        "ok",
        lambda: envelope.seal(REPORT, READERS, SLOTS),
        identities=[IDENTITIES["ombuds"][1].text, COUNSEL.text, OMBUDS.text],
    )
    empty = len(message.encode(cast.report(text="x"))) - 1
    full = cast.signed_by_reporter(cast.report(text="x" * (envelope.line_capacity(SLOTS) - empty)))
    yield _opened("full", "no space left", "ok", lambda: envelope.seal(full, READERS, SLOTS), full)
    reply = cast.signed_by(cast.reply())
    yield _opened(
        "reply",
        "a reply, sealed to the mailbox",
        "ok",
        lambda: envelope.seal(reply, [REPORTER.mailbox.recipient], SLOTS),
        reply,
        identities=[REPORTER.mailbox.text],
        reader=None,
        key=cast.SIGNERS["ombuds"].public.key.hex(),
    )
    slip = cast.signed_by_reporter(cast.slip())
    yield _opened(
        "slip",
        "a slip, sealed to the mailbox",
        "ok",
        lambda: envelope.seal(slip, [REPORTER.mailbox.recipient], SLOTS),
        slip,
        identities=[REPORTER.mailbox.text],
        reader=None,
    )
    yield _opened(
        "zero_share_beside",
        "a stanza whose X25519 share is zero, beside a good one",
        "ok",
        lambda: _zero_share(READERS[:1]),
    )


def _refused() -> Iterator[Vector]:
    yield _opened(
        "not_for_me",
        "sealed to others",
        "not-for-me",
        lambda: envelope.seal(REPORT, READERS, SLOTS),
        identities=[COUNSEL.text],
        reader="counsel",
    )
    yield _opened(
        "no_identities",
        "nothing to open it with",
        "not-for-me",
        lambda: envelope.seal(REPORT, READERS, SLOTS),
        identities=[],
    )
    yield _opened("zero_shares", "stanzas whose X25519 share is zero", "not-for-me", lambda: _zero_share([]))
    yield _opened(
        "not_named",
        "sealed to me but naming others",
        "not-named",
        lambda: envelope.seal(REPORT, [COUNSEL.recipient], SLOTS),
        identities=[COUNSEL.text],
        reader="counsel",
    )
    without = cast.signed_by_reporter(cast.report(readers=("ethics",), without=("ombuds",)))
    yield _opened(
        "left_out",
        "sealed to me and leaving me out",
        "not-named",
        lambda: envelope.seal(without, READERS, SLOTS),
        without,
    )
    thief = cast.signed_by(cast.report())
    yield _opened(
        "bad_signature",
        "signed by another key than it names",
        "forged",
        lambda: envelope.seal(thief, READERS, SLOTS),
        thief,
    )
    for name, (about, make) in MALFORMED.items():
        yield _opened(name, about, "malformed", make)


ONE = BLOCK - 4 * 16 + 1  # bytes of content that need a second block by one


def _content(size: int) -> bytes:
    return secret("content", size)


def _blocks(
    name: str,
    about: str,
    expect: str,
    record: Attachment | dict[str, Any],
    blocks: list[Any],
    output: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
) -> Vector:
    """A vector of an attachment: its record and its blocks, each a file of the folder with a bit turned or not."""
    shown = record if isinstance(record, dict) else schema.to_json(record)
    given = {"record": shown, "blocks": blocks}
    return Vector(f"attachment_{name}", about, expect, given, output or {}, dict(files or {}))


def _stored(name: str, about: str, content: bytes) -> tuple[Vector, Attachment, list[dict[str, Any]]]:
    blocks, record = cast.stored(name, content)
    names = [f"attachment_{name}.{index}.block" for index in range(len(blocks))]
    output = {
        "ids": [id.hex() for id, _ in blocks],
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    files = {file: block for file, (_, block) in zip(names, blocks, strict=True)}
    listed = [{"file": file} for file in names]
    return _blocks(name, about, "ok", record, listed, output, files), record, listed


def attachments() -> Iterator[Vector]:
    """Attachments of a few blocks: whole, damaged, or different from what their record says."""
    yield _stored("empty", "no content at all", b"")[0]
    record, block = _unlike_zeros()
    file = "attachment_filling_not_zeros.0.block"
    about = "filled up with something else than zeros"
    yield _blocks("filling_not_zeros", about, "malformed", record, [{"file": file}], files={file: block})
    two, record, blocks = _stored("two_blocks", "content that needs a second block by one byte", _content(ONE))
    yield two
    first, second = blocks
    cases: list[tuple[str, str, dict[str, Any] | Attachment, list[Any]]] = [
        ("cut_off", "the last block is missing", record, [first]),
        ("first_missing", "the first block is missing", record, [second]),
        ("none", "no block at all", record, []),
        ("reordered", "blocks in each other's place", record, [second, first]),
        ("repeated", "the first block twice", record, [first, first]),
        ("longer", "a block more", record, [first, second, second]),
        ("altered", "a bit turned in the first chunk", record, [{**first, "flip": 9}, second]),
        ("altered_late", "a bit turned in the filling", record, [first, {**second, "flip": BLOCK - 1}]),
        ("sha256_wrong", "another SHA-256", replace(record, sha256="00" * 32), blocks),
        ("size_larger", "a larger size, which the filling's zeros make up", replace(record, size=ONE + 1), blocks),
        ("header_of_another", "a header of another file", replace(record, header=PHOTO.header), blocks),
        ("identity_of_another", "an identity of another file", replace(record, identity=PHOTO.identity), blocks),
        (
            "header_altered",
            "a MAC with another last bit",
            {**schema.to_json(record), "header": _other_mac(record)},
            blocks,
        ),
        *(
            (f"header_{place}_spare_bits", f"spare bits in the base64 of the header's {place}", shown, blocks)
            for place, shown in _spelled(record)
        ),
    ]
    for name, about, shown, listed in cases:
        yield _blocks(name, about, "malformed", shown, listed)


def _spelled(record: Attachment) -> Iterator[tuple[str, dict[str, Any]]]:
    """The record with non-canonical base64 in its header, at each place that has spare bits."""
    header = schema.unbase64(record.header)
    file_key = X25519Identity.from_text(record.identity).unwrap(parse_header(header)[0].stanzas) or b""
    for place, key in (("share", file_key), ("body", b""), ("mac", b"")):
        yield place, {**schema.to_json(record), "header": cast.base64_of(_respelled(header, place, key))}


def _other_mac(record: Attachment) -> str:
    """The header with one bit of its MAC turned."""
    data = bytearray(schema.unbase64(record.header))
    at = data.index(b"\n--- ") + 5
    data[at] = ALPHABET[ALPHABET.index(data[at]) ^ 1]
    return cast.base64_of(bytes(data))


def _unlike_zeros() -> tuple[Attachment, bytes]:
    """A block that holds more than its record's size, all of it sealed in the right way."""
    [(_, block)], record = cast.stored("filling", b"hidden" * 10)
    size = len(b"hidden")
    return replace(record, size=size, sha256=hashlib.sha256(b"hidden").hexdigest()), block


def arithmetic() -> Iterator[Vector]:
    """How many blocks a size takes, at the edges."""
    edges = [attachment.capacity(count) for count in (1, 2, 3, 4, 1023, 1025, 5120, 5122)]
    sizes = sorted({0, 1, 2**36, *edges, *(edge + 1 for edge in edges), 1024 * BLOCK, 2**32})
    output = {"blocks": {str(size): attachment.blocks_for(size) for size in sizes}}
    yield Vector("blocks_count", "how many blocks a content of so many bytes takes", "ok", {"sizes": sizes}, output)
    seed = secret("seed")
    ids = {str(index): attachment.block_id(seed, index).hex() for index in (0, 1, 255, 256, 262_207)}
    given = {"seed": seed.hex(), "indexes": [int(index) for index in ids]}
    yield Vector("blocks_ids", "the ids of blocks", "ok", given, {"ids": ids})


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for group in (_good, _refused, attachments, arithmetic):
        yield from group()
