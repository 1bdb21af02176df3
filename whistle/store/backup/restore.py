"""Restore a backup into an empty store: contents first, rows last, in one transaction. Until then the store counts as
empty, so a restore that was interrupted is simply run again.

Everything goes to today's tables, and the turn-over settles what is over, by the same steps as each night.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, delete

from whistle.store.backup.folder import SavedBackup
from whistle.store.clock import is_empty
from whistle.store.errors import BackupError
from whistle.store.job_lock import job_lock
from whistle.store.models import ALL_TABLES, MAIN, TODAY, State, clock, imports, key, pending, visits

if TYPE_CHECKING:
    from whistle.store.store import Store

HOUSEKEEPING, CLEANING = "housekeeping", "cleaning"  # the locks that a running server holds, and that a turn-over takes
PIECE = 64  # envelopes, blocks or rows that are in memory at once
NOT_EMPTY = "this server is not empty", "restore into a new folder, made by whistle server init, before its server runs"
TO_TODAY = {MAIN.envelopes.name: TODAY.envelopes, MAIN.blocks.name: TODAY.blocks}
OTHERS = {table.name: table for table in (imports, visits, clock)}


def check_can_restore(store: "Store", backup: SavedBackup) -> None:
    """Raise BackupError if the store is not empty, or its envelopes have another size than the backup's."""
    if store.envelope_size != backup.envelope_size:
        raise BackupError(
            "this backup is of a server with another number of slots",
            "mend `slots` in whistle.toml, then restore again",
        )
    with store.database.read() as connection:
        if not is_empty(connection):
            raise BackupError(*NOT_EMPTY)


def restore(store: "Store", backup: SavedBackup) -> tuple[int, int]:
    """Fill an empty store that no server uses; returns the numbers of envelopes and blocks. Raises BackupError."""
    check_can_restore(store, backup)
    with job_lock(store.database, HOUSEKEEPING) as acquired:
        if not acquired:
            raise BackupError("a server is running here", "stop it first")
        counts = _fill(store, backup)
        with store.job_lock(CLEANING, wait=True) as lock:
            store.turn_over(lock)
    return counts


def _fill(store: "Store", backup: SavedBackup) -> tuple[int, int]:
    ids: dict[str, set[bytes]] = {name: set() for name in TO_TODAY}
    for name, row in backup.rows():
        if name in TO_TODAY and row.get("state") != State.REMOVED:
            ids[name].add(row["id"])
    _clear(store)
    for blocks in batched(each for each in backup.blocks() if each[0] in ids[MAIN.blocks.name]):
        for id, body in blocks:
            store.block_store.put(id, body)
        store.block_store.keep([id for id, _ in blocks])
    for batch in batched(each for each in backup.bodies() if each[0] in ids[MAIN.envelopes.name]):
        with store.database.write(lasting=False) as connection:  # the rows' transaction makes this durable too
            store.database.add(connection, TODAY.bodies, [{"k": key(id), "body": body} for id, body in batch])
    return _add_rows(store, backup)


def _clear(store: "Store") -> None:
    """Remove what an interrupted restore left: bodies without rows, and other rows."""
    with store.database.write() as connection:
        _check_empty(connection)
        for table in (*(tables.bodies for tables in ALL_TABLES), *OTHERS.values(), pending):
            connection.execute(delete(table))


def _add_rows(store: "Store", backup: SavedBackup) -> tuple[int, int]:
    """Add the rows, those of envelopes and blocks last: on SQLite they are in one file, so even a power cut leaves all
    of them or none.
    """
    with store.database.write() as connection:
        for name, row in backup.rows():
            if name in OTHERS:
                store.database.add(connection, OTHERS[name], [row])
    with store.database.write() as connection:
        _check_empty(connection)
        counts = [_add_table(store, connection, backup, name, table) for name, table in TO_TODAY.items()]
    return counts[0], counts[1]


def _add_table(store: "Store", connection: Connection, backup: SavedBackup, name: str, table: Table) -> int:
    count = 0
    for batch in batched(row for of, row in backup.rows() if of == name):
        store.database.add(connection, table, batch)
        count += len(batch)
    return count


def _check_empty(connection: Connection) -> None:
    if not is_empty(connection):
        raise BackupError(*NOT_EMPTY)


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in lists of `PIECE`."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, PIECE)):
        yield batch
