"""What in the reply places of one reporter is a reply, and what the slip says (SPEC 3, 4).

Whatever lies in a reply's place and is not signed by a reviewer who may answer there is counted, never shown.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whistle.protocol.case import envelope, message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import MARKS, Reply, Signed, Slip
from whistle.protocol.code.retrieval import Reporter, id_from_token, reply_tokens
from whistle.protocol.errors import Malformed, NotForMe, ProtocolError
from whistle.protocol.trust.manifest import RECOVERY, Reviewer
from whistle.protocol.trust.manifest_chain import ManifestChain

WHOLE = 32  # blocks, 8 MiB, of a reply's `rest` at most

ReplyPlace = tuple[int, int]  # lane and n
Fetch = Callable[[Attachment], bytes]  # a small attachment's whole content; ProtocolError unless all of it is there


@dataclass(frozen=True)
class StoredBody:
    """A body as the server gave it, with the server's day."""

    day: datetime.date
    body: bytes


@dataclass(frozen=True)
class FoundReply:
    """A reply that holds: the server's day, who wrote it, and what it says."""

    day: datetime.date
    reviewer: Reviewer
    reply: Reply

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
class BroughtIn:
    """Somebody who reads the case and was not among the report's readers, by the word of `by`, on a server's day."""

    reviewer: Reviewer
    by: Reviewer
    day: datetime.date


@dataclass(frozen=True)
class Conversation:
    """What is proven of what lies under somebody's words.

    `replies` are those with content; `notices` only tell who reads the case.
    `late` counts what lies in a reply's place and does not hold, or has not wholly arrived.
    """

    slip: Slip | None
    replies: tuple[FoundReply, ...]
    notices: tuple[FoundReply, ...]
    brought_in: tuple[BroughtIn, ...]
    late: int

    @property
    def named(self) -> tuple[str, ...]:
        """Everybody whom the slip, a notice or a reply names as a reader, in that order."""
        told = [id for found in (*self.notices, *self.replies) for id in found.reply.readers]
        return tuple(dict.fromkeys([*(self.slip.readers if self.slip else ()), *told]))

    @property
    def done(self) -> dict[str, datetime.date]:
        """Of each mark the first day on which a reply counts as it; feedback acknowledges too."""
        days = [(mark, found.day) for found in self.replies for mark in MARKS[: _rank(found.reply.mark)]]
        return {mark: min(day for each, day in days if each == mark) for mark in dict(days)}


def validate(
    things: Mapping[bytes, StoredBody], reporter: Reporter, manifests: ManifestChain, slots: int, fetch: Fetch
) -> Conversation:
    """The conversation that things under a reporter's ids make; the report's own body is never among them."""
    left = dict(things)
    slip = open_slip(left.pop(id_from_token(reporter.slip_token), None), reporter, slots)
    held, late = _Validator(reporter, manifests, slip, slots, fetch).all(left)
    notices = tuple(found for found in held if found.reply.is_notice)
    replies = tuple(found for found in held if not found.reply.is_notice)
    return Conversation(slip, replies, notices, _brought_in(slip, (*notices, *replies), manifests), late)


def open_slip(found: StoredBody | None, reporter: Reporter, slots: int) -> Slip | None:
    """The reporter's own slip; None if it is damaged or somebody else's."""
    if found is None:
        return None
    try:
        signed = envelope.open_(found.body, [reporter.mailbox], slots)
        message.check(signed, reporter.verify_key)
    except ProtocolError:
        return None
    own = isinstance(signed.message, Slip) and signed.message.case == reporter.case.hex()
    return signed.message if own and isinstance(signed.message, Slip) else None


class _Validator:
    """Decides about the reply places of one reporter."""

    def __init__(
        self, reporter: Reporter, manifests: ManifestChain, slip: Slip | None, slots: int, fetch: Fetch
    ) -> None:
        self._reporter, self._manifests, self._fetch = reporter, manifests, fetch
        self._slip, self._slots = slip, slots
        self._places: dict[bytes, ReplyPlace] = {
            id_from_token(token): (lane, n)
            for lane in range(2 * slots)
            for n, token in enumerate(reply_tokens(reporter.replies, lane))
        }

    def all(self, found: Mapping[bytes, StoredBody]) -> tuple[tuple[FoundReply, ...], int]:
        """The replies and notices by day, lane and place, without those that were replaced; and how many things do
        not hold."""
        held: dict[str, tuple[ReplyPlace, FoundReply]] = {}
        late = 0
        for id, thing in found.items():
            try:
                if id in self._places:
                    hash, reply = self._read(thing, self._places[id])
                    held[hash] = self._places[id], reply
            except ProtocolError:
                late += 1
        for _, reply in list(held.values()):
            old = held.get(reply.reply.replaces)
            if old and old[1].reply.sender == reply.reply.sender:
                del held[reply.reply.replaces]
        ordered = sorted(held.values(), key=lambda pair: (pair[1].day, pair[0]))
        return tuple(reply for _, reply in ordered), late

    def _read(self, thing: StoredBody, place: ReplyPlace) -> tuple[str, FoundReply]:
        signed = envelope.open_(thing.body, [self._reporter.mailbox], self._slots)
        reply = self._checked(signed, place)
        reviewer = self._manifests.reviewer(reply.sender)
        assert reviewer  # it had a key, so some manifest lists it
        return signed.hash, FoundReply(thing.day, reviewer, self._with_rest(reply))

    def _checked(self, signed: Signed, place: ReplyPlace) -> Reply:
        reply = signed.message
        if not isinstance(reply, Reply):
            raise Malformed("not a reply")
        named = (reply.case, reply.to, reply.lane, reply.n)
        if named != (self._reporter.case.hex(), self._reporter.mailbox.recipient.text, *place):
            raise Malformed("a reply is not for this place")
        self._check_writer(reply)
        for key in self._manifests.signing_keys(reply.sender, reply.day):
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
        whole = message.with_content(reply, self._fetch(reply.rest))
        assert isinstance(whole, Reply)
        return whole


def _brought_in(slip: Slip | None, told: tuple[FoundReply, ...], manifests: ManifestChain) -> tuple[BroughtIn, ...]:
    """Reviewers who are named by a notice or a reply and were not among the report's readers, by the first of these."""
    if slip is None:
        return ()
    first: dict[str, FoundReply] = {}
    for found in told:
        for id in found.reply.readers:
            first.setdefault(id, found)
    new = [id for id in first if id not in (*slip.readers, RECOVERY)]
    known = [(reviewer, first[id]) for id in new if (reviewer := manifests.reviewer(id))]
    return tuple(BroughtIn(reviewer, found.reviewer, found.day) for reviewer, found in known)


def _rank(mark: str) -> int:
    """How many of MARKS a reply with this mark counts as."""
    return MARKS.index(mark) + 1 if mark else 0
