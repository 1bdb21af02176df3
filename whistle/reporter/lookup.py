"""Looking up a case by its twelve words: the report's state, the verified replies, and their files.

Anything in a reply's place that is not signed by a reviewer who may answer there is counted but never shown.
"""

import datetime
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from whistle.durable import new_file
from whistle.protocol.case import attachment, message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import Reply
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed
from whistle.protocol.file_names import numbered
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.receipts import Statement
from whistle.protocol.reporter.reply_validation import Conversation, FoundReply, StoredBody
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.reporter.api import TOGETHER, Api, Found
from whistle.reporter.errors import CannotSave

RECEIPT = "receipt.txt"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CaseView(Conversation):
    """The case under twelve words.  `state` and `state_day` are the report's; None if only replies are left.

    `sent` is the day on which the report arrived, if that is still known; `last_day` is the day on which the first
    of the replies expires, counted from `sent` if there are none.
    """

    state: str | None
    state_day: datetime.date | None
    sent: datetime.date | None
    last_day: datetime.date | None


def look(api: Api, reporter: Reporter, manifests: ManifestChain, today: datetime.date) -> CaseView | None:
    """Everything that is stored under a reporter's words; None if nothing is.  Raises ReporterError."""
    slots = manifests.current(today).manifest.slots
    entries = {each.id: each for each in api.look(reporter.lookup_ids(slots), slots)}
    if not entries:
        return None
    report = entries.pop(reporter.report_id, None)
    bodies = {id: StoredBody(each.day, each.body) for id, each in entries.items() if each.body}
    conversation = reply_validation.validate(
        bodies, reporter, manifests, slots, lambda record: b"".join(content(api, record)), today
    )
    sent = _sent(report, entries.get(reporter.slip_id))
    last = min((reply.day for reply in conversation.replies), default=sent)
    return CaseView(
        slip=conversation.slip,
        replies=conversation.replies,
        notices=conversation.notices,
        brought_in=conversation.brought_in,
        late=conversation.late,
        missing=conversation.missing,
        state=report.state if report else None,
        state_day=report.day if report else None,
        sent=sent,
        last_day=last + REPLIES_KEPT if last else None,
    )


def content(api: Api, record: Attachment, progress: Progress = lambda step, done, total: None) -> Iterator[bytes]:
    """The content of an attachment as its blocks arrive; to be discarded if Malformed is raised."""
    opener, ids = attachment.Opener(record), attachment.block_ids(record)
    for at in range(0, len(ids), TOGETHER):
        for block in api.blocks(ids[at : at + TOGETHER]):
            if block is None:
                raise Malformed("an attachment has not wholly arrived")
            yield opener.update(block)
        progress("fetch", min(at + TOGETHER, len(ids)), len(ids))
    yield opener.finish()


def whole(api: Api, found: FoundReply) -> FoundReply:
    """The reply with its content, opened by itself if it was too much beside others; ProtocolError if it is damaged."""
    rest = found.reply.rest
    if rest is None:
        return found
    reply = message.with_content(found.reply, b"".join(content(api, rest)))
    assert isinstance(reply, Reply)
    return replace(found, reply=reply)


def save(api: Api, record: Attachment, folder: Path, progress: Progress) -> Path:
    """Save a reply's file, whole or not at all, under a harmless name.  Raises CannotSave, ReporterError."""
    return _saved(record.name, content(api, record, progress), folder)


def save_receipt(receipt: Statement, folder: Path) -> Path:
    """Save a receipt, and its signature beside it under the name that minisign looks for.  Raises CannotSave.

    Both get the same number, whatever else is there: files of a reply may have any name.
    """
    pairs = ((name, f"{name}.minisig") for name in (numbered(RECEIPT, count) for count in itertools.count(1)))
    name, beside = next(pair for pair in pairs if not any(os.path.lexists(folder / each) for each in pair))
    _saved(beside, [receipt.signature.encode()], folder)
    return _saved(name, [receipt.text.encode()], folder)


def _saved(name: str, pieces: Iterable[bytes], folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with new_file(folder) as (file, name_it):
            for piece in pieces:
                file.write(piece)
            return name_it(lambda count: numbered(name, count))
    except Malformed as exc:
        raise CannotSave(
            "a file of a reply has not wholly arrived, or is damaged; nothing of it was saved", "try again in some days"
        ) from exc
    except FileExistsError as exc:
        raise CannotSave("there are too many files of one name", "save to an empty folder") from exc
    except OSError as exc:
        raise CannotSave(
            "a file could not be saved: {why}", "choose a folder of yours with more room", why=exc.strerror
        ) from exc


def _sent(report: Found | None, slip: Found | None) -> datetime.date | None:
    """The day on which the report arrived: its own day while it waits, then that of its slip."""
    if report and report.state == "waiting":
        return report.day
    return slip.day if slip and slip.state == "waiting" else None
