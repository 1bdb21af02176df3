"""What has reached each reader of a case and the reporter, as far as this workstation knows (SPEC 4.8 to 4.10)."""

import base64
from collections.abc import Iterator, Sequence

from whistle.protocol.case import continuation
from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import MAX_ORIGINALS, Earlier, Grant, Have, Reply, Signed
from whistle.protocol.code.retrieval import PLACES
from whistle.protocol.errors import ProtocolError
from whistle.workstation.cases import conversation, grants, overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

PORTION = 4 * 1024**2  # bytes of the messages in one grant, so that it can always be sent
LEFT_OUT = 64  # people whom one message names as left out
EARLIER = 64  # replies named in one reply
EARLIER_PER_SLOT = 3  # so that they fit into a small envelope too


class NoPlace(Refused):
    """No place is left in a lane."""


def lacking(case: Case, reader: str) -> list[Signed]:
    """The messages that were neither sealed to this reader nor granted to them, and do not leave them out."""
    handed = {(inside.line, inside.signature) for grant in _grants_to(case, reader) for inside in grant.originals}
    return [
        signed
        for signed in case.handed_on
        if reader not in (*signed.message.readers, *signed.message.without)
        and (signed.line.decode(), base64.b64encode(signed.signature).decode()) not in handed
    ]


def _grants_to(case: Case, reader: str) -> Iterator[Grant]:
    """The grants to a reader that count: all from this vault, and as many of others' as fit in a PORTION.

    What others granted beyond that is passed on once more, which costs less than opening everything they send.
    """
    room = PORTION
    for entry in case.counting:
        if isinstance(entry.message, Grant) and entry.message.grantee == reader:
            room -= 0 if entry.via == "own" else conversation.length(entry)
            if (room >= 0 or entry.via == "own") and isinstance(entry.content, Grant):
                yield entry.content


def portions(messages: Sequence[Signed]) -> Iterator[list[Signed]]:
    """Split messages into lists that each fit into one grant."""
    part: list[Signed] = []
    size = 0
    for signed in messages:
        if part and (size + len(signed.line) > PORTION or len(part) == MAX_ORIGINALS):
            yield part
            part, size = [], 0
        part.append(signed)
        size += len(signed.line)
    if part:
        yield part


def earlier(case: Case, new: Reply, slots: int) -> tuple[Earlier, ...]:
    """The replies that a new one names: all that it does not replace and that its author has not named, the newest of
    them if they are too many (SPEC 4.8).
    """
    replaced = {new.replaces} | {old.signed.hash for each in case.entries if (old := case.replaced(each))}
    lanes = {id: case.lanes(id, slots) for id in case.allowed}
    left = [
        (entry.signed.hash, reply)
        for entry in case.entries
        if isinstance(reply := entry.message, Reply)
        and not entry.ended
        and reply.lane in lanes.get(reply.sender, ())
        and entry.signed.hash not in replaced
    ]
    named = {one.hash for _, reply in left if reply.sender == new.sender for one in reply.earlier}
    replies = [
        Earlier(reply.day, reply.sender, hash, reply.lane * PLACES + reply.n)
        for hash, reply in left
        if hash not in named and new.day - reply.day <= REPLIES_KEPT
    ]
    return tuple(replies[-min(EARLIER, EARLIER_PER_SLOT * slots) :])


def grantees_lane(case: Case, grantor: str, grantee: str, slots: int, fresh: bool) -> int:
    """The lane that a grant names: for somebody who reads the case already one of theirs, unless a `fresh` one is
    asked for and left (SPEC 3.3).  Raises Refused if none is left for somebody whom the grant lets in.
    """
    theirs = case.lanes(grantee, slots)
    if theirs and (theirs[0] < slots or not fresh):
        return theirs[0]
    start = next(iter(case.lanes(grantor, slots)), 0) % slots
    try:
        return grants.lane_for(case.all_grants, grantor, grantee, start, slots)
    except Refused:
        if grantee not in case.allowed:
            raise
        return next(iter(theirs), slots)


def left_out(case: Case) -> tuple[str, ...]:
    """Whom a message names as left out: the report's, which the reporter compares, and as many others as fit."""
    first = case.report.without if case.report else ()
    return tuple(dict.fromkeys([*first, *case.without]))[:LEFT_OUT]


def left_out_before(workstation: Workstation, case: Case) -> tuple[str, ...]:
    """Whom the reporter left out of the case that this one continues, as far as that is here (SPEC 4.6)."""
    continued = case.report.continues if case.report else None
    if continued is None:
        return ()
    old = overview.load(workstation, continued.case)
    try:
        if old.sender:
            continuation.check(continued, old.sender, case.id)
    except ProtocolError:
        return ()
    return old.without


def free_place(workstation: Workstation, case: Case, first: int = -1) -> tuple[int, int]:
    """The lane and number of the next free place after this reviewer's own replies; lane `first` is tried first.

    Only replies by reviewers whose lane it is count as using a place.  Raises NoPlace.
    """
    me, slots = workstation.me, workstation.trust.newest().manifest.slots
    lanes = case.lanes(me, slots)
    for lane in sorted(lanes, key=lambda lane: lane != first):
        in_lane = [each for each in case.replies if each.lane == lane]
        used = {each.n for each in in_lane if lane in case.lanes(each.sender, slots)}
        start = max((each.n for each in in_lane if each.sender == me), default=-1) + 1
        place = next((n for n in range(start, PLACES) if n not in used), None)
        if place is not None:
            return lane, place
    if not lanes:
        raise NoPlace(t("reach.no_place"), t("reach.no_place_hint"))
    raise NoPlace(
        t("reach.full", PLACES * len(lanes)),
        t("reach.full_hint"),
    )


def had(case: Case, known: int | None = None) -> Have:
    """What its author had of the reporter's when a reply was written: all, or the first `known` messages (SPEC 4.8)."""
    read = case.by_reporter[:known]
    return Have(len(read), max(each.day for each in read))
