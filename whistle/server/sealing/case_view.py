"""What a reporter's twelve words find on this server: the state of the report, and verified replies.

Anything at a reply's id that is not signed by a reviewer who may reply there is counted, never shown.
One request opens a bounded number of envelopes, the newest, whatever lies there; others open the rest.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.reply_validation import PAGE, Conversation, FoundReply, ReplyPlace, StoredBody
from whistle.server.manifests import Manifests
from whistle.store import Heap, Limits, State, Store, StoredEnvelope

__all__ = ["CaseView", "FoundReply", "open_attachment", "view_case"]

WHOLE = 32  # blocks (8 MiB) of an attachment that is verified before any of it is sent
OPENED = 64  # envelopes in reply places that one request opens, a millisecond each
KEPT = Limits().bodies(Heap.REPORTERS)


@dataclass(frozen=True)
class CaseView(Conversation):
    """A case.  `state`, `day` and `state_day` are the report's; None if only replies are left.

    `last_day` is the last day before something of it is removed.  `older` is how many things lie in reply places
    behind those that were opened, which are the newest but for the `passed` ones before them.
    """

    state: State | None
    day: datetime.date | None
    state_day: datetime.date | None
    last_day: datetime.date | None
    passed: int = 0
    older: int = 0


class _Bodies(Mapping[bytes, StoredBody]):
    """Bodies that are read one at a time, when they are opened; one that was removed meanwhile is empty."""

    def __init__(self, store: Store, found: Sequence[StoredEnvelope]) -> None:
        self._store, self._found = store, {each.id: each for each in found}

    def __getitem__(self, id: bytes) -> StoredBody:
        body = b"".join(each.body or b"" for each in self._store.lookup([id], heaps=[Heap.REPORTERS]))
        return StoredBody(self._found[id].day, body)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def view_case(
    reporter: Reporter,
    published: Manifests,
    store: Store,
    day: datetime.date,
    passed: int = 0,
    only: ReplyPlace | None = None,
) -> CaseView | None:
    """What is stored under a reporter's words; None if nothing is.  NoManifest before the first manifest.

    Of what lies in reply places, the newest are opened but for the `passed` ones before them, or that in one place.
    """
    slots = published.current(day).manifest.slots
    stored = {each.id: each for each in store.lookup(reporter.lookup_ids(slots), bodies=())}
    if not stored:
        return None
    report = stored.pop(reporter.report_id, None)
    slip = [each for each in [stored.pop(reporter.slip_id, None)] if each and each.is_for_reporters]
    replies = _newest_first([each for each in stored.values() if each.is_for_reporters], reporter, slots, only)
    opened = replies[passed : passed + OPENED]
    conversation = reply_validation.validate(
        _Bodies(store, [*slip, *opened]),
        reporter,
        published.chain,
        slots,
        lambda record: _whole(store, record),
        day,
        PAGE,
        [each.id for each in (*replies[:passed], *replies[passed + OPENED :])],
    )
    return _seen(conversation, report, replies, passed)


def _seen(
    conversation: Conversation, report: StoredEnvelope | None, replies: Sequence[StoredEnvelope], passed: int
) -> CaseView:
    """The view of a conversation of which some replies were opened, the newest but for the `passed` ones."""
    is_whole = len(replies[passed : passed + OPENED]) == len(replies)
    days = [reply.day for reply in conversation.replies] if is_whole else [each.day for each in replies]
    last = min(days, default=report.day if report else None)
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
        passed=passed,
        older=max(0, len(replies) - passed - OPENED),
    )


def _newest_first(
    found: Sequence[StoredEnvelope], reporter: Reporter, slots: int, only: ReplyPlace | None
) -> list[StoredEnvelope]:
    """What lies in reply places by day, the newest first; on the same day by place, the last first, then by lane."""
    places = reply_validation.reply_places(reporter, slots)
    wanted = [each for each in found if only in (None, places[each.id])]
    return sorted(wanted, key=lambda each: (-each.day.toordinal(), -places[each.id][1], places[each.id][0]))


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
