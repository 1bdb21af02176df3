"""One at a time: housekeeping that must not run twice at once, in this process or another."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from whistle.store.database import Database


@contextlib.contextmanager
def alone(database: Database, name: str, wait: bool = False) -> Iterator[bool]:
    """True for the one who has the name now, False for anyone else, at once or never. A dead process holds nothing."""
    if database.is_sqlite:
        with _file(database.files[0].with_suffix(f".{name}.lock"), wait) as got:
            yield got
    else:
        with _advisory(database, name, wait) as got:
            yield got


@contextlib.contextmanager
def _file(path: Path, wait: bool) -> Iterator[bool]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        got = True
    except BlockingIOError:
        got = False
    try:
        yield got
    finally:
        os.close(file)


@contextlib.contextmanager
def _advisory(database: Database, name: str, wait: bool) -> Iterator[bool]:
    number = int.from_bytes(hashlib.blake2b(b"whistle " + name.encode(), digest_size=8).digest(), "big", signed=True)
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        lock = "pg_advisory_lock(:k) IS NOT NULL" if wait else "pg_try_advisory_lock(:k)"
        got = bool(connection.scalar(text(f"SELECT {lock}"), {"k": number}))
        try:
            yield got
        finally:
            if got:
                connection.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": number})
