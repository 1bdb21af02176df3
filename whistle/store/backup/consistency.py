"""Check that everything stored has both of its halves, without opening anything: it counts, and reads no content."""

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from whistle.store.models import ALL_TABLES, Heap, State, key, pending

if TYPE_CHECKING:
    from whistle.store.store import Store

PAUSE = 1.0  # seconds; what is under way has its other half by then
Day = date | None


@dataclass(frozen=True)
class Check:
    """How much is stored, and what lacks its other half, each by day (None if unknown) and name in hex."""

    envelopes: int
    blocks: int
    bodiless: frozenset[tuple[Day, str]] = frozenset()  # envelopes whose body is gone but should be there
    blockless: frozenset[tuple[Day, str]] = frozenset()  # blocks' rows whose file is gone
    rowless_bodies: frozenset[tuple[Day, str]] = frozenset()  # by their key
    rowless_blocks: frozenset[tuple[Day, str]] = frozenset()  # files

    @property
    def is_whole(self) -> bool:
        """Whether nothing lacks its other half."""
        return not (self.bodiless or self.blockless or self.rowless_bodies or self.rowless_blocks)


def check(store: "Store") -> Check:
    """Check a store, also while it is in use: what lacks its half is checked a second time."""
    first = _look(store)
    if first.is_whole:
        return first
    time.sleep(PAUSE)
    second = _look(store)
    return Check(
        second.envelopes,
        second.blocks,
        first.bodiless & second.bodiless,
        first.blockless & second.blockless,
        first.rowless_bodies & second.rowless_bodies,
        first.rowless_blocks & second.rowless_blocks,
    )


def _look(store: "Store") -> Check:
    areas = store.block_store.today(), store.block_store.settled()
    files = {id for area in areas for ids in area for id in ids}  # before the rows, which are written first
    with store.database.snapshot() as connection:
        bodies = {k for tables in ALL_TABLES for k in connection.scalars(select(tables.bodies.c.k))}
        bodiless, expected = _bodiless(connection, bodies)
        blocks = {row.id: row.day for tables in ALL_TABLES for row in connection.execute(select(tables.blocks))}
        under_way = set(connection.scalars(select(pending.c.id)))
    missing = store.block_store.missing(sorted(blocks.keys() - under_way))
    return Check(
        len(expected & bodies),
        len(blocks.keys() - under_way),
        frozenset(bodiless),
        frozenset((blocks[id], id.hex()) for id in missing),
        frozenset((None, (k % 2**64).to_bytes(8, "big").hex()) for k in bodies - expected),
        frozenset((None, id.hex()) for id in files - blocks.keys() - under_way),
    )


def _bodiless(connection: Connection, bodies: set[int]) -> tuple[set[tuple[Day, str]], set[int]]:
    """The envelopes without the body that they should have, and the keys of all that may have one.

    The bodies of what was collected go by whole days in order of ids, hundreds at once, so of a day all may be gone or,
    while it is removed, the first ones.
    """
    collected: dict[tuple[Heap, date], set[bytes]] = defaultdict(set)
    waiting: dict[bytes, date] = {}
    for tables in ALL_TABLES:
        for row in connection.execute(select(tables.envelopes).where(tables.envelopes.c.state != State.REMOVED)):
            if row.state == State.WAITING:
                waiting[row.id] = row.day
            else:
                collected[row.heap, row.day].add(row.id)
    bodiless: set[tuple[Day, str]] = {(day, id.hex()) for id, day in waiting.items() if key(id) not in bodies}
    for (_, day), ids in collected.items():
        gone = {id for id in ids if key(id) not in bodies}
        if len(gone) == 1 < len(ids) or gone != set(sorted(ids)[: len(gone)]):
            bodiless |= {(day, id.hex()) for id in gone}
    return bodiless, {key(id) for ids in (waiting, *collected.values()) for id in ids}
