"""A backup's rows: a line of JSON each, a table's name and the values of its columns. They are in order of their keys,
so nothing follows the order of arrival.
"""

import json
from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from sqlalchemy import Connection, Enum, LargeBinary, Table, select

from whistle.store.errors import BackupError
from whistle.store.models import ALL_TABLES, MAIN, Day, Heap, State, clock, imports, pending, visits

TABLES = {table.name: table for table in (MAIN.envelopes, MAIN.blocks, imports, visits, clock)}
Row = tuple[str, dict[str, Any]]  # the table's name in `TABLES`, and the values by column


def read_envelopes(connection: Connection) -> Iterator[dict[str, Any]]:
    """The rows of envelopes; what an interrupted turn-over left in both tables comes once."""
    seen: set[bytes] = set()
    for tables in ALL_TABLES:
        for row in connection.execute(select(tables.envelopes).order_by(tables.envelopes.c.id)).mappings():
            if row["id"] not in seen:
                seen.add(row["id"])
                yield dict(row)


def read_blocks(connection: Connection) -> Iterator[dict[str, Any]]:
    """The rows of blocks that a commit has named, each once."""
    seen: set[tuple[bytes, str]] = set()
    for tables in ALL_TABLES:
        table = tables.blocks
        claimed = select(table).where(table.c.id.not_in(select(pending.c.id))).order_by(table.c.id, table.c.heap)
        for row in connection.execute(claimed).mappings():
            if (row["id"], row["heap"]) not in seen:
                seen.add((row["id"], row["heap"]))
                yield dict(row)


def encode_all(connection: Connection, envelopes: Collection[bytes], blocks: Collection[bytes]) -> Iterator[bytes]:
    """The lines of all rows; of envelopes and blocks, those with these ids."""
    for row in read_envelopes(connection):
        if row["id"] in envelopes:
            yield _encode(MAIN.envelopes, row)
    for row in read_blocks(connection):
        if row["id"] in blocks:
            yield _encode(MAIN.blocks, row)
    for table in (imports, visits, clock):
        for values in connection.execute(select(table).order_by(*table.primary_key)).mappings():
            yield _encode(table, dict(values))


def _encode(table: Table, row: dict[str, Any]) -> bytes:
    values = [_to_json(row[column.name]) for column in table.columns]
    return json.dumps([table.name, *values], separators=(",", ":")).encode() + b"\n"


def _to_json(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else str(value)


def decode(line: bytes) -> Row:
    """The row of a line. Raises BackupError for anything that no table holds."""
    try:
        name, *values = json.loads(line)
        columns = TABLES[name].columns
        return name, {column.name: _value(column.type, value) for column, value in zip(columns, values, strict=True)}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BackupError("a row of the backup is damaged", "restore another copy of the backup") from None


def _value(type_: Any, value: Any) -> bytes | date | str:
    if not isinstance(value, str):
        raise ValueError("a value is no text")
    if isinstance(type_, LargeBinary):
        data = bytes.fromhex(value)
        if len(data) != type_.length:
            raise ValueError("a value has another length")
        return data
    if isinstance(type_, Day):
        return date.fromisoformat(value)
    if isinstance(type_, Enum):
        return (State if type_.enum_class is State else Heap)(value)
    return value
