"""Which bodies in a reporter's reply places are valid replies, and what the slip says (SPEC 3, 4.8).

A body that is not signed by a reviewer who may answer in that place is counted, never shown.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from whistle.protocol.case import envelope, message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import MARKS, Reply, Signed, Slip
from whistle.protocol.code.retrieval import PLACES, Reporter, place_ids
from whistle.protocol.errors import Forged, Malformed, ProtocolError
from whistle.protocol.reporter import missing_replies, receipts
from whistle.protocol.reporter.missing_replies import Named, is_place_of
from whistle.protocol.reporter.receipts import Statement
from whistle.protocol.trust.manifest import RECOVERY, Reviewer
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey

PAGE = 262_144  # bytes of the same for a page that a server shows, and of any one reply's
ROOM = 8 * 1024**2  # bytes of the `rest` of one reviewer's replies that are opened at once, the shortest first

ReplyPlace = tuple[int, int]  # lane and n
Fetch = Callable[[Attachment], bytes]  # a small attachment's whole content; ProtocolError if any of it is missing


@dataclass(frozen=True)
class StoredBody:
    """A body from the server, with the day on which it was stored there."""

    day: datetime.date
    body: bytes


@dataclass(frozen=True)
class FoundReply:
    """A valid reply: the server's day, its author, the message, and its hash."""

    day: datetime.date
    reviewer: Reviewer
    reply: Reply
    hash: str
    receipt: Statement | None = None  # if its author has signed it

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
        """The files that came with it; none if it is too long to be opened."""
        return self.reply.attachments

    @property
    def is_too_long(self) -> bool:
        """Whether its content was left closed, since it and its author's other long replies are too much at once."""
        return self.reply.rest is not None


@dataclass(frozen=True)
class BroughtIn:
    """A reviewer who was let into the case later, according to `by`, and the server's day of that message."""

    reviewer: Reviewer
    by: Reviewer
    day: datetime.date


@dataclass(frozen=True)
class MissingReply:
    """A reply by `author` of which `by` knows: it is not there or, if it `differs`, another one is in its place."""

    author: Reviewer
    by: Reviewer
    differs: bool


