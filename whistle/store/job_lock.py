"""Named locks for jobs that must not run twice at once, in this process or another."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from whistle.store.database import OF_SCHEMA, Database, translate_errors
from whistle.store.errors import StoreError
from whistle.store.locks import lock_file, locked


@dataclass(frozen=True)
class JobLock:
    """Whether the lock was acquired (also its truth value). Call `check` before each step: it may have been lost."""

    acquired: bool
    ask: Callable[[], object] = lambda: None

    def __bool__(self) -> bool:
        return self.acquired

    def check(self) -> None:
        """Raise StoreError if the lock has been lost: PostgreSQL's goes with its connection, and another may have it.

        A file's lock is lost only when its process ends.
        """
        self.ask()


@contextlib.contextmanager
def job_lock(database: Database, name: str, wait: bool = False) -> Iterator[JobLock]:
    """Hold the lock of that name, if it is acquired; with `wait`, blocks until it is.

    The lock of a process that dies is released.
    """
    if database.is_sqlite:
        with locked(lock_file(database.files[0], name), wait) as acquired:
            yield JobLock(acquired)
    else:
        with _advisory(database, name, wait) as lock:
            yield lock


@contextlib.contextmanager
def _advisory(database: Database, name: str, wait: bool) -> Iterator[JobLock]:
    number = int.from_bytes(hashlib.blake2b(b"whistle " + name.encode(), digest_size=8).digest(), "big", signed=True)
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with translate_errors(), engine.connect() as connection:
        for limit in ("lock_timeout", "statement_timeout") if wait else ():
            connection.execute(text(f"SET {limit} TO 0"))
        lock = f"pg_advisory_lock({OF_SCHEMA}) IS NOT NULL" if wait else f"pg_try_advisory_lock({OF_SCHEMA})"
        acquired = bool(connection.scalar(text(f"SELECT {lock}"), {"k": number}))
        try:
            yield JobLock(acquired, lambda: _ask(connection))
        finally:
            connection.invalidate()  # which releases it, whatever state the connection is in


def _ask(connection: Connection) -> None:
    with translate_errors():
        if connection.invalidated:  # SQLAlchemy would make a new one, which holds nothing
            raise StoreError("the lock was lost with its connection")
        connection.execute(text("SELECT 1"))
