"""Composing a reviewer's messages: replies, notes, status and grants, signed, sealed and put in the outbox.

Somebody whom the reporter left out never becomes a reader of anything in the case: such a message is refused before it
is signed (SPEC 4.7).
"""

import datetime
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from whistle.protocol.age import HybridRecipient
from whistle.protocol.case import envelope, message
from whistle.protocol.case.attachment import Attachment, block_ids
from whistle.protocol.case.message import (
    MARKS,
    MOST_CHECK_INS,
    Body,
    ByReviewer,
    CheckIns,
    Grant,
    Note,
    Reply,
    Report,
    Signed,
    Status,
)
from whistle.protocol.code.retrieval import place_ids
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter import receipts
from whistle.protocol.reporter.reply_validation import PAGE
from whistle.protocol.transfer.listing import Heap
from whistle.protocol.trust.manifest import RECOVERY, SignedManifest
from whistle.workstation.cases import chain, grants, naming, overview, reach, sealed_files
from whistle.workstation.cases.entries import opened
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Files
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.outbox import Sealed
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.workstation import Workstation

MOST_LABELS, LONGEST_LABEL, LONGEST_REASON = 16, 64, 4096  # what a status takes, in characters
LAST_DAY = datetime.date(2999, 12, 31)


def usual_mark(case: Case) -> str:
    """The default mark of the next reply: acknowledgement for a report's first, none for later ones and for advice."""
    return "" if case.answers or case.given.is_advice else "acknowledgement"


def reply(
    workstation: Workstation, case: Case, text: str, uploads: Files = (), mark: str = "", known: int | None = None
) -> Signed:
    """Answer the reporter: one message, sealed to the mailbox for its reply place and to the readers.

    `mark`: acknowledgement, feedback, check-in, or empty for none of these.  `known`: how many of the reporter's
    messages were here when it was written; all that are here now otherwise.
    """
    current = workstation.trust.sealing()
    whole = unsigned_reply(workstation, case, text, uploads, mark, known)
    records = sealed_files.seal(workstation, uploads)
    receives = mark in MARKS and case.first.server
    receipt = receipts.sign(workstation.signing, case.id, case.reported) if receives else None
    whole = replace(whole, attachments=records, receipt=receipt)
    with workstation.change():
        signed = _send(workstation, whole, current, "reporters")
        folded = isinstance(signed.message, Body) and signed.message.rest is not None
        if records or folded:
            _copies(workstation, case.id, records, text if folded else "")
    return signed


def unsigned_reply(
    workstation: Workstation, case: Case, text: str, uploads: Files, mark: str, known: int | None = None
) -> Reply:
    """A reply as it would be signed now, without its files.  Raises Refused or Untrusted if it cannot be."""
    sealed_files.check(text, uploads)
    current = workstation.trust.sealing()
    if case.sender is None or case.report is None:
        raise Refused(t("compose.no_report"), t("compose.no_report_hint"))
    notice = _notice(workstation, case, case.report, current)
    whole = replace(notice, text=text, mark=mark, have=reach.had(case, known))
    _fold(whole, current.manifest.slots)
    return whole


def _notice(workstation: Workstation, case: Case, report: Report, current: SignedManifest) -> Reply:
    """A reply without content for the next place, which tells who reads the case (SPEC 4.8)."""
    common = _common(workstation, case, current)
    lane, n = reach.free_place(workstation, case)
    return Reply(
        **common,
        to=report.sender.mailbox,
        lane=lane,
        n=n,
        have=reach.had(case),
        language=report.language,
    )


def note(workstation: Workstation, case: Case, text: str, uploads: Files = (), **more: Any) -> Signed:
    """Write to the other readers; the arguments are those of `unsigned_note`."""
    current = workstation.trust.sealing()
    whole = unsigned_note(workstation, case, text, uploads, **more)
    whole = replace(whole, attachments=sealed_files.seal(workstation, uploads))
    return _send(workstation, whole, current, "reviewers")


def unsigned_note(
    workstation: Workstation,
    case: Case,
    text: str,
    uploads: Files,
    answers: dict[str, str] | None = None,
    again: datetime.date | None = None,
    away: message.Away | None = None,
) -> Note:
    """A note as it would be signed now, without its files.  Raises Refused or Untrusted if it cannot be.

    `answers` and `again`: of a check of the risk, and when to do it again.  `away`: when this reviewer is away.
    """
    sealed_files.check(text, uploads, bool(answers))
    current = workstation.trust.sealing()
    whole = Note(**_common(workstation, case, current), text=text, answers=answers, again=again, away=away)
    _fold(whole, current.manifest.slots)
    return whole


