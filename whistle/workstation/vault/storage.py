"""The vault: a folder of sealed records that only the passphrase opens.  Nothing decrypted is stored elsewhere.

`vault.json` holds the parameters of Argon2id and the vault's key, wrapped; `vault.sqlite` holds records whose names are
keyed hashes and whose bodies are sealed with XChaCha20-Poly1305, the name as associated data, padded to a multiple of
256 bytes.  A copy of the folder shows how many records there are, about how long each is and, by their place in the
file, which were written about the same time; nothing else.  That a whole folder was replaced by an older copy cannot be
noticed.
"""

import base64
import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import Aead
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    StaticPool,
    Table,
    create_engine,
    event,
    select,
)
from sqlalchemy.exc import DBAPIError

from whistle.workstation import files
from whistle.workstation.errors import (
    VaultError,
    VaultForeign,
    VaultLocked,
    VaultMissing,
    VaultReadOnly,
    WrongPassphrase,
)
from whistle.workstation.vault import passphrase

SETTINGS = "vault.json"
DATABASE = "vault.sqlite"
REMEMBERED = 16 * 1024**2  # characters of records that a transaction caches decrypted
HELD = 16 * 1024**2  # bytes of changed records that it collects before it writes them, in order of their names
PAD = 256  # bytes; a body's length is a multiple of it
NONCE = Aead.NONCE_SIZE  # bytes; random, and long enough never to repeat
MARK = "vault"  # the record that proves that both files belong together
LOCKED = ("database is locked", "database table is locked")
READ_ONLY = ("readonly database", "unable to open database file", "disk I/O error", "database or disk is full")

WRITER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

