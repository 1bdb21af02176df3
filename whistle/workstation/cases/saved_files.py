"""Saving strangers' files: under a harmless name, and only once all of a file is verified.

The sender chooses a file's name, so only a plain last part of it is used.  Plaintext gets a name only after the last
piece and the SHA-256 were right; an error leaves nothing behind.
"""

from collections.abc import Iterator
from pathlib import Path

from whistle.durable import new_file, sync_folder
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment, Opener
from whistle.protocol.errors import Malformed
from whistle.protocol.file_names import numbered
from whistle.workstation import files
from whistle.workstation.errors import CannotSave
from whistle.workstation.vault.blocks import Blocks


def save(record: Attachment, blocks: Blocks, folder: Path) -> Path:
    """Open an attachment into `folder`.  Raises CannotSave if a block is missing or altered."""
    missing = blocks.missing(attachment.block_ids(record))
    if missing:
        raise CannotSave(
            f"{len(missing)} of {record.blocks} pieces of this attachment have not come yet",
            "they come with a later stick; nothing of an incomplete file is shown",
        )
    files.private_folder(folder)
    try:
        with new_file(folder) as (file, name_it):
            for piece in _pieces(record, blocks):
                file.write(piece)
            path = name_it(lambda count: numbered(record.name, count))
        sync_folder(folder)
    except Malformed as exc:
        raise CannotSave(
            "this attachment is damaged: nothing of it was saved", "ask the reporter to send it again"
        ) from exc
    except FileExistsError as exc:
        raise CannotSave("there are too many files of one name", "save to an empty folder") from exc
    except OSError as exc:
        raise _no_room(exc) from exc
    return path


def content(record: Attachment, blocks: Blocks) -> bytes:
    """All of a small attachment, verified, in memory.  Raises Malformed, FileNotFoundError."""
    return b"".join(_pieces(record, blocks))


def _pieces(record: Attachment, blocks: Blocks) -> Iterator[bytes]:
    """The verified content, piece by piece.  Of a block that came in several versions, the one that opens is used.

    Only the next block proves a block to be right, so more than one way may be open until then.
    """
    ways = [(attachment.Opener(record), b"")]
    for id in attachment.block_ids(record):
        ways = _further(ways, blocks.versions(id))
        if len(ways) == 1:
            yield ways[0][1]
            ways = [(ways[0][0], b"")]
    fault = Malformed("an attachment is damaged")
    for opener, content in ways:
        try:
            yield content + opener.finish()
        except Malformed as exc:
            fault = exc
        else:
            return
    raise fault


def _further(ways: list[tuple[Opener, bytes]], versions: list[bytes]) -> list[tuple[Opener, bytes]]:
    """The ways continued by each version of the next block that opens.  Raises Malformed if none does."""
    found, fault = [], Malformed("an attachment is damaged")
    for opener, content in ways:
        for version in versions:
            tried = opener.copy() if len(versions) > 1 else opener
            try:
                found.append((tried, content + tried.update(version)))
            except Malformed as exc:
                fault = exc
    if not found:
        raise fault
    return found


def _no_room(exc: OSError) -> CannotSave:
    return CannotSave(
        f"the file could not be saved: {exc.strerror}", "choose a folder of yours on a sound disk with more room"
    )
