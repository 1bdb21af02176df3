"""The list of cases, from columns of the cases' table, so that a page of it reads no messages and no other case.

The columns are computed by one function, `derived`, when a case has changed: at the end of an import, or else with the
next list.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from whistle.protocol.case.message import Body
from whistle.protocol.code.retrieval import reference
from whistle.workstation.cases import overview
from whistle.workstation.cases.duties import Deadline
from whistle.workstation.cases.overview import Case
from whistle.workstation.vault import rows as vault_rows
from whistle.workstation.vault.models import CaseRow
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

START = 160  # characters of the first message
OPENED = 262_144  # bytes: the longest content of a first message that is opened for its start
SLICE = 500  # cases whose rows are held at once
STALE = select(CASES.c.id, CASES.c.hash, CASES.c.start).where(CASES.c.stale).order_by(CASES.c.id).limit(SLICE)
QUEUE = (CaseRow.rank, CaseRow.due, CaseRow.hash)  # the order of `overview.order`


@dataclass(frozen=True)
class Row:
    """What a list shows of a case; `start` is the beginning of its first message, None while that is not at hand."""

    id: str
    status: str
    urgent: bool
    reopened: bool
    unread: int
    deadlines: tuple[Deadline, ...]
    faults: bool
    claimed: str
    channel: str | None
    start: str | None

    @property
    def reference(self) -> str:
        """The reference that people may quote."""
        return reference(bytes.fromhex(self.id))


def rows(workstation: Workstation, first: int = 0, count: int | None = None) -> tuple[list[Row], int]:
    """`count` rows of the list from number `first` on, in the order of `overview.order`; and the length of the list."""
    refresh(workstation)
    session = workstation.vault.session
    page = session.scalars(select(CaseRow).order_by(*QUEUE).offset(first).limit(-1 if count is None else count))
    return [_row(each) for each in page], session.scalar(select(func.count()).select_from(CaseRow)) or 0


def refresh(workstation: Workstation) -> None:
    """Compute the columns of the cases that have changed, or of all after a new manifest."""
    station, session = workstation.vault.station, workstation.vault.session
    newest, today = next(reversed(workstation.trust.serials()), None), workstation.today()
    again, turned = station.listed_serial != newest, station.listed_on != today
    if not again and not turned and session.scalar(select(CaseRow.id).where(CaseRow.stale).limit(1)) is None:
        return
    with workstation.change():
        if again:
            mark_all(workstation)
        if turned:  # missing messages are reported for some time only
            session.execute(update(CaseRow).where(CaseRow.faulty).values(stale=True))
        while _settle_some(workstation):
            pass
        workstation.vault.station.listed_serial, workstation.vault.station.listed_on = newest, today


def mark_all(workstation: Workstation) -> None:
    """Have the columns of all cases computed anew by the next `refresh`; use within a change."""
    workstation.vault.session.execute(update(CaseRow).values(stale=True))


def _settle_some(workstation: Workstation) -> bool:
    stale = workstation.vault.connection.execute(STALE).all()
    settled = [{"case": id, **derived(overview.load(workstation, hash), start)} for id, hash, start in stale]
    if settled:
        vault_rows.settle(workstation.vault.connection, settled)
    return bool(settled)


def derived(case: Case, start: str | None = None) -> dict[str, Any]:
    """The derived columns of a case; `start`: the beginning of its first message, if that was opened before."""
    *flags, due, _ = overview.order(case)
    return {
        "rank": rank(flags),
        "due": due,
        "status": case.status,
        "urgent": case.urgent,
        "reopened": case.reopened,
        "unread": case.unread,
        "deadlines": [[each.day.isoformat(), each.what, each.written] for each in case.deadlines],
        "faulty": bool(case.faults),
        "claimed": case.standing.claimed if case.standing else "",
        "channel": case.report.channel if case.report else None,
        "start": _start(case) if start is None else start,
    }


def rank(flags: Sequence[object]) -> int:
    """The flags of `overview.order` as one number that sorts like them."""
    return sum(bool(flag) << place for place, flag in enumerate(reversed(flags)))


def _start(case: Case) -> str | None:
    first = case.entries[0]
    rest = first.message.rest if isinstance(first.message, Body) else None
    if rest is not None and (rest.size > OPENED or not first.complete):
        return None
    return first.content.text[:START] if isinstance(first.content, Body) else ""


def _row(row: CaseRow) -> Row:
    day = datetime.date.fromisoformat
    return Row(
        row.hash,
        row.status,
        row.urgent,
        row.reopened,
        row.unread,
        tuple(Deadline(day(on), what, written) for on, what, written in row.deadlines),
        row.faulty,
        row.claimed,
        row.channel,
        row.start,
    )