@dataclass(frozen=True)
class Conversation:
    """The valid messages under one reporter's words.

    `replies` are those with content; `notices` only tell who reads the case.
    `late` counts bodies in reply places that are invalid or have not wholly arrived; `missing` says of which replies
    others know that are not there.
    """

    slip: Slip | None
    replies: tuple[FoundReply, ...]
    notices: tuple[FoundReply, ...]
    brought_in: tuple[BroughtIn, ...]
    late: int
    missing: tuple[MissingReply, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """Everybody named as a reader by the slip, a notice or a reply, in that order."""
        later = [id for found in (*self.notices, *self.replies) for id in found.reply.readers]
        return tuple(dict.fromkeys([*(self.slip.readers if self.slip else ()), *later]))

    @property
    def done(self) -> dict[str, datetime.date]:
        """For each mark, the first day of a reply that counts as it; feedback acknowledges too."""
        days = [(mark, found.day) for found in self.replies for mark in MARKS[: _rank(found.reply.mark)]]
        return {mark: min(day for each, day in days if each == mark) for mark in dict(days)}


def validate(
    bodies: Mapping[bytes, StoredBody],
    reporter: Reporter,
    manifests: ManifestChain,
    slots: int,
    fetch: Fetch,
    today: datetime.date,
    room: int = ROOM,
    unopened: Collection[bytes] = (),
) -> Conversation:
    """The conversation in the bodies stored under a reporter's ids, which never include the report's.

    Of each reviewer's long replies at most `room` bytes are opened, so that nobody's displace those of others.
    `unopened` are the ids of places in which something lies that is not among the bodies: it is not missing.
    """
    slip = open_slip(bodies.get(reporter.slip_id), reporter, slots)
    validator = ReplyValidator(reporter, manifests, slip, slots)
    valid, late = validator.all(bodies)
    held = {each.hash: each.reply for each in valid}
    unknown = [*validator.unreadable, *validator.numbers(unopened)]
    missing = _missing(missing_replies.compare(held, unknown, slip, slots, today), manifests)
    opened, incomplete = _opened(valid, fetch, room)
    current = _without_repeated(opened)
    notices = tuple(each for each in current if each.reply.is_notice)
    replies = tuple(each for each in current if not each.reply.is_notice)
    brought_in = _brought_in(slip, (*notices, *replies), manifests)
    return Conversation(slip, replies, notices, brought_in, late + incomplete, missing)


def _opened(replies: Sequence[FoundReply], fetch: Fetch, room: int) -> tuple[list[FoundReply], int]:
    """The replies with their `rest` opened, as far as there is room; and the number of those that are incomplete."""
    valid: dict[int, FoundReply] = dict(enumerate(replies))
    left: dict[str, int] = {}
    long = [(each.reply.rest.size, place, each.reply.rest) for place, each in valid.items() if each.reply.rest]
    for size, place, rest in sorted(long, key=lambda item: item[:2]):
        closed = valid[place]
        sender = closed.reply.sender
        left[sender] = left.get(sender, room) - size
        if left[sender] >= 0:
            try:
                whole = message.with_content(closed.reply, fetch(rest))
                assert isinstance(whole, Reply)
                valid[place] = replace(closed, reply=whole)
            except ProtocolError:
                del valid[place]
    return list(valid.values()), len(replies) - len(valid)


def _without_repeated(replies: Sequence[FoundReply]) -> list[FoundReply]:
    """The replies without those that were sent again; others stay, so that nobody takes back what they said."""
    by_hash = {each.hash: each for each in replies}
    gone = {
        each.reply.replaces
        for each in replies
        if (old := by_hash.get(each.reply.replaces)) and each.reply.repeats(old.reply)
    }
    return [each for each in replies if each.hash not in gone]


def open_slip(stored: StoredBody | None, reporter: Reporter, slots: int) -> Slip | None:
    """The reporter's own slip; None if it is missing, damaged or somebody else's."""
    if stored is None:
        return None
    try:
        signed = envelope.open_(stored.body, [reporter.mailbox], slots)
        message.check(signed, reporter.verify_key)
    except ProtocolError:
        return None
    own = isinstance(signed.message, Slip) and signed.message.case == reporter.case.hex()
    return signed.message if own and isinstance(signed.message, Slip) else None


def reply_places(reporter: Reporter, slots: int) -> dict[bytes, ReplyPlace]:
    """All reply places of a case, by their ids."""
    return {id: (lane, n) for lane in range(2 * slots) for n, id in enumerate(place_ids(reporter.replies, lane))}


class ReplyValidator:
    """Checks what lies in the reply places of one reporter."""

    def __init__(self, reporter: Reporter, manifests: ManifestChain, slip: Slip | None, slots: int) -> None:
        self._reporter, self._manifests = reporter, manifests
        self._slip, self._slots = slip, slots
        self.unreadable: list[int] = []  # the places in which something invalid lies, as lane × 64 + n
        self._places = reply_places(reporter, slots)

    def all(self, bodies: Mapping[bytes, StoredBody]) -> tuple[tuple[FoundReply, ...], int]:
        """The valid replies and notices by day, lane and place; and the number of invalid ones."""
        valid: list[tuple[ReplyPlace, FoundReply]] = []
        late = 0
        for id in filter(self._places.__contains__, bodies):
            try:
                valid.append((self._places[id], self._read(bodies[id], self._places[id])))
            except ProtocolError:
                late += 1
                self.unreadable += self.numbers([id])
        ordered = sorted(valid, key=lambda pair: (pair[1].day, pair[0]))
        return tuple(reply for _, reply in ordered), late

    def numbers(self, ids: Collection[bytes]) -> list[int]:
        """The numbers of places, as lane × 64 + n, by their ids."""
        places = [self._places[id] for id in ids]
        return [lane * PLACES + n for lane, n in places]

    def _read(self, stored: StoredBody, place: ReplyPlace) -> FoundReply:
        signed = envelope.open_(stored.body, [self._reporter.mailbox], self._slots)
        reply = self.check(signed, place, stored.day)
        reviewer = self._manifests.reviewer(reply.sender)
        assert reviewer  # a key was found, so some manifest lists them
        return FoundReply(stored.day, reviewer, reply, signed.hash, self.receipt(reply, stored.day))

    def receipt(self, reply: Reply, day: datetime.date) -> Statement | None:
        """What a reply that was stored on that day states of the report, if its author has signed it (SPEC 4.12)."""
        reviewer, valid = self._manifests.reviewer(reply.sender), self._manifests.signing_keys(reply.sender, day)
        listed = reviewer.signing if reviewer else ()
        keys = [PublicKey.from_text(each.key) for each in listed if each.raw in valid]
        return receipts.checked(reply.receipt, reply.case, keys)

    def check(self, signed: Signed, place: ReplyPlace, day: datetime.date) -> Reply:
        """The reply, if it counts in the place where it was stored on that day.  Raises Malformed, Forged."""
        reply = signed.message
        if not isinstance(reply, Reply):
            raise Malformed("not a reply")
        named = (reply.case, reply.to, reply.lane, reply.n)
        if named != (self._reporter.case.hex(), self._reporter.mailbox.recipient.text, *place):
            raise Malformed("a reply is not for this place")
        self._check_writer(reply)
        for key in self._manifests.signing_keys(reply.sender, max(reply.day, day)):
            try:
                message.check(signed, key)
                return reply
            except ProtocolError:
                continue
        raise Forged("a reply is not signed by the reviewer it names")

    def _check_writer(self, reply: Reply) -> None:
        """A reader of the report writes in their own lane, whoever was let in later in one from `slots` (SPEC 3.3)."""
        if self._slip is None:
            return
        if set(reply.without) != set(self._slip.without):
            raise Malformed("a reply and the slip disagree about who was left out")
        if not is_place_of(self._slip, self._slots, reply.lane, reply.sender):
            raise Malformed("a reply is in somebody else's place, or by somebody who was left out")


def _brought_in(slip: Slip | None, replies: tuple[FoundReply, ...], manifests: ManifestChain) -> tuple[BroughtIn, ...]:
    """Reviewers whom a notice or reply names and the slip does not, each by the first message that names them."""
    if slip is None:
        return ()
    first: dict[str, FoundReply] = {}
    for found in replies:
        for id in found.reply.readers:
            first.setdefault(id, found)
    new = [id for id in first if id not in (*slip.readers, RECOVERY)]
    newcomers = [(reviewer, first[id]) for id in new if (reviewer := manifests.reviewer(id))]
    return tuple(BroughtIn(reviewer, found.reviewer, found.day) for reviewer, found in newcomers)


def _missing(named: Sequence[Named], manifests: ManifestChain) -> tuple[MissingReply, ...]:
    """What is missing or differs, as far as a manifest lists the author."""
    people = [(manifests.reviewer(each.author), manifests.reviewer(each.by), each.differs) for each in named]
    return tuple(MissingReply(author, by, differs) for author, by, differs in people if author and by)


def _rank(mark: str) -> int:
    """How many of MARKS a reply with this mark counts as."""
    return MARKS.index(mark) + 1 if mark in MARKS else 0
