"""What the reviewers' heap holds for each day: the lists that couriers ask for."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Connection, Select, Table, exists, func, select

from whistle.store.models import MAIN, TODAY, Heap, State, Tables, key, pending

FIRST = MAIN.envelopes.c.state, MAIN.envelopes.c.id  # collected ones, then those that wait
LAST = MAIN.envelopes.c.state.desc(), MAIN.envelopes.c.id.desc()


@dataclass(frozen=True)
class DayCount:
    """How many envelopes and blocks a day has."""

    day: date
    envelopes: int
    blocks: int


@dataclass(frozen=True)
class DayIds:
    """The ids of a day, each list sorted; `has_more` if there are others behind them."""

    envelopes: tuple[bytes, ...]
    blocks: tuple[bytes, ...]
    has_more: bool = False


def count_days(connection: Connection) -> list[DayCount]:
    """Every day for which the reviewers' heap still holds something, with its counts, oldest first."""
    envelopes: Counter[date] = Counter()
    blocks: Counter[date] = Counter()
    for tables in (MAIN, TODAY):
        table = tables.envelopes
        counts = select(table.c.day, func.count()).where(*_stored_envelopes(tables)).group_by(table.c.day)
        for day, count, *_ in connection.execute(counts):
            if tables is TODAY or _has_bodies(connection, day):
                envelopes[day] += count
        counts = select(tables.blocks.c.day, func.count()).where(*_stored_blocks(tables)).group_by(tables.blocks.c.day)
        for day, count, *_ in connection.execute(counts):
            blocks[day] += count
    return [DayCount(day, envelopes[day], blocks[day]) for day in sorted(envelopes | blocks)]


def day_ids(connection: Connection, day: date, after: bytes = b"", most: int | None = None) -> DayIds:
    """The ids of a day in the reviewers' heap: blocks, and envelopes that still have a body.

    With `most`, the first so many of both together behind the id `after`; one more if both have the last.
    """
    envelopes: set[bytes] = set()
    blocks: set[bytes] = set()
    for tables in (MAIN, TODAY):
        table, ids = tables.envelopes, list[bytes]()
        for state in (State.WAITING, State.COLLECTED):  # each by itself is in order of ids in the index
            conditions = (*_stored_envelopes(tables), table.c.state == state, table.c.day == day)
            ids += connection.scalars(_behind(after, most, table, *conditions))
        if ids and (tables is TODAY or _has_bodies(connection, day)):
            envelopes.update(ids)
        conditions = (*_stored_blocks(tables), tables.blocks.c.day == day)
        blocks.update(connection.scalars(_behind(after, most, tables.blocks, *conditions)))
    every = sorted([*envelopes, *blocks])
    last = every[most - 1] if most and len(every) > most else every[-1] if every else b""
    here, there = (tuple(sorted(id for id in ids if id <= last)) for ids in (envelopes, blocks))
    return DayIds(here, there, bool(every) and every[-1] > last)


def _behind(after: bytes, most: int | None, table: Table, *conditions: ColumnElement[bool]) -> Select[tuple[bytes]]:
    """Select the first ids behind one, in order."""
    ids: Select[tuple[bytes]] = select(table.c.id).where(*conditions, table.c.id > after).order_by(table.c.id)
    return ids.limit(most + 1) if most else ids


def has_day(connection: Connection, day: date) -> bool:
    """Whether the reviewers' heap still holds anything of a day; looks at one row, however many there are."""
    for tables in (MAIN, TODAY):
        table, blocks = tables.envelopes, tables.blocks
        if connection.scalar(select(blocks.c.id).where(*_stored_blocks(tables), blocks.c.day == day).limit(1)):
            return True
        id = connection.scalar(select(table.c.id).where(*_stored_envelopes(tables), table.c.day == day).limit(1))
        if id and (tables is TODAY or _has_bodies(connection, day)):
            return True
    return False


def bodiless(connection: Connection, since: date) -> list[date]:
    """The days since `since` whose rows in the reviewers' heap have no bodies. Bodies are removed by whole days."""
    table = MAIN.envelopes
    days = connection.scalars(
        select(table.c.day).where(*_stored_envelopes(MAIN), table.c.day >= since).distinct()
    ).all()
    return [day for day in days if not _has_bodies(connection, day)]


def half_removed(connection: Connection) -> list[date]:
    """The days of which some bodies in the reviewers' heap are gone and others are there: a removal was interrupted."""
    table = MAIN.envelopes
    last = {
        day: select(table.c.id).where(*_stored_envelopes(MAIN), table.c.day == day).order_by(*LAST).limit(1)
        for day in bodiless(connection, date.min)
    }
    return [day for day, one in last.items() if _has_body(connection, connection.scalars(one).one())]


def _has_bodies(connection: Connection, day: date) -> bool:
    """Whether the bodies of a day are there.

    A day's bodies are removed in `FIRST`'s order, so without the first body the day is gone, or about to be.
    """
    table = MAIN.envelopes
    one = select(table.c.id).where(*_stored_envelopes(MAIN), table.c.day == day).order_by(*FIRST).limit(1)
    return _has_body(connection, connection.scalars(one).one())


def _has_body(connection: Connection, id: bytes) -> bool:
    return bool(connection.scalar(select(exists().where(MAIN.bodies.c.k == key(id)))))


def _stored_envelopes(tables: Tables) -> list[ColumnElement[bool]]:
    """Conditions for envelopes of the reviewers' heap; one that an interrupted turn-over left twice counts once."""
    table = tables.envelopes
    conditions = [table.c.heap == Heap.REVIEWERS, table.c.state != State.REMOVED]
    if tables is TODAY:
        conditions.append(~exists().where(MAIN.envelopes.c.id == table.c.id))
    return conditions


def _stored_blocks(tables: Tables) -> list[ColumnElement[bool]]:
    """Conditions for blocks of the reviewers' heap, without those of unfinished uploads."""
    table = tables.blocks
    if tables is MAIN:
        return [table.c.heap == Heap.REVIEWERS]
    moved = exists().where(MAIN.blocks.c.id == table.c.id, MAIN.blocks.c.heap == table.c.heap)
    return [table.c.heap == Heap.REVIEWERS, ~moved, ~exists().where(pending.c.id == table.c.id)]
