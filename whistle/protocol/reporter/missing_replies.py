"""What replies say of each other is compared with what was found: what is missing, and what differs (SPEC 4.8).

So a reply that was kept from the reporter shows as soon as another one arrives that names it.
"""

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.protocol.case.message import Earlier, Reply
from whistle.protocol.code.retrieval import PLACES


@dataclass(frozen=True)
class Named:
    """A reply by `author` of which `by` knows: it is not there or, if it `differs`, another one is in its place."""

    author: str
    by: str
    differs: bool


def compare(held: Mapping[str, Reply], unreadable: Collection[int], today: datetime.date) -> tuple[Named, ...]:
    """What is missing or differs, one of each kind for each author.

    `held` are all valid replies by hash, those replaced included, in order; `unreadable` are the places, as lane × 64
    + n, in which something invalid lies.
    """
    places = {(reply.sender, reply.lane * PLACES + reply.n) for reply in held.values()}
    replaced = {(reply.sender, reply.replaces) for reply in held.values()}
    found: dict[tuple[str, bool], str] = {}
    for reply in held.values():
        for each in reply.earlier:
            known = each.hash in held or (each.sender, each.hash) in replaced or each.place in unreadable
            if not known and not _has_expired(each, today):
                differs = reply.sender != each.sender and (each.sender, each.place) in places
                found.setdefault((each.sender, differs), reply.sender)
    return tuple(Named(author, by, differs) for (author, differs), by in found.items())


def _has_expired(named: Earlier, today: datetime.date) -> bool:
    """Whether the server no longer keeps it: by the day that is signed, since the server's word could hide a reply."""
    return today - named.day > REPLIES_KEPT
