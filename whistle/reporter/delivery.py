"""Sealing on the reporter's own device and sending: blocks first, then report and slip in one request.

Files are read once and sealed as they are read, in constant memory; nothing is written to a disk.
"""

import contextlib
import functools
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import BLOCK, ID, Attachment, Block
from whistle.protocol.code.retrieval import ATTEMPT, FormDigest, Reporter, derive
from whistle.protocol.code.words import CODE
from whistle.protocol.reporter import compose
from whistle.protocol.reporter.compose import Draft, Writer
from whistle.protocol.reporter.reply_validation import Conversation
from whistle.protocol.reporter.submission import MAX_BLOCKS, MAX_PASTED, Submission, TooLarge
from whistle.reporter.api import Api
from whistle.reporter.errors import Away, Lost, ReporterError, TooMuch

SEALED = "device"
PIECE = 1_048_576  # bytes of a file in memory
PARALLEL = 3  # blocks under way

Progress = Callable[[str, int, int], None]
Again = Callable[[Away], bool]  # whether to try again, after many attempts


@dataclass(frozen=True)
class File:
    """A file to send: its name as the readers will see it, its media type, and its bytes."""

    name: str = field(repr=False)
    type: str
    stream: BinaryIO = field(repr=False)

    @property
    def size(self) -> int:
        """Its size in bytes, 0 if that is not known in advance."""
        return os.fstat(self.stream.fileno()).st_size


@dataclass(frozen=True)
class Course:
    """Callbacks of a transfer: one for progress, and one that decides whether to try again when the server is away."""

    progress: Progress = lambda step, done, total: None
    again: Again = lambda error: False

    def persist(self, action: Callable[[], None]) -> None:
        """Repeat an action until it succeeds or `again` declines.  Raises ReporterError."""
        while True:
            try:
                return action()
            except Away as error:
                if not self.again(error):
                    raise


def send(api: Api, writer: Writer, draft: Draft, files: Sequence[File], course: Course) -> Reporter:
    """Send a report; returns its new reporter.  Raises compose.Refused, ReporterError, OSError.

    What cannot be sealed is refused before anything is sent.
    """
    compose.check(draft, files=len(files))
    writer.readers(draft)
    reporter = derive(os.urandom(CODE))

    def deliver() -> None:
        with _uploading(api, course) as upload:
            attachments = _put_files(api, files, course, upload)
            parcel = writer.report(replace(draft, attachments=attachments), reporter)
            _store(api, parcel, upload, course, writer.known.manifest.serial)

    _again_if_lost(deliver, files)
    return reporter


def follow_up(
    api: Api,
    writer: Writer,
    draft: Draft,
    files: Sequence[File],
    reporter: Reporter,
    case: Conversation,
    course: Course,
) -> None:
    """Send a follow-up.  Raises what `send` raises."""
    compose.check(draft, reporter.code, files=len(files))
    writer.follow_up_readers(draft, case)

    def deliver() -> None:
        with _uploading(api, course) as upload:
            attachments = _put_files(api, files, course, upload)
            digest = _digest(draft.text, attachments)
            whole = replace(draft, attachments=attachments)
            parcel = writer.follow_up(whole, reporter, case, os.urandom(ATTEMPT), digest)
            _store(api, parcel, upload, course, writer.known.manifest.serial)

    _again_if_lost(deliver, files)


def seal(writer: Writer, draft: Draft, files: Sequence[File]) -> tuple[Reporter, Submission]:
    """A sealed report for a block of text, in memory.  Raises compose.Refused, submission.TooLarge, OSError."""
    compose.check(draft, files=len(files))
    blocks: list[Block] = []
    reporter, attachments = derive(os.urandom(CODE)), []
    for file in files:
        sealer = attachment.Sealer()
        for sealed in _sealed(file, sealer):
            blocks += sealed
            if len(blocks) * BLOCK > MAX_PASTED:
                raise TooLarge("the files are too large for a block of text")
        last, record = sealer.finish(file.name, file.type)
        blocks += last
        attachments.append(record)
    parcel = writer.report(replace(draft, attachments=tuple(attachments)), reporter)
    return reporter, replace(parcel, blocks=(*blocks, *parcel.blocks))


@dataclass
class _Upload:
    """The random id of one upload, and the ids of the blocks that were sent for it."""

    id: bytes
    blocks: list[bytes] = field(default_factory=list)


