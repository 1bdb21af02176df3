"""The tray: what a reviewer wrote and what is still unsigned, until the next exchange.

Until then everything can be changed or taken back.  At the exchange each thing is signed, in the order in which it was
written, and leaves the tray in the transaction that stores the signed message and puts it in the outbox; what cannot be
signed stays, says why, and stops nothing else.  What can never go is set aside by its author: no exchange tries it, and
its text stays.  Attached files are sealed at once, so the tray holds their records.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import func, select, update

from whistle.protocol.case import message
from whistle.protocol.case.attachment import Attachment, block_ids
from whistle.workstation.cases import compose, overview, sealed_files
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Files
from whistle.workstation.duties import templates
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.language import restored, sentence, stored, t
from whistle.workstation.vault import rows
from whistle.workstation.vault.models import TrayItem
from whistle.workstation.workstation import UNSYNCED, Workstation

UNANSWERED = ("new", "triage")  # what a reply makes open


@dataclass(frozen=True)
class Item:
    """One thing that waits: reply, note, status, grant, claim, or again for all of a case once more."""

    id: int
    case: str
    what: str
    fields: Mapping[str, Any]
    files: tuple[Attachment, ...]
    known: int
    day: datetime.date
    held: bool
    aside: bool
    reason: str

    @property
    def text(self) -> str:
        """What it says in its author's words."""
        return str(self.fields["text"])


@dataclass(frozen=True)
class Result:
    """What an exchange did: how many things it signed, what stays with its reason, and what else to know."""

    signed: int = 0
    left: list[Item] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)  # cases in which the reporter could not be told of a grant


def reply(
    workstation: Workstation, case: Case, text: str, uploads: Files = (), mark: str = "", follow: bool = True
) -> int:
    """Put a reply into the tray; its number there.

    If the status is to `follow`, colleagues are told with it that the case is open and that this reviewer answers it,
    unless they were told already.

    Raises Refused or Untrusted for what could not be signed now, and Refused while a template's field is left in it.
    """
    templates.check(text)
    compose.unsigned_reply(workstation, case, text, uploads, mark)
    return _add(workstation, case, "reply", {"text": text, "mark": mark, "follow": follow}, uploads)


def note(
    workstation: Workstation,
    case: Case,
    text: str,
    uploads: Files = (),
    answers: dict[str, str] | None = None,
    again: datetime.date | None = None,
    away: message.Away | None = None,
) -> int:
    """Put a note into the tray, like `reply`; the arguments are those of `compose.unsigned_note`."""
    compose.unsigned_note(workstation, case, text, uploads, answers, again, away)
    risk = {"answers": answers, "again": again and again.isoformat()} if answers else {}
    told = {"away": [away.first.isoformat(), away.last.isoformat(), away.cover]} if away else {}
    return _add(workstation, case, "note", {"text": text, **risk, **told}, uploads)


def status(workstation: Workstation, case: Case, state: str, **said: Any) -> int:
    """Put a status into the tray, like `reply`; the arguments are those of `compose.unsigned_status`."""
    whole = compose.unsigned_status(workstation, case, state, **said)
    day = whole.deadline.isoformat() if whole.deadline else None
    planned = [each.isoformat() for each in whole.check_ins.days] if whole.check_ins else None
    planned = None if said.get("check_ins") is None else planned  # what is stated stays, whatever that is by then
    fields = {"labels": list(whole.labels), "deadline": day, "claimed": whole.claimed, "text": whole.text}
    fields |= {"check_ins": planned} if planned is not None else {}
    return _add(workstation, case, "status", {"status": state, **fields})


def plan(workstation: Workstation, case: Case, days: list[datetime.date]) -> int:
    """State the days of check-ins, and that all else stays as it is; like `status`."""
    stands = {**_stands(case), "claimed": case.claimed}
    return status(workstation, case, case.status, **stands, check_ins=days)


def grant(workstation: Workstation, case: Case, grantee: str, text: str = "", again: bool = False) -> int:
    """Put a grant into the tray, or all of the case once `again`; like `reply`."""
    compose.check_grant(workstation, case, grantee, again)
    what = "again" if again else "grant"
    if any(each.what == what and each.fields["grantee"] == grantee for each in items(workstation, case.id)):
        raise Refused(t("tray.granted", grantee=grantee), t("tray.granted_hint"))
    return _add(workstation, case, what, {"grantee": grantee, "text": text})


def claim(workstation: Workstation, case: Case, draft: bool = False) -> bool:
    """Put into the tray that this reviewer answers a case; False if somebody does, if that waits already, or if it
    is closed.

    `draft`: because a reply was begun; it leaves the tray with the draft.
    """
    if case.status == "closed" or answered_by(workstation, case):
        return False
    if any(each.what == "claim" for each in items(workstation, case.id)):
        return False
    compose.unsigned_status(workstation, case, case.status, **_stands(case), claimed=workstation.me)
    _add(workstation, case, "claim", {"text": "", "draft": draft})
    return True


