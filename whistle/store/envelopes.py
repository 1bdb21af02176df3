"""Envelopes: stored once, looked up, collected, withdrawn (SPEC 9.4).

An envelope is in today's tables or in the main ones or, after an interrupted turn-over, in both with identical rows.
So updates apply to both tables, and reads take the first row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Integer,
    LargeBinary,
    Row,
    bindparam,
    delete,
    func,
    literal,
    select,
    union_all,
    update,
)

from whistle.store.blocks import Blocks
from whistle.store.clock import Clock
from whistle.store.database import Database, chunks
from whistle.store.errors import Missing, Taken
from whistle.store.models import ALL_TABLES, ID, TODAY, Heap, State, key, pending


@dataclass(frozen=True)
class Sealed:
    """An envelope as it arrives."""

    id: bytes
    heap: Heap
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class StoredEnvelope:
    """An envelope as a lookup returns it; `body` is None if it was not asked for or is gone."""

    id: bytes
    heap: Heap
    state: State
    day: date
    state_day: date
    body: bytes | None = field(repr=False)

    @property
    def is_for_reporters(self) -> bool:
        """Whether it has a body that reporters may have."""
        return self.heap == Heap.REPORTERS and self.state != State.REMOVED


def _rows_statement() -> CompoundSelect[Any]:
    """Select the rows under `ids`, concatenated in one value of `end` bytes: far cheaper than a thousand parameters."""
    at = select(literal(1, Integer).label("position")).cte("at", recursive=True)
    following = at.c.position + ID
    at = at.union_all(select(following).where(following < bindparam("end", type_=Integer)))
    id = func.substr(bindparam("ids", type_=LargeBinary), at.c.position, ID)
    return union_all(
        *(
            select(tables.envelopes).join_from(at, tables.envelopes, tables.envelopes.c.id == id)
            for tables in ALL_TABLES
        )
    )


_ROWS = _rows_statement()
_BODIES = union_all(
    *(select(tables.bodies).where(tables.bodies.c.k.in_(bindparam("keys", expanding=True))) for tables in ALL_TABLES)
)
_UNDER = union_all(
    *(
        select(tables.envelopes).where(tables.envelopes.c.id.between(bindparam("first"), bindparam("last")))
        for tables in ALL_TABLES
    )
)


def commit(
    database: Database,
    block_store: Blocks,
    envelopes: Sequence[Sealed],
    blocks: Sequence[bytes],
    clock: Clock,
    is_known: bool,
) -> None:
    """Store envelopes and claim their blocks in one transaction. Raises Taken or Missing and then stores nothing."""
    has_room = database.room.has_some(is_known)
    if blocks or not has_room:
        with database.read() as connection:
            fresh = _fresh(connection, envelopes)  # what will be refused makes no block durable
            unlisted = _unlisted(connection, blocks)  # nor is the file looked for of what nobody put
        if fresh and not has_room:  # what is stored already is never refused
            database.check_room(is_known)
        if unlisted:
            raise Missing(sorted(unlisted))
    block_store.keep(blocks)  # before the transaction: nobody else has to wait for the disk
    with database.write() as connection:
        day = clock.take(connection).day
        fresh = _fresh(connection, envelopes)
        _claim(connection, blocks, day)
        _add(database, connection, fresh, day)


def _add(database: Database, connection: Connection, fresh: Sequence[Sealed], day: date) -> None:
    rows = [{"id": each.id, "heap": each.heap, "day": day, "state": State.WAITING, "state_day": day} for each in fresh]
    database.add(connection, TODAY.envelopes, rows)
    database.add(connection, TODAY.bodies, [{"k": key(each.id), "body": each.body} for each in fresh])


def _fresh(connection: Connection, envelopes: Sequence[Sealed]) -> list[Sealed]:
    """The envelopes not stored yet. Raises Taken for a different one under the same id, or under the same key."""
    fresh: dict[int, Sealed] = {}
    taken = []
    for envelope in envelopes:
        stored = _under(connection, envelope.id) or fresh.get(key(envelope.id))
        if stored is None:
            fresh[key(envelope.id)] = envelope
        elif stored != envelope:
            taken.append(envelope.id)
    if taken:
        raise Taken(taken)
    return list(fresh.values())


def _under(connection: Connection, id: bytes) -> Sealed | None:
    """What is stored under the id, or another with the same key. A removed body is empty, so its id stays taken."""
    row = connection.execute(_UNDER, {"first": id[:8] + bytes(8), "last": id[:8] + b"\xff" * 8}).first()
    return Sealed(row.id, row.heap, bodies_of(connection, [row.id]).get(row.id, b"")) if row else None


def _claim(connection: Connection, blocks: Sequence[bytes], day: date) -> None:
    """Keep the blocks. They count for the day of the commit, since no day may grow once it is over."""
    if unlisted := _unlisted(connection, blocks):
        raise Missing(sorted(unlisted))
    for chunk in chunks(blocks):
        waiting = select(pending.c.id).where(pending.c.id.in_(chunk))
        connection.execute(update(TODAY.blocks).where(TODAY.blocks.c.id.in_(waiting)).values(day=day))
        connection.execute(delete(pending).where(pending.c.id.in_(chunk)))


def _unlisted(connection: Connection, blocks: Sequence[bytes]) -> set[bytes]:
    """Those of the blocks that nobody has put."""
    listed: set[bytes] = set()
    for chunk in chunks(blocks):
        for tables in ALL_TABLES:
            listed.update(connection.scalars(select(tables.blocks.c.id).where(tables.blocks.c.id.in_(chunk))))
    return set(blocks) - listed


def has(connection: Connection, id: bytes) -> bool:
    """Whether there is a row under the id, whatever the envelope's state."""
    return bool(_rows(connection, [id]))


