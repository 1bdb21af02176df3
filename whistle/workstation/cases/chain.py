"""Comparing what a case's messages name with what is here, to show gaps and contradictions (SPEC 4.10).

Each reviewer's messages in a case form a chain, and name what else their author had read.  So a message that was
withheld, or two different ones for two readers, show as soon as another message names them.  The newest message of a
case can be missing without a trace.
"""

import datetime
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from whistle.protocol.case.message import MAX_SLOTS, ByReporter, ByReviewer, Reply, Signed
from whistle.protocol.code.retrieval import PLACES
from whistle.workstation.language import t

SEEN = 64  # hashes in one message
SEEN_PER_SLOT = 6  # so that they fit into a small envelope too
SHOWN = 10  # runs of missing numbers that are named
EXPECTED = datetime.timedelta(days=180)  # the server keeps nothing longer for reviewers (SPEC 9.5)

Days = Mapping[str, datetime.date]  # by a message's hash, the day on which it arrived here


def links(messages: Iterable[Signed]) -> dict[str, dict[int, list[Signed]]]:
    """Messages by reviewer and number in the chain; more than one where there is a fork."""
    chains: dict[str, dict[int, list[Signed]]] = {}
    for signed in messages:
        if isinstance(signed.message, ByReviewer):
            chains.setdefault(signed.message.sender, {}).setdefault(signed.message.seq, []).append(signed)
    return chains


def faults(messages: Sequence[Signed], arrived: Days, today: datetime.date, late: Collection[str] = ()) -> list[str]:
    """What is missing or contradictory, one line for each reviewer and kind.

    A missing message is reported for 180 days after the arrival of the one that names it; then the server no longer
    has it.  `late`: hashes of messages whose key had ended: they are here, but what they say does not count.
    """
    counting = [signed for signed in messages if signed.hash not in late]
    recent = {signed.hash for signed in counting if today - arrived[signed.hash] <= EXPECTED}
    chains = sorted(links(messages).items())
    lines = [line for reviewer, chain in chains for line in _gaps(reviewer, chain, recent)]
    lines += [line for reviewer, chain in chains for line in _forks(reviewer, chain, late)]
    return [*lines, *_unread(messages, chains, recent), *_places(counting)]


def follow(messages: Iterable[Signed], reviewer: str, slots: int = MAX_SLOTS) -> dict[str, Any]:
    """`seq`, `prev` and `seen` for this reviewer's next message after all of these."""
    everything = list(messages)
    chain = links(everything).get(reviewer, {})
    last = max(chain, default=-1)
    stated = {hash for siblings in chain.values() for signed in siblings for hash in _seen(signed)}
    own = {signed.hash for siblings in chain.values() for signed in siblings}
    new = [signed.hash for signed in everything if signed.hash not in stated | own]
    named = tuple(new[-min(SEEN, SEEN_PER_SLOT * slots) :])
    return {"seq": last + 1, "prev": chain[last][-1].hash if chain else None, "seen": named}


def before(messages: Iterable[Signed], later: Iterable[Signed]) -> set[str]:
    """The hashes of all that the authors of `later` had written or read before, as far as `messages` tell."""
    held = {signed.hash: signed for signed in messages}
    found: set[str] = set()
    left = list(later)
    while left:
        signed = left.pop()
        new = {hash for hash in (_prev(signed), *_seen(signed)) if hash} - found
        found |= new
        left += [held[hash] for hash in new if hash in held]
    return found


def _gaps(reviewer: str, chain: Mapping[int, Sequence[Signed]], recent: set[str]) -> Iterator[str]:
    runs = list(itertools.islice(_missing(chain, recent), SHOWN + 1))
    if runs:
        numbers = ", ".join(runs[:SHOWN]) + (", …" if len(runs) > SHOWN else "")
        yield t("chain.gap", numbers=numbers, whom=reviewer, ask=_ask(reviewer))


def _missing(chain: Mapping[int, Sequence[Signed]], recent: set[str]) -> Iterator[str]:
    """Missing numbers, counted from 1, each run of them as one text; numbers may be huge."""
    for before, after in itertools.pairwise([-1, *sorted(chain)]):
        if after - before > 1 and any(signed.hash in recent for signed in chain[after]):
            yield str(after) if after - before == 2 else t("chain.run", first=before + 2, last=after)


def _forks(reviewer: str, chain: Mapping[int, Sequence[Signed]], late: Collection[str]) -> Iterator[str]:
    for seq, everything in sorted(chain.items()):
        counting = [signed for signed in everything if signed.hash not in late]
        if len(counting) > 1:
            yield t("chain.fork", whom=reviewer, number=seq + 1)
        before = {signed.hash for signed in chain.get(seq - 1, [])}
        if before and not all(_prev(signed) in before for signed in counting):
            yield t("chain.break", whom=reviewer, number=seq + 1)


def _unread(
    messages: Sequence[Signed], chains: Sequence[tuple[str, dict[int, list[Signed]]]], recent: set[str]
) -> Iterator[str]:
    """Messages that a reviewer had read, or had from the reporter, and that are not here."""
    held = {signed.hash for signed in messages}
    authors = {_prev(signed): by for by, chain in chains for siblings in chain.values() for signed in siblings}
    come = sum(isinstance(signed.message, ByReporter) for signed in messages)
    for reviewer, chain in chains:
        own = [signed for siblings in chain.values() for signed in siblings if signed.hash in recent]
        missing = {hash for signed in own for hash in (*_seen(signed), *_earlier(signed))} - held
        had = max((signed.message.have.count for signed in own if isinstance(signed.message, Reply)), default=0)
        if missing:
            named, ask = ", ".join(sorted({authors[hash] for hash in missing if hash in authors})), _ask(reviewer)
            if named:
                yield t("chain.unread_of", len(missing), whom=reviewer, authors=named, ask=ask)
            else:
                yield t("chain.unread", len(missing), whom=reviewer, ask=ask)
        elif had > come:
            yield t("chain.had", whom=reviewer, had=had, come=come, ask=_ask(reviewer))


def _places(messages: Sequence[Signed]) -> Iterator[str]:
    """Different replies for one place: the reporter can have only one of them."""
    replies = [(signed.hash, signed.message) for signed in messages if isinstance(signed.message, Reply)]
    held: dict[tuple[str, int], set[str]] = defaultdict(set)
    for hash, reply in replies:
        held[reply.sender, reply.lane * PLACES + reply.n].add(hash)
    for author in sorted({author for (author, _), hashes in held.items() if len(hashes) > 1}):
        yield t("chain.place", whom=author)
    others = {
        (reply.sender, earlier.sender)
        for _, reply in replies
        for earlier in reply.earlier
        if (hashes := held.get((earlier.sender, earlier.place))) and earlier.hash not in hashes
    }
    for reader, author in sorted(others):
        yield t("chain.other_reply", whom=reader, author=author)


def _ask(whom: str) -> str:
    return t("chain.ask", whom=whom)


def _earlier(signed: Signed) -> tuple[str, ...]:
    return tuple(each.hash for each in signed.message.earlier) if isinstance(signed.message, Reply) else ()


def _prev(signed: Signed) -> str | None:
    return signed.message.prev if isinstance(signed.message, ByReviewer) else None


def _seen(signed: Signed) -> tuple[str, ...]:
    return signed.message.seen if isinstance(signed.message, ByReviewer) else ()
