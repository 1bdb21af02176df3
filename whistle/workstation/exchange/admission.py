"""Whether a message that an envelope held may be taken into its case; in the order of SPEC section 3.

Three answers differ.  *Damaged as sent*: anyone can send nonsense, there is no alarm.  *Refused*: it is well made and
yet breaks a rule, so that somebody should look.  *Waiting*: what it leans on has not come yet.  What leaves this
reviewer out is none of these: it counts as somebody else's, since not even that it exists is theirs to know.
"""

import datetime
from dataclasses import dataclass, replace

from whistle.protocol.case import message
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import ByReporter, ByReviewer, Grant, Reply, Signed, Slip
from whistle.protocol.errors import Forged, Malformed
from whistle.protocol.trust.manifest import RECOVERY
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case, Entry
from whistle.workstation.errors import WorkstationError
from whistle.workstation.workstation import Workstation

FIRST = {"report": 0, "follow-up": 1, "grant": 2}


class Damaged(WorkstationError):
    """Not what a sound program would have sent."""


class Breach(WorkstationError):
    """Well made, but against a rule; `case` is the case in which the fault is shown."""


class LeftOut(WorkstationError):
    """The reporter left this reviewer out: it is not theirs, and nothing is said of it."""


class Waiting(WorkstationError):
    """Something that it leans on has not come yet."""


@dataclass(frozen=True)
class Verdict:
    """The message may be kept; `originals` are those of a grant to this reviewer; `remarks` are shown in the case."""

    originals: tuple[Signed, ...] = ()
    remarks: tuple[str, ...] = ()


def judge(workstation: Workstation, signed: Signed) -> Verdict:
    """May this message be kept?  Raises Damaged, Breach, LeftOut or Waiting when not (yet)."""
    found = signed.message
    me = workstation.me
    if isinstance(found, ByReporter):
        _check_reporter(workstation, signed)
        _check_named(found, me)
        return Verdict((), _mixed_up(workstation, found))
    assert isinstance(found, ByReviewer)
    _check_signer(workstation, signed, found)
    _check_named(found, me)
    originals = _originals(workstation, found) if isinstance(found, Grant) and found.grantee == me else ()
    case = _with(overview.load(workstation, found.case), [*originals, signed])
    if me in case.without:
        raise LeftOut("the reporter left this reviewer out")
    _check_case(case, found)
    _check_room(workstation, case, found)
    return Verdict(originals, (*_mixed_up(workstation, found), *_misplaced(workstation, case, found)))


def _check_reporter(workstation: Workstation, signed: Signed) -> None:
    if isinstance(signed.message, Slip):
        raise Damaged("a slip is no message to reviewers")
    if len(signed.message.readers) > workstation.trust.newest().manifest.slots:
        raise Damaged("it names more readers than an envelope has")  # their places in the list give the lanes
    if not signed.is_by_reporter:
        raise Damaged("it is not signed by the key to which its case belongs")


def _check_named(found: ByReporter | ByReviewer, me: str) -> None:
    # A message re-sealed to somebody whom its author did not name is not opened (SPEC section 3, `readers`).
    if me in found.without:
        raise LeftOut("it leaves this reviewer out")
    if me not in found.readers:
        raise Breach("it names other readers than you and yet was sealed to you; it was not kept")


def _check_signer(workstation: Workstation, signed: Signed, found: ByReviewer) -> None:
    # Anyone can seal what claims to be a colleague's: that is nonsense, and no alarm (SPEC 5.3, step 7).
    for key in workstation.trust.people().signers(found.sender, found.day):
        try:
            message.check(signed, key)
        except Forged:
            continue
        return
    raise Damaged(f"it claims to be by {found.sender}, and no key of that reviewer signed it")


