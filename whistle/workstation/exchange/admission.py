"""Whether a message from an envelope may be added to its case, in the order of SPEC section 3.

There are three ways to fail.  *Damaged as sent*: anyone can send nonsense, so there is no alarm.  *Refused*: it is well
formed but breaks a rule, and somebody should look into it.  *Waiting*: a dependency has not arrived.  A message that
leaves this reviewer out is none of these: it counts as somebody else's, so that its existence stays unknown.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace

from whistle.protocol.case import message
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import ByReporter, ByReviewer, Grant, Reply, Signed, Slip
from whistle.protocol.errors import Forged, Malformed
from whistle.protocol.trust.manifest import RECOVERY
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case, Entry
from whistle.workstation.errors import WorkstationError
from whistle.workstation.exchange.waiting import CASE, MANIFEST, PIECES, Waiting
from whistle.workstation.workstation import Workstation

FIRST = {"report": 0, "follow-up": 1, "grant": 2}


class Damaged(WorkstationError):
    """Not what a correct program would have sent."""


class Breach(WorkstationError):
    """Well formed, but against a rule; the fault is shown in its case."""


class LeftOut(WorkstationError):
    """The reporter left this reviewer out: nothing of it is shown."""


@dataclass(frozen=True)
class Verdict:
    """The message may be saved; `originals` come from a grant to this reviewer, `remarks` are shown in the case."""

    originals: tuple[Signed, ...] = ()
    remarks: tuple[str, ...] = ()


class Rules:
    """What a case's messages say about who may read and write in it: those of the reporter, and grants.

    A message that says the same again is not repeated here, so that this stays small however many there are.
    """

    def __init__(self, workstation: Workstation, case: str) -> None:
        self._workstation = workstation
        self._id = case
        self._case: Case | None = None

    @property
    def case(self) -> Case:
        """The case with these messages alone, loaded when first asked for."""
        if self._case is None:
            known = map(self._workstation.message, self._workstation.rules(self._id))
            self._case = _including(Case(self._id, (), (), 0, self._workstation.today()), known)
        return self._case

    def add(self, signed: Signed) -> None:
        """Take one more message into account, which was saved."""
        if self._case is not None:
            self._case = _including(self._case, [signed])

    def including(self, messages: Iterable[Signed]) -> Case:
        """The case as these messages would make it."""
        return _including(self.case, messages)


def judge(workstation: Workstation, signed: Signed, rules: Rules) -> Verdict:
    """Decide whether a message may be saved.  Raises Damaged, Breach, LeftOut or Waiting if not (yet)."""
    content = signed.message
    me = workstation.me
    if isinstance(content, ByReporter):
        _check_reporter(workstation, signed)
        _check_named(content, me)
        return Verdict((), _manifest_remarks(workstation, content))
    assert isinstance(content, ByReviewer)
    _check_outer_signer(workstation, signed, content)
    _check_named(content, me)
    originals = _originals(workstation, content) if isinstance(content, Grant) and content.grantee == me else ()
    case = rules.including([*originals, signed])
    if me in case.without:
        raise LeftOut("the reporter left this reviewer out")
    _check_case(case, content)
    _check_reader_count(workstation, case, content)
    return Verdict(originals, (*_manifest_remarks(workstation, content), *_place_remarks(workstation, case, content)))


def _check_reporter(workstation: Workstation, signed: Signed) -> None:
    if isinstance(signed.message, Slip):
        raise Damaged("a slip is no message to reviewers")
    if len(signed.message.readers) > workstation.trust.newest().manifest.slots:
        raise Damaged("it names more readers than an envelope has")  # their order gives the lanes
    if not signed.is_by_reporter:
        raise Damaged("it is not signed by the key to which its case belongs")


def _check_named(content: ByReporter | ByReviewer, me: str) -> None:
    # A message sealed again to somebody whom its author did not name is not opened (SPEC section 3, `readers`).
    if me in content.without:
        raise LeftOut("it leaves this reviewer out")
    if me not in content.readers:
        raise Breach("it names other readers than you and yet was sealed to you; it was not kept")


def _check_outer_signer(workstation: Workstation, signed: Signed, content: ByReviewer) -> None:
    try:
        _check_signer(workstation, signed, content)
    except Waiting as exc:
        if workstation.me in content.without:
            raise LeftOut("it leaves this reviewer out") from exc
        if workstation.me not in content.readers:
            raise Damaged("nobody known signed it, and it names other readers than you") from exc
        raise Waiting(exc.message, MANIFEST, proven=False) from exc


def _check_signer(workstation: Workstation, signed: Signed, content: ByReviewer) -> None:
    # Anyone can seal a message that claims to be a colleague's: nonsense, not an alarm (SPEC 5.3, step 7).
    for key in workstation.trust.people().signers(content.sender, content.day):
        try:
            message.check(signed, key)
        except Forged:
            continue
        return
    if content.keys.serial > max(workstation.trust.serials(), default=0):
        raise Waiting("the manifest with which it was sealed has not come yet, and may list its signer", MANIFEST)
    raise Damaged(f"it claims to be by {content.sender}, and no key of that reviewer signed it")


def _originals(workstation: Workstation, grant: Grant) -> tuple[Signed, ...]:
    content, complete = overview.opened(workstation, grant)
    assert isinstance(content, Grant)
    if not complete:
        assert grant.rest is not None
        if workstation.blocks.missing(block_ids(grant.rest)):
            raise Waiting("pieces of a grant have not come yet", PIECES)
        raise Waiting("pieces of a grant were altered on the way", PIECES)  # it is signed: the right ones may come
    originals = []
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
        originals.append(signed)
    return tuple(originals)


def _including(case: Case, messages: Iterable[Signed]) -> Case:
    """The case with those of these messages that say something new about who may read and write in it."""
    known = {_rule(entry.signed) for entry in case.entries}
    new: dict[tuple[object, ...], Signed] = {}
    for signed in messages:
        rule = _rule(signed)
        if rule and rule not in known:
            new.setdefault(rule, signed)
    if not new:
        return case
    added = [Entry(signed, "grant", datetime.date.min) for signed in new.values()]
    return replace(case, entries=(*case.entries, *added))


def _rule(signed: Signed) -> tuple[object, ...] | None:
    """What a message says about who may read and write in its case; None if it says nothing about that."""
    content = signed.message
    if isinstance(content, ByReporter):
        return content.kind, content.readers, content.without
    if isinstance(content, Grant):
        return content.kind, content.sender, content.grantee, content.lane
    return None


def _check_case(case: Case, content: ByReviewer) -> None:
    if case.sender is None:
        raise Waiting("the report to which it belongs has not come yet", CASE)
    left_out = sorted(set(content.readers) & set(case.without))
    if left_out:
        raise Breach(f"a {content.kind} of {content.sender} went to {', '.join(left_out)}, whom the reporter left out")
    if content.sender in case.without:
        raise Breach(f"a {content.kind} came from {content.sender}, whom the reporter left out; it was not kept")
    if not {content.sender, *content.readers} <= set(case.allowed):
        raise Waiting("its sender or a reader was not granted the case, as far as is known here", CASE)


def _check_reader_count(workstation: Workstation, case: Case, content: ByReviewer) -> None:
    # Otherwise one colleague could let in so many readers that nobody could write in the case any more.
    newest = workstation.trust.newest().manifest
    active = {each.id for each in newest.active()} & set(case.allowed)
    if isinstance(content, Grant) and len(active) + (RECOVERY in case.allowed) > newest.slots:
        raise Breach(f"a grant by {content.sender} lets in more readers than {newest.slots}; it was not kept")


def _manifest_remarks(workstation: Workstation, content: ByReporter | ByReviewer) -> tuple[str, ...]:
    trust = workstation.trust
    serials = trust.serials()
    if content.keys.serial in serials and trust.manifest(content.keys.serial).hash == content.keys.hash:
        return ()
    if serials and content.keys.serial < serials[0]:
        return ()
    what = "has not come here yet" if serials and content.keys.serial > serials[-1] else "is not the one known here"
    return (f"a {content.kind} of {content.day} was sealed with manifest {content.keys.serial}, which {what}",)


def _place_remarks(workstation: Workstation, case: Case, content: ByReviewer) -> tuple[str, ...]:
    slots = workstation.trust.newest().manifest.slots
    if case.report is not None and not set(case.report.without) <= set(content.without):
        return (f"a {content.kind} of {content.sender} of {content.day} does not say whom the reporter left out",)
    if isinstance(content, Reply):
        assert case.sender is not None
        if content.to != case.sender.mailbox:
            return (f"a reply of {content.sender} of {content.day} was sealed to another mailbox than the reporter's",)
        if content.lane != case.lane(content.sender, slots):
            return (f"a reply of {content.sender} of {content.day} lies in another reviewer's lane",)
    if isinstance(content, Grant) and content.lane != case.lane(content.grantee, slots):
        return (f"a grant by {content.sender} of {content.day} names another lane than it should",)
    return ()


def order(signed: Signed) -> tuple[int, int]:
    """A sort key: reports, follow-ups, grants, then the rest, each reviewer's in the order of the chain."""
    content = signed.message
    return FIRST.get(content.kind, len(FIRST)), content.seq if isinstance(content, ByReviewer) else 0
