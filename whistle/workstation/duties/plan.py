"""What is due, in the order in which to do it: late first, each thing with its day and the day by which to act."""

import datetime
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import func, select

from whistle.protocol.case.message import Away
from whistle.protocol.code.retrieval import reference
from whistle.workstation import language
from whistle.workstation.cases import case_list
from whistle.workstation.duties import absences, office
from whistle.workstation.language import t
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

TO_DO = {
    "acknowledge": "duties.do_acknowledge",
    "feedback": "duties.do_feedback",
    "agreed": "duties.do_agreed",
    "check-in": "care.do_check_in",
    "risk": "care.do_risk",
}
NEAR = (2, 14)  # days ahead of which somebody is told
WEEKS = 2  # that the list shows unless more are asked for
COLUMNS = CASES.c.hash, CASES.c.title, CASES.c.deadlines, CASES.c.claimed, CASES.c.away


class Due(NamedTuple):
    """One thing that is due: in a case, on its `day`; to be done `by` a day on which this reviewer works.

    `claimed`: who answers the case, and `away` when that is somebody who told that they are away today.
    """

    case: str
    title: str
    claimed: str
    what: str
    day: datetime.date
    by: datetime.date
    written: bool
    away: Away | None = None

    @property
    def reference(self) -> str:
        """The case's reference."""
        return reference(bytes.fromhex(self.case))


def due(workstation: Workstation) -> list[Due]:
    """All that is due in cases that are not muted, in the order in which to do it."""
    case_list.refresh(workstation)
    clocks, today = office.of(workstation), workstation.today()
    wanted = select(*COLUMNS).where(~CASES.c.muted, CASES.c.due < datetime.date.max)
    days = cache(datetime.date.fromisoformat)  # thousands of cases have few hundred days

    @cache
    def act_by(what: str, day: str) -> datetime.date:
        return clocks.act_by(what, days(day))

    rows = [
        (*row, absences.from_record(told, row[3], today)) for *row, told in workstation.vault.connection.execute(wanted)
    ]
    found = [
        Due(hash, title, claimed, what, days(day), act_by(what, day), written, away)
        for hash, title, column, claimed, away in rows
        for day, what, written in column
    ]
    return sorted(found, key=lambda each: (each.day >= today, max(each.by, today), each.day, each.case))


def alarm(workstation: Workstation) -> str:
    """How many cases have something late, due within two days, or within fourteen; empty if none has.

    Only the workstation can tell: what is due is sealed from couriers.  It reads the list's columns as they are.
    """
    last = [workstation.today() + datetime.timedelta(days=ahead) for ahead in (-1, *NEAR)]
    columns = [func.count().filter(CASES.c.due <= each) for each in last]
    row = workstation.vault.connection.execute(select(*columns).where(~CASES.c.muted)).one()
    late, near, far = (int(each) for each in row)
    counts = {"duties.alarm_late": late, "duties.alarm_near": near - late, "duties.alarm_far": far - near}
    return language.current().conventions.comma.join(t(key, count) for key, count in counts.items() if count)


def until(found: Sequence[Due], today: datetime.date, weeks: int) -> list[Due]:
    """What is late, or to be done within so many weeks."""
    last = today + datetime.timedelta(weeks=weeks)
    return [each for each in found if each.by < last]


def to_acknowledge(found: Sequence[Due]) -> list[str]:
    """The cases for which no acknowledgement is written yet, the most pressing first."""
    return [each.case for each in found if each.what == "acknowledge" and not each.written]


def to_check_in(found: Sequence[Due], today: datetime.date) -> list[str]:
    """The cases whose reporters are to be asked by today how they are, and for which that is not written yet."""
    return [each.case for each in found if each.what == "check-in" and not each.written and each.by <= today]


def heading(each: Due, today: datetime.date) -> str:
    """Under which heading something stands: late, now, or the day by which to act."""
    if each.day < today:
        return t("duties.heading_late")
    return t("duties.heading_today") if each.by <= today else language.current().long_day(each.by)


def muted(workstation: Workstation) -> int:
    """How many muted cases have something that is late."""
    late = CASES.c.muted, CASES.c.due < workstation.today()
    return workstation.vault.connection.execute(select(func.count()).where(*late)).scalar_one()


def to_do(each: Due) -> str:
    """What to do, in a sentence."""
    return t("duties.written") if each.written else t(TO_DO[each.what])


def left(each: Due, today: datetime.date) -> str:
    """How much time is left, in words."""
    days = (each.day - today).days
    if not days:
        return t("transcript.today")
    return t("transcript.days_left", days) if days > 0 else t("transcript.days_late", -days)