def _originals(workstation: Workstation, grant: Grant) -> tuple[Signed, ...]:
    content, complete = overview.opened(workstation, grant)
    assert isinstance(content, Grant)
    if not complete:
        assert grant.rest is not None
        if workstation.blocks.missing(block_ids(grant.rest)):
            raise Waiting("pieces of a grant have not come yet")
        raise Waiting("pieces of a grant were altered on the way")  # its signature holds: the right ones may come
    found = []
    for inside in content.originals:
        try:
            signed = message.from_original(inside)
        except Malformed as exc:
            raise Damaged("a grant holds something that is no message") from exc
        if signed.message.case != grant.case:
            raise Breach(f"a grant by {grant.sender} holds messages of another case; it was not kept")
        if isinstance(signed.message, ByReviewer):
            _check_signer(workstation, signed, signed.message)
        else:
            _check_reporter(workstation, signed)
        found.append(signed)
    return tuple(found)


def _with(case: Case, more: list[Signed]) -> Case:
    """The case as it would be with these messages too."""
    known = {signed.hash for signed in case.messages}
    new = {signed.hash: signed for signed in more if signed.hash not in known}
    added = [Entry(signed, signed.message, True, "grant", datetime.date.min) for signed in new.values()]
    return replace(case, entries=(*case.entries, *added))


def _check_case(case: Case, found: ByReviewer) -> None:
    if case.sender is None:
        raise Waiting("the report to which it belongs has not come yet")
    left_out = sorted(set(found.readers) & set(case.without))
    if left_out:
        raise Breach(f"a {found.kind} of {found.sender} went to {', '.join(left_out)}, whom the reporter left out")
    if found.sender in case.without:
        raise Breach(f"a {found.kind} came from {found.sender}, whom the reporter left out; it was not kept")
    if not {found.sender, *found.readers} <= set(case.allowed):
        raise Waiting("its sender or a reader was not granted the case, as far as is known here")


def _check_room(workstation: Workstation, case: Case, found: ByReviewer) -> None:
    # Otherwise one colleague could let in so many that nobody could write in the case any more.
    newest = workstation.trust.newest().manifest
    active = {each.id for each in newest.active()} & set(case.allowed)
    if isinstance(found, Grant) and len(active) + (RECOVERY in case.allowed) > newest.slots:
        raise Breach(f"a grant by {found.sender} lets in more readers than {newest.slots}; it was not kept")


def _mixed_up(workstation: Workstation, found: ByReporter | ByReviewer) -> tuple[str, ...]:
    trust = workstation.trust
    serials = trust.serials()
    if found.keys.serial in serials and trust.manifest(found.keys.serial).hash == found.keys.hash:
        return ()
    if serials and found.keys.serial < serials[0]:
        return ()
    what = "has not come here yet" if serials and found.keys.serial > serials[-1] else "is not the one known here"
    return (f"a {found.kind} of {found.day} was sealed with manifest {found.keys.serial}, which {what}",)


def _misplaced(workstation: Workstation, case: Case, found: ByReviewer) -> tuple[str, ...]:
    slots = workstation.trust.newest().manifest.slots
    if case.report is not None and not set(case.report.without) <= set(found.without):
        return (f"a {found.kind} of {found.sender} of {found.day} does not say whom the reporter left out",)
    if isinstance(found, Reply):
        assert case.sender is not None
        if found.to != case.sender.mailbox:
            return (f"a reply of {found.sender} of {found.day} was sealed to another mailbox than the reporter's",)
        if found.lane != case.lane(found.sender, slots):
            return (f"a reply of {found.sender} of {found.day} lies in another reviewer's lane",)
    if isinstance(found, Grant) and found.lane != case.lane(found.grantee, slots):
        return (f"a grant by {found.sender} of {found.day} names another lane than it should",)
    return ()


def order(signed: Signed) -> tuple[int, int]:
    """What to judge first: reports, follow-ups, grants, then the rest; each reviewer's in the chain's order."""
    found = signed.message
    return FIRST.get(found.kind, len(FIRST)), found.seq if isinstance(found, ByReviewer) else 0
