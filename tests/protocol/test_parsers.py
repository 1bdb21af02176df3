"""Every parser against altered bytes: it returns what was meant or raises a ProtocolError, and nothing else.

Arbitrary bytes seldom come far, so most of these are good artefacts with something changed; and whatever is accepted
must be written again as the same bytes, so that nothing has two forms.
"""

import base64
import io
import json
import os
import re
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.make_vectors import FOLDER
from tests.making import cast
from whistle.protocol import age, canonical, schema, signing
from whistle.protocol.case import attachment, continuation, envelope, message
from whistle.protocol.code import retrieval, words
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.invisible_text import strip_blank
from whistle.protocol.reporter import submission
from whistle.protocol.transfer import bundle, courier_auth
from whistle.protocol.transfer.statement import ImportStatement
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.minisign import PublicKey, SecretKey

Json = Any
KEYS = st.text(st.characters(max_codepoint=127), max_size=6)
ODD: list[Json] = [
    None, True, False, 0, 1, -1, 2**53 - 1, 2**60, "", "x", "ab" * 32, "AB" * 32, "AA==", "2026-11-22", "9999-12-31",
    "0000-00-00", "ombuds", "recovery", "age1pq1", "RW", [], {}, [[]], {"": ""}, "\u0000", "😀", 10**400,
]  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
MESSAGES = [
    cast.report(answers={"when": "now"}, attachments=(cast.PHOTO,)),
    cast.report(text="", rest=cast.REST, continues=continuation.prove(cast.STRANGER.signing, bytes(32), bytes(32))),
    cast.follow_up(),
    cast.slip(without=("counsel",)),
    cast.reply(seq=1, prev="ab" * 32, replaces="cd" * 32),
    cast.note(),
    cast.status(labels=("a",), deadline=cast.DAY, claimed="ethics", text="why"),
    cast.grant(),
]
LINES = [message.encode(content) for content in MESSAGES]
MANIFEST = cast.known().data
ENROLMENTS = [
    enrolment.reviewer_file(cast.reviewer_keys("ombuds"), cast.SIGNERS["ombuds"]),
    enrolment.courier_file("Van", cast.COURIER),
]
OMBUDS = cast.IDENTITIES["ombuds"][0]
ENVELOPE = (FOLDER / "envelope_ok.age").read_bytes()
BUNDLE = (FOLDER / "bundle_to_workstation.tar").read_bytes()
OUTBOX = (FOLDER / "bundle_to_server.tar").read_bytes()
SIGNATURE = cast.ROOT.sign(MANIFEST, "a comment")
SUBMISSION = submission.encode(b"t" * 16, [ENVELOPE], [b"b" * 16])
MANGLED = re.compile("[>|\u002d\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")  # quoted, and with other dashes
PASTED = submission.Submission(b"r" * 16, (ENVELOPE, ENVELOPE), ())
STATEMENT = json.loads((FOLDER / "statement_ok.json").read_text("utf-8"))["input"]["record"]


