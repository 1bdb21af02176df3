"""Envelopes: stored once, looked at, collected, withdrawn (SPEC 9.4).

An envelope lies in today's tables or in the main ones; after a turn-over that was broken off, in both, with the same
row. So whatever changes one changes both, and whoever reads takes the first.
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
from whistle.store.models import ID, PLACES, TODAY, Heap, State, key, pending


@dataclass(frozen=True)
class Sealed:
    """An envelope as it arrives."""

    id: bytes
    heap: Heap
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Found:
    """An envelope as a lookup finds it; `body` is None where it was not asked for or is gone."""

    id: bytes
    heap: Heap
    state: State
    day: date
    state_day: date
    body: bytes | None = field(repr=False)


def _among() -> CompoundSelect[Any]:
    """The rows under `ids`, joined in one value of `end` bytes: a thousand parameters would cost far more."""
    at = select(literal(1, Integer).label("place")).cte("at", recursive=True)
    following = at.c.place + ID
    at = at.union_all(select(following).where(following < bindparam("end", type_=Integer)))
    id_ = func.substr(bindparam("ids", type_=LargeBinary), at.c.place, ID)
    return union_all(
        *(select(place.envelopes).join_from(at, place.envelopes, place.envelopes.c.id == id_) for place in PLACES)
    )


_AMONG = _among()
_BODIES = union_all(
    *(select(place.bodies).where(place.bodies.c.k.in_(bindparam("keys", expanding=True))) for place in PLACES)
)
_UNDER = union_all(
    *(
        select(place.envelopes).where(place.envelopes.c.id.between(bindparam("first"), bindparam("last")))
        for place in PLACES
    )
)


def commit(
    database: Database, place: Blocks, envelopes: Sequence[Sealed], blocks: Sequence[bytes], clock: Clock
) -> None:
    """Store envelopes and claim their blocks, in one transaction. Raises Taken or Missing; then nothing is stored."""
    with database.write() as connection:
        day = clock.take(connection).day
        fresh = _fresh(connection, envelopes)
        _claim(connection, place, blocks, day)
        _add(database, connection, fresh, day)


def _add(database: Database, connection: Connection, fresh: Sequence[Sealed], day: date) -> None:
    rows = [{"id": each.id, "heap": each.heap, "day": day, "state": State.WAITING, "state_day": day} for each in fresh]
    database.add(connection, TODAY.envelopes, rows)
    database.add(connection, TODAY.bodies, [{"k": key(each.id), "body": each.body} for each in fresh])


def _fresh(connection: Connection, envelopes: Sequence[Sealed]) -> list[Sealed]:
    """Those not stored yet. The same again is passed over; anything else under an id, or under its key, is Taken."""
    fresh: dict[int, Sealed] = {}
    taken = []
    for each in envelopes:
        held = _under(connection, each.id) or fresh.get(key(each.id))
        if held is None:
            fresh[key(each.id)] = each
        elif held != each:
            taken.append(each.id)
    if taken:
        raise Taken(taken)
    return list(fresh.values())


def _under(connection: Connection, id_: bytes) -> Sealed | None:
    """What lies under the id, or another that shares its key. A body that is gone equals nothing: its id is taken."""
    row = connection.execute(_UNDER, {"first": id_[:8] + bytes(8), "last": id_[:8] + b"\xff" * 8}).first()
    return Sealed(row.id, row.heap, bodies_of(connection, [row.id]).get(row.id, b"")) if row else None


def _claim(connection: Connection, place: Blocks, blocks: Sequence[bytes], day: date) -> None:
    """Make blocks ones that stay. They count for the day of the commit, since no day may grow once it is over."""
    listed: set[bytes] = set()
    for some in chunks(blocks):
        for where in PLACES:
            listed.update(connection.scalars(select(where.blocks.c.id).where(where.blocks.c.id.in_(some))))
    missing = sorted(set(blocks) - listed) or place.missing(blocks)
    if missing:
        raise Missing(missing)
    for some in chunks(blocks):
        waiting = select(pending.c.id).where(pending.c.id.in_(some))
        connection.execute(update(TODAY.blocks).where(TODAY.blocks.c.id.in_(waiting)).values(day=day))
        connection.execute(delete(pending).where(pending.c.id.in_(some)))


def has(connection: Connection, id_: bytes) -> bool:
    """Whether an envelope was ever stored under the id and its row is still kept."""
    return bool(_rows(connection, [id_]))


def look(connection: Connection, ids: Sequence[bytes], heaps: Iterable[Heap], bodies: Iterable[Heap]) -> list[Found]:
    """The envelopes under the ids in these heaps, in order of id; with bodies where their heap is in `bodies`."""
    heaps, with_body = set(heaps), set(bodies)
    rows = [row for row in _rows(connection, ids) if row.heap in heaps]
    kept = [row.id for row in rows if row.heap in with_body and row.state != State.REMOVED]
    found = bodies_of(connection, kept)
    return [Found(row.id, row.heap, row.state, row.day, row.state_day, found.get(row.id)) for row in rows]


def _rows(connection: Connection, ids: Sequence[bytes]) -> list[Row[Any]]:
    """The rows under the ids, in order of id; those of today's table before those of the main one."""
    rows: dict[bytes, Row[Any]] = {}
    for row in connection.execute(_AMONG, {"ids": b"".join(ids), "end": ID * len(ids)}):
        rows.setdefault(row.id, row)
    return [rows[id_] for id_ in sorted(rows)]


