"""How long things stay (SPEC 9.5): by whole days and never by case, since naming a case's ids would link them.

A reviewer's statement says "of this day I hold the ids and contents with this hash". It is kept as it came, and
counts only if what lies here of a day when it is to be removed has the same hash: so nothing that a courier dropped or
altered, or that came later, is ever removed because of it.
The table `imports` keeps the day on which a statement came, and the hash; the hash says which day it speaks of.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, delete, func, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database
from whistle.store.day_hash import Held
from whistle.store.days import count_days, day_ids
from whistle.store.envelopes import drop_bodies, remove
from whistle.store.models import MAIN, PLACES, TODAY, Heap, State, imports, visits
from whistle.store.uploads import drop_if_unlisted

TRIES = 3  # to overwrite in SQLite's file what was removed
PAUSE = 1000  # ms that one try waits for those who read


@dataclass(frozen=True)
class Limits:
    """In days. `rows` counts from the last day on which bodies of that heap may still be there."""

    grace: int = 7  # after every active reviewer has stated a day
    reviewers: int = 180  # at the latest, stated or not
    reporters: int = 400
    rows: int = 365

    def bodies(self, heap: Heap) -> timedelta:
        """How long bodies of a heap stay at the longest."""
        return timedelta(days=self.reviewers if heap is Heap.REVIEWERS else self.reporters)


def record_import(database: Database, reviewer: str, day: date, hash_: bytes, clock: Clock) -> bool:
    """Keep a statement whose signature the caller has checked. False: nothing lies here (any more) of that day.

    A day that is not over is refused, as it may still grow. The same statement again keeps its first day.
    """
    with database.write() as connection:
        held, now = day_ids(connection, day), clock.take(connection)
        if day >= now.open or not (held.envelopes or held.blocks):
            return False
        database.add(connection, imports, [{"reviewer": reviewer, "day": now.day, "hash": hash_}])
        return True


def visit(database: Database, courier: str, clock: Clock) -> None:
    """Note that a courier came."""
    with database.write() as connection:
        database.add(connection, visits, [{"courier": courier, "day": clock.take(connection).day}])


def last_visit(connection: Connection) -> date | None:
    """The last day on which any courier came."""
    day: date | None = connection.scalar(select(func.max(visits.c.day)))
    return day


def oldest_waiting(connection: Connection) -> date | None:
    """The oldest day of which an envelope to reviewers was not collected yet."""
    waiting = []
    for place in PLACES:
        table = place.envelopes
        conditions = table.c.heap == Heap.REVIEWERS, table.c.state == State.WAITING
        waiting.append(connection.scalar(select(func.min(table.c.day)).where(*conditions)))
    return min((day for day in waiting if day is not None), default=None)


def remove_due(
    database: Database, place: Blocks, held: Held, today: date, active: Collection[str], limits: Limits
) -> list[date]:
    """Remove what has been kept long enough; only days that were turned over. Returns the days removed as stated.

    With no active reviewer nobody can have stated anything, so only the limits count.
    """
    with database.read() as connection:
        unturned = _unturned(connection)
        days = [each.day for each in count_days(connection) if each.day < today and each.day not in unturned]
        hashes = _stated(connection, today, active, limits)
    held.keep(days)
    stated = [day for day in days if held.hash(day) in hashes] if hashes else []
    for day in stated:
        _remove_day(database, place, Heap.REVIEWERS, day, today)
    for heap in Heap:
        for day in _past(database, heap, today - limits.bodies(heap)):
            if day not in unturned:
                _remove_day(database, place, heap, day, today)
        _forget(database, heap, today - limits.bodies(heap) - timedelta(days=limits.rows))
    with database.write() as connection:
        connection.execute(delete(imports).where(imports.c.day < today - limits.bodies(Heap.REVIEWERS)))
        connection.execute(delete(visits).where(visits.c.day < today - timedelta(days=limits.rows)))
    database.empty_log(
        TRIES, PAUSE
    )  # so that it is overwritten now; if somebody keeps reading, with the next turn-over
    return stated


def _unturned(connection: Connection) -> set[date]:
    tables = TODAY.envelopes, TODAY.blocks
    return {day for table in tables for day in connection.scalars(select(table.c.day).distinct())}


def _stated(connection: Connection, today: date, active: Collection[str], limits: Limits) -> set[bytes]:
    """The hashes that all active reviewers stated, the last of them long enough ago."""
    early = select(imports.c.reviewer, imports.c.hash).where(imports.c.day <= today - timedelta(days=limits.grace))
    stated: dict[bytes, set[str]] = {}
    for reviewer, hash_ in connection.execute(early):
        stated.setdefault(hash_, set()).add(reviewer)
    return {hash_ for hash_, who in stated.items() if active and set(active) <= who}


def _past(database: Database, heap: Heap, limit: date) -> list[date]:
    """The days before the limit that may still hold bodies or blocks of a heap."""
    with database.read() as connection:
        found: set[date] = set()
        for table in (MAIN.envelopes, MAIN.blocks):
            past = select(table.c.day).where(table.c.heap == heap, table.c.day < limit)
            found.update(connection.scalars(past.distinct()))
    return sorted(found)


def _remove_day(database: Database, place: Blocks, heap: Heap, day: date, today: date) -> None:
    """Remove all bodies and blocks of a day and heap, in one transaction; then the files that nothing names now."""
    with database.write() as connection:
        table = MAIN.envelopes
        of_day = select(table.c.id, table.c.state).where(table.c.heap == heap, table.c.day == day)
        rows = connection.execute(of_day).all()
        drop_bodies(connection, [row.id for row in rows if row.state == State.COLLECTED])
        remove(connection, [row.id for row in rows if row.state == State.WAITING], today)
        condition = (MAIN.blocks.c.heap == heap) & (MAIN.blocks.c.day == day)
        blocks = connection.scalars(select(MAIN.blocks.c.id).where(condition)).all()
        connection.execute(delete(MAIN.blocks).where(condition))
    drop_if_unlisted(database, blocks, PLACES, place.drop_settled)


def _forget(database: Database, heap: Heap, limit: date) -> None:
    """Delete the small rows of days before the limit."""
    with database.write() as connection:
        connection.execute(delete(MAIN.envelopes).where(MAIN.envelopes.c.heap == heap, MAIN.envelopes.c.day < limit))
