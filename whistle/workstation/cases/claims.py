"""Who has taken a case on, as its statuses say, so that two who do it at the same time learn of each other.

A status that somebody else's later status knew is superseded, whatever days they name; of those that are left, each
stands.  So all readers who have the same messages see the same, in whatever order these came.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from whistle.protocol.case.message import ByReviewer, Signed, Status


def taken_on(messages: Iterable[Signed], readers: Collection[str]) -> tuple[str, ...]:
    """The readers who have taken the case on, by id; more than one where neither knew of the other."""
    chains: defaultdict[str, list[Signed]] = defaultdict(list)
    for signed in messages:
        if isinstance(signed.message, ByReviewer):
            chains[signed.message.sender].append(signed)
    known = {hash for chain in chains.values() for hash in _known(chain)}
    standing = [
        signed.message
        for chain in chains.values()
        for signed in chain
        if isinstance(signed.message, Status) and signed.hash not in known
    ]
    return tuple(sorted({each.claimed for each in standing if each.claimed in readers}))


def two(ids: Collection[str]) -> str:
    """The warning where more than one has taken a case on."""
    return (
        f"{', '.join(ids)} have each taken this case on without knowing of the other: agree who answers, then state it "
        "in the case's status"
    )


def _known(chain: list[Signed]) -> set[str]:
    """What the author knew when they last stated something: what they named until then, and what they stated before."""
    ordered = sorted(chain, key=_seq)
    stated = [place for place, signed in enumerate(ordered) if isinstance(signed.message, Status)]
    if not stated:
        return set()
    before = ordered[: stated[-1]]
    named = {hash for signed in ordered[: stated[-1] + 1] for hash in _seen(signed)}
    return named | {signed.hash for signed in before}


def _seq(signed: Signed) -> int:
    assert isinstance(signed.message, ByReviewer)
    return signed.message.seq


def _seen(signed: Signed) -> tuple[str, ...]:
    assert isinstance(signed.message, ByReviewer)
    return signed.message.seen