def _again_if_lost(deliver: Callable[[], None], files: Sequence[File]) -> None:
    """Deliver, and once more from the start if the server has lost blocks in between."""
    try:
        deliver()
    except Lost:
        if not all(file.stream.seekable() for file in files):
            raise
        for file in files:
            file.stream.seek(0)
        deliver()


@contextlib.contextmanager
def _uploading(api: Api, course: Course) -> Iterator[_Upload]:
    """Ask the server first; then an upload, whose blocks are taken back when it comes to nothing."""
    course.persist(api.ready)
    upload = _Upload(os.urandom(ID))
    try:
        yield upload
    except BaseException:
        api.drop(upload.blocks)
        raise


def _store(api: Api, parcel: Submission, upload: _Upload, course: Course, serial: int) -> None:
    for block in parcel.blocks:
        upload.blocks.append(block[0])
        course.persist(lambda block=block: api.put_block(upload.id, block))  # type: ignore[misc]
    try:
        course.persist(lambda: api.store(parcel.token, parcel.envelopes, upload.blocks, serial))
    except TooMuch:
        raise
    except Away as exc:
        raise Away(
            "the connection broke at the last step: it is not known whether your message was stored",
            "send it again; at worst the readers see it twice",
        ) from exc


def _put_files(api: Api, files: Sequence[File], course: Course, upload: _Upload) -> tuple[Attachment, ...]:
    """Seal files and send their blocks; returns the attachments."""
    total = sum(attachment.blocks_for(file.size) for file in files)
    if total > MAX_BLOCKS:
        raise ReporterError(
            "the files are too large together", "send fewer of them, or some with a follow-up; 4.8 GiB go at once"
        )
    uploads = _Uploads(functools.partial(api.put_block, upload.id), course, total, upload.blocks)
    attachments: list[Attachment] = []
    for file in files:
        sealer = attachment.Sealer()
        for blocks in _sealed(file, sealer):
            uploads.add(blocks)
        last, record = sealer.finish(file.name, file.type)
        uploads.add(last)
        attachments.append(record)
    uploads.finish()
    return tuple(attachments)


def _sealed(file: File, sealer: attachment.Sealer) -> Iterator[list[Block]]:
    while piece := file.stream.read(PIECE):
        yield sealer.update(piece)


class _Uploads:
    """Uploads of blocks, a few at a time; one that does not arrive is sent again."""

    def __init__(self, put: Callable[[Block], None], course: Course, total: int, ids: list[bytes]) -> None:
        self.ids = ids
        self._put, self._course, self._total = put, course, total
        self._under = self._arrived = 0
        self._ended: queue.SimpleQueue[tuple[Block, BaseException | None]] = queue.SimpleQueue()

    def add(self, blocks: Sequence[Block]) -> None:
        """Send blocks; waits while PARALLEL are under way."""
        for block in blocks:
            self.ids.append(block[0])
            if len(self.ids) > MAX_BLOCKS:
                raise ReporterError("the files are too large together", "send fewer of them")
            while self._under >= PARALLEL:
                self._complete_one()
            self._start(block)

    def finish(self) -> None:
        """Wait until all have arrived."""
        while self._under:
            self._complete_one()

    def _start(self, block: Block) -> None:
        self._under += 1
        threading.Thread(target=self._run, args=(block,), daemon=True).start()

    def _run(self, block: Block) -> None:
        try:
            self._put(block)
        except BaseException as error:  # the thread's outermost edge: `_complete_one` raises it
            self._ended.put((block, error))
        else:
            self._ended.put((block, None))

    def _complete_one(self) -> None:
        block, error = self._ended.get()
        self._under -= 1
        if error is None:
            self._arrived += 1
            self._course.progress("send", self._arrived, max(self._total, self._arrived))
        elif isinstance(error, Away) and self._course.again(error):
            self._start(block)
        else:
            raise error


def _digest(text: str, attachments: Sequence[Attachment]) -> bytes:
    """The digest of a follow-up's content, as that of a form (SPEC 2.4)."""
    form = FormDigest()
    form.field("text", text.encode("utf-8", "replace"))
    for record in attachments:
        form.file(record.name, bytes.fromhex(record.sha256))
    return form.digest()
