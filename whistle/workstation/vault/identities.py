"""A reviewer's identities, one a quarter, made five quarters ahead (SPEC 1.6)."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from whistle.protocol.age import HybridIdentity

AHEAD = 5  # quarters after the present one
PRESENT = AHEAD + 1


@dataclass(frozen=True)
class Period:
    """One identity with its first and last day."""

    first: datetime.date
    last: datetime.date
    identity: HybridIdentity


def quarter(day: datetime.date) -> tuple[datetime.date, datetime.date]:
    """The first and last day of the quarter of `day`."""
    first = datetime.date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    after = datetime.date(first.year + (first.month == 10), (first.month + 2) % 12 + 1, 1)
    return first, after - datetime.timedelta(days=1)


def extend(periods: Sequence[Period], today: datetime.date) -> list[Period]:
    """The periods with new ones added until this quarter and five ahead are covered."""
    covered = {period.first for period in periods}
    result, (first, last) = list(periods), quarter(today)
    for _ in range(PRESENT):
        if first not in covered:
            result.append(Period(first, last, HybridIdentity.generate()))
        first, last = quarter(last + datetime.timedelta(days=1))
    return sorted(result, key=lambda period: period.first)


def newest(periods: Sequence[Period], today: datetime.date) -> Period:
    """The newest period that has begun; the first one if none has."""
    begun = [period for period in periods if period.first <= today]
    return max(begun, key=lambda period: period.first) if begun else periods[0]
