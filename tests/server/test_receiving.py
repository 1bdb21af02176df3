"""Forms as they stream in."""

import contextlib
import hashlib
import io
import os
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from whistle.protocol.case import attachment
from whistle.protocol.code.retrieval import FormDigest
from whistle.protocol.file_names import safe_name
from whistle.server.errors import Broken, DiskFull, FieldAfterFile, FormError, NotAForm, NotStored, TooBig
from whistle.server.instance import Instance
from whistle.server.sealing import body as reading
from whistle.server.sealing.multipart import Arrived, Bounds, receive
from whistle.store import Full, Heap, StoreError
from whistle.store.models import metadata

BOUNDARY = "----formABC"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
BOUNDS = Bounds(upload=64 * 1024 * 1024)
File = tuple[str, str, bytes]


def field(name: str, value: str) -> bytes:
    """A text as a browser sends it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value.encode() + b"\r\n"


def file(filename: str, body: bytes, type_: str = "image/png") -> bytes:
    """A file as a browser sends it."""
    disposition = f'Content-Disposition: form-data; name="files"; filename="{filename}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: {type_}\r\n\r\n".encode() + body + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Slow(io.BytesIO):
    """A body that comes in small pieces."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 37))


class Cut(io.BytesIO):
    """A body of which one read ends at a place."""

    def __init__(self, body: bytes, place: int) -> None:
        super().__init__(body)
        self._place = place

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._place - self.tell()
        return super().read(min(size or 0, left) if left > 0 else size)


def take(
    instance: Instance, body: bytes, bounds: Bounds = BOUNDS, stream: Any = None, length: int | None = None
) -> Arrived:
    """Receive a multipart form."""
    given = stream or io.BytesIO(body)
    return receive(given, MULTIPART, len(body) if length is None else length, instance.store, bounds)


def content(instance: Instance, found: attachment.Attachment, ids: Sequence[bytes]) -> bytes:
    """What the sealed blocks of an attachment hold."""
    instance.store.commit([], list(ids))
    opener = attachment.Opener(found)
    blocks = [instance.store.block(id, Heap.REVIEWERS) for id in attachment.block_ids(found)]
    return b"".join(opener.update(block or b"") for block in blocks) + opener.finish()


def test_texts_and_files(instance: Instance) -> None:
    """Texts come back in order, files as sealed attachments whose blocks hold them again."""
    first, second = os.urandom(300_000), b"short"
    body = form(
        field("text", "one\r\ntwo"),
        field("without", "a"),
        field("without", "b"),
        file("folder/photo.png", first),
        file("a/b.txt", second, "text/plain"),
    )
    arrived = take(instance, body)
    assert arrived.get("text") == "one\r\ntwo"
    assert arrived.all("without") == ("a", "b")
    assert [(each.name, each.type, each.size) for each in arrived.attachments] == [
        ("photo.png", "image/png", 300_000),
        ("b.txt", "text/plain", 5),
    ]
    ids = [id for each in arrived.attachments for id in attachment.block_ids(each)]
    assert list(arrived.blocks) == ids
    assert content(instance, arrived.attachments[0], ids) == first


