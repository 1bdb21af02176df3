"""Retention (SPEC 9.5): things are removed by whole days and never by case, since naming a case's ids would link them.

A reviewer's statement says "for this day I hold the ids and contents with this hash". It is stored as it arrives, and
counts only if the day still has the same hash when it is due for removal. So nothing that a courier dropped or altered,
or that arrived later, is ever removed because of it.
The table `imports` stores the day on which a statement arrived, and its hash; the hash identifies the day it is about.
"""

import functools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, delete, func, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, pieces
from whistle.store.day_hash import DayHashes
from whistle.store.days import count_days, half_removed, has_day
from whistle.store.envelopes import drop_bodies, remove
from whistle.store.models import ALL_TABLES, MAIN, TODAY, Heap, State, imports, visits
from whistle.store.uploads import drop_if_unlisted

TRIES = 3  # to overwrite removed content in SQLite's file
PAUSE = 1000  # ms that one try waits for readers


@dataclass(frozen=True)
class Limits:
    """Limits in days. `rows` counts from the last day on which bodies of that heap may still exist."""

    grace: int = 7  # after every active reviewer has stated a day
    reviewers: int = 180  # at the latest, stated or not
    reporters: int = 400
    rows: int = 365

    def bodies(self, heap: Heap) -> timedelta:
        """The longest time that bodies of a heap are kept."""
        return timedelta(days=self.reviewers if heap is Heap.REVIEWERS else self.reporters)


def record_imports(database: Database, stated: Iterable[tuple[str, date, bytes]], clock: Clock) -> int:
    """Store statements, as reviewer, day and hash, whose signatures the caller has checked; returns how many.

    One is left out if nothing of its day is stored (any more), or the day is not over, as it may still grow.
    A repeated statement keeps its first day.
    """
    with database.write() as connection:
        now = clock.take(connection)
        days = functools.cache(lambda day: day < now.open and has_day(connection, day))
        rows = [{"reviewer": reviewer, "day": now.day, "hash": hash} for reviewer, day, hash in stated if days(day)]
        database.add(connection, imports, rows)
        return len(rows)


def record_visit(database: Database, courier: str, clock: Clock) -> None:
    """Record today as a day on which this courier connected."""
    with database.write() as connection:
        database.add(connection, visits, [{"courier": courier, "day": clock.take(connection).day}])


def last_visit(connection: Connection) -> date | None:
    """The last day on which any courier connected."""
    day: date | None = connection.scalar(select(func.max(visits.c.day)))
    return day


def oldest_waiting(connection: Connection) -> date | None:
    """The oldest day with an envelope to reviewers that was not collected yet."""
    waiting = []
    for tables in ALL_TABLES:
        table = tables.envelopes
        conditions = table.c.heap == Heap.REVIEWERS, table.c.state == State.WAITING
        waiting.append(connection.scalar(select(func.min(table.c.day)).where(*conditions)))
    return min((day for day in waiting if day is not None), default=None)


def remove_due(
    database: Database, block_store: Blocks, day_hashes: DayHashes, today: date, active: Collection[str], limits: Limits
) -> list[date]:
    """Remove what is due, of days that were turned over. Returns the days that all active reviewers had stated.

    With no active reviewer nobody can have stated anything, so only the limits count.
    """
    with database.read() as connection:
        not_turned_over = _not_turned_over(connection)
        days = [each.day for each in count_days(connection) if each.day < today and each.day not in not_turned_over]
        hashes = _stated(connection, today, active, limits)
        interrupted = [day for day in half_removed(connection) if day not in not_turned_over]
    day_hashes.retain(days)
    stated = interrupted + ([day for day in days if day_hashes.get(day) in hashes] if hashes else [])
    for day in stated:
        _remove_day(database, block_store, Heap.REVIEWERS, day, today)
    for heap in Heap:
        for day in _days_before(database, heap, today - limits.bodies(heap)):
            if day not in not_turned_over:
                _remove_day(database, block_store, heap, day, today)
        _delete_rows(database, heap, today - limits.bodies(heap) - timedelta(days=limits.rows))
    with database.write() as connection:
        connection.execute(delete(imports).where(imports.c.day < today - limits.bodies(Heap.REVIEWERS)))
        connection.execute(delete(visits).where(visits.c.day < today - timedelta(days=limits.rows)))
    database.give_back()
    database.empty_log(TRIES, PAUSE)  # overwrites removed content now or, while others read, with the next turn-over
    return stated


def _not_turned_over(connection: Connection) -> set[date]:
    tables = TODAY.envelopes, TODAY.blocks
    return {day for table in tables for day in connection.scalars(select(table.c.day).distinct())}


def _stated(connection: Connection, today: date, active: Collection[str], limits: Limits) -> set[bytes]:
    """The hashes that all active reviewers stated at least `limits.grace` days ago."""
    early = select(imports.c.reviewer, imports.c.hash).where(imports.c.day <= today - timedelta(days=limits.grace))
    stated: dict[bytes, set[str]] = {}
    for reviewer, hash in connection.execute(early):
        stated.setdefault(hash, set()).add(reviewer)
    return {hash for hash, reviewers in stated.items() if active and set(active) <= reviewers}


def _days_before(database: Database, heap: Heap, limit: date) -> list[date]:
    """The days before `limit` that may still have bodies or blocks of a heap."""
    with database.read() as connection:
        days: set[date] = set()
        for table in (MAIN.envelopes, MAIN.blocks):
            past = select(table.c.day).where(table.c.heap == heap, table.c.day < limit)
            days.update(connection.scalars(past.distinct()))
    return sorted(days)


def _remove_day(database: Database, block_store: Blocks, heap: Heap, day: date, today: date) -> None:
    """Remove all bodies and blocks of a day and heap, piece by piece, since each needs room in SQLite's log.

    The first piece makes the day count as gone; another night ends what is interrupted. Files go after their rows.
    """
    table = MAIN.envelopes
    for state in (State.COLLECTED, State.WAITING):  # the order of `days.FIRST`
        of_day = select(table.c.id).where(table.c.heap == heap, table.c.day == day, table.c.state == state)
        with database.read() as connection:
            ids = connection.scalars(of_day.order_by(table.c.id)).all()
        for piece in pieces(ids, lambda: database.fitting(MAIN.bodies)):
            with database.write() as connection:
                if state is State.COLLECTED:
                    drop_bodies(connection, piece)
                else:  # a courier may have collected some in between
                    remove(connection, connection.scalars(of_day.where(table.c.id.in_(piece))).all(), today)
            if database.room.is_low():
                database.empty_log(1, PAUSE)
    with database.write() as connection:
        condition = (MAIN.blocks.c.heap == heap) & (MAIN.blocks.c.day == day)
        blocks = connection.scalars(select(MAIN.blocks.c.id).where(condition)).all()
        connection.execute(delete(MAIN.blocks).where(condition))
    drop_if_unlisted(database, blocks, ALL_TABLES, block_store.drop_settled)


def _delete_rows(database: Database, heap: Heap, limit: date) -> None:
    """Delete the rows of envelopes of days before `limit`."""
    with database.write() as connection:
        connection.execute(delete(MAIN.envelopes).where(MAIN.envelopes.c.heap == heap, MAIN.envelopes.c.day < limit))
