"""Grants: which of them count, and the lanes in which those who were let in reply (SPEC 3.3, 4.9)."""

from collections.abc import Collection, Iterable, Sequence

from whistle.protocol.case.message import Grant
from whistle.workstation.errors import Refused
from whistle.workstation.language import t


def valid(grants: Iterable[Grant], readers: Iterable[str], without: Iterable[str]) -> tuple[Grant, ...]:
    """The grants that count: by somebody who may read the case, to somebody whom the reporter did not leave out."""
    out = set(without)
    able = set(readers) - out
    left = [grant for grant in grants if grant.grantee not in out]
    counted: list[Grant] = []
    while new := [grant for grant in left if grant.sender in able]:
        counted += new
        left = [grant for grant in left if grant.sender not in able]
        able |= {grant.grantee for grant in new}
    return tuple(counted)


def lane_for(grants: Sequence[Grant], grantor: str, grantee: str, start: int, slots: int) -> int:
    """The lane that a grant names: that of the grantor's first grant to this grantee, or else a fresh one.

    A fresh lane is one that no grant of the grantor's chain names and, if possible, no other grant either; the search
    begins at `slots` + `start`.  Raises Refused if the chain has named all lanes.
    """
    chain = sorted((grant for grant in grants if grant.sender == grantor), key=lambda grant: grant.seq)
    lanes = range(slots, 2 * slots)
    for grant in chain:
        if grant.grantee == grantee and grant.lane in lanes:
            return grant.lane
    named = {grant.lane for grant in chain}
    free = [lane for step in range(slots) if (lane := slots + (start + step) % slots) not in named]
    if not free:
        raise Refused(t("grants.most"), t("grants.most_hint"))
    taken = {grant.lane for grant in grants}
    return next((lane for lane in free if lane not in taken), free[0])


def is_lane_free(grants: Iterable[Grant], grant: Grant, slots: int) -> bool:
    """Whether a grant names a lane that it may: no earlier grant of its chain named it for somebody else."""
    chain = [each for each in grants if each.sender == grant.sender and each.seq < grant.seq]
    taken = any(each.lane == grant.lane and each.grantee != grant.grantee for each in chain)
    first = min((each for each in chain if each.grantee == grant.grantee), key=lambda each: each.seq, default=grant)
    return slots <= grant.lane < 2 * slots and not taken and first.lane == grant.lane


def fitting(readers: Sequence[str], always: Collection[str], slots: int) -> tuple[str, ...]:
    """The readers whom one message reaches, in their order: some of them `always`, and the first others (SPEC 4.7)."""
    others = [id for id in readers if id not in always]
    left_out = set(others[slots - (len(readers) - len(others)) :])
    return tuple(id for id in readers if id not in left_out)
