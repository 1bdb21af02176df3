"""The vault's rows as lines of JSON, for a backup: all that is not derived (SPEC 1.7).

SQLite itself writes the lines, so that tens of thousands of them take a fraction of a second.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, Date, LargeBinary, Row, case, exists, func, insert, select
from sqlalchemy.sql.elements import KeyedColumnElement

from whistle.workstation.vault.models import (
    Base,
    Came,
    CaseRow,
    Draft,
    KeptFilter,
    MessageRow,
    OfficeRow,
    Outgoing,
    OutgoingBlock,
    OutgoingEnvelope,
    Part,
    ServerDay,
    TemplateRow,
    TrayItem,
    Undone,
    WaitingMessage,
)
from whistle.workstation.vault.storage import Vault

# The columns that are not derived, nor in a file of their own.
CASE = ("id", "hash", "digits", "opened", "recorded", "waits", "title", "labels", "muted_at")
MESSAGE = ("id", "hash", "via", "arrived", "server", "stored", "grantor")
MODELS: dict[type[Base], tuple[str, ...]] = {
    CaseRow: CASE,
    MessageRow: MESSAGE,
    WaitingMessage: (),
    Outgoing: (),
    OutgoingEnvelope: (),
    OutgoingBlock: (),
    ServerDay: (),
    Came: (),
    Part: (),
    Undone: (),
    TrayItem: (),
    Draft: (),
    KeptFilter: (),
    OfficeRow: (),
    TemplateRow: (),
}  # in an order in which they can be inserted; with the columns, all of them if none is named
BATCH = 1000  # rows read at a time
_RETURNED = exists().where(
    Outgoing.id == OutgoingEnvelope.outgoing_id, Outgoing.said.is_not(None), Outgoing.back.is_not(None)
)
HAS_BODY = OutgoingEnvelope.body.is_not(None) & ~_RETURNED  # else safe at the server, and readable in the message

Rows = list[dict[str, Any]]


def lines(vault: Vault, model: type[Base], *more: Any) -> Iterator[Row[Any]]:
    """A table's rows in order of its key, each as JSON, with further columns behind it."""
    fields = [part for column in _columns(model) for part in (column.name, _as_json(column))]
    rows = select(func.json_object(*fields), *more).order_by(*model.__table__.primary_key)
    return iter(vault.connection.execute(rows, execution_options={"yield_per": BATCH}))


def load(vault: Vault, tables: Mapping[str, Rows], bodies: Mapping[str, bytes]) -> int:
    """Insert the rows of all tables but that of messages, within a transaction; how many lacked something.

    `bodies`: what envelopes hold, by SHA-256.  What belongs to a row that is missing is left out.  Raises KeyError,
    TypeError or ValueError for other data.
    """
    left_out, keys = 0, dict[str, set[Any]]()
    for model in [each for each in MODELS if each is not MessageRow]:
        name, columns = model.__tablename__, _columns(model)
        rows = [{each.name: _value(each, row[each.name]) for each in columns} for row in tables[name]]
        if model is Outgoing:
            lacking = {
                row["outgoing_id"] for row in tables["outgoing_envelopes"] if row["body"] and row["body"] not in bodies
            }
            whole = [row for row in rows if row["id"] not in lacking]  # half of its envelopes would count as all
        else:
            whole = [row for row in rows if _has_parents(columns, row, keys)]
        if model is OutgoingEnvelope:
            whole = [{**row, "body": bodies[row["body"].hex()] if row["body"] else None} for row in whole]
        left_out += len(rows) - len(whole)
        first = next(iter(model.__table__.primary_key)).name
        keys[f"{name}.{first}"] = {row[first] for row in whole}
        if whole:
            vault.session.execute(insert(model), whole)
    return left_out


def _has_parents(columns: Sequence[KeyedColumnElement[Any]], row: Mapping[str, Any], keys: dict[str, set[Any]]) -> bool:
    return all(row[each.name] in keys[str(link.target_fullname)] for each in columns for link in each.foreign_keys)


def _columns(model: type[Base]) -> list[KeyedColumnElement[Any]]:
    return [each for each in model.__table__.columns if each.name in (MODELS[model] or model.__table__.columns)]


def _as_json(column: KeyedColumnElement[Any]) -> ColumnElement[Any]:
    if column is OutgoingEnvelope.__table__.c.body:  # a file of its own
        return case((HAS_BODY, func.lower(func.hex(OutgoingEnvelope.sha256))), else_=None)
    if isinstance(column.type, LargeBinary):
        return case((column.is_(None), None), else_=func.lower(func.hex(column)))
    if isinstance(column.type, JSON):
        return func.json(column)
    return func.json(case((column, "true"), else_="false")) if isinstance(column.type, Boolean) else column


def _value(column: KeyedColumnElement[Any], plain: Any) -> Any:
    if plain is None:
        return None
    if isinstance(column.type, LargeBinary):
        return bytes.fromhex(plain)
    return datetime.date.fromisoformat(plain) if isinstance(column.type, Date) else plain