def status(workstation: Workstation, case: Case, state: str, **said: Any) -> Signed:
    """Set the status of the case, with a reason; the arguments are those of `unsigned_status`."""
    whole = unsigned_status(workstation, case, state, **said)
    return _send(workstation, whole, workstation.trust.sealing(), "reviewers")


def unsigned_status(
    workstation: Workstation,
    case: Case,
    state: str,
    *,
    labels: Iterable[str] = (),
    deadline: datetime.date | None = None,
    claimed: str = "",
    check_ins: Iterable[datetime.date] | None = None,
    text: str = "",
) -> Status:
    """A status as it would be signed now; without `check_ins`, those that are stated stay.

    Raises Refused or Untrusted if it cannot be.
    """
    common = _common(workstation, case, workstation.trust.sealing())
    if claimed and claimed not in common["readers"]:
        if case.standing is None or claimed != case.standing.claimed:
            raise Refused(t("compose.not_reader"), t("compose.not_reader_hint"))
        claimed = ""  # the reviewer who claimed it has left
    cleaned = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
    if len(cleaned) > MOST_LABELS or any(len(label) > LONGEST_LABEL for label in cleaned):
        raise Refused(t("compose.labels", most=MOST_LABELS, longest=LONGEST_LABEL), t("compose.labels_hint"))
    _check_agreed(deadline, case, common["day"])
    if len(text) > LONGEST_REASON:
        raise Refused(t("compose.reason", most=LONGEST_REASON), t("compose.reason_hint"))
    stated = case.standing.check_ins if case.standing else None
    planned = stated if check_ins is None else _planned(check_ins)
    said: dict[str, Any] = {
        "labels": cleaned,
        "deadline": deadline,
        "claimed": claimed,
        "check_ins": planned,
        "text": text,
    }
    return Status(**common, status=state, **said)


def _planned(days: Iterable[datetime.date]) -> CheckIns:
    """Days of check-ins; those that have passed tell what was missed."""
    planned = tuple(sorted(set(days)))
    if len(planned) > MOST_CHECK_INS:
        raise Refused(t("care.too_many", MOST_CHECK_INS), t("care.too_many_hint"))
    if planned and planned[-1] > LAST_DAY:
        raise Refused(t("care.too_far"), t("care.no_day_hint"))
    return CheckIns(planned)


def _check_agreed(day: datetime.date | None, case: Case, today: datetime.date) -> None:
    """An agreed day that has passed may stay, so that the next status does not hide what was missed."""
    if day is None or (case.standing and day == case.standing.deadline):
        return
    if day < today:
        raise Refused(t("compose.past", day=day, today=today), t("compose.past_hint"))
    if day > LAST_DAY:
        raise Refused(t("compose.too_far"), t("pages.no_day_hint", example="2026-12-31"))


def grant(workstation: Workstation, case: Case, grantee: str, text: str = "") -> bool:
    """Let one more reviewer into the case, with all messages so far, and tell the reporter.

    False if the reporter cannot be told: no report yet, or no place left in this reviewer's lane.
    """
    current = workstation.trust.sealing()
    check_grant(workstation, case, grantee)
    with workstation.change():
        _pass_on(workstation, case.id, case.allowed, current)
        first, *_ = reach.portions(overview.load(workstation, case.id).handed_on)
        _grant(workstation, case.id, grantee, first, current, text)
        _pass_on(workstation, case.id, [grantee], current)
        return _tell_reporter(workstation, case.id, current)


def check_grant(workstation: Workstation, case: Case, grantee: str, again: bool = False) -> None:
    """Raise Refused or Untrusted unless this can be granted now, or all of it `again`."""
    current = workstation.trust.sealing()
    _check_grantee(workstation, case, grantee, current)
    if again and (grantee not in case.allowed or grantee == workstation.me):
        raise Refused(t("compose.no_other_reader", grantee=grantee), t("compose.no_other_reader_hint"))
    if not again and grantee in case.allowed:
        raise Refused(t("compose.reads_already", grantee=grantee), t("compose.reads_already_hint"))
    _common(workstation, case, current, grantee)


def grant_whole(workstation: Workstation, case: Case, reader: str, text: str = "") -> None:
    """Send the whole case again to somebody who reads it already but is missing some of it."""
    current = workstation.trust.sealing()
    check_grant(workstation, case, reader, again=True)
    with workstation.change():
        for part in reach.portions(case.handed_on):
            _grant(workstation, case.id, reader, part, current, text, fresh=True)


