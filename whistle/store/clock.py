"""The day that a store goes by (SPEC 9.4): the clock's, but never one before the last day seen, and none after a leap.

The last day seen stands in the database.  Whatever is written takes its day from here, in its own transaction, and
writers take turns: who comes after a turn-over gets no day that was over by then, so a day that is over never grows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Table, delete, exists, insert, select, text, update

from whistle.store.database import Database
from whistle.store.days import bodiless, count_days
from whistle.store.errors import Leapt, WrongDay
from whistle.store.models import EPOCH, MAIN, TODAY, Heap, clock, imports, pending, visits

LEAP = timedelta(days=2)  # further than this from the last day seen, either way, and an operator must accept the day
ONE = timedelta(days=1)
Today = Callable[[], date]

_POSTGRESQL = text("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - DATE '1970-01-01', (SELECT day FROM clock)")
_LAST = select(clock.c.day)


@dataclass(frozen=True)
class Reading:
    """The day that the clock says, and the last day seen, which is None where nothing is stored yet."""

    says: date
    last: date | None

    @property
    def leapt(self) -> bool:
        """Whether the clock is too far from the last day seen to be believed."""
        return self.last is not None and abs(self.says - self.last) > LEAP

    @property
    def day(self) -> date:
        """The day of what is stored now; after a leap, the one that follows the last day seen."""
        if self.last is None:
            return self.says
        return self.last + ONE if self.leapt else max(self.says, self.last)

    @property
    def open(self) -> date:
        """The first day that is not over, of which something may still come."""
        return self.last if self.leapt and self.last else self.day


class Clock:
    """Reads the clock beside the last day seen.  `today` gives the UTC day.

    Without `today` it is the system's day or, with PostgreSQL, the database's, which all of its servers share.
    """

    def __init__(self, database: Database, today: Today | None = None) -> None:
        self._database = database
        self._today = today or (_system if database.is_sqlite else None)

    def read(self, connection: Connection) -> Reading:
        """What the clock says, and the last day seen, for whoever writes nothing."""
        if self._today is None:
            says, last = connection.execute(_POSTGRESQL).one()
            found = Reading(_day(says), None if last is None else _day(last))
        else:
            found = Reading(self._today(), connection.scalar(_LAST))
        # a machine that boots with a wrong date and is put right before anything comes has nothing to lose
        return Reading(found.says, None) if found.leapt and _is_empty(connection) else found

    def take(self, connection: Connection) -> Reading:
        """The same in a transaction that writes; the day is now the last one seen, unless the clock has leapt."""
        reading = self.read(connection)
        if not reading.leapt and reading.day != reading.last:
            _set(connection, reading.day)
        return Reading(reading.says, reading.last if reading.leapt else reading.day)

    def settled(self) -> date:
        """The day for whoever removes things, the last one seen from here on.  Leapt when it is not to be believed."""
        with self._database.write() as connection:
            reading = self.take(connection)
        if reading.leapt:
            raise Leapt("the clock has leapt; nothing is removed until an operator accepts its day")
        return reading.day

    def accept(self, day: date) -> None:
        """Believe the clock, which must say this day, or WrongDay.

        What is stored under days that nobody has lived through yet, since the clock was wrong, then counts for it.
        """
        # SQLite commits its main file before today's.  Whoever is killed between the two must not leave what waits in
        # today's under a day that is long over, so all of it is durable before the day is believed.
        for believed in (False, True):
            with self._database.write() as connection:
                reading = self.read(connection)
                if day != reading.says:
                    raise WrongDay(f"the clock says {reading.says.isoformat()}")
                if reading.leapt and reading.last:
                    _renumber(connection, min(reading.last, day), day)
                    if believed:
                        _set(connection, day)


def _system() -> date:
    return datetime.now(UTC).date()


def _day(number: int) -> date:
    return EPOCH + timedelta(days=number)


def _is_empty(connection: Connection) -> bool:
    """Whether nothing is stored, nor remembered of what was."""
    return not any(connection.scalar(select(exists().select_from(table))) for table in _tables())


def _set(connection: Connection, day: date) -> None:
    if not connection.execute(update(clock).values(day=day)).rowcount:
        connection.execute(insert(clock).values(day=day))


def _renumber(connection: Connection, last: date, day: date) -> None:
    """Let what is stored under days after `last` count for `day`."""
    _part(connection, day)
    for table in (*_tables(), pending, imports):
        connection.execute(update(table).where(table.c.day > last).values(day=day))
    for table in (TODAY.envelopes, MAIN.envelopes):
        connection.execute(update(table).where(table.c.state_day > last).values(state_day=day))
    came = connection.scalars(select(visits.c.courier).where(visits.c.day > last).distinct()).all()
    if came:
        connection.execute(delete(visits).where(visits.c.day > last))
        connection.execute(delete(visits).where(visits.c.day == day, visits.c.courier.in_(came)))
        connection.execute(insert(visits), [{"courier": courier, "day": day} for courier in came])


def _tables() -> tuple[Table, ...]:
    return TODAY.envelopes, TODAY.blocks, MAIN.envelopes, MAIN.blocks


def _part(connection: Connection, day: date) -> None:
    """Let rows from `day` on whose bodies are gone count for a day before all that has bodies.

    The lists of days ask one row of a day for its body, so the two kinds may never share a day.
    """
    gone = bodiless(connection, day)
    before = min([day, *(each.day for each in count_days(connection))]) - ONE
    table = MAIN.envelopes
    connection.execute(update(table).where(table.c.heap == Heap.REVIEWERS, table.c.day.in_(gone)).values(day=before))
