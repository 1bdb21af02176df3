"""What came out of damaged parts of a backup, held against what else is known of it.

Anybody can seal a part to a reviewer and put it in the place of one that was written.  Rows and envelopes are held
against their hashes while they are read; here, messages against the keys that signed them, and pieces of files against
the hashes that were noted when they came.  Where none was noted, the file itself says whether it opens.
"""

import datetime
import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from sqlalchemy import delete

from whistle.protocol.case.attachment import Attachment, block_ids
from whistle.protocol.case.message import Body, ByReporter, ByReviewer, Signed
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.untrusted_text import one_line
from whistle.workstation.cases import overview, saved_files
from whistle.workstation.cases.entries import Entry
from whistle.workstation.language import t
from whistle.workstation.vault import check
from whistle.workstation.vault.blocks import Blocks
from whistle.workstation.vault.models import MessageRow
from whistle.workstation.workstation import UNSYNCED, Workstation


class Doubts(Protocol):
    """Of a backup that is not whole: how many blocks are lost and which, which are doubtful, and a line for each file
    that is not whole because of that.
    """

    blocks: int
    lost: set[bytes]
    doubtful: set[bytes]
    files: list[str]


def drop_unsigned(workstation: Workstation, hashes: Sequence[str]) -> int:
    """Remove those of these messages that nobody signed who could; how many.  Use within a change."""
    bad = [hash for hash in hashes if not _is_signed(workstation, workstation.message(hash))]
    for hash in bad:
        workstation.vault.session.execute(delete(MessageRow).where(MessageRow.hash == hash), **UNSYNCED)
    workstation.forget(bad)
    return len(bad)


def _is_signed(workstation: Workstation, signed: Signed) -> bool:
    if isinstance(signed.message, ByReporter):
        return signed.is_by_reporter
    try:
        return isinstance(signed.message, ByReviewer) and bool(workstation.trust.people().signer(signed))
    except ProtocolError:
        return False


def check_pieces(workstation: Workstation, doubts: Doubts) -> None:
    """Remove the doubtful blocks that are not what was noted, count them as lost, and name the files that lack some."""
    blocks, noted = workstation.blocks, check.noted_blocks(workstation)
    forged = {
        id
        for id in doubts.doubtful & set(noted)
        if not any(hashlib.sha256(each).digest() == noted[id] for each in blocks.versions(id))
    }
    blocks.remove(forged)
    doubts.blocks += len(forged)
    doubts.lost = {id for id in doubts.lost | forged if not blocks.has(id)}
    doubts.files = list(_not_whole(workstation, doubts.lost, doubts.doubtful - set(noted)))


def _not_whole(workstation: Workstation, lost: Collection[bytes], doubtful: Collection[bytes]) -> Iterator[str]:
    """A line for each file with blocks that are lost, or with doubtful ones that do not open."""
    for id in workstation.case_ids():
        case = overview.load(workstation, id)
        for entry in case.entries:
            for record in _records(entry):
                ids = set(block_ids(record))
                if ids & set(lost) or (ids & set(doubtful) and not _opens(record, workstation.blocks)):
                    yield _line(case.reference, _day(entry), record)


def _line(case: str, day: datetime.date, record: Attachment) -> str:
    if record.kind == "file":
        return t("backup.file", case=case, day=day, name=one_line(record.name))
    return t("backup.content", case=case, day=day)


def _day(entry: Entry) -> datetime.date:
    message = entry.message
    assert isinstance(message, ByReporter | ByReviewer)
    return message.day


def _records(entry: Entry) -> list[Attachment]:
    rest = entry.message.rest if isinstance(entry.message, Body) else None
    return [*([rest] if rest else []), *entry.attachments]


def _opens(record: Attachment, blocks: Blocks) -> bool:
    try:
        saved_files.read(record, blocks, lambda pieces: deque(pieces, 0))
    except (Malformed, OSError):
        return False
    return True
