"""The office's clocks in the vault, set on the page, and the notes that tell colleagues who covers."""

import datetime
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from whistle.protocol.case.message import Away
from whistle.workstation.duties import clocks
from whistle.workstation.duties.clocks import CLOCKS, Office
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault.models import CaseRow, OfficeRow
from whistle.workstation.workstation import Workstation

WEEK = 7


def of(workstation: Workstation) -> Office:
    """What is set; read once for each version of the vault."""
    version = workstation.vault.version
    if workstation.office is None or workstation.office[0] != version:
        row = workstation.vault.session.get(OfficeRow, 1)
        workstation.office = version, clocks.from_record(row.fields if row else {})
    office = workstation.office[1]
    assert isinstance(office, Office)
    return office


def save(workstation: Workstation, office: Office) -> None:
    """Set other clocks; the list is computed by them from the next look on."""
    with workstation.change():
        workstation.vault.session.merge(OfficeRow(id=1, fields=clocks.to_record(office)))
        workstation.vault.session.flush()
        workstation.vault.station.listed_serial = None  # so that every case's days are computed anew
        workstation.office = None


def typed(workstation: Workstation, fields: Mapping[str, str], weekend: Sequence[str]) -> Office:
    """What a form's fields say.  Raises Refused for what is no length of time or no day."""
    try:
        lengths = {name: clocks.parse_clock(fields[f"{name}-count"].strip(), fields[f"{name}-unit"]) for name in CLOCKS}
        if not all(lengths[name].count for name in ("acknowledge", "feedback")):
            raise ValueError(t("office.no_time"))
        days = tuple(sorted({int(each) for each in weekend if each in map(str, range(WEEK))}))
        if len(days) == WEEK:
            raise ValueError(t("office.no_week"))
        away, free = _away(workstation, fields), clocks.parse_free(fields.get("free", ""))
        check_ins = clocks.parse_check_ins(fields.get("check-ins", ""))
        return Office(**lengths, weekend=days, free=free, away=away, check_ins=check_ins)
    except ValueError as exc:
        raise Refused(t("office.cannot_set"), exc.args[0]) from exc


def _away(workstation: Workstation, fields: Mapping[str, str]) -> Away | None:
    first, last = (fields.get(name, "").strip() for name in ("first", "last"))
    if not first and not last:
        return None
    if not first or not last:
        raise ValueError(t("office.half_absence"))
    begins, ends, cover = clocks.parse_day(first), clocks.parse_day(last), fields.get("cover", "")
    if ends < begins:
        raise ValueError(t("office.absence_order"))
    if cover and cover not in colleagues(workstation):
        raise ValueError(t("office.no_cover"))
    return Away(begins, ends, cover)


def colleagues(workstation: Workstation) -> list[str]:
    """The ids of the other reviewers whom the manifest lists; none before there is one."""
    if not workstation.trust.serials():
        return []
    active = workstation.trust.newest().manifest.active()
    return [each.id for each in active if each.id != workstation.me]


def answered_by_me(workstation: Workstation) -> list[str]:
    """The open cases that this reviewer has taken on."""
    if not workstation.trust.serials():
        return []
    mine = select(CaseRow.hash).where(CaseRow.claimed == workstation.me, CaseRow.status != "closed")
    return list(workstation.vault.session.scalars(mine.order_by(CaseRow.id)))


def reason(office: Office, what: str, day: datetime.date) -> str:
    """Why something is to be done earlier than on its day; empty if it is not."""
    by = office.act_by(what, day)
    if by == day:
        return ""
    between = [by + clocks.DAY * number for number in range(1, (day - by).days + 1)]
    if any(office.is_away(each) for each in between):
        return t("duties.reason_away")
    return t("duties.reason_ready") if all(map(office.works, between)) else t("duties.reason_closed")
