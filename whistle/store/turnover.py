"""The turn-over: what lay in today's tables and folder goes to the main ones, in an order that tells nothing.

Every step may be broken off and done again: first a copy is made durable, then what was copied is removed.
After it, of every day before today nothing finer than the day can be read from the files as they stand. Not claimed:
sectors that a file system or a drive has freed but not overwritten, the change time of a settled file (it tells the
turn-over), and on PostgreSQL what lies outside the tables (its log, archives and replicas).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Table, delete, select

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, chunks
from whistle.store.errors import StoreError
from whistle.store.models import MAIN, TODAY, key, pending
from whistle.store.uploads import drop_if_unlisted, drop_unlisted

TRIES = 30  # to find a moment in which nobody reads the write-ahead log
PAUSE = 1000  # ms that one try waits for it

Piece = tuple[Column[int] | Column[bytes], Table, Sequence[int] | Sequence[bytes]]  # a key of today, where to, which


@dataclass(frozen=True)
class Turned:
    """How much was moved."""

    envelopes: int
    blocks: int


def turn_over(database: Database, place: Blocks, clock: Clock) -> Turned:
    """Merge everything of the days that are over; uploads under way stay. Run by one at a time."""
    with database.write() as connection:  # from here on nothing more can come of these days
        today = clock.take(connection).open
    with database.read() as connection:
        table = TODAY.envelopes
        envelopes = connection.scalars(select(table.c.id).where(table.c.day < today).order_by(table.c.id)).all()
        claimed = TODAY.blocks.c.id.not_in(select(pending.c.id))
        over = select(TODAY.blocks.c.id).where(TODAY.blocks.c.day < today, claimed).distinct()
        blocks = connection.scalars(over.order_by(TODAY.blocks.c.id)).all()
    for some in chunks(blocks):  # so it needs room for some hundreds of blocks, not for a whole day's
        place.settle(some)
        _move(database, [(TODAY.blocks.c.id, MAIN.blocks, some)])
        drop_if_unlisted(database, some, [TODAY], place.drop_today)
    for some in chunks(envelopes):
        keys = [key(id_) for id_ in some]
        _move(database, [(table.c.id, MAIN.envelopes, some), (TODAY.bodies.c.k, MAIN.bodies, keys)])
    drop_unlisted(database, place)
    place.tidy()
    _make_anew(database)
    return Turned(len(envelopes), len(blocks))


def _move(database: Database, pieces: Sequence[Piece]) -> None:
    """Copy rows to the main tables in order of their keys; once that is durable, delete them from today's."""
    with database.write() as connection:
        for column, target, keys in pieces:
            rows = select(column.table).where(column.in_(keys)).order_by(column)
            copy = database.insert(target).from_select(target.c.keys(), rows).on_conflict_do_nothing()
            connection.execute(copy)
    with database.write() as connection:
        for column, _, keys in pieces:
            connection.execute(delete(column.table).where(column.in_(keys)))


def _make_anew(database: Database) -> None:
    """Write today's tables afresh, so that no freed page of theirs is left, and empty the write-ahead log."""
    if not database.is_sqlite:
        with database.bare() as cursor:
            for table in (TODAY.envelopes, TODAY.bodies, TODAY.blocks, pending):
                cursor.execute(f"VACUUM (FULL) {table.name}")
        return
    with database.bare() as cursor:
        cursor.execute("VACUUM today")
    if not database.empty_log(TRIES, PAUSE):
        raise StoreError("someone kept reading the database, so its log could not be emptied; turn over again")
