"""Each reviewer's messages in a case form a chain: a gap shows a withheld message, a fork a forged one.

The newest message of a chain can be missing without a trace, until a later one reveals it (SPEC 4.10).
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from whistle.protocol.case.message import ByReviewer, Signed

SEEN = 64  # hashes in one message
SHOWN = 10  # runs of missing numbers that are named


def links(messages: Iterable[Signed]) -> dict[str, dict[int, list[Signed]]]:
    """Messages by reviewer and number in the chain; more than one where there is a fork."""
    found: dict[str, dict[int, list[Signed]]] = {}
    for signed in messages:
        if isinstance(signed.message, ByReviewer):
            found.setdefault(signed.message.sender, {}).setdefault(signed.message.seq, []).append(signed)
    return found


def faults(messages: Iterable[Signed]) -> list[str]:
    """Faults of the chains, one line each."""
    found = []
    for reviewer, chain in sorted(links(messages).items()):
        missing = list(itertools.islice(_missing(sorted(chain)), SHOWN + 1))
        if missing:
            numbers = ", ".join(missing[:SHOWN]) + (", …" if len(missing) > SHOWN else "")
            found.append(f"{reviewer}'s message number {numbers} in this case has not come")
        for seq, here in sorted(chain.items()):
            if len(here) > 1:
                found.append(f"two different messages of {reviewer} have the number {seq + 1}")
            before = {signed.hash for signed in chain.get(seq - 1, [])}
            if before and not all(_prev(signed) in before for signed in here):
                found.append(f"{reviewer}'s message number {seq + 1} does not follow the one before it")
    return found


def follow(messages: Iterable[Signed], reviewer: str) -> dict[str, Any]:
    """`seq`, `prev` and `seen` for this reviewer's next message after all of these."""
    everything = list(messages)
    chain = links(everything).get(reviewer, {})
    last = max(chain, default=-1)
    told = {hash_ for here in chain.values() for signed in here for hash_ in _seen(signed)}
    own = {signed.hash for here in chain.values() for signed in here}
    new = [signed.hash for signed in everything if signed.hash not in told | own]
    return {"seq": last + 1, "prev": chain[last][-1].hash if chain else None, "seen": tuple(new[-SEEN:])}


def _missing(held: list[int]) -> Iterator[str]:
    """Missing numbers, counted from 1, each run of them as one text; numbers may be huge."""
    for before, after in itertools.pairwise([-1, *held]):
        if after - before == 2:
            yield str(after)
        elif after - before > 2:
            yield f"{before + 2} to {after}"


def _prev(signed: Signed) -> str | None:
    return signed.message.prev if isinstance(signed.message, ByReviewer) else None


def _seen(signed: Signed) -> tuple[str, ...]:
    return signed.message.seen if isinstance(signed.message, ByReviewer) else ()
