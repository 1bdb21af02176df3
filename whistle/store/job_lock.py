"""Named locks for jobs that must not run twice at once, in this process or another."""

import contextlib
import hashlib
from collections.abc import Iterator

from sqlalchemy import text

from whistle.store.database import Database
from whistle.store.locks import lock_file, locked


@contextlib.contextmanager
def job_lock(database: Database, name: str, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of that name. Yields whether it was acquired; with `wait`, blocks until it is.

    The lock of a process that dies is released.
    """
    if database.is_sqlite:
        with locked(lock_file(database.files[0], name), wait) as acquired:
            yield acquired
    else:
        with _advisory(database, name, wait) as acquired:
            yield acquired


@contextlib.contextmanager
def _advisory(database: Database, name: str, wait: bool) -> Iterator[bool]:
    number = int.from_bytes(hashlib.blake2b(b"whistle " + name.encode(), digest_size=8).digest(), "big", signed=True)
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        lock = "pg_advisory_lock(:k) IS NOT NULL" if wait else "pg_try_advisory_lock(:k)"
        acquired = bool(connection.scalar(text(f"SELECT {lock}"), {"k": number}))
        try:
            yield acquired
        finally:
            if acquired:
                connection.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": number})
