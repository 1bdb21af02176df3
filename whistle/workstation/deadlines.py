"""By when a case wants something: acknowledged within seven days, answered within three months of that.

The two terms are those of Directive (EU) 2019/1937, articles 9 and 11; a day agreed on by reviewers takes their place.
"""

import calendar
import datetime
from dataclasses import dataclass

ACKNOWLEDGE = 7  # days after the report
FEEDBACK = 3  # months after the acknowledgement, or after the seven days when there was none


@dataclass(frozen=True)
class Deadline:
    """A day, and what is due on it: acknowledge, feedback or agreed."""

    day: datetime.date
    what: str

    def left(self, today: datetime.date) -> int:
        """Days that are left; negative when it is past."""
        return (self.day - today).days


def due(
    reported: datetime.date, acknowledged: datetime.date | None, agreed: datetime.date | None, closed: bool
) -> Deadline | None:
    """What a case wants next; None when it is closed."""
    if closed:
        return None
    if agreed is not None:
        return Deadline(agreed, "agreed")
    week = reported + datetime.timedelta(days=ACKNOWLEDGE)
    if acknowledged is None:
        return Deadline(week, "acknowledge")
    return Deadline(add_months(min(acknowledged, week), FEEDBACK), "feedback")


def add_months(day: datetime.date, months: int) -> datetime.date:
    """The same day of a later month, or that month's last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
