"""What the reviewers' heap holds of each day: the lists that couriers ask for."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Connection, exists, func, select

from whistle.store.models import MAIN, TODAY, Heap, Place, State, key, pending


@dataclass(frozen=True)
class DayCount:
    """How much there is of a day."""

    day: date
    envelopes: int
    blocks: int


@dataclass(frozen=True)
class DayIds:
    """The ids of a day, each list sorted."""

    envelopes: tuple[bytes, ...]
    blocks: tuple[bytes, ...]


def count_days(connection: Connection) -> list[DayCount]:
    """Every day of which the reviewers' heap still holds something, with its counts, oldest first."""
    envelopes: Counter[date] = Counter()
    blocks: Counter[date] = Counter()
    for place in (MAIN, TODAY):
        table = place.envelopes
        counts = select(table.c.day, func.count()).where(*_held(place)).group_by(table.c.day)
        for day, count, *_ in connection.execute(counts):
            one = select(table.c.id).where(*_held(place), table.c.day == day).limit(1)
            if place is TODAY or _has_body(connection, connection.scalars(one).one()):
                envelopes[day] += count
        counts = select(place.blocks.c.day, func.count()).where(*_here(place)).group_by(place.blocks.c.day)
        for day, count, *_ in connection.execute(counts):
            blocks[day] += count
    return [DayCount(day, envelopes[day], blocks[day]) for day in sorted(envelopes | blocks)]


def day_ids(connection: Connection, day: date) -> DayIds:
    """The ids of a day in the reviewers' heap: envelopes that still have a body, and blocks."""
    envelopes: set[bytes] = set()
    blocks: set[bytes] = set()
    for place in (MAIN, TODAY):
        table = place.envelopes
        ids = connection.scalars(select(table.c.id).where(*_held(place), table.c.day == day)).all()
        if ids and (place is TODAY or _has_body(connection, min(ids))):
            envelopes.update(ids)
        blocks.update(connection.scalars(select(place.blocks.c.id).where(*_here(place), place.blocks.c.day == day)))
    return DayIds(tuple(sorted(envelopes)), tuple(sorted(blocks)))


def bodiless(connection: Connection, since: date) -> list[date]:
    """The days from one on of which the reviewers' heap holds rows without bodies: these were removed by whole days."""
    table = MAIN.envelopes
    days = connection.scalars(select(table.c.day).where(*_held(MAIN), table.c.day >= since).distinct()).all()
    one = {day: select(table.c.id).where(*_held(MAIN), table.c.day == day).limit(1) for day in days}
    return [day for day in days if not _has_body(connection, connection.scalars(one[day]).one())]


def _has_body(connection: Connection, id_: bytes) -> bool:
    """Whether the bodies of an envelope's day are there: they go by whole days, all in one transaction."""
    return bool(connection.scalar(select(exists().where(MAIN.bodies.c.k == key(id_)))))


def _held(place: Place) -> list[ColumnElement[bool]]:
    """Envelopes of the reviewers' heap; not those that a turn-over which was broken off has left in both places."""
    table = place.envelopes
    conditions = [table.c.heap == Heap.REVIEWERS, table.c.state != State.REMOVED]
    if place is TODAY:
        conditions.append(~exists().where(MAIN.envelopes.c.id == table.c.id))
    return conditions


def _here(place: Place) -> list[ColumnElement[bool]]:
    """Blocks of the reviewers' heap, not those of an upload under way."""
    table = place.blocks
    if place is MAIN:
        return [table.c.heap == Heap.REVIEWERS]
    moved = exists().where(MAIN.blocks.c.id == table.c.id, MAIN.blocks.c.heap == table.c.heap)
    return [table.c.heap == Heap.REVIEWERS, ~moved, ~exists().where(pending.c.id == table.c.id)]