def _check_grantee(workstation: Workstation, case: Case, grantee: str, current: SignedManifest) -> None:
    listed = current.manifest.reviewer(grantee)
    if grantee in case.without:
        raise Refused(t("compose.left_out", grantee=grantee), t("compose.left_out_hint"))
    if grantee in reach.left_out_before(workstation, case):
        raise Refused(
            t("compose.left_out_before", grantee=grantee),
            t("compose.left_out_before_hint"),
        )
    if listed is None or listed.retired:
        raise Refused(t("compose.no_reviewer", grantee=grantee), t("compose.no_reviewer_hint"))
    if not _reads(current, grantee, workstation.today()):
        raise Refused(t("compose.no_key", grantee=grantee), t("compose.no_key_hint"))


def _tell_reporter(workstation: Workstation, case_id: str, current: SignedManifest) -> bool:
    case = overview.load(workstation, case_id)
    if case.report is None:
        return False
    try:
        notice = _notice(workstation, case, case.report, current)
    except reach.NoPlace:
        return False
    _send(workstation, notice, current, "reporters")
    return True


def grant_again(workstation: Workstation, case_id: str) -> list[Signed]:
    """Grant newer messages that omit a grantee whom this reviewer let in."""
    case = overview.load(workstation, case_id)
    mine = [grantee for grantee, first in case.grants.items() if first.sender == workstation.me]
    missing = [grantee for grantee in mine if grantee != workstation.me and reach.lacking(case, grantee)]
    return _pass_on(workstation, case_id, missing, workstation.trust.sealing()) if missing else []


def _pass_on(workstation: Workstation, case_id: str, readers: Iterable[str], current: SignedManifest) -> list[Signed]:
    """Grant to each of these readers what they lack, as far as this workstation knows (SPEC 4.10)."""
    case, today, sent = overview.load(workstation, case_id), workstation.today(), []
    for reader in readers:
        if reader not in (workstation.me, RECOVERY) and _reads(current, reader, today):
            for part in reach.portions(reach.lacking(case, reader)):
                sent.append(_grant(workstation, case_id, reader, part, current, ""))
    return sent


def send_again(workstation: Workstation, hash: str, insist: bool = False) -> bool | None:
    """Sign a message again, with new blocks and for a new place, since its place or the id of a block was taken.

    False after `MOVES` times; then the case says what to do, and its author may `insist`, as often as there are places.
    None for a grant to somebody who may no longer read.
    """
    old = opened(workstation, workstation.message(hash).message)
    assert isinstance(old, Body | Status) and isinstance(old, ByReviewer)
    with workstation.change():
        attempt = outbox.next_attempt(workstation, hash)
        if insist:
            attempt = outbox.begin_anew(workstation, hash)
        if attempt > outbox.MOVES + 1:
            stuck = Remark(t("compose.stuck", message=naming.own(old)), old.sender, "stuck")
            workstation.note_fault(old.case, stuck)
            return False
        case, current = overview.load(workstation, old.case), workstation.trust.sealing()
        grantee = old.grantee if isinstance(old, Grant) else ""
        if grantee and (grantee in case.without or not _reads(current, grantee, workstation.today())):
            return None
        changes = _common(workstation, case, current, grantee)
        if isinstance(old, Reply):
            lane, n = reach.free_place(workstation, case, old.lane)
            changes |= {"lane": lane, "n": n, "have": reach.had(case), "replaces": hash}
        if isinstance(old, Body):
            changes["attachments"] = tuple(sealed_files.seal_again(workstation, record) for record in old.attachments)
        heap: Heap = "reporters" if isinstance(old, Reply) else "reviewers"
        _send(workstation, replace(old, **changes), current, heap, attempt)
    return True


def _grant(
    workstation: Workstation,
    case_id: str,
    grantee: str,
    inside: Sequence[Signed],
    current: SignedManifest,
    text: str,
    fresh: bool = False,
) -> Signed:
    """A grant, with a `fresh` lane for somebody who reads the case already, if one is left."""
    case = overview.load(workstation, case_id)
    whole = Grant(
        **_common(workstation, case, current, grantee),
        grantee=grantee,
        lane=reach.grantees_lane(case, workstation.me, grantee, current.manifest.slots, fresh),
        originals=tuple(message.original(signed) for signed in inside),
        text=text,
    )
    return _sign(workstation, whole, current, "reviewers")


