"""What has reached each reader of a case and the reporter, as far as is known here (SPEC 4.8 to 4.10)."""

from collections.abc import Iterator, Sequence

from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import MAX_ORIGINALS, Earlier, Grant, Reply, Signed
from whistle.protocol.code.retrieval import PLACES
from whistle.workstation.cases import conversation
from whistle.workstation.cases.overview import Case, Entry

PORTION = 4 * 1024**2  # bytes of the messages in one grant, so that it can always be sent
EARLIER = 64  # replies named in one reply
EARLIER_PER_SLOT = 3  # so that they fit into a small envelope too


def lacking(case: Case, reader: str) -> list[Signed]:
    """The messages that were neither sealed to this reader nor granted to them."""
    lines = {inside.line for grant in _grants_to(case, reader) for inside in grant.originals}
    return [
        signed for signed in case.messages if reader not in signed.message.readers and signed.line.decode() not in lines
    ]


def _grants_to(case: Case, reader: str) -> Iterator[Grant]:
    """The grants to a reader with their originals: all from this vault, and as many of others' as fit in a PORTION.

    What others granted beyond that is passed on once more, which costs less than to open all that they send.
    """
    room = PORTION
    for entry in case.entries:
        if isinstance(entry.message, Grant) and entry.message.grantee == reader:
            room -= 0 if entry.via == "own" else conversation.length(entry)
            if (room >= 0 or entry.via == "own") and isinstance(entry.content, Grant):
                yield entry.content


def portions(messages: Sequence[Signed]) -> Iterator[list[Signed]]:
    """Messages in lists that fit into a grant each."""
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
    replaced = {(each.sender, each.replaces) for each in [*case.replies, new]}
    sent = [each for each in case.entries if isinstance(each.message, Reply) and _counts(case, each, slots)]
    left = [(each.signed.hash, each.message) for each in sent if (each.by, each.signed.hash) not in replaced]
    named = {
        one.hash
        for _, reply in left
        if isinstance(reply, Reply) and reply.sender == new.sender
        for one in reply.earlier
    }
    found = [
        Earlier(reply.day, reply.sender, hash_, reply.lane * PLACES + reply.n)
        for hash_, reply in left
        if isinstance(reply, Reply) and hash_ not in named and new.day - reply.day <= REPLIES_KEPT
    ]
    return tuple(found[-min(EARLIER, EARLIER_PER_SLOT * slots) :])


def _counts(case: Case, entry: Entry, slots: int) -> bool:
    """Whether the reporter's program takes a reply, as far as can be seen here."""
    reply = entry.message
    return isinstance(reply, Reply) and reply.sender in case.allowed and case.lane(reply.sender, slots) == reply.lane
