"""The turn-over: moves rows and blocks from today's tables and folder to the main ones, without the order of arrival.

Every step can be interrupted and repeated: first a copy is made durable, then the original is removed.
Afterwards the files reveal nothing finer than the day about any day before today. This does not cover sectors that a
file system or a drive has freed but not overwritten, the change time of a settled file (it reveals the turn-over), and
on PostgreSQL anything outside the tables (its log, archives and replicas).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Table, delete, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, pieces
from whistle.store.errors import StoreError
from whistle.store.job_lock import JobLock
from whistle.store.models import BLOCK, MAIN, TODAY, key, pending
from whistle.store.uploads import drop_if_unlisted, drop_unlisted

TRIES = 30  # to find a moment when nobody reads the write-ahead log
PAUSE = 1000  # ms that one try waits

Piece = tuple[
    Column[int] | Column[bytes], Table, Sequence[int] | Sequence[bytes]
]  # key column of a today table, target table, keys


@dataclass(frozen=True)
class TurnoverCounts:
    """How many envelopes and blocks were moved."""

    envelopes: int
    blocks: int


def turn_over(database: Database, block_store: Blocks, clock: Clock, lock: JobLock) -> TurnoverCounts:
    """Move everything of the days that are over; unfinished uploads stay. The caller must hold `lock`."""
    with database.write() as connection:  # from here on these days cannot grow
        today = clock.take(connection).open
    with database.read() as connection:
        table = TODAY.envelopes
        envelopes = connection.scalars(select(table.c.id).where(table.c.day < today).order_by(table.c.id)).all()
        claimed = TODAY.blocks.c.id.not_in(select(pending.c.id))
        over = select(TODAY.blocks.c.id).where(TODAY.blocks.c.day < today, claimed).distinct()
        blocks = connection.scalars(over.order_by(TODAY.blocks.c.id)).all()
    for piece in pieces(blocks, lambda: block_store.free() // (2 * BLOCK)):
        lock.check()
        block_store.settle(piece)
        _move_rows(database, [(TODAY.blocks.c.id, MAIN.blocks, piece)])
        drop_if_unlisted(database, piece, [TODAY], block_store.drop_today)
    for piece in pieces(envelopes, lambda: database.fitting(TODAY.bodies)):
        lock.check()
        keys = [key(id) for id in piece]
        _move_rows(database, [(table.c.id, MAIN.envelopes, piece), (TODAY.bodies.c.k, MAIN.bodies, keys)])
        if database.room.is_low():
            database.give_back()  # what has moved takes room twice until then
    lock.check()
    drop_unlisted(database, block_store)
    block_store.tidy()
    _rewrite_tables(database)
    return TurnoverCounts(len(envelopes), len(blocks))


def _move_rows(database: Database, pieces: Sequence[Piece]) -> None:
    """Copy rows to the main tables in order of their keys; once that is durable, delete the originals."""
    with database.write() as connection:
        for column, target, keys in pieces:
            rows = select(column.table).where(column.in_(keys)).order_by(column)
            copy = database.insert(target).from_select(target.c.keys(), rows).on_conflict_do_nothing()
            connection.execute(copy)
    with database.write() as connection:
        for column, _, keys in pieces:
            connection.execute(delete(column.table).where(column.in_(keys)))


def _rewrite_tables(database: Database) -> None:
    """Rewrite today's tables, so that none of their freed pages remain, and empty the write-ahead log."""
    if not database.is_sqlite:
        with database.bare() as cursor:
            for table in (TODAY.envelopes, TODAY.bodies, TODAY.blocks, pending):
                cursor.execute(f"VACUUM (FULL) {table.name}")
        return
    with database.bare() as cursor:
        # Without freed pages there is nothing to remove, and the copy, which is made in memory, may be large: a server
        # that was started again during a flood would copy all of today.
        if cursor.execute("PRAGMA today.freelist_count").fetchone()[0]:
            cursor.execute("PRAGMA today.auto_vacuum=INCREMENTAL")  # also of a file that an earlier version has made
            cursor.execute("VACUUM today")
    if not database.empty_log(TRIES, PAUSE):
        raise StoreError("the database was being read, so its log could not be emptied; run the turn-over again")
