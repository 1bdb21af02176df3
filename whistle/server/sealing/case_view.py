"""What a reporter finds with the twelve words on this server: the state of the report, and what is proven of the rest.

Whatever lies in a reply's place and is not signed by a reviewer who may answer there is counted, never shown.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.code.retrieval import Reporter, id_from_token
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.reply_validation import WHOLE, Conversation, FoundReply, StoredBody
from whistle.server.manifests import Published
from whistle.store import Heap, Limits, State, Store

__all__ = ["CaseView", "FoundReply", "look", "open_attachment"]

KEPT = Limits().bodies(Heap.REPORTERS)


@dataclass(frozen=True)
class CaseView(Conversation):
    """What the words find.  `state`, `day` and `state_day` are the report's; None when only replies are left of it.

    `last_day` is the first on which something of it goes.
    """

    state: State | None
    day: datetime.date | None
    state_day: datetime.date | None
    last_day: datetime.date | None


def look(reporter: Reporter, published: Published, store: Store, day: datetime.date) -> CaseView | None:
    """Everything that is stored under a reporter's words; None when nothing is.  NoManifest before the first one."""
    slots = published.current(day).manifest.slots
    found = {each.id: each for each in store.look(reporter.lookup_ids(slots))}
    if not found:
        return None
    report = found.pop(id_from_token(reporter.report_token), None)
    things = {id: StoredBody(each.day, each.body) for id, each in found.items() if each.body is not None}
    told = reply_validation.validate(
        things, reporter, published.succession, slots, lambda record: _whole(store, record)
    )
    last = min((reply.day for reply in told.replies), default=report.day if report else None)
    return CaseView(
        slip=told.slip,
        replies=told.replies,
        notices=told.notices,
        brought_in=told.brought_in,
        late=told.late,
        state=report.state if report else None,
        day=report.day if report else None,
        state_day=report.state_day if report else None,
        last_day=last + KEPT if last else None,
    )


def open_attachment(store: Store, record: Attachment) -> Iterator[bytes]:
    """The content of an attachment.  Up to 8 MiB nothing is given before all of it is verified, and Malformed
    is raised at once; above, each piece is authentic, and a fault ends the iteration with Malformed.
    """
    pieces = _opened(store, record)
    return iter(list(pieces)) if record.blocks <= WHOLE else pieces


def _whole(store: Store, record: Attachment) -> bytes:
    return b"".join(_opened(store, record))


def _opened(store: Store, record: Attachment) -> Iterator[bytes]:
    opener = attachment.Opener(record)
    for id in attachment.block_ids(record):
        block = store.block(id, Heap.REPORTERS)
        if block is None:
            raise Malformed("an attachment has not wholly arrived")
        if piece := opener.update(block):
            yield piece
    if piece := opener.finish():
        yield piece
