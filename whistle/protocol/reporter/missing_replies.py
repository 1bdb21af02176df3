"""Compares the replies that other replies name with those that were found: missing ones and differing ones (SPEC 4.8).

A reply that was withheld from the reporter is noticed as soon as another one that names it arrives.  What could not be
a valid reply is ignored, so nobody can claim an answer by somebody whom the reporter left out.
"""

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import Earlier, Reply, Slip
from whistle.protocol.code.retrieval import PLACES


@dataclass(frozen=True)
class Named:
    """A reply by `author` of which `by` knows: it is not there or, if it `differs`, another one is in its place."""

    author: str
    by: str
    differs: bool


def is_place_of(slip: Slip, slots: int, lane: int, author: str) -> bool:
    """Whether an author may reply in a lane: a reader of the report in their own, others from `slots` on (SPEC 3.3)."""
    if author in slip.without or lane >= 2 * slots:
        return False
    return author not in slip.readers if lane >= slots else slip.readers[lane : lane + 1] == (author,)


def compare(
    held: Mapping[str, Reply], unreadable: Collection[int], slip: Slip | None, slots: int, today: datetime.date
) -> tuple[Named, ...]:
    """What is missing or differs, one of each kind for each author.

    `held` are all valid replies by hash, those replaced included, in order; `unreadable` are the places, as lane × 64
    + n, in which something invalid lies.  Without the slip, lanes are not checked.
    """
    places = {(reply.sender, reply.lane * PLACES + reply.n) for reply in held.values()}
    replaced = {(reply.sender, reply.replaces) for reply in held.values()}
    named: dict[tuple[str, bool], str] = {}
    for reply in held.values():
        for earlier in reply.earlier:
            was_replaced = (earlier.sender, earlier.hash) in replaced
            is_here = earlier.hash in held or was_replaced or earlier.place in unreadable
            possible = slip is None or is_place_of(slip, slots, earlier.place // PLACES, earlier.sender)
            if possible and not is_here and not _has_expired(earlier, today):
                differs = reply.sender != earlier.sender and (earlier.sender, earlier.place) in places
                named.setdefault((earlier.sender, differs), reply.sender)
    return tuple(Named(author, by, differs) for (author, differs), by in named.items())


def _has_expired(named: Earlier, today: datetime.date) -> bool:
    """Whether the server no longer keeps it: by the day that is signed, since the server's word could hide a reply."""
    return today - named.day > REPLIES_KEPT
