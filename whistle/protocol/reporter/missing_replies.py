"""What replies say of each other is compared with what was found: what is missing, and what differs (SPEC 4.8).

So a reply that was kept from the reporter shows as soon as another one arrives that names it.  What could not be a
reply is passed over: nobody can say that somebody answers whom the reporter left out.
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
    found: dict[tuple[str, bool], str] = {}
    for reply in held.values():
        for each in reply.earlier:
            known = each.hash in held or (each.sender, each.hash) in replaced or each.place in unreadable
            can_be = slip is None or is_place_of(slip, slots, each.place // PLACES, each.sender)
            if can_be and not known and not _has_expired(each, today):
                differs = reply.sender != each.sender and (each.sender, each.place) in places
                found.setdefault((each.sender, differs), reply.sender)
    return tuple(Named(author, by, differs) for (author, differs), by in found.items())


def _has_expired(named: Earlier, today: datetime.date) -> bool:
    """Whether the server no longer keeps it: by the day that is signed, since the server's word could hide a reply."""
    return today - named.day > REPLIES_KEPT