RECORDS = Table(
    "records",
    MetaData(),
    Column("name", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,  # a row id would reveal the order in which records came
)
# Raw SQL, since an import writes thousands of rows, and a page reads hundreds.
READ = "SELECT body FROM records WHERE name = ?"
REMOVE = "DELETE FROM records WHERE name = ?"
WRITE = "INSERT INTO records (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body"


class Vault:
    """Sealed records of JSON values by name.  Open with `Vault.open`, make with `Vault.create`."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self._names = _subkey(key, b"whistle/v1 vault names")
        self._bodies = Aead(_subkey(key, b"whistle/v1 vault bodies"))
        self._lock = threading.RLock()
        self._inside = False  # a transaction
        self._changes = 0  # transactions that have ended
        self._cache: dict[str, str | None] = {}  # what the transaction read or changed, as JSON; None for no record
        self._rows: dict[bytes, bytes | None] = {}  # what it will write, by hashed name; None to delete
        self._cache_size = self._rows_size = 0  # of their contents, counting what was replaced too
        self._written: dict[bytes, bool] = {}  # what it has written, and whether the record exists now
        self._fault: BaseException | None = None  # that stopped its writing
        self._engine = _engine(folder / DATABASE)
        self._connection = self._connect()
        self._there = self._list()  # hashed names; this program has the files for itself

    @classmethod
    def create(cls, folder: Path, secret: str, records: Mapping[str, Any], profile: str = "standard") -> "Vault":
        """Make a vault with its first records.  Raises Refused, VaultReadOnly, VaultError if there is one."""
        price = passphrase.cost(profile)
        passphrase.check_new(secret)
        cls.free(folder)
        files.private_folder(folder)
        key = secrets.token_bytes(passphrase.KEY)
        salt = secrets.token_bytes(passphrase.SALT)
        wrapped = Aead(passphrase.derive(secret, salt, price)).encrypt(key, MARK.encode())
        vault = cls(folder, key)
        with vault.transaction():
            vault.put(MARK, {"v": 1})
            for name, value in records.items():
                vault.put(name, value)
        settings = {"v": 1, "kind": "whistle vault", "memory": price.memory, "time": price.time, "lanes": price.lanes}
        settings |= {"salt": base64.b64encode(salt).decode(), "key": base64.b64encode(bytes(wrapped)).decode()}
        files.write(folder / SETTINGS, (json.dumps(settings, indent=1) + "\n").encode())  # last: now it is a vault
        return vault

    @classmethod
    def open(cls, folder: Path, secret: str) -> "Vault":
        """Unlock the vault.  Raises VaultMissing, WrongPassphrase, VaultForeign, VaultLocked, VaultReadOnly."""
        price, salt, wrapped = _settings(folder)
        if not (folder / DATABASE).is_file():
            raise VaultForeign(f"{DATABASE} is missing beside {SETTINGS}", "bring the folder back from a backup")
        try:
            key = Aead(passphrase.derive(secret, salt, price)).decrypt(wrapped, MARK.encode())
        except CryptoError as exc:
            raise WrongPassphrase(
                "this passphrase does not open the vault", "check the keyboard and try again"
            ) from exc
        vault = cls(folder, key)
        try:
            if vault.get(MARK) != {"v": 1}:
                raise VaultForeign(
                    f"{SETTINGS} and {DATABASE} do not belong together", "bring both back from the same backup"
                )
        except BaseException:
            vault.close()
            raise
        return vault

    @staticmethod
    def free(folder: Path) -> None:
        """Check that a vault can be made here.  Raises VaultError if there is one."""
        if any((folder / name).exists() for name in (SETTINGS, DATABASE)):
            raise VaultError(
                "there is a vault in this folder already",
                "choose another folder with --folder; if an `init` was cut off here, remove the folder first",
            )

    @staticmethod
    def check(folder: Path) -> None:
        """Check that there is a vault, before asking for a passphrase.  Raises VaultError."""
        _settings(folder)

    def close(self) -> None:
        """Close the files once writing has ended; another program may open the vault then."""
        with self._lock:
            self._connection.close()
            self._engine.dispose()

    def destroy(self) -> None:
        """Close, and remove the vault's files."""
        self.close()
        for name in (SETTINGS, DATABASE):
            (self.folder / name).unlink(missing_ok=True)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a record, or `default`.  Raises VaultForeign if its body was altered."""
        with self._lock:
            text = self._cache[name] if name in self._cache else self._read(name)
        return default if text is None else json.loads(text)

    @property
    def version(self) -> int | None:
        """A number that is the same only as long as no record changes; None while some may be changing."""
        return None if self._inside else self._changes

    def has(self, name: str) -> bool:
        """Whether there is a record of this name."""
        with self._lock:
            hashed = self._hash(name)
            if hashed in self._rows:
                return self._rows[hashed] is not None
            return self._written.get(hashed, hashed in self._there)

    def put(self, name: str, value: Any) -> None:
        """Write one record, now or with the transaction around it."""
        self._change(name, WRITER.encode(value))

    def remove(self, name: str) -> None:
        """Delete one record; its space is overwritten (`secure_delete`), as far as the disk allows."""
        self._change(name, None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is committed durably at the end, or nothing is; may be nested."""
        with self._lock:
            if self._inside:
                yield
                return
            with _named_errors():
                around = self._connection.begin()
            self._inside = True
            try:
                yield
                with _named_errors():
                    self._write()
                    kept = {name for name, is_there in self._written.items() if is_there}
                    gone = self._written.keys() - kept
                    around.commit()
                self._there.update(kept)
                self._there.difference_update(gone)
            except BaseException:
                self._connection.rollback()  # also after a commit that failed for lack of room
                raise
            finally:
                self._inside = False
                self._changes += 1
                self._cache.clear()
                self._rows.clear()
                self._cache_size = self._rows_size = 0
                self._written.clear()
                self._fault = None

    def _change(self, name: str, text: str | None) -> None:
        hashed = self._hash(name)
        body = None if text is None else self._seal(hashed, text)
        with self.transaction():
            self._rows[hashed] = body
            self._rows_size += len(body or hashed)
            self._remember(name, text)
            if self._rows_size >= HELD:
                with _named_errors():
                    self._write()

    def _read(self, name: str) -> str | None:
        hashed = self._hash(name)
        body = self._rows[hashed] if hashed in self._rows else self._stored(hashed)
        text = None if body is None else self._open(hashed, body)
        if self._inside:
            self._remember(name, text)
        return text

    def _stored(self, hashed: bytes) -> bytes | None:
        if not self._written.get(hashed, hashed in self._there):  # like most cases in an import
            return None
        with _named_errors():  # reads are many and need no transaction of their own: nobody else has the file
            raw = self._connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            row: tuple[bytes] | None = raw.execute(READ, (hashed,)).fetchone()
        return row[0] if row else None

    def _remember(self, name: str, text: str | None) -> None:
        if self._cache_size >= REMEMBERED:
            self._cache.clear()
            self._cache_size = 0
        self._cache[name] = text
        self._cache_size += len(text or name)

    def _write(self) -> None:
        """Write what the transaction has changed, in order of its hashed name.

        After a failure it fails again, since SQLite may have rolled everything back by then.
        """
        if self._fault:
            raise self._fault
        changed = sorted(self._rows.items())
        kept = [(name, body) for name, body in changed if body is not None]
        gone = [(name,) for name, body in changed if body is None]
        try:
            for statement, rows in ((WRITE, kept), (REMOVE, gone)):
                if rows:
                    self._connection.exec_driver_sql(statement, rows)
        except BaseException as fault:
            self._fault = fault
            raise
        self._written.update((name, body is not None) for name, body in changed)
        self._rows.clear()
        self._rows_size = 0

    def _connect(self) -> Connection:
        with _named_errors():
            connection = self._engine.connect()
            RECORDS.metadata.create_all(connection)
            connection.commit()
            return connection

    def _list(self) -> set[bytes]:
        with _named_errors():
            names = set(self._connection.execute(select(RECORDS.c.name)).scalars())
            self._connection.rollback()
            return names

    def _hash(self, name: str) -> bytes:
        return hashlib.blake2b(name.encode(), key=self._names, digest_size=32).digest()

    def _seal(self, name: bytes, text: str) -> bytes:
        plain = text.encode()
        plain = len(plain).to_bytes(4, "big") + plain
        overhead = NONCE + Aead.MACBYTES
        return bytes(self._bodies.encrypt(plain + bytes(-(len(plain) + overhead) % PAD), name))

    def _open(self, name: bytes, body: bytes) -> str:
        try:
            plain = self._bodies.decrypt(body, name)
        except CryptoError as exc:
            raise VaultForeign(
                f"a record of {DATABASE} was changed or belongs elsewhere", "bring the folder back from a backup"
            ) from exc
        return plain[4 : 4 + int.from_bytes(plain[:4], "big")].decode()


def _subkey(key: bytes, label: bytes) -> bytes:
    return hashlib.blake2b(label, key=key, digest_size=32).digest()


def _settings(folder: Path) -> tuple[passphrase.Cost, bytes, bytes]:
    try:
        raw = (folder / SETTINGS).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise VaultMissing(
            "there is no vault in this folder", "make one with `whistle workstation init`, or name its folder: --folder"
        ) from exc
    except OSError as exc:
        raise VaultReadOnly(f"cannot read {SETTINGS}: {exc.strerror}", "is it a file, and the folder yours?") from exc
    try:
        settings = json.loads(raw)
        if settings["v"] != 1 or settings["kind"] != "whistle vault":
            raise VaultForeign("this vault was made by a newer program", "install the newest version of Whistle")
        price = passphrase.Cost(int(settings["memory"]), int(settings["time"]), int(settings["lanes"]))
        salt, wrapped = (base64.b64decode(settings[name], validate=True) for name in ("salt", "key"))
        if len(wrapped) != NONCE + passphrase.KEY + Aead.MACBYTES:
            raise ValueError("not a wrapped key")
        return price, salt, wrapped
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as exc:
        raise VaultForeign(f"{SETTINGS} is damaged", "bring it back from a backup; nothing was changed") from exc


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": 1.0},
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _: object) -> None:
        path.chmod(0o600)
        raw.isolation_level = None  # this module begins transactions itself
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA secure_delete=ON")
        raw.execute("PRAGMA temp_store=MEMORY")
        raw.execute("PRAGMA locking_mode=EXCLUSIVE")  # one program at a time, by the system's own locks
        raw.execute("PRAGMA journal_mode=TRUNCATE")
        raw.execute("BEGIN EXCLUSIVE")
        raw.execute("COMMIT")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error, PermissionError) as exc:
        text = str(exc)
        if any(words in text for words in LOCKED):
            raise VaultLocked(
                "the vault is open in another program", "close the other window or `whistle workstation open` first"
            ) from exc
        if isinstance(exc, PermissionError) or any(words in text for words in READ_ONLY):
            raise VaultReadOnly(
                "the vault's folder cannot be written", "is the disk full or read-only, or the folder another user's?"
            ) from exc
        raise VaultForeign(f"{DATABASE} is damaged", "bring the folder back from a backup") from exc
