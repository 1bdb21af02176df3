"""Blocks of unfinished uploads: put one by one, claimed by the commit of their envelope; dropped when that is refused,
swept when it never happens.

The row is written before the file, so a file without a row is never part of an upload, and the sweep may remove it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, chunks
from whistle.store.errors import Taken
from whistle.store.models import ALL_TABLES, MAIN, TODAY, Heap, Tables, pending

Drop = Callable[[Sequence[bytes]], None]
UNDER_WAY = timedelta(days=1)  # an upload that began the day before may still be running


def put_block(database: Database, block_store: Blocks, id: bytes, body: bytes, heap: Heap, clock: Clock) -> None:
    """Store a block durably, pending until a commit names it. Raises Taken for other bytes under its id."""
    if block_store.get(id) not in (None, body):
        raise Taken([id])  # before the row is written: a refused block leaves none
    with database.write(lasting=False) as connection:  # the commit that follows makes this durable too
        day = clock.take(connection).day
        claimed, settled = _block_state(connection, id, heap)
        if not settled:
            database.add(connection, TODAY.blocks, [{"id": id, "heap": heap, "day": day}])
        if not claimed:
            row = database.insert(pending).values(id=id, day=day)
            connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"day": day}))
    block_store.put(id, body)


_BLOCK_STATE = select(  # one query instead of four
    exists().where(pending.c.id == bindparam("id")),
    or_(*(exists().where(tables.blocks.c.id == bindparam("id")) for tables in ALL_TABLES)),
    exists().where(MAIN.blocks.c.id == bindparam("id"), MAIN.blocks.c.heap == bindparam("heap")),
)


def _block_state(connection: Connection, id: bytes, heap: Heap) -> tuple[bool, bool]:
    """Whether a commit has claimed the block, and whether it is in the main table in this heap."""
    waiting, listed, settled = connection.execute(_BLOCK_STATE, {"id": id, "heap": heap}).one()
    return bool(listed and not waiting), bool(settled)


def is_kept(connection: Connection, id: bytes, heap: Heap | None) -> bool:
    """Whether a commit has named the block, in that heap or in any."""
    for tables in ALL_TABLES:
        table = tables.blocks
        named = exists().where(table.c.id == id, table.c.heap.in_([heap] if heap else list(Heap)))
        if connection.scalar(select(named)):
            return not connection.scalar(select(exists().where(pending.c.id == id)))
    return False


def drop(database: Database, block_store: Blocks, ids: Sequence[bytes]) -> None:
    """Remove those of the blocks that no commit has claimed, rows first."""
    for chunk in chunks(ids):
        with database.read() as connection:
            if not connection.scalar(select(exists().where(pending.c.id.in_(chunk)))):
                continue
        with database.write() as connection:
            waiting = connection.scalars(select(pending.c.id).where(pending.c.id.in_(chunk))).all()
            connection.execute(delete(TODAY.blocks).where(TODAY.blocks.c.id.in_(waiting)))
            connection.execute(delete(pending).where(pending.c.id.in_(waiting)))
        drop_if_unlisted(database, waiting, ALL_TABLES, block_store.drop_today)


def sweep(database: Database, block_store: Blocks, today: date) -> None:
    """Remove uploads from before yesterday that were not finished, and files without a row."""
    with database.write() as connection:
        old = select(pending.c.id).where(pending.c.day < today - UNDER_WAY)
        connection.execute(delete(TODAY.blocks).where(TODAY.blocks.c.id.in_(old)))
        connection.execute(delete(pending).where(pending.c.day < today - UNDER_WAY))
    drop_unlisted(database, block_store)
    block_store.tidy()


def drop_unlisted(database: Database, block_store: Blocks) -> None:
    """Remove the files without a row, and those in today's folder that are settled."""
    # files before rows: a block put in between is not taken for an abandoned one
    today, settled = sorted(block_store.today()), sorted(block_store.settled())
    with database.read() as connection:
        lost = set(_listed(connection, today, [MAIN])) - set(settled)
    if lost:
        block_store.settle(sorted(lost))
    drop_if_unlisted(database, today, [TODAY], block_store.drop_today)
    drop_if_unlisted(database, settled, ALL_TABLES, block_store.drop_settled)


def drop_if_unlisted(database: Database, ids: Sequence[bytes], where: Sequence[Tables], drop: Drop) -> None:
    """Remove the files of those ids that have no row in these tables."""
    with database.read() as connection:
        candidates = sorted(set(ids) - set(_listed(connection, ids, where)))
    for chunk in chunks(candidates):
        with database.write(lasting=False) as connection:  # the lock keeps others from putting them again
            drop(sorted(set(chunk) - set(_listed(connection, chunk, where))))


def _listed(connection: Connection, ids: Sequence[bytes], where: Iterable[Tables]) -> list[bytes]:
    listed: set[bytes] = set()
    for tables in where:
        for chunk in chunks(ids):
            listed.update(connection.scalars(select(tables.blocks.c.id).where(tables.blocks.c.id.in_(chunk))))
    return sorted(listed)
