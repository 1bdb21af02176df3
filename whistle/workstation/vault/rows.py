"""The rows of cases and messages: statements that are compiled once, since an import runs each thousands of times.

No objects of these rows are held, so that nothing has to be kept in step with them.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, Select, Table, bindparam, insert, select, update

from whistle.workstation.vault.models import CaseRow, MessageRow

CHUNK = 400  # rows named by one statement
CASES, MESSAGES = cast(Table, CaseRow.__table__), cast(Table, MessageRow.__table__)

_NAMED = CASES.c.hash == bindparam("case")
_AMONG = CASES.c.hash.in_(bindparam("names", expanding=True))
_COLUMNS = "id", "opened", "recorded", "waits", "title", "labels", "muted_at", "pressing", "stale"
_CASES = select(CASES.c.hash, *(CASES.c[name] for name in _COLUMNS)).where(_AMONG)
_NEW_CASE = insert(CASES)
_THESE = select(CASES.c.hash, CASES.c.id, CASES.c.stale).where(_AMONG)
_STALE = update(CASES).where(CASES.c.id == bindparam("case")).values(stale=True)
_FILES = update(CASES).where(_NAMED).values(files=True)
_KNOWN = select(MESSAGES.c.hash).where(MESSAGES.c.hash.in_(bindparam("names", expanding=True)))
_NEW_MESSAGE = insert(MESSAGES)
_KEPT = "hash", "via", "arrived", "server", "stored", "grantor", "line", "signature"
_READ = select(*(MESSAGES.c[name] for name in _KEPT))
_ONE = _READ.where(MESSAGES.c.hash == bindparam("message"))
_SOME = _READ.where(MESSAGES.c.hash.in_(bindparam("names", expanding=True)))
_HASHES = select(MESSAGES.c.hash).join(CASES).where(_NAMED).order_by(MESSAGES.c.id)
_ALL_HASHES = (
    select(CASES.c.hash, MESSAGES.c.hash).join_from(MESSAGES, CASES).where(_AMONG).order_by(CASES.c.id, MESSAGES.c.id)
)
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
    pressing: bool | None
    stale: bool


def cases(connection: Connection, hashes: Sequence[str]) -> dict[str, Case]:
    """The rows of these cases by their hashes; none for a case without messages."""
    return {row[0]: Case(*row[1:]) for row in _named(connection, _CASES, hashes)}


def touch(connection: Connection, digits: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """Have the list's columns of these cases computed anew, and add those that are new, with the digits of their names.

    Returns the ids of all by their hashes, and the hashes of those that were added.
    """
    found = list(_named(connection, _THESE, [*digits]))
    if fresh := [{"case": row.id} for row in found if not row.stale]:
        connection.execute(_STALE, fresh)
    ids = {row.hash: row.id for row in found}
    if new := [hash for hash in digits if hash not in ids]:
        connection.execute(_NEW_CASE, [{"hash": hash, "digits": digits[hash]} for hash in new])
        ids |= {row.hash: row.id for row in _named(connection, _THESE, new)}
    return ids, new


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


def known(connection: Connection, messages: Sequence[str]) -> set[str]:
    """Those of these messages that are stored."""
    return {row.hash for row in _named(connection, _KNOWN, messages)}


def insert_messages(connection: Connection, values: Sequence[dict[str, Any]]) -> None:
    """Add messages."""
    connection.execute(_NEW_MESSAGE, values)


def change_message(connection: Connection, message: str, **values: Any) -> None:
    """Set columns of a message."""
    connection.execute(update(MESSAGES).where(MESSAGES.c.hash == message).values(**values))


def messages(connection: Connection, hashes: Sequence[str]) -> Iterable[Row[Any]]:
    """The rows of messages, in no order."""
    if len(hashes) == 1:
        yield from connection.execute(_ONE, {"message": hashes[0]})
        return
    yield from _named(connection, _SOME, hashes)


def hashes(connection: Connection, case: str, rules: bool = False) -> list[str]:
    """The hashes of a case's messages in order of arrival; only of those that say who may read and write in it."""
    return list(connection.execute(_RULES if rules else _HASHES, {"case": case}).scalars())


def hashes_by_case(connection: Connection, cases: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each of these cases that has messages, with their hashes in order of arrival."""
    for case, rows in itertools.groupby(_named(connection, _ALL_HASHES, cases), key=itemgetter(0)):
        yield case, [row[1] for row in rows]


def note_indexed(connection: Connection, states: Sequence[dict[str, Any]]) -> None:
    """Note the `state` and the `text` of messages that the index was told, each with its `message`, the row's id."""
    connection.execute(_INDEXED, states)


def _named(
    connection: Connection, statement: Select[*tuple[Any, ...]], names: Sequence[str]
) -> Iterator[Row[*tuple[Any, ...]]]:
    for start in range(0, len(names), CHUNK):
        yield from connection.execute(statement, {"names": names[start : start + CHUNK]})