def _common(workstation: Workstation, case: Case, current: SignedManifest, grantee: str = "") -> dict[str, Any]:
    """The fields of every reviewer's message.  Raises Refused if this reviewer may not write in the case."""
    me = workstation.me
    if me not in case.allowed:
        raise Refused(t("compose.no_access"), t("compose.no_access_hint"))
    today = workstation.today()
    everyone = dict.fromkeys([*case.allowed, *([grantee] if grantee else [])])
    readers = [id for id in everyone if _reads(current, id, today)]
    if set(case.without) & set(readers):
        raise Refused(t("compose.would_read"), t("compose.would_read_hint"))
    if me not in readers:
        raise Refused(t("compose.retired"), t("compose.retired_hint"))
    slots = current.manifest.slots
    if len(readers) > slots and grantee and grantee not in case.allowed:
        raise Refused(t("compose.most_readers", slots=slots), t("compose.most_readers_hint"))
    return {
        "case": case.id,
        "readers": grants.fitting(readers, (me, grantee), slots),  # the report's, those let in, those named later
        "without": reach.left_out(case),
        "keys": current.keys,
        "sender": me,
        "day": today,
        "seq": 0,  # this and the next two: see `_sign`
        "prev": None,
        "seen": (),
    }


def _reads(current: SignedManifest, id: str, today: datetime.date) -> bool:
    if id == RECOVERY:
        return current.manifest.recovery is not None
    reviewer = current.manifest.reviewer(id)
    begun = reviewer is not None and any(period.first <= today for period in reviewer.recipients)
    return reviewer is not None and begun and not reviewer.retired


def _send(
    workstation: Workstation, whole: Body | Status, current: SignedManifest, heap: Heap, attempt: int = 1
) -> Signed:
    """Pass on what any reader of a message lacks, then sign it, seal it and put it in the outbox; all or nothing."""
    assert isinstance(whole, ByReviewer)
    with workstation.change():
        _pass_on(workstation, whole.case, whole.readers, current)
        return _sign(workstation, whole, current, heap, attempt)


def _sign(
    workstation: Workstation, whole: Body | Status, current: SignedManifest, heap: Heap, attempt: int = 1
) -> Signed:
    """Sign a message as the next one of this reviewer's chain, seal it, save it and put it in the outbox."""
    slots = current.manifest.slots
    case = overview.load(workstation, whole.case)
    whole = replace(whole, **chain.follow(case.handed_on, workstation.me, slots))
    if isinstance(whole, Reply):
        whole = replace(whole, earlier=reach.earlier(case, whole, slots))
    folded, blocks = _fold(whole, slots)
    try:
        signed = message.sign(folded, workstation.signing.signing)
        recipients = current.manifest.recipients(whole.readers, workstation.today())
        copies = [Sealed(secrets.token_bytes(16), "reviewers", envelope.seal(signed, recipients, slots))]
        if isinstance(folded, Reply):
            copies.insert(0, _to_mailbox(case, folded, signed, slots))
    except ProtocolError as exc:
        raise Refused(t("compose.unsealable"), t("compose.unsealable_hint")) from exc
    for id, body in blocks:
        workstation.blocks.write(id, body)
    ids = [id for id, _ in blocks] + _file_blocks(whole)
    with workstation.change():
        workstation.save(signed, "own")
        outbox.add(workstation, signed.hash, copies, ids, heap, attempt)
    return signed


def _fold(whole: Body | Status, slots: int) -> tuple[Any, Any]:
    """Like `envelope.fold`.  Raises Refused for what is too long."""
    try:
        folded, blocks = envelope.fold(whole, slots)
    except ProtocolError as exc:
        raise Refused(t("compose.unsealable"), t("compose.unsealable_hint")) from exc
    if isinstance(folded, Reply) and folded.rest and folded.rest.size > PAGE:
        raise Refused(t("compose.too_long"), t("sealed_files.as_file"))
    return folded, blocks


def _to_mailbox(case: Case, folded: Reply, signed: Signed, slots: int) -> Sealed:
    assert case.sender is not None
    place = place_ids(bytes.fromhex(case.sender.replies), folded.lane)[folded.n]
    mailbox = [HybridRecipient.from_text(folded.to)]
    return Sealed(place, "reporters", envelope.seal(signed, mailbox, slots))


def _file_blocks(whole: Body | Status) -> list[bytes]:
    records = whole.attachments if isinstance(whole, Body) else ()
    return [id for record in records for id in block_ids(record)]


def _copies(workstation: Workstation, case_id: str, records: Sequence[Attachment], text: str) -> None:
    """Send a note with the reply's files sealed again: reviewers do not get the blocks of the reporters' heap."""
    case = overview.load(workstation, case_id)
    if len(case.allowed) > 1:
        copies = [sealed_files.seal_again(workstation, record) for record in records]
        about = t("compose.copies")
        note(workstation, case, about + ("\n\n" + text if text else ""), copies)
