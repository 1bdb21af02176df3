"""The tables (SPEC 9.4): these columns and no more.

New rows go to the tables whose names begin with `today_`; the turn-over moves them to the main tables, which have the
same columns. Days are integers, days since 1970-01-01 (UTC), so that no database can store a time with them.
No table has row ids: on SQLite they would count arrivals. The key of `bodies` is cut from the id, which is random, so
that its pages are in order of ids and not of arrival.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Enum, Index, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

ID = 16  # bytes, of every id
BLOCK = 262_144  # bytes
EPOCH = date(1970, 1, 1)
REVISION = "r0003"  # the newest migration, which results in these tables


class Heap(StrEnum):
    """Who an envelope or block is for."""

    REVIEWERS = "reviewers"
    REPORTERS = "reporters"


class State(StrEnum):
    """The state of an envelope. `removed`: withdrawn, or expired before it was collected."""

    WAITING = "waiting"
    COLLECTED = "collected"
    REMOVED = "removed"


class Day(TypeDecorator[date]):
    """A UTC day, stored as the number of days since 1970-01-01."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH).days

    def process_result_value(self, value: int | None, dialect: Dialect) -> date | None:
        return None if value is None else EPOCH + timedelta(days=value)


def key(id: bytes) -> int:
    """The key of an envelope's body: the first 8 bytes of its id as a signed big-endian number."""
    return int.from_bytes(id[:8], "big", signed=True)


def _named(kind: type[StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, length=9, values_callable=lambda names: [name.value for name in names])


metadata = MetaData()


@dataclass(frozen=True)
class Tables:
    """Today's tables, or the main ones."""

    envelopes: Table
    bodies: Table
    blocks: Table


def _tables_named(prefix: str) -> Tables:
    return Tables(
        Table(
            f"{prefix}envelopes",
            metadata,
            Column("id", LargeBinary(ID), primary_key=True),
            Column("heap", _named(Heap), nullable=False),
            Column("day", Day, nullable=False),
            Column("state", _named(State), nullable=False),
            Column("state_day", Day, nullable=False),
            sqlite_with_rowid=False,
        ),
        Table(
            f"{prefix}bodies",
            metadata,
            Column("k", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
            Column("body", LargeBinary, nullable=False),
        ),
        Table(
            f"{prefix}blocks",
            metadata,
            Column("id", LargeBinary(ID), primary_key=True),
            Column("heap", _named(Heap), primary_key=True),
            Column("day", Day, nullable=False),
            sqlite_with_rowid=False,
        ),
    )


TODAY = _tables_named("today_")
MAIN = _tables_named("")
ALL_TABLES = (TODAY, MAIN)  # in the order of reading: rows move from the first to the second

# The keys end with the id: within a day, entries are in order of id, as in the tables.
Index("envelopes_day", MAIN.envelopes.c.heap, MAIN.envelopes.c.day, MAIN.envelopes.c.state, MAIN.envelopes.c.id)
Index("blocks_day", MAIN.blocks.c.heap, MAIN.blocks.c.day, MAIN.blocks.c.id)

# `upload` is random; it tells which blocks stall together, until the commit removes the row.
pending = Table(
    "pending",
    metadata,
    Column("id", LargeBinary(ID), primary_key=True),
    Column("day", Day, nullable=False),
    Column("upload", LargeBinary(ID)),
    sqlite_with_rowid=False,
)

# `day`: when the statement arrived. The day that it is about is the one with that hash.
imports = Table(
    "imports",
    metadata,
    Column("reviewer", String(32), primary_key=True),
    Column("day", Day, nullable=False),
    Column("hash", LargeBinary(32), primary_key=True),
    sqlite_with_rowid=False,
)

visits = Table(
    "visits",
    metadata,
    Column("courier", String(32), primary_key=True),
    Column("day", Day, primary_key=True),
    sqlite_with_rowid=False,
)

# The signed lists of who may read, all of which are public.
manifests = Table(
    "manifests",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# One row at most: the last day seen.
clock = Table("clock", metadata, Column("day", Day, primary_key=True, autoincrement=False), sqlite_with_rowid=False)
