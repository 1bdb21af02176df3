"""An office's clocks: how long each duty takes, on which days nobody works, and who is away.

Plain values, without vault or case.  A duty's own day stays what its clock says, since no weekend moves the law; these
days say by when to act so that it is kept.
"""

import calendar
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from whistle.protocol.case.message import Away
from whistle.workstation import language
from whistle.workstation.language import Text, t

DAY = datetime.timedelta(days=1)
CLOCKS = ("acknowledge", "feedback", "agreed")
UNITS = {"days": 365, "working days": 250, "months": 12}  # with the most of each
COUNTED = {"days": "office.days", "working days": "office.working_days", "months": "office.months"}
MOST_FREE = 400  # lines of holidays
MOST_CHECK_INS, LAST_CHECK_IN = 16, 3650  # how many of a case, and after how many days at the latest
LONGEST_RANGE = 60  # days of one line
NUMBER = re.compile(r"[0-9]{1,3}")
EACH_YEAR = re.compile(r"[0-9]{2}-[0-9]{2}")
RANGE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s*(?:to|/|–|-)\s*([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
LEAP = 2024  # a year in which every day of a year can be written


@dataclass(frozen=True)
class Clock:
    """A length of time in one of UNITS."""

    count: int
    unit: str

    def words(self) -> str:
        """How long it is."""
        return t(COUNTED[self.unit], self.count)


@dataclass(frozen=True)
class Office:
    """What an office has set; these defaults are those of Directive (EU) 2019/1937, articles 9 and 11.

    `agreed`: how long before an agreed day to be ready.  `weekend`: days of the week, Monday is 0.  `free`: days as
    2026-12-25, or 12-25 for each year.  `check_ins`: how many days after the report its reporter is asked how they are.
    """

    acknowledge: Clock = Clock(7, "days")
    feedback: Clock = Clock(3, "months")
    agreed: Clock = Clock(0, "days")
    weekend: tuple[int, ...] = (5, 6)
    free: tuple[str, ...] = ()
    away: Away | None = None
    check_ins: tuple[int, ...] = (30, 90, 180)

    def works(self, day: datetime.date) -> bool:
        """Whether the office works on a day."""
        return day.weekday() not in self.weekend and not {day.isoformat(), f"{day:%m-%d}"} & self._free

    @cached_property
    def _free(self) -> frozenset[str]:
        return frozenset(self.free)

    def is_away(self, day: datetime.date) -> bool:
        """Whether this reviewer is away on a day."""
        return self.away is not None and self.away.first <= day <= self.away.last

    def end(self, clock: Clock, day: datetime.date) -> datetime.date:
        """The last day of a length of time that begins on a day."""
        if clock.unit == "months":
            return add_months(day, clock.count)
        return self._step(day, clock, DAY)

    def act_by(self, what: str, day: datetime.date) -> datetime.date:
        """The last day on which this reviewer can do what is due on `day`: at work, and not away.

        Where the days before it hold none, the day itself.
        """
        before = self._before(day) if what == "agreed" else day
        tries = (before - DAY * back for back in range(LONGEST_RANGE))
        return next((each for each in tries if self.works(each) and not self.is_away(each)), before)

    def _before(self, day: datetime.date) -> datetime.date:
        if self.agreed.unit == "months":
            return add_months(day, -self.agreed.count)
        return self._step(day, self.agreed, -DAY)

    def _step(self, day: datetime.date, clock: Clock, step: datetime.timedelta) -> datetime.date:
        if clock.unit == "days":
            return day + clock.count * step
        left = clock.count
        for _ in range(UNITS["days"] * 8):  # at least one day of a week is worked, but holidays are the office's own
            if not left:
                break
            day += step
            left -= self.works(day)
        return day


def add_months(day: datetime.date, months: int) -> datetime.date:
    """The same day of a later month, or that month's last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def parse_clock(count: str, unit: str) -> Clock:
    """A length of time as it was typed.  Raises ValueError."""
    if unit not in UNITS or not NUMBER.fullmatch(count) or int(count) > UNITS[unit]:
        limits = Text(language.listed(Clock(most, name).words() for name, most in UNITS.items()))
        raise ValueError(t("office.no_number", limits=limits))
    return Clock(int(count), unit)


def parse_check_ins(text: str) -> tuple[int, ...]:
    """After how many days to ask how somebody is, as typed: 30, 90, 180, or nothing.  Raises ValueError."""
    typed = [each.strip() for each in re.split("[,،;、，]", text) if each.strip()]
    days = {int(each) for each in typed if each.isdecimal() and len(each) <= len(str(LAST_CHECK_IN))}
    if (
        len(typed) > MOST_CHECK_INS
        or len(days) < len(set(typed))
        or not all(1 <= each <= LAST_CHECK_IN for each in days)
    ):
        raise ValueError(t("care.office_wrong", last=LAST_CHECK_IN, most=MOST_CHECK_INS))
    return tuple(sorted(days))


def parse_free(text: str) -> tuple[str, ...]:
    """Holidays as they were typed, one a line: 2026-12-25, 12-25 or 2026-12-24 to 2027-01-01.  Raises ValueError."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_FREE:
        raise ValueError(t("office.many_lines", MOST_FREE))
    return tuple(dict.fromkeys(day for line in lines for day in _days(line)))


def _days(line: str) -> list[str]:
    if EACH_YEAR.fullmatch(line):
        parse_day(f"{LEAP}-{line}")
        return [line]
    match = RANGE.fullmatch(line)
    if match is None:
        raise ValueError(t("office.no_holiday", day="2026-12-25", each_year="12-25"))
    first, last = (parse_day(each) for each in (match[1], match[2] or match[1]))
    if not 0 <= (last - first).days < LONGEST_RANGE:
        raise ValueError(t("office.long_range", LONGEST_RANGE))
    return [(first + DAY * number).isoformat() for number in range((last - first).days + 1)]


def parse_day(text: str) -> datetime.date:
    """A day of the years 2000 to 2999, as 2026-12-31.  Raises ValueError."""
    try:
        day = datetime.date.fromisoformat(text.strip())
    except ValueError as exc:
        raise ValueError(t("office.no_day", day="2026-12-31")) from exc
    if not 2000 <= day.year <= 2999:
        raise ValueError(t("office.far_day"))
    return day


def to_record(office: Office) -> dict[str, Any]:
    """An office as JSON."""
    away = office.away
    return {
        **{name: [getattr(office, name).count, getattr(office, name).unit] for name in CLOCKS},
        "weekend": list(office.weekend),
        "free": list(office.free),
        "away": [away.first.isoformat(), away.last.isoformat(), away.cover] if away else None,
        "check_ins": list(office.check_ins),
    }


def from_record(record: Mapping[str, Any]) -> Office:
    """The office of a record; the defaults where there is none."""
    if not record:
        return DIRECTIVE
    clocks = {name: Clock(*record[name]) for name in CLOCKS}
    first, last, cover = record["away"] or ("", "", "")
    day = datetime.date.fromisoformat
    away = Away(day(first), day(last), cover) if first else None
    check_ins = tuple(record.get("check_ins", DIRECTIVE.check_ins))  # an office that was kept before there were any
    weekend, free = tuple(record["weekend"]), tuple(record["free"])
    return Office(**clocks, weekend=weekend, free=free, away=away, check_ins=check_ins)


DIRECTIVE = Office()