def drop_claim(workstation: Workstation, case: str) -> None:
    """Remove from the tray what a draft of a reply put there."""
    for each in items(workstation, case):
        if each.what == "claim" and each.fields["draft"]:
            take_back(workstation, each.id)


def answered_by(workstation: Workstation, case: Case) -> str:
    """Who has taken a case on, unless the newest manifest does not list them any more."""
    return case.claimed if case.claimed in {each.id for each in workstation.trust.newest().manifest.active()} else ""


def claims(workstation: Workstation, case: str) -> bool:
    """Whether something waits that says that this reviewer answers a case."""
    return any(each.what == "claim" or each.fields.get("follow") for each in items(workstation, case))


def _add(workstation: Workstation, case: Case, what: str, fields: dict[str, Any], uploads: Files = ()) -> int:
    records = [asdict(record) for record in sealed_files.seal(workstation, uploads)]
    row = TrayItem(
        case=case.id, what=what, fields=fields, files=records, known=len(case.by_reporter), day=workstation.today()
    )
    with workstation.change():
        workstation.vault.session.add(row)
        workstation.vault.session.flush()
        rows.change_case(workstation.vault.connection, case.id)
        return row.id


def items(workstation: Workstation, case: str | None = None, aside: bool = False) -> list[Item]:
    """All that waits, or what waits of one case, in the order in which it was written; or what is set `aside`."""
    wanted = select(TrayItem).where(TrayItem.aside == aside).order_by(TrayItem.id)
    if case is not None:
        wanted = wanted.where(TrayItem.case == case)
    return [_item(row) for row in workstation.vault.session.scalars(wanted)]


def count(workstation: Workstation) -> int:
    """How many things wait; what is set aside does not."""
    waiting = select(func.count()).select_from(TrayItem).where(TrayItem.aside.is_(False))
    return workstation.vault.session.scalar(waiting) or 0


def item(workstation: Workstation, id: int) -> Item:
    """One thing by its number.  Raises Refused if it is not in the tray."""
    row = workstation.vault.session.get(TrayItem, id)
    if row is None:
        raise Refused(
            t("tray.none", id=id),
            t("tray.none_hint"),
        )
    return _item(row)


def _item(row: TrayItem) -> Item:
    files = tuple(Attachment(**record) for record in row.files)
    return Item(
        row.id, row.case, row.what, row.fields, files, row.known, row.day, row.held, row.aside, _reason(row.reason)
    )


def change(workstation: Workstation, id: int, text: str, mark: str | None = None) -> None:
    """Say something else, with the same files.  Raises Refused or Untrusted like `reply`."""
    old, fields = item(workstation, id), {"text": text}
    case = overview.load(workstation, old.case)
    if old.what == "reply":
        templates.check(text)
        fields["mark"] = old.fields["mark"] if mark is None else mark
        compose.unsigned_reply(workstation, case, text, old.files, fields["mark"])
    elif old.what == "note":
        compose.unsigned_note(workstation, case, text, old.files, **_beside(old))
    else:
        raise Refused(t("tray.no_text"), t("tray.anew"))
    written = {**old.fields, **fields}
    _update(workstation, old, fields=written, known=len(case.by_reporter), held=False, aside=False, reason="")


def release(workstation: Workstation, id: int) -> None:
    """Have something go with the next exchange as it is, whatever came since it was written."""
    old = item(workstation, id)
    case = overview.load(workstation, old.case)
    fields = {**old.fields, "over": answered_by(workstation, case)} if old.what == "claim" else old.fields
    _update(workstation, old, fields=fields, known=len(case.by_reporter), held=False, reason="")


def set_aside(workstation: Workstation, id: int) -> None:
    """Have no exchange try something any more; it is kept as it is."""
    _update(workstation, item(workstation, id), aside=True)


def put_back(workstation: Workstation, id: int) -> None:
    """Have something that was set aside wait for the next exchange again."""
    _update(workstation, item(workstation, id), aside=False)


def _update(workstation: Workstation, old: Item, **values: Any) -> None:
    with workstation.change():
        row = workstation.vault.session.get_one(TrayItem, old.id)
        for name, value in values.items():
            setattr(row, name, value)
        rows.change_case(workstation.vault.connection, old.case)


