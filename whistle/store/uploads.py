"""Blocks of uploads under way: put one by one, claimed by the commit of their envelope; dropped when that is refused,
swept when it never comes.

The row comes before the file, so a file without a row is never someone's upload, and the sweep may remove it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, chunks
from whistle.store.errors import Taken
from whistle.store.models import MAIN, PLACES, TODAY, Heap, Place, pending

Drop = Callable[[Sequence[bytes]], None]
UNDER_WAY = timedelta(days=1)  # an upload that began the day before may still go on


def put_block(database: Database, place: Blocks, id_: bytes, body: bytes, heap: Heap, clock: Clock) -> None:
    """Store a block durably, pending until a commit names it. Other bytes under its id are Taken."""
    if place.get(id_) not in (None, body):
        raise Taken([id_])  # before the row: what is refused leaves none
    with database.write(lasting=False) as connection:  # the commit that follows lasts, and this with it
        day = clock.take(connection).day
        claimed, settled = _standing(connection, id_, heap)
        if not settled:
            database.add(connection, TODAY.blocks, [{"id": id_, "heap": heap, "day": day}])
        if not claimed:
            row = database.insert(pending).values(id=id_, day=day)
            connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"day": day}))
    place.put(id_, body)


_STANDING = select(  # one question instead of four
    exists().where(pending.c.id == bindparam("id")),
    or_(*(exists().where(place.blocks.c.id == bindparam("id")) for place in PLACES)),
    exists().where(MAIN.blocks.c.id == bindparam("id"), MAIN.blocks.c.heap == bindparam("heap")),
)


def _standing(connection: Connection, id_: bytes, heap: Heap) -> tuple[bool, bool]:
    """Whether a commit has claimed the block, and whether it lies in the main table in this heap."""
    waiting, listed, settled = connection.execute(_STANDING, {"id": id_, "heap": heap}).one()
    return bool(listed and not waiting), bool(settled)


def is_kept(connection: Connection, id_: bytes, heap: Heap | None) -> bool:
    """Whether a commit has named the block, in that heap or in any."""
    for where in PLACES:
        table = where.blocks
        named = exists().where(table.c.id == id_, table.c.heap.in_([heap] if heap else list(Heap)))
        if connection.scalar(select(named)):
            return not connection.scalar(select(exists().where(pending.c.id == id_)))
    return False


def drop(database: Database, place: Blocks, ids: Sequence[bytes]) -> None:
    """Remove those of the blocks that no commit has claimed, rows before files."""
    for some in chunks(ids):
        with database.read() as connection:
            if not connection.scalar(select(exists().where(pending.c.id.in_(some)))):
                continue
        with database.write() as connection:
            waiting = connection.scalars(select(pending.c.id).where(pending.c.id.in_(some))).all()
            connection.execute(delete(TODAY.blocks).where(TODAY.blocks.c.id.in_(waiting)))
            connection.execute(delete(pending).where(pending.c.id.in_(waiting)))
        drop_if_unlisted(database, waiting, PLACES, place.drop_today)


def sweep(database: Database, place: Blocks, today: date) -> None:
    """Remove uploads that nobody finished since the day before yesterday, and files that no row names."""
    with database.write() as connection:
        old = select(pending.c.id).where(pending.c.day < today - UNDER_WAY)
        connection.execute(delete(TODAY.blocks).where(TODAY.blocks.c.id.in_(old)))
        connection.execute(delete(pending).where(pending.c.day < today - UNDER_WAY))
    drop_unlisted(database, place)
    place.tidy()


def drop_unlisted(database: Database, place: Blocks) -> None:
    """Remove the files that no row names; of today's, those too that are settled."""
    today, settled = sorted(place.today()), sorted(place.settled())  # files before rows: no upload is mistaken
    with database.read() as connection:
        lost = set(_listed(connection, today, [MAIN])) - set(settled)
    if lost:
        place.settle(sorted(lost))
    drop_if_unlisted(database, today, [TODAY], place.drop_today)
    drop_if_unlisted(database, settled, PLACES, place.drop_settled)


def drop_if_unlisted(database: Database, ids: Sequence[bytes], places: Sequence[Place], drop: Drop) -> None:
    """Remove the files of those ids that no row in these places names."""
    with database.read() as connection:
        candidates = sorted(set(ids) - set(_listed(connection, ids, places)))
    for some in chunks(candidates):
        with database.write(lasting=False) as connection:  # while we hold the turn nobody can begin to put them again
            drop(sorted(set(some) - set(_listed(connection, some, places))))


def _listed(connection: Connection, ids: Sequence[bytes], places: Iterable[Place]) -> list[bytes]:
    listed: set[bytes] = set()
    for where in places:
        for some in chunks(ids):
            listed.update(connection.scalars(select(where.blocks.c.id).where(where.blocks.c.id.in_(some))))
    return sorted(listed)