def lookup(
    connection: Connection, ids: Sequence[bytes], heaps: Iterable[Heap], bodies: Iterable[Heap]
) -> list[StoredEnvelope]:
    """The envelopes under the ids in these heaps, in order of id; with bodies if their heap is in `bodies`."""
    heaps, body_heaps = set(heaps), set(bodies)
    rows = [row for row in _rows(connection, ids) if row.heap in heaps]
    with_bodies = [row.id for row in rows if row.heap in body_heaps and row.state != State.REMOVED]
    bodies_by_id = bodies_of(connection, with_bodies)
    return [
        StoredEnvelope(row.id, row.heap, row.state, row.day, row.state_day, bodies_by_id.get(row.id)) for row in rows
    ]


def _rows(connection: Connection, ids: Sequence[bytes]) -> list[Row[Any]]:
    """The rows under the ids, in order of id; a row in today's table hides one in the main table."""
    rows: dict[bytes, Row[Any]] = {}
    for row in connection.execute(_ROWS, {"ids": b"".join(ids), "end": ID * len(ids)}):
        rows.setdefault(row.id, row)
    return [rows[id] for id in sorted(rows)]


def bodies_of(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """The bodies that exist, by id; all in memory."""
    by_key = {key(id): id for id in ids}
    bodies = {}
    for chunk in chunks(ids):
        for k, body in connection.execute(_BODIES, {"keys": [key(id) for id in chunk]}):
            bodies[by_key[k]] = body
    return bodies


def collect(database: Database, ids: Sequence[bytes], clock: Clock) -> list[bytes]:
    """Mark waiting envelopes to reviewers as collected. Returns, sorted, the ids whose bodies may now be sent."""
    with database.write() as connection:
        rows = [row for row in _rows(connection, ids) if row.heap == Heap.REVIEWERS and row.state != State.REMOVED]
        _change(
            connection,
            [row.id for row in rows if row.state == State.WAITING],
            State.COLLECTED,
            clock.take(connection).day,
        )
        return [row.id for row in rows]


def withdraw(database: Database, report: bytes, slip: bytes, clock: Clock) -> str:
    """Remove a waiting report and its slip. Returns `withdrawn` (also the second time), `collected` or `unknown`."""
    with database.write() as connection:
        states = {(row.id, row.heap): row.state for row in _rows(connection, [report, slip])}
        parts = (report, Heap.REVIEWERS), (slip, Heap.REPORTERS)
        if any(part not in states for part in parts):
            return "unknown"
        if states[parts[0]] == State.COLLECTED:
            return "collected"
        waiting = [part[0] for part in parts if states[part] == State.WAITING]
        remove(connection, waiting, clock.take(connection).day)
        return "withdrawn"


def remove(connection: Connection, ids: Sequence[bytes], day: date) -> None:
    """Delete the bodies and mark the envelopes as removed on this day."""
    drop_bodies(connection, ids)
    _change(connection, ids, State.REMOVED, day)


def drop_bodies(connection: Connection, ids: Sequence[bytes]) -> None:
    """Delete the bodies, in order of their keys. SQLite overwrites them (`secure_delete`)."""
    for chunk in chunks(sorted(ids, key=key)):
        for tables in ALL_TABLES:
            connection.execute(delete(tables.bodies).where(tables.bodies.c.k.in_([key(id) for id in chunk])))


def _change(connection: Connection, ids: Sequence[bytes], state: State, day: date) -> None:
    for chunk in chunks(sorted(ids)):
        for tables in ALL_TABLES:
            table = tables.envelopes
            connection.execute(update(table).where(table.c.id.in_(chunk)).values(state=state, state_day=day))
