"""The rows of cases and messages: statements that are compiled once, since an import runs each thousands of times.

No objects of these rows are held, so that nothing has to be kept in step with them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, Table, bindparam, insert, select, update

from whistle.workstation.vault.models import CaseRow, MessageRow

CHUNK = 400  # messages read by one statement
CASES, MESSAGES = cast(Table, CaseRow.__table__), cast(Table, MessageRow.__table__)

_NAMED = CASES.c.hash == bindparam("case")
_COLUMNS = "id", "opened", "recorded", "waits", "title", "labels", "muted_at", "stale"
_CASE = select(*(CASES.c[name] for name in _COLUMNS)).where(_NAMED)
_NEW_CASE = insert(CASES)
_STALE = update(CASES).where(CASES.c.id == bindparam("case")).values(stale=True)
_FILES = update(CASES).where(_NAMED).values(files=True)
_HAS = select(MESSAGES.c.id).where(MESSAGES.c.hash == bindparam("message"))
_NEW_MESSAGE = insert(MESSAGES)
_KEPT = "hash", "via", "arrived", "server", "stored", "grantor", "line", "signature"
_READ = select(*(MESSAGES.c[name] for name in _KEPT))
_ONE = _READ.where(MESSAGES.c.hash == bindparam("message"))
_SOME = _READ.where(MESSAGES.c.hash.in_(bindparam("messages", expanding=True)))
_HASHES = select(MESSAGES.c.hash).join(CASES).where(_NAMED).order_by(MESSAGES.c.id)
_RULES = select(MESSAGES.c.hash).join(CASES).where(_NAMED, MESSAGES.c.rules).order_by(MESSAGES.c.id)
_INDEXED = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"))
    .values(indexed=bindparam("state"), kept_text=bindparam("text"))
)


class Case(NamedTuple):
    """What is stored of a case beside its messages, and is not derived."""

    id: int
    opened: int
    recorded: list[Any]
    waits: dict[str, int]
    title: str
    labels: list[str]
    muted_at: int | None
    stale: bool


def case(connection: Connection, hash: str) -> Case | None:
    """A case's row; None for a case without messages."""
    row = connection.execute(_CASE, {"case": hash}).first()
    return Case(*row) if row else None


def touch(connection: Connection, hash: str, digits: str) -> tuple[int, bool]:
    """Have the list's columns of a case computed anew, and add it if it is new; its id, and whether it was added."""
    row = case(connection, hash)
    if row is None:
        [id] = connection.execute(_NEW_CASE, {"hash": hash, "digits": digits}).inserted_primary_key or (0,)
        return int(id), True
    if not row.stale:
        connection.execute(_STALE, {"case": row.id})
    return row.id, False


def change_case(connection: Connection, hash: str, **values: Any) -> None:
    """Set columns of a case, and have those of the list computed anew."""
    connection.execute(update(CASES).where(CASES.c.hash == hash).values(**values, stale=True))


def note_files(connection: Connection, case: str) -> None:
    """Note that a message of a case has files; use within a change."""
    connection.execute(_FILES, {"case": case})


def settle(connection: Connection, derived: Sequence[dict[str, Any]]) -> None:
    """Set the derived columns of cases, each with its `case`, the row's id."""
    names = [name for name in derived[0] if name != "case"]
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    connection.execute(update(CASES).where(CASES.c.id == bindparam("case")).values(**values, stale=False), derived)


def has(connection: Connection, message: str) -> bool:
    """Whether a message is stored."""
    return connection.execute(_HAS, {"message": message}).first() is not None


def insert_message(connection: Connection, values: dict[str, Any]) -> None:
    """Add a message."""
    connection.execute(_NEW_MESSAGE, values)


def change_message(connection: Connection, message: str, **values: Any) -> None:
    """Set columns of a message."""
    connection.execute(update(MESSAGES).where(MESSAGES.c.hash == message).values(**values))


def messages(connection: Connection, hashes: Sequence[str]) -> Iterable[Row[Any]]:
    """The rows of messages, in no order."""
    if len(hashes) == 1:
        yield from connection.execute(_ONE, {"message": hashes[0]})
        return
    for start in range(0, len(hashes), CHUNK):
        yield from connection.execute(_SOME, {"messages": hashes[start : start + CHUNK]})


def hashes(connection: Connection, case: str, rules: bool = False) -> list[str]:
    """The hashes of a case's messages in order of arrival; only of those that say who may read and write in it."""
    return list(connection.execute(_RULES if rules else _HASHES, {"case": case}).scalars())


def note_indexed(connection: Connection, states: Sequence[dict[str, Any]]) -> None:
    """Note the `state` and the `text` of messages that the index was told, each with its `message`, the row's id."""
    connection.execute(_INDEXED, states)
