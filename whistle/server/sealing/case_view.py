"""What a reporter's twelve words find on this server: the state of the report, and verified replies.

Anything at a reply's id that is not signed by a reviewer who may reply there is counted, never shown.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.reply_validation import PAGE, Conversation, FoundReply, StoredBody
from whistle.server.manifests import Published
from whistle.store import Heap, Limits, State, Store

__all__ = ["CaseView", "FoundReply", "open_attachment", "view_case"]

WHOLE = 32  # blocks (8 MiB) of an attachment that is verified before any of it is sent
KEPT = Limits().bodies(Heap.REPORTERS)


@dataclass(frozen=True)
class CaseView(Conversation):
    """A case.  `state`, `day` and `state_day` are the report's; None if only replies are left.

    `last_day` is the last day before something of it is removed.
    """

    state: State | None
    day: datetime.date | None
    state_day: datetime.date | None
    last_day: datetime.date | None


def view_case(reporter: Reporter, published: Published, store: Store, day: datetime.date) -> CaseView | None:
    """Everything stored under a reporter's words; None if nothing is.  NoManifest before the first manifest."""
    slots = published.current(day).manifest.slots
    stored = {each.id: each for each in store.lookup(reporter.lookup_ids(slots))}
    if not stored:
        return None
    report = stored.pop(reporter.report_id, None)
    bodies = {id: StoredBody(each.day, each.body) for id, each in stored.items() if each.body is not None}
    conversation = reply_validation.validate(
        bodies, reporter, published.chain, slots, lambda record: _whole(store, record), day, PAGE
    )
    last = min((reply.day for reply in conversation.replies), default=report.day if report else None)
    return CaseView(
        slip=conversation.slip,
        replies=conversation.replies,
        notices=conversation.notices,
        brought_in=conversation.brought_in,
        late=conversation.late,
        missing=conversation.missing,
        state=report.state if report else None,
        day=report.day if report else None,
        state_day=report.state_day if report else None,
        last_day=last + KEPT if last else None,
    )


def open_attachment(store: Store, record: Attachment) -> Iterator[bytes]:
    """The content of an attachment.  Up to 8 MiB, all of it is verified first, and Malformed is raised at once.
    Above, each piece is authentic, and an error ends the iteration with Malformed.
    """
    pieces = _pieces(store, record)
    return iter(list(pieces)) if record.blocks <= WHOLE else pieces


def _whole(store: Store, record: Attachment) -> bytes:
    return b"".join(_pieces(store, record))


def _pieces(store: Store, record: Attachment) -> Iterator[bytes]:
    opener = attachment.Opener(record)
    for id in attachment.block_ids(record):
        block = store.block(id, Heap.REPORTERS)
        if block is None:
            raise Malformed("a block of an attachment has not arrived")
        if piece := opener.update(block):
            yield piece
    if piece := opener.finish():
        yield piece
