"""Connections, transactions, and what differs between SQLite and PostgreSQL.

On SQLite, today's tables are in a file of their own, `<name>-today<suffix>` beside the main one: pages of the main file
are then never allocated in order of arrival, and the small file can be rewritten each night. A transaction that writes
to both files is atomic for other processes but not in a power cut; the code never relies on it there.
Writes are serialized on both databases, so no writer has to expect rows of another to appear meanwhile.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, TimeoutError

from whistle.store.errors import Full, StoreError
from whistle.store.locks import lock_file, locked

BACKENDS = ("sqlite", "postgresql")
CHUNK = 600  # ids in one statement
PATIENCE = 30  # seconds that a writer waits for the lock
# LIFO: the connection used last has the warmest cache
POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 52, "pool_use_lifo": True, "hide_parameters": True}
CACHE = 16_384  # KiB of the main database cached by each connection: a lookup reads rows from all over it
SCHEMA = "schema"  # the lock held while the database is created or its tables change
WRITERS = 0x77686973746C65  # PostgreSQL's advisory lock that serializes writes
NO_ROOM = frozenset({"53100"})  # PostgreSQL: disk_full
# SQLite reports a full disk also as a failed write (quota) or as no room for its shared memory
SQLITE_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})


def sqlite_files(url: str) -> tuple[Path, ...]:
    """The main and today's database file; empty for PostgreSQL. A backup needs both."""
    try:
        name, backend = make_url(url).database, make_url(url).get_backend_name()
    except ArgumentError as exc:
        raise StoreError("the database URL must have the form sqlite:///… or postgresql+psycopg://…") from exc
    if backend not in BACKENDS:
        raise StoreError(f"unknown database {backend}; supported are {', '.join(BACKENDS)}")
    if backend != "sqlite":
        return ()
    if not name or name == ":memory:":
        raise StoreError("a database in memory would lose everything; name a file")
    main = Path(name)
    return main, main.with_name(f"{main.stem}-today{main.suffix}")


class Database:
    """Connections to one database. Threads may share it; after a fork each process needs its own."""

    def __init__(self, url: str) -> None:
        self.files = sqlite_files(url)
        self.is_sqlite = bool(self.files)
        self._inserts: dict[Table, Any] = {}  # statements are built once, since each caches its compiled form
        self._write_lock: AbstractContextManager[Any] = contextlib.nullcontext()
        if self.is_sqlite:
            self._write_lock = threading.Lock()  # fairer than waiting for SQLite's own lock
        with translate_errors():
            self.engine = self._sqlite(url) if self.is_sqlite else _postgresql(url)

    def _sqlite(self, url: str) -> Engine:
        try:
            with locked(lock_file(self.files[0], SCHEMA), wait=True):
                for file in self.files:
                    _create(file)
        except OSError as exc:
            raise StoreError(f"the database file cannot be created: {exc.strerror}") from exc
        engine = create_engine(url, connect_args={"timeout": PATIENCE}, **POOL)
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _prepare(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # `_begin` starts transactions
        connection.execute("ATTACH DATABASE ? AS today", [str(self.files[1])])
        for schema in ("main", "today"):
            connection.execute(f"PRAGMA {schema}.synchronous=FULL")
            connection.execute(f"PRAGMA {schema}.secure_delete=ON")
        connection.execute(f"PRAGMA main.cache_size=-{CACHE}")
        connection.execute("PRAGMA temp_store=MEMORY")

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one snapshot of all tables."""
        with translate_errors(), self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(isolation_level="REPEATABLE READ")

    @contextlib.contextmanager
    def write(self, lasting: bool = True) -> Iterator[Connection]:
        """A write transaction. Durable when it ends or, if not `lasting`, when the next lasting one ends."""
        with translate_errors(), self._write_lock, self.engine.connect() as connection:
            connection = connection.execution_options(whistle_writes=True, whistle_lasting=lasting)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": WRITERS})
                    if not lasting:
                        connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield connection

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An insert statement that supports ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def add(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows in the order given; existing rows with the same key are left unchanged."""
        if rows:
            if table not in self._inserts:
                self._inserts[table] = self.insert(table).on_conflict_do_nothing()
            connection.execute(self._inserts[table], rows)

    @contextlib.contextmanager
    def bare(self) -> Iterator[Any]:
        """A cursor in autocommit mode, for statements that cannot run in a transaction."""
        with translate_errors():
            connection = self.engine.raw_connection()
            try:
                if not self.is_sqlite:
                    connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
                yield connection.cursor()
            except (sqlite3.Error, self.engine.dialect.loaded_dbapi.Error) as exc:
                raise _translate(exc) from None
            finally:
                connection.invalidate()

    def empty_log(self, tries: int, pause: int) -> bool:
        """Checkpoint and truncate SQLite's write-ahead logs; False while others read them.

        Until then, deleted content is still in the files. Each try waits up to `pause` ms.
        """
        if not self.is_sqlite:
            return True
        with self.bare() as cursor:
            cursor.execute(f"PRAGMA busy_timeout={pause}")
            for _ in range(tries):
                emptied = [
                    cursor.execute(f"PRAGMA {schema}.wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
                    for schema in ("today", "main")
                ]
                if all(emptied):
                    return True
        return False

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _postgresql(url: str) -> Engine:
    try:
        return create_engine(url, **POOL)
    except (ModuleNotFoundError, NoSuchModuleError) as exc:
        raise StoreError("the driver of this database is not installed: pip install 'whistle[postgresql]'") from exc


def _create(file: Path) -> None:
    """Create a SQLite file in WAL mode; changing the mode ignores the busy timeout, so it needs a lock."""
    file.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    with contextlib.closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _begin(connection: Connection) -> None:
    options, bare = connection.get_execution_options(), connection.connection.driver_connection
    assert isinstance(bare, sqlite3.Connection)
    if options.get("whistle_writes"):
        level = "FULL" if options["whistle_lasting"] else "NORMAL"
        bare.execute(f"PRAGMA today.synchronous={level}")
        bare.execute("BEGIN IMMEDIATE")
    else:
        bare.execute("BEGIN")


def chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The ids in chunks that fit into one statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise StoreError instead of a driver's error, and not from it: its text may contain ids and bodies."""
    try:
        yield
    except DBAPIError as exc:
        raise _translate(exc.orig) from None
    except (sqlite3.Error, TimeoutError) as exc:  # while connecting; while waiting for a connection
        raise _translate(exc) from None


def _translate(exc: BaseException | None) -> StoreError:
    """The StoreError for a driver's error."""
    code = getattr(exc, "sqlite_errorcode", None)
    state = getattr(exc, "sqlstate", None)
    if code in SQLITE_NO_ROOM or state in NO_ROOM:
        return Full("the database is full")
    return StoreError(f"the database failed: {getattr(exc, 'sqlite_errorname', None) or state or type(exc).__name__}")
