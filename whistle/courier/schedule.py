"""When a courier goes by itself: at set times of this machine's clock, and at no other moment.

What is missed while a machine sleeps is not made up for: the server would learn when somebody opened the laptop.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from whistle.protocol.trust.manifest import WEEKDAYS

LATE = 600  # seconds after a set time in which it still counts, for a busy machine or a short sleep
FIRST_PAUSE, LONGEST_PAUSE = 60, 1800  # seconds before a server that was away is tried again
HOURS = tuple(datetime.time(hour) for hour in range(8, 19))


@dataclass(frozen=True)
class Schedule:
    """Times of the day, and names of weekdays; with none of these, the days that the manifest promises."""

    times: Sequence[datetime.time] = HOURS
    weekdays: Sequence[str] = ()

    def latest(self, now: float, promised: Sequence[str] = ()) -> float:
        """The newest set time that is not after `now`, both in seconds since 1970."""
        return max(each for each in self._around(now, promised) if each <= now)

    def following(self, now: float, promised: Sequence[str] = ()) -> float:
        """The first set time after `now`."""
        return min(each for each in self._around(now, promised) if each > now)

    def due(self, before: float, now: float, promised: Sequence[str] = ()) -> bool:
        """Whether to go now, if `before` was the last look at the clock; however long ago, one exchange is due."""
        latest = self.latest(now, promised)
        return before < latest and now - latest <= LATE

    def _around(self, now: float, promised: Sequence[str]) -> list[float]:
        """The set times of the days around `now`; the system's rules say what the hour is worth on each of them."""
        weekdays = self.weekdays or promised or WEEKDAYS
        today = datetime.datetime.fromtimestamp(now).date()
        days = (today + datetime.timedelta(days=ahead) for ahead in range(-8, 9))
        there = [day for day in days if WEEKDAYS[day.weekday()] in weekdays]
        return [datetime.datetime.combine(day, time).timestamp() for day in there for time in self.times]


def pause(failures: int) -> int:
    """Seconds to wait after so many failures in a row, one or more."""
    return min(FIRST_PAUSE << min(failures - 1, 16), LONGEST_PAUSE)
