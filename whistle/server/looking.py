"""What a reporter finds with the twelve words: the state of the report, and the replies that are proven to be such.

Whatever lies in a reply's place and is not signed by a reviewer who may answer there is counted, never shown.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from whistle.protocol import attachment, envelope, message
from whistle.protocol.attachment import Attachment
from whistle.protocol.errors import Malformed, NotForMe, ProtocolError
from whistle.protocol.manifest import RECOVERY, Reviewer
from whistle.protocol.message import Reply, Signed, Slip
from whistle.protocol.retrieval import Reporter, reply_tokens, thing_id
from whistle.server.published import Published
from whistle.store import Found, Heap, Limits, State, Store

KEPT = Limits().bodies(Heap.REPORTERS)
WHOLE = 32  # blocks, 8 MiB: an attachment up to here is verified before its first byte is given

Place = tuple[int, int]  # lane and n


@dataclass(frozen=True)
class FoundReply:
    """A reply that holds: the server's day, who wrote it, what it says, and the last day on which it is here."""

    day: datetime.date
    reviewer: Reviewer
    reply: Reply
    last_day: datetime.date

    @property
    def name(self) -> str:
        """The reviewer's name in the manifest."""
        return self.reviewer.name

    @property
    def role(self) -> str:
        """The reviewer's role in the manifest."""
        return self.reviewer.role

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files that came with it."""
        return self.reply.attachments


@dataclass(frozen=True)
class CaseView:
    """What the words find.  `state`, `day` and `state_day` are the report's; None when only replies are left of it.

    `late` counts what lies in a reply's place and does not hold, or has not wholly arrived.
    """

    state: State | None
    day: datetime.date | None
    state_day: datetime.date | None
    slip: Slip | None
    replies: tuple[FoundReply, ...]
    brought_in: tuple[Reviewer, ...]
    late: int
    last_day: datetime.date | None


def look(reporter: Reporter, published: Published, store: Store, day: datetime.date) -> CaseView | None:
    """Everything that is stored under a reporter's words; None when nothing is.  NoManifest before the first one."""
    slots = published.current(day).manifest.slots
    found = {each.id: each for each in store.look(reporter.look_ids(slots))}
    if not found:
        return None
    report = found.pop(thing_id(reporter.report_token), None)
    slip = _open_slip(found.pop(thing_id(reporter.slip_token), None), reporter, slots)
    judge = _Judge(reporter, published, store, slip, slots)
    replies, late = judge.all(found)
    return CaseView(
        state=report.state if report else None,
        day=report.day if report else None,
        state_day=report.state_day if report else None,
        slip=slip,
        replies=replies,
        brought_in=_brought_in(slip, replies, published),
        late=late,
        last_day=min((reply.last_day for reply in replies), default=report.day + KEPT if report else None),
    )


def open_attachment(store: Store, record: Attachment) -> Iterator[bytes]:
    """The content of an attachment.  Up to 8 MiB nothing is given before all of it is verified, and Malformed
    is raised at once; above, each piece is authentic, and a fault ends the iteration with Malformed.
    """
    pieces = _opened(store, record)
    return iter(list(pieces)) if record.blocks <= WHOLE else pieces


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


def _open_slip(found: Found | None, reporter: Reporter, slots: int) -> Slip | None:
    if found is None or found.body is None:
        return None
    try:
        signed = envelope.open_(found.body, [reporter.mailbox], slots)
        message.check(signed, reporter.verify_key)
    except ProtocolError:
        return None
    own = isinstance(signed.message, Slip) and signed.message.case == reporter.case.hex()
    return signed.message if own and isinstance(signed.message, Slip) else None


class _Judge:
    """Decides what in the reply places of one reporter is a reply."""

    def __init__(self, reporter: Reporter, published: Published, store: Store, slip: Slip | None, slots: int) -> None:
        self._reporter, self._published, self._store = reporter, published, store
        self._slip, self._slots = slip, slots
        self._places: dict[bytes, Place] = {
            thing_id(token): (lane, n)
            for lane in range(2 * slots)
            for n, token in enumerate(reply_tokens(reporter.replies, lane))
        }

    def all(self, found: dict[bytes, Found]) -> tuple[tuple[FoundReply, ...], int]:
        """The replies by day, lane and place, without those that were replaced; and how many things do not hold."""
        held: dict[str, tuple[Place, FoundReply]] = {}
        late = 0
        for id, thing in found.items():
            try:
                if thing.body is not None:
                    hash, reply = self._read(thing, thing.body, self._places[id])
                    held[hash] = self._places[id], reply
            except ProtocolError:
                late += 1
        for _, reply in list(held.values()):
            old = held.get(reply.reply.replaces)
            if old and old[1].reply.sender == reply.reply.sender:
                del held[reply.reply.replaces]
        ordered = sorted(held.values(), key=lambda pair: (pair[1].day, pair[0]))
        return tuple(reply for _, reply in ordered), late

    def _read(self, thing: Found, body: bytes, place: Place) -> tuple[str, FoundReply]:
        signed = envelope.open_(body, [self._reporter.mailbox], self._slots)
        reply = self._checked(signed, place)
        reviewer = self._published.reviewer(reply.sender)
        assert reviewer  # it had a key, so some manifest lists it
        return signed.hash, FoundReply(thing.day, reviewer, self._with_rest(reply), thing.day + KEPT)

    def _checked(self, signed: Signed, place: Place) -> Reply:
        reply = signed.message
        if not isinstance(reply, Reply):
            raise Malformed("not a reply")
        named = (reply.case, reply.to, reply.lane, reply.n)
        if named != (self._reporter.case.hex(), self._reporter.mailbox.recipient.text, *place):
            raise Malformed("a reply is not for this place")
        self._check_writer(reply)
        for key in self._published.signing_keys(reply.sender, reply.day):
            try:
                message.check(signed, key)
                return reply
            except ProtocolError:
                continue
        raise NotForMe("a reply is not signed by whom it names")

    def _check_writer(self, reply: Reply) -> None:
        """Lanes below `slots` belong to the report's readers, in their order; those above to who was let in later."""
        if self._slip is None:
            return
        if set(reply.without) != set(self._slip.without) or reply.sender in self._slip.without:
            raise Malformed("a reply disagrees with the report about who was left out")
        readers = self._slip.readers
        if reply.lane < self._slots:
            mine = reply.lane < len(readers) and readers[reply.lane] == reply.sender
        else:
            mine = reply.lane - self._slots < len(readers)
        if not mine:
            raise Malformed("a reply stands in a place of somebody else")

    def _with_rest(self, reply: Reply) -> Reply:
        if reply.rest is None:
            return reply
        if reply.rest.blocks > WHOLE:
            raise Malformed("a reply's rest is too large")
        content = b"".join(open_attachment(self._store, reply.rest))
        whole = message.with_content(reply, content)
        assert isinstance(whole, Reply)
        return whole


def _brought_in(slip: Slip | None, replies: tuple[FoundReply, ...], published: Published) -> tuple[Reviewer, ...]:
    """Reviewers who are named by a reply and were not among the report's readers."""
    before = set(slip.readers) if slip else set()
    named = dict.fromkeys(id for found in replies for id in found.reply.readers)
    ids = [id for id in named if id not in before and id != RECOVERY] if slip else []
    return tuple(reviewer for id in ids if (reviewer := published.reviewer(id)))