def test_any_cut_of_the_stream_gives_the_same(instance: Instance) -> None:
    """A form that arrives in pieces of 37 bytes is the same form."""
    body = form(field("text", "ä" * 200), file("x", b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n" * 50))
    whole, pieces = take(instance, body), take(instance, body, stream=Slow(body))
    assert whole.fields == pieces.fields
    assert whole.digest == pieces.digest
    assert [each.sha256 for each in whole.attachments] == [each.sha256 for each in pieces.attachments]


LAST = {"file": file("a", b"\r\n--" + BOUNDARY[:-1].encode() + b"\r"), "text": field("b", "x\r\n-")}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_no_place_of_a_cut_changes_a_byte(instance: Instance, monkeypatch: pytest.MonkeyPatch, last: bytes) -> None:
    """Wherever the network cuts the form in two, also amid its last boundary, what is sealed is what was sent."""
    monkeypatch.setattr(type(instance.store), "put_blocks", lambda *_: None)
    body = form(field("text", "ä\r\n--"), last)
    whole = take(instance, body)
    for place in range(1, len(body)):
        cut = take(instance, body, stream=Cut(body, place))
        assert (cut.digest, cut.fields) == (whole.digest, whole.fields)
        assert [each.sha256 for each in cut.attachments] == [each.sha256 for each in whole.attachments]


def test_the_digest_is_over_the_form_in_order(instance: Instance) -> None:
    """The digest is the specification's: values as they came, attempt and words left out."""
    arrived = take(instance, form(field("attempt", "ff"), field("text", "one\r\ntwo"), file("x y.png", b"abc")))
    expected = FormDigest()
    expected.field("text", b"one\r\ntwo")
    expected.file("x y.png", hashlib.sha256(b"abc").digest())
    assert arrived.digest == expected.digest()


def test_empty_inputs_are_skipped_and_empty_files_are_not(instance: Instance) -> None:
    """An input without a choice is no file, even before a text; a named file of no bytes is one."""
    arrived = take(instance, form(file("", b""), field("text", "t"), file("", b""), file("empty.txt", b"")))
    assert [(each.name, each.size) for each in arrived.attachments] == [("empty.txt", 0)]
    assert content(instance, arrived.attachments[0], arrived.blocks) == b""


def test_a_name_without_end(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name that no system has, the end is looked at: marks in it take the square of their number to sort."""
    seen: list[int] = []
    normalize = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", lambda to, text: (seen.append(len(text)), normalize(to, text))[1])
    found = take(instance, form(file("\u0301\u0327" * 20_000 + ".png", b"x")))
    assert found.attachments[0].name.endswith(".png") and max(seen) < 2_000


def test_sixty_files(instance: Instance) -> None:
    """Sixty files are as fine as one."""
    arrived = take(instance, form(*(file(f"{n}.txt", b"%d" % n) for n in range(60))))
    assert [each.name for each in arrived.attachments] == [f"{n}.txt" for n in range(60)]


def test_long_texts_pass(instance: Instance) -> None:
    """200,000 characters pass, in any script."""
    text = "说" * 200_000
    assert take(instance, form(field("text", text))).get("text") == text


def urlencoded(instance: Instance, body: bytes) -> Arrived:
    """Receive a form that has no place for text or files."""
    kind = "application/x-www-form-urlencoded"
    return receive(io.BytesIO(body), kind, len(body), instance.store, BOUNDS)


def test_small_forms(instance: Instance) -> None:
    """Choices and words come urlencoded, in any script; much of it, or what is not so encoded, is refused."""
    assert urlencoded(instance, urlencode({"words": "的 一"}).encode()).get("words") == "的 一"
    for body, error in ((b"words=%", None), (b"a=" + b"%" * 70_000, TooBig), (b"a=%ff", Broken), (b"a=\xff", Broken)):
        with pytest.raises(error) if error else contextlib.nullcontext():
            urlencoded(instance, body)


def test_a_flood_of_parts_is_no_form(instance: Instance) -> None:
    """Empty inputs without end are refused long before their end."""
    body = form(*[file("", b"")] * 3000)
    stream = Slow(body)
    with pytest.raises(Broken):
        take(instance, body, stream=stream)


class Endless(io.RawIOBase):
    """A body that begins in some way and then says the same for ever; how much of it was read."""

    def __init__(self, begin: bytes, more: bytes) -> None:
        self.asked = 0
        self._begin, self._more = begin, more * (1 + reading.PIECE // len(more))

    def read(self, size: int = -1, /) -> bytes:
        begun = self._begin[:size]
        self._begin = self._begin[size:]
        self.asked += size
        return begun or self._more[:size] if self.asked < 16 << 20 else b""


HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="x"; filename="x"\r\n'.encode()
ENDLESS = {
    "boundaries": (b"", f"--{BOUNDARY}\r\n".encode()),
    "boundaries_without_lines": (b"", f"--{BOUNDARY}".encode()),
    "boundaries_in_a_file": (HEAD + b"\r\n", f"--{BOUNDARY}".encode()),
    "last_boundaries": (b"", f"\r\n--{BOUNDARY}--\r\n".encode()),
    "preamble": (b"", b"x"),
    "preamble_of_lines": (b"", b"\r\n--"),
    "lines_of_a_head": (HEAD, b"X: y\r\n"),
    "line_of_a_head": (HEAD, b"x"),
    "name_of_a_field": (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'.encode(), b"x"),
    "name_of_a_file": (HEAD[:-3], b"x"),
    "parts": (b"", HEAD + b"\r\n\r\n"),
    "parts_without_disposition": (b"", f"--{BOUNDARY}\r\n\r\n\r\n".encode()),
    "text": (HEAD[:-16] + b"\r\n\r\n", b"x"),
    "behind_the_end": (f"--{BOUNDARY}--\r\n".encode(), b"x"),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_a_form_without_end_is_not_waited_for(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, begin: bytes, more: bytes
) -> None:
    """Whatever a body repeats for ever, it is refused before much of it is in memory."""
    monkeypatch.setattr(reading, "DRAIN_BYTES", 0)
    monkeypatch.setattr(type(instance.store), "put_blocks", lambda *_: None)
    stream = Endless(begin, more)
    with pytest.raises((Broken, TooBig)):
        take(instance, b"", Bounds(10**9, text=1 << 20), stream, 1 << 40)
    assert stream.asked <= 2 << 20


def test_a_boundary_is_short(instance: Instance) -> None:
    """A boundary that is itself a body's worth is refused."""
    with pytest.raises(Broken):
        kind = f"multipart/form-data; boundary={'b' * 3000}"
        receive(io.BytesIO(b"x"), kind, 1, instance.store, BOUNDS)


REFUSED = {
    "field_after_file": (form(field("text", "kept"), file("x", b"x"), field("late", "y")), BOUNDS, FieldAfterFile),
    "too_much_text": (form(field("text", "kept"), field("more", "x" * 2000)), Bounds(10**9, text=1000), TooBig),
    "too_many_fields": (form(field("text", "kept"), field("b", "x")), Bounds(10**9, fields=1), TooBig),
    "too_many_files": (form(field("text", "kept"), file("a", b"a"), file("b", b"b")), Bounds(10**9, files=1), TooBig),
    "too_many_bytes": (form(field("text", "kept"), file("a", b"a" * 5000)), Bounds(upload=1000), TooBig),
    "cut_off_in_file": (form(field("text", "kept"), file("a", b"a" * 5000))[:-3000], BOUNDS, Broken),
    "cut_off_in_text": (form(field("text", "kept"), field("b", "x" * 500))[:-300], BOUNDS, Broken),
    "no_name": (form(field("text", "kept"), field("", "x")).replace(b' name=""', b""), BOUNDS, Broken),
    "not_utf8": (form(field("text", "kept"), field("b", "x").replace(b"x\r\n", b"\xff\r\n")), BOUNDS, Broken),
    "head_without_end": (field("text", "kept") + field("b", "x")[:40] + b"x" * 400_000, BOUNDS, Broken),
}


@pytest.mark.parametrize(("body", "bounds", "error"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_gives_the_texts_back(
    instance: Instance, body: bytes, bounds: Bounds, error: type[FormError]
) -> None:
    """Whatever is refused, the texts that had arrived stand in the error and the body was read to its end."""
    stream = io.BytesIO(body)
    with pytest.raises(error) as refused:
        take(instance, body, bounds, stream)
    assert refused.value.get("text") == "kept"
    assert stream.read() == b""
    assert on_disk(instance) == 0


def on_disk(instance: Instance) -> int:
    """How many blocks lie in the folder, or stand in the database."""
    files = [path for path in Path(instance.config.blocks).rglob("*") if path.is_file()]
    with instance.store.database.read() as connection:
        tables = [table for table in metadata.sorted_tables if "blocks" in table.name or table.name == "pending"]
        return len(files) + sum(len(connection.execute(table.select()).all()) for table in tables)


def test_what_is_refused_late_is_gone(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the blocks of files that had come whole are taken out of the store, before the rest is read."""
    left: list[int] = []
    put: list[tuple[bytes, bytes]] = []
    real = type(instance.store).put_blocks
    monkeypatch.setattr(
        type(instance.store), "put_blocks", lambda store, some, *more: [put.extend(some), real(store, some, *more)]
    )

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            left.append(on_disk(instance))
            return super().read(size)

    body = form(file("x", os.urandom(600_000)), field("late", "y" * 10), field("more", "z" * 300_000))
    with pytest.raises(FieldAfterFile):
        take(instance, body, stream=Watched(body))
    assert put and left[-1] == 0 and on_disk(instance) == 0


def test_a_full_disk_gives_the_texts_back(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a block cannot be kept the form is refused as a whole, with its texts."""

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "put_blocks", full)
    with pytest.raises(DiskFull) as refused:
        take(instance, form(field("text", "kept"), file("x", b"x")))
    assert refused.value.get("text") == "kept"


def test_a_failing_disk_leaves_nothing_unread(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store fails the rest of the form is read all the same, and the texts are given back."""

    def fails(*_: object) -> None:
        raise StoreError("the disk fails")

    monkeypatch.setattr(type(instance.store), "put_blocks", fails)
    whole = form(field("text", "kept"), file("x", bytes(300_000)), file("y", bytes(300_000)))
    body = io.BytesIO(whole)
    with pytest.raises(NotStored) as refused:
        take(instance, whole, stream=body)
    assert body.read() == b"" and refused.value.get("text") == "kept"


def test_a_connection_that_stands_still_is_given_up(instance: Instance) -> None:
    """A read that times out ends the form, and what had arrived is in the error."""

    class Stuck(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise TimeoutError
            return data

    body = form(field("text", "kept"), file("x", b"x" * 1000))
    with pytest.raises(Broken) as refused:
        take(instance, body, stream=Stuck(body[:-500]), length=len(body))
    assert refused.value.get("text") == "kept"


def test_what_follows_a_refusal_is_read_within_bounds(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a refused body is thrown away, but not without end."""
    monkeypatch.setattr(reading, "DRAIN_BYTES", 100_000)
    body = form(field("text", "kept"), file("x", b"x" * 1_000_000))
    stream = io.BytesIO(body)
    with pytest.raises(TooBig):
        take(instance, body, Bounds(upload=1000), stream)
    assert 100_000 <= stream.tell() < 400_000


def test_no_other_form_is_taken(instance: Instance) -> None:
    """A body that is no form is refused; no body is an empty form."""
    with pytest.raises(NotAForm):
        receive(io.BytesIO(b"{}"), "application/json", 2, instance.store, BOUNDS)
    assert receive(io.BytesIO(b""), "", 0, instance.store, BOUNDS).fields == ()


def test_no_plaintext_reaches_the_disk(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a text nor a file of any size is written anywhere, not even for a moment to a temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, lambda *_, **__: pytest.fail("a temporary file"))
    mark = b"PLAINTEXT-MARK-" * 70_000
    take(instance, form(field("text", "PLAINTEXT-MARK-"), file("PLAINTEXT-MARK-.txt", mark)))
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"PLAINTEXT-MARK-" not in path.read_bytes()


@pytest.mark.parametrize("given", ["/home/me/a.txt", "me/desktop.ini", "a\u202egpj.lnk", "\U0001fae9.jpg", ".."])
def test_names_of_files(instance: Instance, given: str) -> None:
    """A file's name is sealed as one that is safe to save: without folders, and nothing that acts by being seen."""
    [found] = take(instance, form(file(given, b"content"))).attachments
    assert found.name == safe_name(given)
