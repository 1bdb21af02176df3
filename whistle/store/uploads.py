"""Blocks of unfinished uploads: put one by one, claimed by the commit of their envelope; dropped when that is refused
or room runs short, swept when it never happens.

The row is written before the file, so a file without a row is never part of an upload, and the sweep may remove it.

The blocks of a day may take three quarters of the room that there is for them; the rest is for the days that follow.
Anybody can put blocks and never commit them: beyond that, the unfinished uploads go for which the number of blocks
times the seconds since the last one came is highest: what stalls goes first, and what moves stays. Time alone would not
do: whoever adds a block now and then to huge uploads would push out all others. Nor would size: a flood of single
blocks would push out every film. By the product, a flood of either kind, or of any between, must bring more than
quota / (blocks x pause) blocks a second to push out an upload of so many blocks that pauses for so many seconds.
Whoever's blocks went is told so at the commit, and sends them again.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, chunks
from whistle.store.errors import Full, Taken
from whistle.store.job_lock import job_lock
from whistle.store.models import ALL_TABLES, BLOCK, MAIN, TODAY, Heap, Tables, pending

Drop = Callable[[Sequence[bytes]], None]
Block = tuple[bytes, bytes]  # id and content
UNDER_WAY = timedelta(days=1)  # an upload that began the day before may still be running
SHARE = 3, 4  # of the room for blocks may be taken in a day
AFTER = 7, 8  # of that may stay when it was reached, so that it is not reached again at once
OFTEN = 8  # the blocks are counted again after that part of what is left, since other processes store some, too
MOMENT = 0.1  # seconds for which even the upload that moved last counts as stalled, or size would not count at all
LOCK = "room"


def put_blocks(
    database: Database, block_store: Blocks, blocks: Sequence[Block], heap: Heap, upload: bytes | None, clock: Clock
) -> None:
    """Store blocks, pending until a commit names and keeps them. Raises Taken for other bytes under an id.

    `upload` is the same for all blocks of an upload. Those without it are not removed for room.
    """
    taken = [id for id, body in blocks if block_store.get(id) not in (None, body)]
    if taken:
        raise Taken(taken)  # before a row is written: a refused block leaves none
    with database.write(lasting=False) as connection:  # the commit that follows makes this durable too
        day = clock.take(connection).day
        for id, _ in blocks:
            _add_row(database, connection, id, heap, upload, day)
    for id, body in blocks:
        block_store.put(id, body)


def _add_row(
    database: Database, connection: Connection, id: bytes, heap: Heap, upload: bytes | None, day: date
) -> None:
    claimed, settled = _block_state(connection, id, heap)
    if not settled:
        database.add(connection, TODAY.blocks, [{"id": id, "heap": heap, "day": day}])
    if not claimed:
        row = database.insert(pending).values(id=id, day=day, upload=upload)
        connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"day": day}))


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
    for ids in block_store.today():
        with database.read() as connection:
            moved = _listed(connection, ids, [MAIN])
        if moved:
            block_store.settle(moved)
        drop_if_unlisted(database, ids, [TODAY], block_store.drop_today)
    for ids in block_store.settled():
        drop_if_unlisted(database, ids, ALL_TABLES, block_store.drop_settled)


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


class PendingRoom:
    """Bounds what is uploaded in a day, and removes unfinished uploads for it. Threads may share it."""

    def __init__(self, database: Database, block_store: Blocks) -> None:
        self._database, self._block_store = database, block_store
        self._lock, self._turn = threading.Lock(), threading.Lock()  # of a process, one waits for other processes
        self._unchecked = 0  # blocks that may be put before they are counted again

    def claim(self, count: int, upload: bytes) -> None:
        """Note that so many blocks of an upload are about to be put. Full if there is no room even for what moves."""
        with self._lock:
            self._unchecked -= count
            if self._unchecked >= 0:
                return
        waiting, today, limit = self._count()
        if today + count > limit:
            with self._turn, job_lock(self._database, LOCK, wait=True):
                waiting, today, limit = self._count()  # another may have made room meanwhile
                if today + count > limit:
                    today, limit = self._make_room(count, upload, today - waiting)
        with self._lock:
            self._unchecked = max(0, limit - today) // OFTEN

    def has_some(self) -> bool:
        """Whether a block could be put now, perhaps by removing others that wait."""
        waiting, today, limit = self._count()
        return today - waiting < limit

    def waiting(self) -> int:
        """How many blocks are pending."""
        return self._count()[0]

    def _count(self) -> tuple[int, int, int]:
        """How many blocks are pending, how many came today, those included, and how many may come in a day."""
        with self._database.read() as connection:
            counts = (select(func.count()).select_from(table) for table in (pending, TODAY.blocks))
            waiting, today = (connection.scalar(count) or 0 for count in counts)
        return waiting, today, (today + self._block_store.room() // BLOCK) * SHARE[0] // SHARE[1]

    def _make_room(self, count: int, upload: bytes, kept: int) -> tuple[int, int]:
        """Remove uploads until so many blocks have room, and some more; how many came today, and how many may come.

        Full if that was this upload, or if what is kept leaves no room anyway.
        """
        _, today, limit = self._count()
        excess = today + count - limit * AFTER[0] // AFTER[1]
        going: list[bytes] = []
        others = set()
        for other, ids in self._ranked() if kept + count <= limit else []:
            if len(going) >= excess:
                break
            going += ids
            others.add(other)
        drop(self._database, self._block_store, going)
        if upload in others:
            raise Full("no space for this upload")
        _, today, limit = self._count()
        if today + count > limit:
            raise Full("no space for more blocks")
        return today, limit

    def _ranked(self) -> list[tuple[bytes, list[bytes]]]:
        """The unfinished uploads with the ids of their blocks; those that go first come first."""
        with self._database.read() as connection:
            rows = connection.execute(select(pending.c.id, pending.c.upload).where(pending.c.upload.is_not(None))).all()
        arrived = self._block_store.arrived([row.id for row in rows])
        uploads: dict[bytes, list[bytes]] = defaultdict(list)
        last: dict[bytes, float] = defaultdict(float)
        for row in rows:
            if row.id in arrived:  # else it is being put
                uploads[row.upload].append(row.id)
                last[row.upload] = max(last[row.upload], arrived[row.id])
        now = max(last.values(), default=0.0)  # by the same clock, which may have been set
        return sorted(uploads.items(), key=lambda each: len(each[1]) * (now - last[each[0]] + MOMENT), reverse=True)
