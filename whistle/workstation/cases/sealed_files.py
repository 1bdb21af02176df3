"""Files that a message takes along, sealed into blocks which lie in the vault's folder until they are sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import MAX_BLOCKS, Attachment
from whistle.protocol.case.message import MAX_ATTACHMENTS, MAX_TEXT
from whistle.protocol.errors import ProtocolError
from whistle.protocol.invisible_text import is_blank
from whistle.workstation.cases import saved_files
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

PIECE = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Upload:
    """A file to attach; its stream can be read twice."""

    name: str
    type: str
    stream: BinaryIO


Files = Sequence[Upload | Attachment]  # to be sealed, or sealed here before


def check(text: str, uploads: Files, more: bool = False) -> None:
    """Raise Refused unless a message takes this text and these files; `more`: it says something besides."""
    if is_blank(text) and not uploads and not more:
        raise Refused(t("sealed_files.nothing"), t("sealed_files.nothing_hint"))
    if len(text) > MAX_TEXT:
        raise Refused(t("sealed_files.text", most=MAX_TEXT), t("sealed_files.as_file"))
    if len(uploads) > MAX_ATTACHMENTS:
        raise Refused(t("sealed_files.files", most=MAX_ATTACHMENTS), t("sealed_files.files_hint"))


def seal(workstation: Workstation, uploads: Files) -> tuple[Attachment, ...]:
    """Seal files, except those that are sealed already; their records.  Raises Refused if they are too large."""
    records = tuple(
        upload if isinstance(upload, Attachment) else _seal_upload(workstation, upload) for upload in uploads
    )
    if sum(record.blocks for record in records) > MAX_BLOCKS:
        raise _too_large()
    return records


def seal_again(workstation: Workstation, record: Attachment) -> Attachment:
    """A file of this vault, sealed once more: the same content in blocks of other ids.  Raises Refused."""
    try:
        return saved_files.read(
            record, workstation.blocks, lambda pieces: _seal(workstation, record.name, record.type, pieces)
        )
    except (ProtocolError, FileNotFoundError) as exc:
        raise Refused(t("sealed_files.damaged"), t("sealed_files.damaged_hint")) from exc


def _seal_upload(workstation: Workstation, upload: Upload) -> Attachment:
    upload.stream.seek(0)
    return _seal(workstation, upload.name, upload.type, iter(lambda: upload.stream.read(PIECE), b""))


def _seal(workstation: Workstation, name: str, type_: str, pieces: Iterable[bytes]) -> Attachment:
    sealer = attachment.Sealer()
    for piece in pieces:
        try:
            blocks = sealer.update(piece)
        except ValueError as exc:
            raise _too_large() from exc
        for id, body in blocks:
            workstation.blocks.write(id, body)
    last, record = sealer.finish(name, type_)
    for id, body in last:
        workstation.blocks.write(id, body)
    return record


def _too_large() -> Refused:
    return Refused(t("sealed_files.too_large", size="64 GiB"), t("sealed_files.too_large_hint"))
