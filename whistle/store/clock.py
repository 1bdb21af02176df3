"""The day that the store uses (SPEC 9.4): the clock's, but never before the last day seen, and not after a leap.

The last day seen is stored in the database.  Every write takes its day from here, in its own transaction, and writes
are serialized: a write after a turn-over never gets a day that was over by then, so a day that is over never grows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Table, delete, exists, insert, select, text, update

from whistle.store.database import Database
from whistle.store.days import bodiless, count_days
from whistle.store.errors import Leapt, WrongDay
from whistle.store.models import EPOCH, MAIN, TODAY, Heap, clock, imports, pending, visits

LEAP = timedelta(days=2)  # if further from the last day seen, in either direction, an operator must accept the day
ONE = timedelta(days=1)
Today = Callable[[], date]

_POSTGRESQL = text("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - DATE '1970-01-01', (SELECT day FROM clock)")
_LAST = select(clock.c.day)


@dataclass(frozen=True)
class Reading:
    """The clock's day, and the last day seen, which is None while nothing is stored."""

    says: date
    last: date | None

    @property
    def leapt(self) -> bool:
        """Whether the clock is too far from the last day seen to be trusted."""
        return self.last is not None and abs(self.says - self.last) > LEAP

    @property
    def day(self) -> date:
        """The day given to what is stored now; after a leap, the day after the last day seen."""
        if self.last is None:
            return self.says
        return self.last + ONE if self.leapt else max(self.says, self.last)

    @property
    def open(self) -> date:
        """The first day that is not over: it may still grow."""
        return self.last if self.leapt and self.last else self.day


class Clock:
    """Reads the clock beside the last day seen.  `today` gives the UTC day.

    By default that is the system's day or, with PostgreSQL, the database's, which all of its servers share.
    """

    def __init__(self, database: Database, today: Today | None = None) -> None:
        self._database = database
        self._today = today or (_system_day if database.is_sqlite else None)

    def read(self, connection: Connection) -> Reading:
        """The clock's day and the last day seen, for a transaction that only reads."""
        if self._today is None:
            says, last = connection.execute(_POSTGRESQL).one()
            reading = Reading(_day(says), None if last is None else _day(last))
        else:
            reading = Reading(self._today(), connection.scalar(_LAST))
        # with an empty store there is nothing to lose, as when a machine boots with a wrong date
        return Reading(reading.says, None) if reading.leapt and is_empty(connection) else reading

    def take(self, connection: Connection) -> Reading:
        """The same in a transaction that writes; records the day as the last one seen unless the clock has leapt."""
        reading = self.read(connection)
        if not reading.leapt and reading.day != reading.last:
            _set_last(connection, reading.day)
        return Reading(reading.says, reading.last if reading.leapt else reading.day)

    def removal_day(self) -> date:
        """The day for removals, recorded as the last one seen.  Raises Leapt when the clock cannot be trusted."""
        with self._database.write() as connection:
            reading = self.take(connection)
        if reading.leapt:
            raise Leapt("the clock has leapt; nothing is removed until an operator accepts its day")
        return reading.day

    def accept(self, day: date) -> None:
        """Trust the clock after a leap.  Raises WrongDay unless its day is `day`.

        What was stored under days in the future, while the clock was wrong, is moved to this day.
        """
        # SQLite commits the main file before today's.  If the process is killed between the two, rows in today's file
        # must not keep a day that is long over, so the new days are durable before the clock is trusted.
        for is_durable in (False, True):
            with self._database.write() as connection:
                reading = self.read(connection)
                if day != reading.says:
                    raise WrongDay(f"the clock says {reading.says.isoformat()}")
                if reading.leapt and reading.last:
                    _renumber(connection, min(reading.last, day), day)
                    if is_durable:
                        _set_last(connection, day)


def _system_day() -> date:
    return datetime.now(UTC).date()


def _day(number: int) -> date:
    return EPOCH + timedelta(days=number)


def is_empty(connection: Connection) -> bool:
    """Whether there is no row of an envelope or block, not even of a removed one."""
    return not any(connection.scalar(select(exists().select_from(table))) for table in _tables())


def _set_last(connection: Connection, day: date) -> None:
    if not connection.execute(update(clock).values(day=day)).rowcount:
        connection.execute(insert(clock).values(day=day))


def _renumber(connection: Connection, last: date, day: date) -> None:
    """Move what is stored under days after `last` to `day`."""
    _separate_bodiless(connection, day)
    for table in (*_tables(), pending, imports):
        connection.execute(update(table).where(table.c.day > last).values(day=day))
    for table in (TODAY.envelopes, MAIN.envelopes):
        connection.execute(update(table).where(table.c.state_day > last).values(state_day=day))
    couriers = connection.scalars(select(visits.c.courier).where(visits.c.day > last).distinct()).all()
    if couriers:
        connection.execute(delete(visits).where(visits.c.day > last))
        connection.execute(delete(visits).where(visits.c.day == day, visits.c.courier.in_(couriers)))
        connection.execute(insert(visits), [{"courier": courier, "day": day} for courier in couriers])


def _tables() -> tuple[Table, ...]:
    return TODAY.envelopes, TODAY.blocks, MAIN.envelopes, MAIN.blocks


def _separate_bodiless(connection: Connection, day: date) -> None:
    """Move rows since `day` whose bodies are gone to a day before all that have bodies.

    The lists of days check only one row of a day for a body, so the two kinds must never share a day.
    """
    gone = bodiless(connection, day)
    before = min([day, *(each.day for each in count_days(connection))]) - ONE
    table = MAIN.envelopes
    connection.execute(update(table).where(table.c.heap == Heap.REVIEWERS, table.c.day.in_(gone)).values(day=before))
