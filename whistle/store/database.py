"""The database: connections, transactions and what differs between SQLite and PostgreSQL.

On SQLite today's tables lie in a file of their own, `<name>-today<suffix>` beside the main one: main pages are then
never allocated in order of arrival, and a small file can be made anew each night. A transaction that writes to both
files is one transaction for other processes, not for a power cut; the code never relies on that.
Writers take turns, on both databases, so no writer has to expect another's rows to appear meanwhile.
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
PATIENCE = 30  # seconds that a writer waits for its turn
# the connection that was used last is used next: what it has read of the database is still in its memory
POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 52, "pool_use_lifo": True, "hide_parameters": True}
CACHE = 16_384  # KiB of the main database that one connection may keep in memory: a lookup reads in all of its rows
SCHEMA = "schema"  # the lock of whoever makes the database, or changes its tables
WRITERS = 0x77686973746C65  # the advisory lock of PostgreSQL by which writers take turns
NO_ROOM = frozenset({"53100"})  # PostgreSQL: disk_full
# SQLite: no room; no room for what lies beside the file, or over a quota, which SQLite calls a failed write
SQLITE_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})


def sqlite_files(url: str) -> tuple[Path, ...]:
    """The main and today's database file; nothing for another database. Both belong in a backup."""
    try:
        name, backend = make_url(url).database, make_url(url).get_backend_name()
    except ArgumentError as exc:
        raise StoreError("the database's address is not of the form sqlite:///… or postgresql+psycopg://…") from exc
    if backend not in BACKENDS:
        raise StoreError(f"no database of the kind {backend}; known are {', '.join(BACKENDS)}")
    if backend != "sqlite":
        return ()
    if not name or name == ":memory:":
        raise StoreError("a database in memory keeps nothing; name a file")
    main = Path(name)
    return main, main.with_name(f"{main.stem}-today{main.suffix}")


class Database:
    """Connections to one database. Threads may share it; after a fork each process needs its own."""

    def __init__(self, url: str) -> None:
        self.files = sqlite_files(url)
        self.is_sqlite = bool(self.files)
        self._adding: dict[Table, Any] = {}  # made once: a statement remembers what it takes to compile it
        self._turn: AbstractContextManager[Any] = contextlib.nullcontext()
        if self.is_sqlite:
            self._turn = threading.Lock()  # fairer than waiting for SQLite's own lock
        with plainly():
            self.engine = self._sqlite(url) if self.is_sqlite else _postgresql(url)

    def _sqlite(self, url: str) -> Engine:
        try:
            with locked(lock_file(self.files[0], SCHEMA), wait=True):
                for file in self.files:
                    _make(file)
        except OSError as exc:
            raise StoreError(f"the database file cannot be made: {exc.strerror}") from exc
        engine = create_engine(url, connect_args={"timeout": PATIENCE}, **POOL)
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _prepare(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where `_begin` says
        connection.execute("ATTACH DATABASE ? AS today", [str(self.files[1])])
        for schema in ("main", "today"):
            connection.execute(f"PRAGMA {schema}.synchronous=FULL")
            connection.execute(f"PRAGMA {schema}.secure_delete=ON")
        connection.execute(f"PRAGMA main.cache_size=-{CACHE}")
        connection.execute("PRAGMA temp_store=MEMORY")

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of all tables."""
        with plainly(), self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(isolation_level="REPEATABLE READ")

    @contextlib.contextmanager
    def write(self, lasting: bool = True) -> Iterator[Connection]:
        """A transaction of the only writer. Durable when it ends; if not `lasting`, no later than the next that is."""
        with plainly(), self._turn, self.engine.connect() as connection:
            connection = connection.execution_options(whistle_writes=True, whistle_lasting=lasting)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": WRITERS})
                    if not lasting:
                        connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield connection

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An insert that can say what to do about a row that is there."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def add(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows in the order given; rows whose key is there stay as they are."""
        if rows:
            if table not in self._adding:
                self._adding[table] = self.insert(table).on_conflict_do_nothing()
            connection.execute(self._adding[table], rows)

    @contextlib.contextmanager
    def bare(self) -> Iterator[Any]:
        """A cursor outside any transaction, for what databases do only there."""
        with plainly():
            connection = self.engine.raw_connection()
            try:
                if not self.is_sqlite:
                    connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
                yield connection.cursor()
            except (sqlite3.Error, self.engine.dialect.loaded_dbapi.Error) as exc:
                raise _plain(exc) from None
            finally:
                connection.invalidate()

    def empty_log(self, tries: int, pause: int) -> bool:
        """Bring SQLite's write-ahead logs into their files and empty them; False while others read them.

        Until then, what was deleted still stands in the file. A try waits for `pause` ms.
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


def _make(file: Path) -> None:
    """A SQLite file with a write-ahead log; SQLite waits for nobody while it changes to one, so do it alone."""
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
    """The ids in pieces that fit into one statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Raise StoreError for a driver's error, without it: its text may hold ids and bodies, and would reach a log."""
    try:
        yield
    except DBAPIError as exc:
        raise _plain(exc.orig) from None
    except (sqlite3.Error, TimeoutError) as exc:  # while connecting; while waiting for a connection
        raise _plain(exc) from None


def _plain(exc: BaseException | None) -> StoreError:
    """What a driver's error means."""
    code = getattr(exc, "sqlite_errorcode", None)
    state = getattr(exc, "sqlstate", None)
    if code in SQLITE_NO_ROOM or state in NO_ROOM:
        return Full("no room in the database")
    return StoreError(f"the database refused: {getattr(exc, 'sqlite_errorname', None) or state or type(exc).__name__}")
