"""Saving strangers' files: under a harmless name, and only once all of a file is verified.

The sender chooses a file's name, so only a plain last part of it is used.  Plaintext gets a name only after the last
piece and the SHA-256 were right; an error leaves nothing behind.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from whistle.durable import new_file
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment, Opener
from whistle.protocol.errors import Malformed
from whistle.protocol.file_names import numbered
from whistle.workstation import files
from whistle.workstation.cases import clear_files
from whistle.workstation.errors import CannotSave
from whistle.workstation.language import t
from whistle.workstation.vault.blocks import Blocks

T = TypeVar("T")
Way = tuple[Opener, bytes]  # after a block, and the content that this block completed


def save(record: Attachment, blocks: Blocks, folder: Path, insists: bool = False) -> Path:
    """Open an attachment into `folder`, under an ending that runs nothing unless somebody insists on its own.

    Raises CannotSave if a block is missing or altered.
    """
    missing = blocks.missing(attachment.block_ids(record))
    if missing:
        raise CannotSave(
            t("saved_files.missing", missing=len(missing), all=record.blocks),
            t("saved_files.missing_hint"),
        )
    files.private_folder(folder)
    name = clear_files.own(record.name) if insists else clear_files.harmless(record.name)
    try:
        return read(record, blocks, lambda pieces: _write(name, pieces, folder))
    except Malformed as exc:
        raise CannotSave(t("saved_files.damaged"), t("saved_files.damaged_hint")) from exc
    except FileExistsError as exc:
        raise CannotSave(t("saved_files.names"), t("saved_files.names_hint")) from exc
    except OSError as exc:
        raise _no_room(exc) from exc


def content(record: Attachment, blocks: Blocks) -> bytes:
    """All of a small attachment, verified, in memory.  Raises Malformed, FileNotFoundError."""
    return read(record, blocks, b"".join)


def _write(name: str, pieces: Iterable[bytes], folder: Path) -> Path:
    with new_file(folder) as (file, name_it):
        for piece in pieces:
            file.write(piece)
        return name_it(lambda count: numbered(name, count))


def read(record: Attachment, blocks: Blocks, take: Callable[[Iterable[bytes]], T]) -> T:
    """What `take` makes of the content.  If the newest versions of its blocks give another one, the oldest are tried.

    Whoever knows an attachment's key can make versions that open, and only the hash of the whole tells them apart: to
    try all combinations would take exponential time.
    """
    try:
        return take(_pieces(record, blocks))
    except Malformed:
        if not any(blocks.has_several(id) for id in attachment.block_ids(record)):
            raise
        return take(_pieces(record, blocks, oldest_first=True))


def _pieces(record: Attachment, blocks: Blocks, oldest_first: bool = False) -> Iterator[bytes]:
    """The verified content, piece by piece.  Of a block that came in several versions, the first that opens is used.

    The end of a block opens only with the beginning of the next one, so until then each version that opened so far is
    a possible way on; there is never more than one way for each version.
    """
    ways = [(attachment.Opener(record), b"")]
    for id in attachment.block_ids(record):
        piece, ways = _further(ways, blocks.versions(id, oldest_first))
        yield piece
    fault = Malformed("an attachment is damaged")
    for opener, piece in ways:
        try:
            end = opener.finish()
        except Malformed as exc:
            fault = exc
        else:
            yield piece + end
            return
    raise fault


def _further(ways: list[Way], versions: Iterable[bytes]) -> tuple[bytes, list[Way]]:
    """The content that the next block confirms, and the ways on from there.  Raises Malformed if there are none."""
    next_ways: list[Way] = []
    decided, fault = b"", Malformed("an attachment is damaged")
    for version in versions:
        for opener, piece in ways:
            tried = opener.copy()
            try:
                next_ways.append((tried, tried.update(version)))
            except Malformed as exc:
                fault = exc
            else:
                ways, decided = [(opener, piece)], piece
                break
    if not next_ways:
        raise fault
    return decided, next_ways


def _no_room(exc: OSError) -> CannotSave:
    return CannotSave(t("saved_files.no_room", reason=exc.strerror), t("saved_files.no_room_hint"))
