"""Parses a form as it streams in: texts stay in memory, files are sealed into blocks piece by piece.

Flask's own parser would write files to a temporary folder; here plaintext of any size never reaches a disk.
Texts come before files.  When a form is rejected, the rest of the body is read (within bounds) and discarded, so that
the browser shows the response instead of a broken connection; the error holds the texts that had arrived.
"""

import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio import multipart

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.code.retrieval import FormDigest
from whistle.protocol.file_names import safe_name
from whistle.server.errors import (
    Broken,
    DiskFull,
    FieldAfterFile,
    FormError,
    NotAForm,
    NotStored,
    NoTurn,
    Texts,
    TooBig,
)
from whistle.server.logs import log_error
from whistle.server.sealing.body import PIECE, Body, Stream
from whistle.store import ID, Full, Heap, Store, StoreError

PENDING = 4 * PIECE  # bytes buffered in the decoder; the head of a part is never longer
EDGE = 8  # bytes behind a boundary without which werkzeug's decoder may take the line end before it for content
BOUNDARY = 200  # bytes of a boundary; RFC 2046 allows 70, and some programs send a few more
FREE = 64 * 1024  # bytes of texts that a form may always hold; a longer one waits for room
URLENCODED = 64 * 1024  # bytes of a form without text areas or files
NAME = 200  # characters of a field's name
BATCH = 8  # blocks that are stored at once
GATHERED = threading.BoundedSemaphore(64)  # blocks of all forms of this process that wait beside one of each
FILENAME = 1000  # characters of a file's name that are used, from its end; no system has names as long
TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
ANY_TYPE = "application/octet-stream"


class Share(Protocol):
    """What a form takes of the room that all forms have for long texts."""

    def take(self, count: int, /) -> bool: ...

    def keep(self, count: int, /) -> None: ...


@dataclass(frozen=True)
class Bounds:
    """Limits for one form."""

    upload: int  # bytes of the whole body
    text: int = 1024 * 1024  # bytes of all texts together
    fields: int = 1000
    files: int = 500


