"""The vault's rows as JSON, for a backup: all that has no file of its own there and is not derived (SPEC 1.7)."""

import base64
import datetime
from typing import Any

from sqlalchemy import Date, LargeBinary, insert, select
from sqlalchemy.sql.elements import KeyedColumnElement

from whistle.workstation.vault.models import (
    Base,
    Came,
    CaseRow,
    Draft,
    KeptFilter,
    OfficeRow,
    Outgoing,
    OutgoingBlock,
    OutgoingEnvelope,
    Part,
    Root,
    ServerDay,
    TemplateRow,
    TrayItem,
    Undone,
    WaitingMessage,
)
from whistle.workstation.vault.storage import Vault

# The columns that are not derived.
CASE = ("id", "hash", "digits", "opened", "recorded", "waits", "title", "labels", "muted_at")
MODELS: dict[type[Base], tuple[str, ...]] = {
    Root: (),
    CaseRow: CASE,
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


def dump(vault: Vault) -> dict[str, list[dict[str, Any]]]:
    """The rows of these tables, by the table's name."""
    tables = {model.__tablename__: _rows(vault, model) for model in MODELS}
    there = select(Outgoing.id).where(Outgoing.said.is_not(None), Outgoing.back.is_not(None))
    returned = set(vault.session.scalars(there))
    for envelope in tables[OutgoingEnvelope.__tablename__]:
        if envelope["outgoing_id"] in returned:
            envelope["body"] = None  # safe at the server, and readable in the message
    return tables


def load(vault: Vault, tables: dict[str, Any]) -> None:
    """Insert rows that `dump` gave, within a transaction.  Raises KeyError, TypeError or ValueError for other data."""
    for model in MODELS:
        columns = _columns(model)
        rows = [{each.name: _value(each, row[each.name]) for each in columns} for row in tables[model.__tablename__]]
        if rows:
            vault.session.execute(insert(model), rows)


def _rows(vault: Vault, model: type[Base]) -> list[dict[str, Any]]:
    columns = _columns(model)
    found = vault.session.execute(select(*columns).order_by(*model.__table__.primary_key))
    return [{each.name: _plain(value) for each, value in zip(columns, row, strict=True)} for row in found]


def _columns(model: type[Base]) -> list[KeyedColumnElement[Any]]:
    return [each for each in model.__table__.columns if each.name in (MODELS[model] or model.__table__.columns)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime.date) else value


def _value(column: KeyedColumnElement[Any], plain: Any) -> Any:
    if plain is None:
        return None
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(plain, validate=True)
    return datetime.date.fromisoformat(plain) if isinstance(column.type, Date) else plain
