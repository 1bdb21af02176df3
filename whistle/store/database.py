"""Connections, transactions, and what differs between SQLite and PostgreSQL.

On SQLite, today's tables are in a file of their own, `<name>-today<suffix>` beside the main one: pages of the main file
are then never allocated in order of arrival, and the small file can be rewritten each night. A transaction that writes
to both files is atomic for other processes but not in a power cut; the code never relies on it there.
Writes are serialized on both databases, so no writer has to expect rows of another to appear meanwhile.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, TimeoutError

from whistle.store.errors import Away, Full, StoreError
from whistle.store.locks import lock_file, locked
from whistle.store.room import DatabaseRoom, TableRoom

BACKENDS = ("sqlite", "postgresql")
CHUNK = 600  # ids in one statement
PATIENCE = 30  # seconds that a writer waits for its turn, and any statement for a lock
STATEMENT = 120  # seconds for one statement on PostgreSQL; what migrations do is not bounded
BRIEFLY = 1000  # ms that the turn-over waits for a lock behind which everybody else would have to wait
DURABLE = """SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') IN ('off', 'local')"""  # others wait for a standby as well
WAITED_FOR = frozenset({"sync", "quorum"})
LAGGING = (
    "a standby follows PostgreSQL, and nothing waits for it: if it ever takes over, the reports that were acknowledged "
    "last are lost; name it in PostgreSQL's synchronous_standby_names"
)
TOO_FEW = (
    "PostgreSQL allows {allowed} connections, and this server may open {needed}: raise max_connections in PostgreSQL, "
    "or lower workers in whistle.toml"
)
UNSAFE = "PostgreSQL runs with fsync off: a power cut can lose acknowledged reports, or all of them; turn it on"
RETRY = 1.0  # seconds after which a database that was away at the start is asked again
# A host that vanished is noticed in about half a minute, and not after the system's two hours; an URL may say otherwise
NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# LIFO: the connection used last has the warmest cache
# 30 connections for a process: PostgreSQL allows 97 to all servers together, unless told otherwise
POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 22, "pool_use_lifo": True, "hide_parameters": True}
CACHE = 16_384  # KiB of the main database cached by each connection: a lookup reads rows from all over it
COPIES = 8  # times its size that moving a body may take: in both files, and in the log of each, with some to spare
STEP = 256  # pages that are given back to the disk at once
LOCKS = ("schema", "cleaning", "housekeeping", "backup", "room")  # all that `job_lock` is asked for
SCHEMA = "schema"  # the lock held while the database is created or its tables change
WRITERS = 0x77686973746C65  # PostgreSQL's advisory lock that serializes writes
OF_SCHEMA = "CAST(:k AS bigint) # COALESCE(current_schema()::regnamespace::oid, 0)::bigint"  # two may share a database
_ALLOWED = """SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"""
NO_ROOM = frozenset({"53100"})  # PostgreSQL: disk_full
GONE = frozenset({"57P01", "57P02", "57P03"})  # PostgreSQL: it stops, has crashed, or cannot answer yet
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
        self.room = DatabaseRoom(self.files) if self.is_sqlite else TableRoom(self.bare)
        self._inserts: dict[Table, Any] = {}  # statements are built once, since each caches its compiled form
        # Fairer than waiting for SQLite's own lock; on PostgreSQL, writers that wait hold no connection
        self._write_lock = threading.Lock()
        self._preparing, self._prepare, self._failed = threading.RLock(), _nothing, -RETRY
        with translate_errors():
            self.engine = self._sqlite(url) if self.is_sqlite else _postgresql(url)

    def _sqlite(self, url: str) -> Engine:
        try:
            with locked(lock_file(self.files[0], SCHEMA), wait=True):
                self._create_files()
        except OSError as exc:
            raise StoreError(f"the database file cannot be created: {exc.strerror}") from exc
        engine = create_engine(url, connect_args={"timeout": PATIENCE}, **POOL)
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def _create_files(self) -> None:
        self.room.prepare()
        for file in self.files:
            try:
                _create(file)
            except sqlite3.Error as exc:  # a quota, which the disk's free room does not tell of
                if not isinstance(_translate(exc), Full) or not self.room.give_up_ballast():
                    raise
                _create(file)
        for name in LOCKS:  # a full disk may have no room for a new file
            lock_file(self.files[0], name).touch(mode=0o600)
        self.room.keep_ballast()

    def fitting(self, bodies: Table) -> int:
        """How many of a table's bodies can be moved or removed in one transaction: some hundreds, if there is room."""
        free = self.room.free()
        if free is None:
            return CHUNK
        with self.read() as connection:
            size = connection.scalar(select(func.length(bodies.c.body)).limit(1)) or 1
        return min(CHUNK, free // (COPIES * size))

    def check_room(self, is_known: bool = False) -> None:
        """Raise Full unless SQLite's disk has room as `DatabaseRoom.has_some` says. PostgreSQL's may be anywhere."""
        if not self.room.has_some(is_known):
            self.empty_log(tries=1, pause=0)
            if not self.room.has_some(is_known):
                raise Full("no space for more envelopes")

    def _set_up(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # `_begin` starts transactions
        connection.execute("ATTACH DATABASE ? AS today", [str(self.files[1])])
        for schema in ("main", "today"):
            connection.execute(f"PRAGMA {schema}.synchronous=FULL")
            connection.execute(f"PRAGMA {schema}.secure_delete=ON")
        connection.execute(f"PRAGMA main.cache_size=-{CACHE}")
        connection.execute("PRAGMA temp_store=MEMORY")

    def prepare_later(self, prepare: Callable[[], None]) -> None:
        """Call `prepare` before the next transaction, and again before each until it succeeds; it may use this object.

        While the database is away, it is asked once a second, however many call.
        """
        self._prepare = prepare

    def ensure_prepared(self) -> None:
        """Call the function given to `prepare_later`, unless it has succeeded. Raises what it raises."""
        if self._prepare is _nothing:
            return
        with self._preparing:
            prepare = self._prepare
            if prepare in (_nothing, _under_way):  # in between, by another thread; or this is `prepare` itself
                return
            if time.monotonic() < self._failed + RETRY:
                raise Away("the database does not answer")
            self._prepare = _under_way
            try:
                prepare()
            except BaseException:
                self._prepare, self._failed = prepare, time.monotonic()
                raise
            self._prepare = _nothing

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one snapshot of all tables."""
        self.ensure_prepared()
        with translate_errors(), self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(isolation_level="REPEATABLE READ")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that sees one moment of all tables, also of both SQLite files.

        `read` takes the moment of each file when it first reads it; here no writer can come in between.
        """
        with self.read() as connection:
            if self.is_sqlite:
                with self.write():
                    for schema in ("today", "main"):
                        connection.execute(text(f"SELECT 1 FROM {schema}.sqlite_master LIMIT 1")).all()  # noqa: S608
            yield connection

    @contextlib.contextmanager
    def write(self, lasting: bool = True) -> Iterator[Connection]:
        """A write transaction. Durable when it ends or, if not `lasting`, when the next lasting one ends."""
        self.ensure_prepared()
        with translate_errors(), self._turn(), self.engine.connect() as connection:
            connection = connection.execution_options(whistle_writes=True, whistle_lasting=lasting)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({OF_SCHEMA})"), {"k": WRITERS})
                    if not lasting:
                        connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """The only writer of this process."""
        if not self._write_lock.acquire(timeout=PATIENCE):
            raise StoreError("too much waits to be written")
        try:
            yield
        finally:
            self._write_lock.release()

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
        """A cursor in autocommit mode, for statements that cannot run in a transaction; it waits for locks briefly."""
        with translate_errors(), contextlib.ExitStack() as stack:
            try:
                connection = self.engine.raw_connection()
                stack.callback(connection.invalidate)
                cursor = connection.cursor()
                if not self.is_sqlite:
                    connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
                    cursor.execute(f"SET lock_timeout TO '{BRIEFLY}ms'")
                yield cursor
            except (sqlite3.Error, self.engine.dialect.loaded_dbapi.Error) as exc:
                raise _translate(exc) from None

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

    def give_back(self) -> None:
        """Give SQLite's free pages back to the disk if it is low, or they are more than a quarter of a file.

        Each step needs little room.
        """
        if not self.is_sqlite:
            return
        with self.bare() as cursor:
            cursor.execute(f"PRAGMA busy_timeout={BRIEFLY}")
            for schema in ("today", "main"):
                free, before = _free_pages(cursor, schema), -1
                pages = int(cursor.execute(f"PRAGMA {schema}.page_count").fetchone()[0])
                if 4 * free <= pages and not self.room.is_low():
                    continue
                while free and free != before:  # a file of an earlier version keeps its pages
                    with self._turn():
                        # as a script: `execute` would give back a single page
                        cursor.executescript(f"PRAGMA {schema}.incremental_vacuum({STEP})")
                        cursor.execute(f"PRAGMA {schema}.wal_checkpoint(TRUNCATE)").fetchone()
                    free, before = _free_pages(cursor, schema), free

    def risks(self, processes: int) -> list[str]:
        """A line for each PostgreSQL setting that may lose or refuse reports; none on SQLite."""
        if self.is_sqlite:
            return []
        with self.read() as connection:
            allowed = int(connection.scalar(text(_ALLOWED)) or 0)
            fsync, names = (connection.scalar(text(f"SHOW {name}")) for name in ("fsync", "synchronous_standby_names"))
            states = connection.scalars(text("SELECT sync_state FROM pg_stat_replication")).all()
        # PostgreSQL shows states only to users who may see them; without one, the setting must do
        is_waited_for = any(state in WAITED_FOR for state in states) or (bool(names) and None in states)
        needed = processes * (POOL["pool_size"] + POOL["max_overflow"])
        found = {
            LAGGING: bool(states) and not is_waited_for,
            UNSAFE: fsync == "off",
            TOO_FEW.format(allowed=allowed, needed=needed): allowed < needed,
        }
        return [risk for risk, is_there in found.items() if is_there]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _postgresql(url: str) -> Engine:
    chosen = make_url(url)
    ours = {name: value for name, value in NETWORK.items() if name not in chosen.query}
    try:
        # each connection is asked before it is used: after a restart of the database all of them are dead
        engine = create_engine(url, pool_pre_ping=True, connect_args=ours, **POOL)
    except (ModuleNotFoundError, NoSuchModuleError) as exc:
        raise StoreError("the driver of this database is not installed: pip install 'whistle[postgresql]'") from exc
    event.listen(engine, "connect", _bound_waiting)
    return engine


def _bound_waiting(connection: Any, _: Any) -> None:
    """Limit how long statements run and wait for locks, such as a dump's, and make commits durable."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout TO '{PATIENCE}s'")
        cursor.execute(f"SET statement_timeout TO '{STATEMENT}s'")
        cursor.execute(DURABLE)
    connection.commit()


def _free_pages(cursor: Any, schema: str) -> int:
    return int(cursor.execute(f"PRAGMA {schema}.freelist_count").fetchone()[0])


def _nothing() -> None:
    """Nothing is left to prepare."""


def _under_way() -> None:
    """It is being prepared."""


def _create(file: Path) -> None:
    """Create a SQLite file in WAL mode; changing the mode ignores the busy timeout, so it needs a lock.

    A new file can give freed pages back to the disk.
    """
    file.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    with contextlib.closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
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


def pieces(ids: Sequence[bytes], fitting: Callable[[], int]) -> Iterator[Sequence[bytes]]:
    """The ids in chunks, or in as many at once as `fitting` says before each, but at least one."""
    for chunk in chunks(ids):
        at = 0
        while at < len(chunk):
            count = max(1, fitting())
            yield chunk[at : at + count]
            at += count


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
    if state in GONE or (code is None and state is None and type(exc).__name__ == "OperationalError"):
        return Away("the database does not answer")
    return StoreError(f"the database failed: {getattr(exc, 'sqlite_errorname', None) or state or type(exc).__name__}")