def take_back(workstation: Workstation, id: int) -> Item:
    """Remove something from the tray, and its files; nothing of it is left.  Raises Refused."""
    old = item(workstation, id)
    with workstation.change():
        workstation.vault.session.delete(workstation.vault.session.get_one(TrayItem, id))
        rows.change_case(workstation.vault.connection, old.case)
    for record in old.files:  # afterwards: of a row that stays, no piece is missing
        workstation.blocks.remove(block_ids(record))
    return old


def hold_all(workstation: Workstation) -> None:
    """Have all that a backup brought wait for its author's word; use within a change."""
    workstation.vault.session.execute(update(TrayItem).values(held=True, reason=_kept(t("tray.restored"))), **UNSYNCED)


def sign(workstation: Workstation) -> Result:
    """Sign all that can be signed, each thing in a transaction of its own."""
    signed, untold = 0, []
    for each in items(workstation):
        try:
            if each.held:
                continue
            with workstation.change():
                if _sign(workstation, each) is False:
                    untold.append(each.case)
                workstation.vault.session.delete(workstation.vault.session.get_one(TrayItem, each.id))
                rows.change_case(workstation.vault.connection, each.case)
            signed += 1
        except (Refused, Untrusted) as exc:
            _update(workstation, each, held=isinstance(exc, _Held), reason=_kept(exc.message, exc.hint))
    return Result(signed, items(workstation), untold)


class _Held(Refused):
    """It waits for its author's word."""


def _sign(workstation: Workstation, each: Item) -> object:
    case = overview.load(workstation, each.case)
    if not all(workstation.blocks.complete(record) for record in each.files):
        raise Refused(t("tray.piece_missing"), t("tray.anew"))
    if each.fields.get("status") == "closed" and each.known < len(case.by_reporter):
        raise _Held(t("tray.wrote"))  # signed now, it would tell that its author had read this before closing
    return SIGN[each.what](workstation, case, each)


def _reply(workstation: Workstation, case: Case, each: Item) -> object:
    signed = compose.reply(workstation, case, each.text, each.files, each.fields["mark"], each.known)
    if each.fields["follow"]:
        _follow(workstation, overview.load(workstation, case.id))
    return signed


def _follow(workstation: Workstation, case: Case) -> None:
    """State what a reply has made of its case, unless that is stated already.

    A closed case stays as it is: closed once more, it would tell that its author had read what has just come.
    """
    if case.status == "closed":
        return
    state = "open" if case.status in UNANSWERED else case.status
    claimed = answered_by(workstation, case) or workstation.me
    if (state, claimed) != (case.status, case.claimed):
        compose.status(workstation, case, state, **_stands(case), claimed=claimed)


def _claim(workstation: Workstation, case: Case, each: Item) -> object:
    by = answered_by(workstation, case)
    if by == workstation.me or case.status == "closed":
        return None
    if by not in ("", each.fields.get("over")):
        raise _Held(t("tray.taken", whom=by))
    return compose.status(workstation, case, case.status, **_stands(case), claimed=workstation.me)


def _stands(case: Case) -> dict[str, Any]:
    """What the newest status says besides, which stays."""
    return {"labels": case.stated, "deadline": case.standing.deadline if case.standing else None}


def _note(workstation: Workstation, case: Case, each: Item) -> object:
    return compose.note(workstation, case, each.text, each.files, **_beside(each))


def _beside(note: Item) -> dict[str, Any]:
    """What a note in the tray says beside its text: a check of the risk, or an absence."""
    day, again = datetime.date.fromisoformat, note.fields.get("again")
    first, last, cover = note.fields.get("away") or ("", "", "")
    away = message.Away(day(first), day(last), cover) if first else None
    return {"answers": note.fields.get("answers"), "again": day(again) if again else None, "away": away}


def _status(workstation: Workstation, case: Case, each: Item) -> object:
    said = dict(each.fields)
    day = said.pop("deadline")
    deadline = datetime.date.fromisoformat(day) if day else None
    if "check_ins" in said:
        said["check_ins"] = [datetime.date.fromisoformat(each) for each in said["check_ins"]]
    return compose.status(workstation, case, said.pop("status"), deadline=deadline, **said)


def _grant(workstation: Workstation, case: Case, each: Item, again: bool = False) -> object:
    do = compose.grant_whole if again else compose.grant
    return do(workstation, case, each.fields["grantee"], each.text)


Sign = Callable[[Workstation, Case, Item], object]
SIGN: dict[str, Sign] = {
    "reply": _reply,
    "note": _note,
    "status": _status,
    "grant": _grant,
    "again": partial(_grant, again=True),
    "claim": _claim,
}


def _kept(*words: str) -> str:
    """Why something stays, a line for each sentence, to be said in the language of whoever reads it."""
    return "\n".join(stored(each) for each in words if each)


def _reason(kept: str) -> str:
    return " ".join(sentence(restored(each)) for each in kept.split("\n") if each)