def places(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def changed(value: Json, path: tuple[Any, ...], new: Json, drop: bool) -> Json:
    """The value with another one at a place, or with nothing there."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if drop and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], new, drop)
    return copy


@st.composite
def altered_json(draw: st.DrawFn, good: list[bytes]) -> Json:
    """Good JSON with one to three places changed, left out, or something put beside."""
    value = json.loads(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        value = changed(value, path, draw(VALUES), draw(st.booleans()))
        if isinstance(value, dict) and draw(st.integers(0, 9)) == 0:
            value = {**value, draw(KEYS): draw(VALUES)}
    return value


@st.composite
def altered(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """Good bytes with a few altered, cut out, repeated or put in."""
    data = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        data[start:end] = draw(st.binary(max_size=8) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


def written(value: Json) -> bytes:
    """JSON with sorted keys and no spaces, whether canonical or not."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def read_message(line: bytes) -> bytes:
    """Line 1, read and written."""
    return message.encode(message.parse(line))


def read_manifest(data: bytes) -> bytes:
    """A manifest, read and written, and what one asks of it."""
    found = manifest.parse(data)
    found.standing(cast.DAY)
    found.warning(cast.DAY)
    return manifest.encode(found)


def read_list(data: bytes) -> bytes:
    """bundle.json, read and written."""
    return bundle.parse(data).to_bytes()


def read_record(data: bytes) -> bytes:
    """An attachment's record, opened as far as that goes."""
    record = schema.parse(attachment.Attachment, canonical.loads(data))
    attachment.Opener(record)
    return canonical.dumps(schema.to_json(record))


def read_statement(data: bytes) -> bytes:
    """A statement of import, checked as far as that goes."""
    return canonical.dumps(ImportStatement.from_record(canonical.loads(data)).record())


def read_original(data: bytes) -> bytes:
    """An original inside a grant."""
    inside = schema.parse(message.Original, canonical.loads(data))
    return canonical.dumps(schema.to_json(message.original(message.from_original(inside))))


def read_rest(data: bytes) -> bytes:
    """What a report's rest holds."""
    whole = message.with_content(cast.report(text=""), data)
    message.parse(message.encode(whole))
    return message.content_of(whole)


def read_enrolment(data: bytes) -> bytes:
    """A file for root, whose signature follows from its line."""
    keys = enrolment.read(data)
    line = canonical.dumps({"v": 1, "kind": keys.kind, **schema.to_json(keys)})
    return b"\n".join([line, *data.split(b"\n")[1:]])


JSONS: dict[str, tuple[Callable[[bytes], bytes], list[bytes]]] = {
    "message": (read_message, LINES),
    "manifest": (read_manifest, [MANIFEST]),
    "list": (read_list, [BUNDLE[512 : 512 + int(BUNDLE[124:135], 8)], OUTBOX[512 : 512 + int(OUTBOX[124:135], 8)]]),
    "record": (read_record, [canonical.dumps(schema.to_json(cast.PHOTO))]),
    "statement": (read_statement, [canonical.dumps(STATEMENT)]),
    "original": (read_original, [canonical.dumps(schema.to_json(message.original(cast.REPORT)))]),
    "rest": (read_rest, [message.content_of(cast.report(answers={"when": "now"}, attachments=(cast.PHOTO,)))]),
}
EXAMPLES = int(os.environ.get("WHISTLE_EXAMPLES", "40"))  # of each property; `make trial` gives many more
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", JSONS)
@given(data=st.data())
@MANY
def test_changed_json_is_refused_or_has_this_one_form(name: str, data: st.DataObject) -> None:
    """A changed value is refused by a ProtocolError, or what is read is written as the same bytes."""
    read, good = JSONS[name]
    line = written(data.draw(altered_json(good)))
    try:
        assert read(line) == line
    except ProtocolError:
        pass


@pytest.mark.parametrize("name", JSONS)
@given(data=st.data())
@MANY
def test_altered_bytes_of_json_too(name: str, data: st.DataObject) -> None:
    """The same holds for altered bytes."""
    read, good = JSONS[name]
    line = data.draw(altered(good) | st.binary(max_size=60))
    try:
        assert read(line) == line
    except ProtocolError:
        pass


HOSTILE = {
    "empty lists": b"[" + b"[]," * 5_000_000 + b"[]]",
    "many keys": b"{" + b",".join(b'"%07d":0' % number for number in range(600_000)) + b"}",
    "open lists": b"[" * 8_000_000,
    "a text that does not end": b'"' + b'\\"' * 4_000_000,
    "quotes": b'"' * 4_000_001,
    "backslashes": b"\\" * 8_000_001,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_large_json_of_nothing_is_refused_at_once(case: str) -> None:
    """Megabytes that would take seconds to read, and seventy times their length of memory, take next to nothing."""
    began = time.process_time()
    with pytest.raises(Malformed):
        canonical.loads(HOSTILE[case])
    assert time.process_time() - began < 5
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            canonical.loads(HOSTILE[case])
        assert tracemalloc.get_traced_memory()[1] < 4 * len(HOSTILE[case])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", ["1 ", "zoo ", "1 zoo 2 zoo 3 ", "12 ", "一", "a", "\ufdfa", "a\u0301"])
def test_texts_of_any_length_take_linear_time(text: str) -> None:
    """Looking for a code in a long text takes at most in proportion to its length, and little memory."""
    said = text * (200_000 // len(text))
    began = time.process_time()
    words.holds_code(said)
    words.holds_code(said, bytes(16))
    short = time.process_time() - began
    assert short < 5
    with pytest.raises(words.WordsError):
        words.decode(said)


@given(altered(ENROLMENTS) | st.binary(max_size=60))
@MANY
def test_files_for_root(data: bytes) -> None:
    """Enrolment files."""
    try:
        assert read_enrolment(data) == data
    except ProtocolError:
        pass


@given(altered_json([data.split(b"\n")[0] for data in ENROLMENTS]), st.sampled_from(["reviewer-keys", "courier-key"]))
@MANY
def test_files_for_root_well_signed(value: Json, kind: str) -> None:
    """Enrolment files with other values, signed again by the right key."""
    line = written(value)
    for key in (cast.SIGNERS["ombuds"].signing, cast.COURIER):
        signature = base64.b64encode(signing.sign(key, f"whistle/v1 {kind}\n".encode() + line))
        data = line + b"\n" + signature + b"\n"
        try:
            assert read_enrolment(data) == data
        except ProtocolError:
            pass


@given(
    altered([ENVELOPE]) | st.binary(max_size=200) | st.binary(max_size=40).map(lambda end: ENVELOPE[: -len(end)] + end)
)
@MANY
def test_envelopes(data: bytes) -> None:
    """Envelopes: no altered one ever opens."""
    with pytest.raises(ProtocolError):
        envelope.check_form(data, 2)
        envelope.open_(data, [OMBUDS], 2)
        raise ProtocolError if data == ENVELOPE else AssertionError


@given(
    altered([cast.REPORT.line + b"\n" + base64.b64encode(cast.REPORT.signature) + b"\n   "]) | st.binary(max_size=200)
)
@MANY
def test_plaintexts(data: bytes) -> None:
    """What an envelope held: two lines and spaces, in one form but for how many spaces."""
    try:
        signed = envelope.split(data)
        start = signed.line + b"\n" + base64.b64encode(signed.signature) + b"\n"
        assert data.rstrip(b" ") == start
        message.check_reporter(signed)
    except ProtocolError:
        pass


@given(altered([BUNDLE, OUTBOX]) | st.binary(max_size=2000))
@MANY
def test_bundles(data: bytes) -> None:
    """Bundles: an altered one is refused."""
    try:
        bundle.verify(io.BytesIO(data))
    except ProtocolError:
        return
    assert data in (BUNDLE, OUTBOX)


@given(altered([SIGNATURE]) | st.binary(max_size=200))
@MANY
def test_signature_files(data: bytes) -> None:
    """Signature files: only the untrusted comment is free."""
    try:
        manifest.verify(MANIFEST, data, [cast.ROOT.public])
    except ProtocolError:
        return
    assert data.split(b"\n")[1:] == SIGNATURE.split(b"\n")[1:]


TEXTS: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "public key": (lambda text: PublicKey.from_text(text).text, [cast.ROOT.public.text]),
    "secret key": (lambda text: SecretKey.from_text(text).text, [cast.ROOT.text]),
    "recipient": (
        lambda text: age.recipient(text).text,
        [OMBUDS.recipient.text, age.X25519Identity(bytes(32)).recipient.text],
    ),
    "identity": (lambda text: age.identity(text).text, [OMBUDS.text, cast.PHOTO.identity]),
    "base64": (lambda text: base64.b64encode(schema.unbase64(text)).decode(), ["AAAA", "AAA=", "AA=="]),
}


@pytest.mark.parametrize("name", TEXTS)
@given(data=st.data())
@MANY
def test_keys_have_one_spelling(name: str, data: st.DataObject) -> None:
    """A key that is read is written the same; any other text is refused."""
    read, good = TEXTS[name]
    near = altered([text.encode() for text in good]).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    text = data.draw(near | st.text(st.characters(), max_size=30))
    try:
        assert read(text) == text
    except ProtocolError:
        pass


@given(
    st.text(st.characters(), max_size=200) | st.lists(st.sampled_from(words.wordlist("en")), max_size=30).map(" ".join)
)
@MANY
def test_texts(text: str) -> None:
    """Any text is a code or a WordsError, and holds a code or not; lone surrogates too."""
    words.holds_code(text)
    words.holds_code(text, bytes(16))
    try:
        assert len(words.decode(text)) == 16
    except ProtocolError:
        pass


@given(altered([SUBMISSION, submission.armored(PASTED).encode()]) | st.binary(max_size=200))
@MANY
def test_submissions(data: bytes) -> None:
    """What a reporter submits, as a body or as text, has one form, save what editors do to lines (SPEC 9.6)."""
    try:
        found = submission.parse(data, 2)
        assert submission.encode(found.token, found.envelopes, found.blocks) == data
    except ProtocolError:
        pass
    text = data.decode("utf-8", "surrogateescape")
    try:
        again = submission.armored(submission.dearmor(text, 2))
        assert MANGLED.sub("", strip_blank(again)) == MANGLED.sub("", strip_blank(text))
    except ProtocolError:
        pass


@given(st.binary(max_size=70), st.binary(max_size=40), st.binary(max_size=70))
@MANY
def test_signatures(key: bytes, text: bytes, signature: bytes) -> None:
    """Random keys and signatures are forged or malformed."""
    for each in (key, cast.ROOT.public.key, bytes(32)):
        with pytest.raises(ProtocolError):
            signing.verify(each, text, signature)


@given(
    st.text(st.characters(), max_size=8),
    st.text(st.characters(), max_size=20),
    st.integers(),
    st.text(max_size=70),
    st.integers(),
)
@MANY
def test_requests(method: str, path: str, time: int, digest: str, now: int) -> None:
    """Whatever a courier's headers say, the answer is one of ours."""
    for given_method in (method, "POST"):
        with pytest.raises(ProtocolError):
            courier_auth.check_request(
                bytes(cast.COURIER.verify_key), given_method, "/" + path, time, digest, bytes(64), now
            )


@given(st.lists(st.binary(max_size=20) | st.just(bytes(attachment.BLOCK)), max_size=3))
@MANY
def test_blocks(blocks: list[bytes]) -> None:
    """Blocks of other content and size are refused."""
    opener = attachment.Opener(cast.PHOTO)
    with pytest.raises(ProtocolError):
        for block in blocks:
            opener.update(block)
        opener.finish()


@given(st.text(st.characters(), max_size=20), st.binary(max_size=20), st.text(st.characters(), max_size=20))
@MANY
def test_forms_of_any_name(name: str, value: bytes, filename: str) -> None:
    """A form's digest takes whatever names a browser may send."""
    form = retrieval.FormDigest()
    form.field(name, value)
    form.file(filename, bytes(32))
    assert len(form.digest()) == 32
