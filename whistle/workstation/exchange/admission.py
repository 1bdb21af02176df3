"""Whether a message from an envelope may be added to its case, in the order of SPEC section 3.

There are three ways to fail.  *Damaged as sent*: anyone can send nonsense, so there is no alarm.  *Refused*: it is well
formed but breaks a rule, and somebody should look into it.  *Waiting*: a dependency has not arrived.  A message that
leaves this reviewer out is none of these: it counts as somebody else's, so that its existence stays unknown.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace

from whistle.protocol.case import message
from whistle.protocol.case.message import ByReporter, ByReviewer, Grant, Reply, Signed, Slip
from whistle.protocol.errors import Forged, Malformed
from whistle.workstation.cases import ended_keys, grants, naming, saved_files
from whistle.workstation.cases.entries import Entry, open_rest
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import WorkstationError
from whistle.workstation.exchange.waiting import CASE, MANIFEST, PIECES, Waiting
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.workstation import Kept, Workstation

FIRST = {"report": 0, "follow-up": 1, "grant": 2}


class Damaged(WorkstationError):
    """Not what a correct program would have sent."""


class Breach(WorkstationError):
    """Well formed, but against a rule; the fault is shown in its case.  `about`: the reviewer who broke it, if one."""

    def __init__(self, message: str, about: str, kind: str) -> None:
        super().__init__(message)
        self.remark = Remark(message, about, kind)


class LeftOut(WorkstationError):
    """The reporter left this reviewer out: nothing of it is shown."""


@dataclass(frozen=True)
class Verdict:
    """The message may be saved; `originals` come from a grant to this reviewer, `remarks` are shown in the case."""

    originals: tuple[Signed, ...] = ()
    remarks: tuple[Remark, ...] = ()


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
            entries = map(self._entry, self._workstation.rules(self._id))
            self._case = _including(Case(self._id, (), (), 0, self._workstation.today()), entries)
        return self._case

    def add(self, kept: Kept) -> None:
        """Take one more message into account, which may be saved."""
        if self._case is not None:
            self._case = _including(self._case, [self._entry(kept)])

    def _entry(self, kept: Kept) -> Entry:
        """A message as it is stored; of a grant, whether it came after its key ended."""
        is_grant = isinstance(kept.signed.message, Grant)
        return _entry(kept.signed, ended_keys.of_stored(self._workstation, kept) if is_grant else None)

    def including(self, entries: Iterable[Entry]) -> Case:
        """The case as these messages would make it."""
        return _including(self.case, entries)


def judge(workstation: Workstation, signed: Signed, server: datetime.date, rules: Rules) -> Verdict:
    """Decide whether a message may be saved; `server` is the earliest day on which it was there.

    Raises Damaged, Breach, LeftOut or Waiting if not (yet).
    """
    content = signed.message
    me = workstation.me
    if isinstance(content, ByReporter):
        _check_reporter(workstation, signed)
        _check_named(content, me)
        return Verdict()
    assert isinstance(content, ByReviewer)
    _check_outer_signer(workstation, signed, content)
    _check_named(content, me)
    entry = _entry(signed, ended_keys.ended_before(workstation, signed, server))
    originals, bad = _originals(workstation, entry) if isinstance(content, Grant) else ((), 0)
    handed = (_entry(each, ended_keys.ended_before(workstation, each, None)) for each in originals)
    case = rules.including([*handed, entry])
    if me in case.without:
        raise LeftOut("the reporter left this reviewer out")
    _check_case(case, entry)
    return Verdict(originals, (*_place_remarks(workstation, case, content), *_damage_remarks(content, bad)))


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
        about = content.sender if isinstance(content, ByReviewer) else ""
        # Anybody who has it can have done that, not just its author.
        why = t("admission.not_named", message=naming.by(content, about))
        raise Breach(why, about, "named")


def _check_outer_signer(workstation: Workstation, signed: Signed, content: ByReviewer) -> None:
    try:
        _check_signer(workstation, signed)
    except Waiting as exc:
        if workstation.me in content.without:
            raise LeftOut("it leaves this reviewer out") from exc
        if workstation.me not in content.readers:
            raise Damaged("nobody known signed it, and it names other readers than you") from exc
        raise Waiting(exc.message, MANIFEST, proven=False) from exc


def _check_signer(workstation: Workstation, signed: Signed) -> None:
    # Anyone can seal a message that claims to be a colleague's: nonsense, not an alarm (SPEC 5.3, step 7).
    try:
        workstation.trust.people().signer(signed)
    except Forged as exc:
        if signed.message.keys.serial > _newest(workstation):
            raise Waiting("its manifest, which may list its signer, has not come yet", MANIFEST) from exc
        raise Damaged(str(exc)) from exc


def _newest(workstation: Workstation) -> int:
    return max(workstation.trust.serials(), default=0)


def _originals(workstation: Workstation, entry: Entry) -> tuple[tuple[Signed, ...], int]:
    """The messages that a grant hands over to this reviewer, and how many more are bad: the others count (SPEC 4.9)."""
    grant = entry.signed.message
    assert isinstance(grant, Grant)
    if grant.grantee != workstation.me or entry.ended:
        return (), 0
    content, rest = open_rest(workstation, grant)
    assert isinstance(content, Grant)
    if rest == "missing":
        raise Waiting("pieces of a grant have not come yet", PIECES)
    if rest == "damaged":
        return _unreadable(workstation, grant)
    good = []
    for inside in content.originals:
        try:
            signed = message.from_original(inside)
            _check_original(workstation, signed, grant.case)
        except (Malformed, Damaged):
            continue
        except Waiting:
            if grant.keys.serial > _newest(workstation):
                raise
            continue  # the grantor knew no newer manifest, and so nobody who signed it
        good.append(signed)
    return tuple(good), len(content.originals) - len(good)


def _unreadable(workstation: Workstation, grant: Grant) -> tuple[tuple[Signed, ...], int]:
    assert grant.rest is not None
    try:
        saved_files.content(grant.rest, workstation.blocks)
    except Malformed as exc:  # their hash is signed: the right pieces may come
        raise Waiting("pieces of a grant were altered on the way", PIECES) from exc
    return (), 1


def _check_original(workstation: Workstation, signed: Signed, case: str) -> None:
    if signed.message.case != case:
        raise Damaged("it is of another case")
    if isinstance(signed.message, ByReviewer):
        _check_signer(workstation, signed)
    else:
        _check_reporter(workstation, signed)


def _entry(signed: Signed, ended: datetime.date | None) -> Entry:
    return Entry(signed, "grant", datetime.date.min, ended=ended)


def _including(case: Case, entries: Iterable[Entry]) -> Case:
    """The case with those of these messages that say something new about who may read and write in it."""
    rules = {_rule(entry) for entry in case.entries}
    new: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        rule = _rule(entry)
        if rule and rule not in rules:
            new.setdefault(rule, entry)
    return replace(case, entries=(*case.entries, *new.values())) if new else case


def _rule(entry: Entry) -> tuple[object, ...] | None:
    """What a message says about who may read and write in its case; None if it says nothing about that."""
    content = entry.signed.message
    if isinstance(content, ByReporter):
        return content.kind, content.readers, content.without
    if isinstance(content, Grant):
        return content.kind, content.sender, content.grantee, content.lane, entry.ended is None
    return None


def _check_case(case: Case, entry: Entry) -> None:
    content = entry.signed.message
    assert isinstance(content, ByReviewer)
    if case.sender is None:
        raise Waiting("the report to which it belongs has not come yet", CASE)
    left_out = sorted(set(content.readers) & set(case.without))
    by, what = content.sender, naming.by(content, content.sender)
    if by in case.without:
        why = t("admission.by_left_out", message=what)
        raise Breach(why, by, "by one left out")
    if left_out:  # the author may not have known yet: a follow-up can leave somebody out
        why = t("admission.to_left_out", message=what, names=", ".join(left_out), by=by)
        raise Breach(why, by, "left out")
    people = {by, *(() if entry.ended else content.readers)}  # what came late is shown even if it names a grantee
    if not people <= set(case.allowed):
        raise Waiting("its sender or a reader was not granted the case, as far as is known here", CASE)
    if not set(content.without) <= set(case.without):  # else two stories could each leave out who heard the other
        raise Waiting("a message of the reporter that leaves somebody out has not come yet", CASE)


def _place_remarks(workstation: Workstation, case: Case, content: ByReviewer) -> tuple[Remark, ...]:
    slots = workstation.trust.newest().manifest.slots
    if case.report is None:
        return ()
    by, what = content.sender, naming.by_of_day(content, content.sender)
    if not set(case.report.without) <= set(content.without):
        return (Remark(t("admission.unsaid", message=what), by, "without"),)
    if isinstance(content, Reply) and content.to != case.report.sender.mailbox:
        text = t("admission.mailbox", message=what)
        return (Remark(text, by, "mailbox"),)
    if isinstance(content, Grant) and not _names_right_lane(case, content, slots):
        text = t("admission.lane", message=what)
        return (Remark(text, by, "grant's lane"),)
    return ()


def _names_right_lane(case: Case, grant: Grant, slots: int) -> bool:
    if grant.grantee in case.named:
        return grant.lane == case.named.index(grant.grantee)
    others = [each.lane for each in case.valid_grants if each.grantee == grant.grantee and each != grant]
    return grant.lane in others or grants.is_lane_free(case.all_grants, grant, slots)


def _damage_remarks(content: ByReviewer, bad: int) -> tuple[Remark, ...]:
    if not bad:
        return ()
    by = content.sender
    text = t("admission.originals", bad, by=by)
    return (Remark(text, by, "originals"),)


def order(signed: Signed) -> tuple[int, int]:
    """A sort key: reports, follow-ups, grants, then the rest, each reviewer's in the order of the chain."""
    content = signed.message
    return FIRST.get(content.kind, len(FIRST)), content.seq if isinstance(content, ByReviewer) else 0
