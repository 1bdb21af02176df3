"""The vault's one connection: SQLCipher with a raw key, and errors that say what to do.

No statement's parameters reach an error's text, temporary tables stay in memory, and a file of which a single page was
altered is not opened at all, since SQLCipher alone would read a damaged overflow page as zeros.
"""

import importlib.resources
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlcipher3 import dbapi2

from whistle.workstation.errors import VaultError, VaultForeign, VaultLocked, VaultReadOnly
from whistle.workstation.language import t
from whistle.workstation.vault.models import REVISION

DATABASE = "vault.db"
CACHE = 32 * 1024  # KiB of pages held decrypted
PATIENCE = 1.0  # seconds that a second program waits for the first
LOCKED = ("database is locked", "database table is locked")
READ_ONLY = ("readonly database", "unable to open database file", "disk I/O error", "database or disk is full")
PRAGMAS = (
    "cipher_memory_security = OFF",
    "cipher_log_level = NONE",  # else it writes faults of a page to standard error
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "secure_delete = ON",
    "journal_mode = TRUNCATE",
    "synchronous = FULL",
    f"cache_size = -{CACHE}",
    "cell_size_check = ON",
    "mmap_size = 0",
)
# One program at a time, by the system's own locks: they end with the program, however it ends.  The mode changes only
# inside of the transaction, since a program that keeps half a lock would hold up the other one and itself.
HOLD = ("BEGIN EXCLUSIVE", "PRAGMA locking_mode = EXCLUSIVE", "COMMIT")
RELEASE = ("PRAGMA locking_mode = NORMAL", "SELECT count(*) FROM sqlite_schema")  # the file is let go of by reading it
IN_MEMORY = 2  # what `PRAGMA temp_store` must say: temporary files would not be sealed


def engine(path: Path, key: bytes, note: Callable[[VaultError], None]) -> Engine:
    """An engine with one connection to the file, which is made if it is missing.

    `key`: 32 bytes.  Raises VaultLocked, VaultReadOnly, VaultForeign; so does every statement afterwards, once `note`
    was told.
    """
    raw = _connect(path, key)
    made = create_engine("sqlite://", module=dbapi2, creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)

    @event.listens_for(made, "handle_error")
    def name(context: ExceptionContext) -> None:
        exc = context.original_exception
        if isinstance(exc, dbapi2.Error):
            error = named(exc)
            note(error)
            raise error from exc

    return made


def _connect(path: Path, key: bytes) -> dbapi2.Connection:
    with named_errors():
        raw = dbapi2.connect(str(path), timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        with named_errors():
            path.chmod(0o600)
            raw.execute(f"PRAGMA key = \"x'{key.hex()}'\"")  # first, and never by way of what might log it
            for pragma in PRAGMAS:
                raw.execute(f"PRAGMA {pragma}")
            for statement in HOLD:
                raw.execute(statement)
            if raw.execute("PRAGMA temp_store").fetchone() != (IN_MEMORY,):
                raise VaultError(t("database.build"), t("database.build_hint"))
            if raw.execute("PRAGMA cipher_integrity_check").fetchone():
                raise VaultForeign(t("database.altered", file=DATABASE), t("storage.from_backup"))
            if raw.execute("PRAGMA foreign_key_check").fetchone():
                raise VaultForeign(t("database.rows", file=DATABASE), t("storage.from_backup"))
    except BaseException:
        raw.close()
        raise
    return raw


def hold(connection: Connection) -> int:
    """Let no other program use the file; returns a number that is another one after each change by others.

    Raises VaultLocked while another program uses it.
    """
    return _run(connection, HOLD)


def release(connection: Connection) -> int:
    """Let other programs use the file; returns the same number."""
    return _run(connection, RELEASE)


def _run(connection: Connection, statements: Iterable[str]) -> int:
    raw = connection.connection.driver_connection
    assert raw is not None
    with named_errors():
        for statement in statements:
            raw.execute(statement).fetchall()
        return int(raw.execute("PRAGMA data_version").fetchone()[0])


def prepare(made: Engine) -> None:
    """Bring the tables to the newest revision; all of them for a new file.  VaultForeign if they are newer."""
    with made.connect() as connection:
        found = _revision(connection)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise VaultForeign(t("storage.newer"), t("storage.newer_hint"))
    from alembic import command  # loaded only where there is something to do
    from alembic.config import Config

    config = Config()
    place = importlib.resources.files("whistle.workstation.vault.migrations")
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    config.attributes["engine"] = made
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    there = connection.scalar(text("SELECT count(*) FROM sqlite_schema WHERE name = 'alembic_version'"))
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None
    return version


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the library's errors into the vault's."""
    try:
        yield
    except (dbapi2.Error, PermissionError) as exc:
        raise named(exc) from exc


def named(exc: Exception) -> VaultError:
    """The vault's error for one of the library or the system."""
    words = str(exc)
    if any(each in words for each in LOCKED):
        return VaultLocked(
            t("database.locked"),
            t("database.locked_hint"),
        )
    if isinstance(exc, PermissionError) or any(each in words for each in READ_ONLY):
        return VaultReadOnly(t("database.read_only"), t("database.read_only_hint"))
    return VaultForeign(t("database.foreign", file=DATABASE), t("database.foreign_hint"))