def bodies_of(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """The bodies that are there, by id; all in memory."""
    by_key = {key(id_): id_ for id_ in ids}
    found = {}
    for some in chunks(ids):
        for k, body in connection.execute(_BODIES, {"keys": [key(id_) for id_ in some]}):
            found[by_key[k]] = body
    return found


def collect(database: Database, ids: Sequence[bytes], clock: Clock) -> list[bytes]:
    """Mark waiting envelopes to reviewers as collected. Returns the ids whose bodies may now be sent, sorted."""
    with database.write() as connection:
        rows = [row for row in _rows(connection, ids) if row.heap == Heap.REVIEWERS and row.state != State.REMOVED]
        _change(
            connection,
            [row.id for row in rows if row.state == State.WAITING],
            State.COLLECTED,
            clock.take(connection).day,
        )
        return [row.id for row in rows]


def withdraw(database: Database, ids: Sequence[bytes], clock: Clock) -> str:
    """Remove a report, with its slip, while it waits. Says `withdrawn` (again, too), `collected` or `unknown`."""
    with database.write() as connection:
        rows = _rows(connection, ids)
        reports = [row for row in rows if row.heap == Heap.REVIEWERS]
        if not reports:
            return "unknown"
        if any(row.state == State.COLLECTED for row in reports):
            return "collected"
        remove(connection, [row.id for row in rows if row.state == State.WAITING], clock.take(connection).day)
        return "withdrawn"


def remove(connection: Connection, ids: Sequence[bytes], day: date) -> None:
    """Delete the bodies; who was not collected is removed from this day on."""
    drop_bodies(connection, ids)
    _change(connection, ids, State.REMOVED, day)


def drop_bodies(connection: Connection, ids: Sequence[bytes]) -> None:
    """Delete the bodies, in order of their keys. SQLite overwrites them."""
    for some in chunks(sorted(ids, key=key)):
        for place in PLACES:
            connection.execute(delete(place.bodies).where(place.bodies.c.k.in_([key(id_) for id_ in some])))


def _change(connection: Connection, ids: Sequence[bytes], state: State, day: date) -> None:
    for some in chunks(sorted(ids)):
        for place in PLACES:
            table = place.envelopes
            connection.execute(update(table).where(table.c.id.in_(some)).values(state=state, state_day=day))