@dataclass(frozen=True)
class Arrived:
    """A complete form.  `blocks` are the ids of its blocks, stored but not yet committed."""

    texts: Texts
    attachments: tuple[Attachment, ...] = ()
    blocks: tuple[bytes, ...] = ()
    digest: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        """The first text under a name."""
        return next((value.decode() for field, value in self.texts if field == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every text under a name."""
        return tuple(value.decode() for field, value in self.texts if field == name)

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Every text with its name, decoded."""
        return tuple((field, value.decode()) for field, value in self.texts)


def receive(
    stream: Stream,
    content_type: str,
    content_length: int | None,
    store: Store,
    bounds: Bounds,
    share: Share | None = None,
) -> Arrived:
    """Receive a multipart or urlencoded form of `content_length` bytes; its files are sealed into the store.

    Raises FormError: FieldAfterFile, TooBig, NoTurn, DiskFull, NotStored, Broken; each holds the texts that had
    arrived.  The store then holds nothing of the files.  `share`: for texts longer than `FREE`.
    """
    body = Body(stream, content_length or 0)
    form = _Form(store, bounds, body.length, share)
    try:
        kind, options = parse_options_header(content_type)
        if kind == "multipart/form-data" and options.get("boundary"):
            _multipart(body, form, options["boundary"])
        elif kind == "application/x-www-form-urlencoded":
            _urlencoded(body, form)
        elif body.length:
            raise NotAForm("not a form")
        return form.arrived()
    except FormError as error:
        form.discard()
        error.texts = form.texts()
        body.drain()
        raise
    finally:
        form.close()


def discard(store: Store, blocks: Sequence[bytes]) -> None:
    """Remove uncommitted blocks from the store; if that fails, the nightly sweep removes them."""
    try:
        store.drop(blocks)
    except StoreError as error:
        log_error(error)


def _multipart(body: Body, form: "_Form", boundary: str) -> None:
    try:
        # Empty file inputs are parts too; with the maximum of both, files count twice.
        parts = form.bounds.fields + 2 * form.bounds.files
        if len(boundary) > BOUNDARY:
            raise Broken("malformed form")
        decoder = multipart.MultipartDecoder(boundary.encode("ascii"), PENDING, max_parts=parts)
        part: _Text | _File | None = None
        while not isinstance(event := decoder.next_event(), multipart.Epilogue):
            if isinstance(event, multipart.NeedData):
                decoder.receive_data(_piece(body, b"--" + decoder.boundary) or None)
            elif isinstance(event, multipart.Field):
                part = form.begin_text(event.name)
            elif isinstance(event, multipart.File):
                part = form.begin_file(event.filename, event.headers.get("content-type", ""))
            elif isinstance(event, multipart.Data) and part:
                part.add(event.data)
                if not event.more_data:
                    part.end()
    except (ValueError, RequestEntityTooLarge) as error:
        raise Broken("malformed form") from error


def _piece(body: Body, boundary: bytes) -> bytes:
    """The next piece; it does not end at or right after a boundary, unless it is the last.

    Broken for a body of boundaries only, which would never end here: in a form, there are heads between them.
    """
    edge = len(boundary) + EDGE
    piece = body.read()
    while piece and (len(piece) < edge or boundary in piece[-edge:]):
        if len(piece) > PIECE + 8 * edge:
            raise Broken("malformed form")
        more = body.read(edge)
        if not more:
            break
        piece += more
    return piece


def _urlencoded(body: Body, form: "_Form") -> None:
    if body.length > URLENCODED:
        raise TooBig("text")
    raw = b""
    while piece := body.read():
        raw += piece
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10_000)
    except ValueError as error:
        raise Broken("malformed form") from error
    for name, value in pairs:
        text = form.begin_text(name)
        text.add(value.encode())
        text.end()


class _Form:
    """What has arrived of a form so far."""

    def __init__(self, store: Store, bounds: Bounds, length: int, share: Share | None) -> None:
        self.bounds = bounds
        self.digest = FormDigest()
        self._size = 0  # bytes of texts
        self._share = share
        self._store = store
        self._length = length
        self._texts: list[_Text] = []
        self._attachments: list[Attachment] = []
        self._blocks: list[bytes] = []
        self._upload = os.urandom(ID)
        self._writer: ThreadPoolExecutor | None = None
        self._write: Future[None] | None = None  # the blocks that are being written
        self._gathered: list[tuple[bytes, bytes]] = []  # blocks that wait for that
        self._held = 0  # of GATHERED

    def begin_text(self, name: str | None) -> "_Text":
        if self._attachments:
            raise FieldAfterFile("a text came after the first file")
        if name is None or len(name) > NAME:
            raise Broken("a field has no name")
        if len(self._texts) == self.bounds.fields:
            raise TooBig("fields")
        text = _Text(self, name)
        if name:  # Lynx sends fields without a name too, which no other browser does: they are none of ours
            self._texts.append(text)
        return text

    def fitting(self, data: bytes) -> bytes:
        """As much of a text's next bytes as there is room for; NoTurn if others hold what a long one takes."""
        size = self._size + len(data)
        if self._share and self._size <= FREE < size and not self._share.take(min(self.bounds.text, self._length)):
            raise NoTurn("too many long texts at once")
        data = data[: self.bounds.text - self._size]
        self._size += len(data)
        return data

    def begin_file(self, filename: str, type_: str) -> "_File":
        self._keep()
        return _File(self, filename, type_)

    def _keep(self) -> None:
        """Leave to others what the texts turned out not to take."""
        if self._share:
            self._share.keep(self._size if self._size > FREE else 0)

    def check_file(self) -> None:
        """Raise TooBig unless another file is allowed; called for inputs that are not empty."""
        if self._length > self.bounds.upload:
            raise TooBig("bytes")
        if len(self._attachments) == self.bounds.files:
            raise TooBig("files")

    def put_blocks(self, blocks: list[tuple[bytes, bytes]]) -> None:
        """Store blocks on a second thread while the next are received and sealed; what comes meanwhile goes at once."""
        for block in blocks:
            self._gathered.append(block)
            is_free = self._write is None or self._write.done()
            if is_free or len(self._gathered) == BATCH or not GATHERED.acquire(blocking=False):
                self._flush()
            else:
                self._held += 1

    def _flush(self) -> None:
        self._complete_write()
        blocks, self._gathered = self._gathered, []
        if blocks:
            self._writer = self._writer or ThreadPoolExecutor(1, "whistle-blocks")  # ends when the form does
            self._write = self._writer.submit(self._store.put_blocks, blocks, Heap.REVIEWERS, self._upload)
            self._blocks += [id for id, _ in blocks]
        self._let_others()

    def close(self) -> None:
        """Let other forms gather blocks; and let go of the texts, which know their form and would wait for gc else."""
        self._let_others()
        self._texts.clear()

    def _let_others(self) -> None:
        for _ in range(self._held):
            GATHERED.release()
        self._held = 0

    def _complete_write(self) -> None:
        """Wait until the last blocks are stored; DiskFull or NotStored if they could not be."""
        try:
            if self._write:
                self._write.result()
        except Full as error:
            raise DiskFull("the disk is full") from error
        except StoreError as error:
            log_error(error)
            raise NotStored("the store failed") from error

    def discard(self) -> None:
        """Remove the blocks from the store."""
        if self._write:
            wait([self._write])
        discard(self._store, self._blocks)

    def add_file(self, attached: Attachment, filename: str) -> None:
        self._attachments.append(attached)
        self.digest.file(filename, bytes.fromhex(attached.sha256))

    def texts(self) -> Texts:
        self._keep()
        return tuple((text.name, text.mended()) for text in self._texts)

    def arrived(self) -> Arrived:
        if not all(text.is_whole() for text in self._texts):
            raise Broken("a text is not UTF-8")
        self._flush()
        self._complete_write()
        return Arrived(self.texts(), tuple(self._attachments), tuple(self._blocks), self.digest.digest())


class _Text:
    """A text field while it arrives."""

    def __init__(self, form: _Form, name: str) -> None:
        self.name = name
        self._form = form
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        fitting = self._form.fitting(data)
        self._data += fitting
        if len(fitting) < len(data):
            raise TooBig("text")

    def end(self) -> None:
        self._form.digest.field(self.name, bytes(self._data))

    def is_whole(self) -> bool:
        """Whether it is UTF-8."""
        try:
            return self._data.isascii() or bool(self._data.decode())
        except UnicodeDecodeError:
            return False

    def mended(self) -> bytes:
        """It, with a mark in place of what is not UTF-8."""
        return bytes(self._data) if self.is_whole() else self._data.decode(errors="replace").encode()


class _File:
    """A file while it arrives; an empty input is ignored."""

    def __init__(self, form: _Form, filename: str, type_: str) -> None:
        self._form = form
        self._filename = filename
        self._type = type_.strip().lower()
        self._sealer: attachment.Sealer | None = None
        if filename:
            self._begin()

    def add(self, data: bytes) -> None:
        if data:
            self._form.put_blocks(self._begin().update(data))

    def end(self) -> None:
        if self._sealer is None:
            return
        type_ = self._type if TYPE.fullmatch(self._type) else ANY_TYPE
        blocks, attached = self._sealer.finish(safe_name(self._filename[-FILENAME:]), type_)
        self._form.put_blocks(blocks)
        self._form.add_file(attached, self._filename)

    def _begin(self) -> attachment.Sealer:
        if self._sealer is None:
            self._form.check_file()
            self._sealer = attachment.Sealer()
        return self._sealer
