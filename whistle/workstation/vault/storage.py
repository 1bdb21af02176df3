"""The vault: a folder that only the passphrase opens.  Nothing decrypted is stored elsewhere.

`vault.json` holds the parameters of Argon2id and the vault's key, wrapped; `vault.db` is a SQLCipher database under a
key made from it, opened by `database`, with the tables of `models`.  A copy of the folder shows how large the database
is, in pages of 4 KiB; two copies show which pages changed in between; nothing else.  That a whole folder was replaced
by an older copy cannot be noticed.
"""

import base64
import hashlib
import json
import secrets
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.secret import Aead
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

from whistle.workstation import files
from whistle.workstation.errors import (
    VaultError,
    VaultForeign,
    VaultMissing,
    VaultReadOnly,
    WrongPassphrase,
)
from whistle.workstation.language import t
from whistle.workstation.vault import database, passphrase
from whistle.workstation.vault.database import DATABASE
from whistle.workstation.vault.models import Base, Station

SETTINGS = "vault.json"
VERSION = 2  # of vault.json; 1 was of versions before 0.1.0, with another database
NONCE = Aead.NONCE_SIZE  # bytes; random, and used for the one wrapped key
MARK = b"vault"  # associated data of the wrapped key
LABEL = b"whistle/v1 vault database"


class Vault:
    """The database of one workstation.  Open with `Vault.open`, make with `Vault.create`.

    `session` reads at any time, and writes inside a `transaction` only.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._inside = False  # a transaction
        self._turns = 0  # beginnings and ends of transactions, and changes by other programs
        self._resting_at: int | None = None  # the number of other programs' changes at `rest`
        self._fault: VaultError | None = None  # that stopped this transaction's writing
        self._engine = database.engine(folder / DATABASE, _subkey(key, LABEL), _weak(self._note_fault))
        try:
            database.prepare(self._engine)
        except BaseException:
            self._engine.dispose()
            raise
        self.session = Session(self._engine)
        event.listen(self.session, "before_flush", self._check_inside)
        event.listen(self._engine, "before_cursor_execute", self._check)

    @classmethod
    def create(cls, folder: Path, secret: str, rows: list[Base], profile: str = "standard") -> "Vault":
        """Make a vault with its first rows.  Raises Refused, VaultReadOnly, VaultError if there is one."""
        price = passphrase.cost(profile)
        passphrase.check_new(secret)
        cls.free(folder)
        files.private_folder(folder)
        key = secrets.token_bytes(passphrase.KEY)
        salt = secrets.token_bytes(passphrase.SALT)
        wrapped = Aead(passphrase.derive(secret, salt, price)).encrypt(key, MARK)
        vault = cls(folder, key)
        with vault.transaction():
            vault.session.add_all(rows)
        settings = {"v": VERSION, "kind": "whistle vault", "memory": price.memory, "time": price.time}
        settings |= {"lanes": price.lanes, "salt": base64.b64encode(salt).decode()}
        settings |= {"key": base64.b64encode(bytes(wrapped)).decode()}
        files.write(folder / SETTINGS, (json.dumps(settings, indent=1) + "\n").encode())  # last: now it is a vault
        return vault

    @classmethod
    def open(cls, folder: Path, secret: str) -> "Vault":
        """Unlock the vault.  Raises VaultMissing, WrongPassphrase, VaultForeign, VaultLocked, VaultReadOnly."""
        price, salt, wrapped = _settings(folder)
        try:
            if not (folder / DATABASE).stat().st_size:  # SQLite would begin a new one
                raise VaultForeign(t("storage.empty", file=DATABASE), t("storage.from_backup"))
        except FileNotFoundError as exc:
            raise VaultForeign(
                t("storage.missing", file=DATABASE, settings=SETTINGS), t("storage.from_backup")
            ) from exc
        return cls(folder, _unwrap(secret, price, salt, wrapped))

    @staticmethod
    def free(folder: Path) -> None:
        """Check that a vault can be made here.  Raises VaultError if there is one."""
        if any((folder / name).exists() for name in (SETTINGS, DATABASE)):
            raise VaultError(
                t("storage.exists"),
                t("storage.exists_hint"),
            )

    @staticmethod
    def check(folder: Path) -> None:
        """Check that there is a vault, before asking for a passphrase.  Raises VaultError."""
        _settings(folder)

    def rest(self) -> None:
        """Let other programs use the file, until `resume`."""
        with self._lock:
            if self._resting_at is None:
                self._resting_at = database.release(self.connection)

    def resume(self) -> bool:
        """Have the file for oneself again; whether another program changed it since `rest`.  Raises VaultLocked."""
        with self._lock:
            if self._resting_at is None:
                return False
            changed, self._resting_at = database.hold(self.connection) != self._resting_at, None
            if changed:
                self._turns += 1
                self.session.expire_all()
            return changed

    def check_passphrase(self, secret: str) -> None:
        """Check that this is the vault's passphrase.  Raises WrongPassphrase, Refused, VaultError."""
        _unwrap(secret, *_settings(self.folder))

    def close(self) -> None:
        """Close the file once writing has ended; another program may open the vault then."""
        with self._lock:
            self.session.close()
            self._engine.dispose()
            self._engine.clear_compiled_cache()  # statements with the values of their first use, words of a search too

    def destroy(self) -> None:
        """Close, and remove the vault's files."""
        self.close()
        for name in (SETTINGS, DATABASE, f"{DATABASE}-journal"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def connection(self) -> Connection:
        """For statements on rows of which the session holds no objects."""
        return self.session.connection()

    @property
    def station(self) -> Station:
        """The one row about this workstation."""
        return self.session.get_one(Station, 1)

    @property
    def version(self) -> int:
        """A number that is the same outside of transactions as long as nothing changes, and within each one."""
        return self._turns

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is committed durably at the end, or nothing is; may be nested."""
        with self._lock:
            if self._inside:
                yield
                return
            self.session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            self._inside = True
            self._turns += 1
            try:
                yield
                self.session.flush()
                self._check()
                self.session.commit()
            except BaseException:
                self.session.rollback()
                raise
            finally:
                self._inside = False
                self._fault = None
                self._turns += 1

    def _check(self, *_: object) -> None:
        """Fail again after a failure inside a transaction, since SQLite may have undone all of it by then."""
        if self._inside and self._fault:
            raise self._fault

    def _note_fault(self, error: VaultError) -> None:
        if self._inside and self._fault is None:
            self._fault = error

    def _check_inside(self, *_: object) -> None:
        assert self._inside, "written outside a transaction"


def _weak(note: Callable[[VaultError], None]) -> Callable[[VaultError], None]:
    # SQLAlchemy's mappers keep a dialect with all that listens to it for good, but not this vault.
    noting = weakref.WeakMethod(note)

    def noted(error: VaultError) -> None:
        if bound := noting():
            bound(error)

    return noted


def _unwrap(secret: str, price: passphrase.Cost, salt: bytes, wrapped: bytes) -> bytes:
    try:
        return Aead(passphrase.derive(secret, salt, price)).decrypt(wrapped, MARK)
    except CryptoError as exc:
        raise WrongPassphrase(t("storage.wrong"), t("storage.wrong_hint")) from exc


def _subkey(key: bytes, label: bytes) -> bytes:
    return hashlib.blake2b(label, key=key, digest_size=32).digest()


def _settings(folder: Path) -> tuple[passphrase.Cost, bytes, bytes]:
    try:
        raw = (folder / SETTINGS).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise VaultMissing(t("storage.none"), t("storage.none_hint")) from exc
    except OSError as exc:
        raise VaultReadOnly(
            t("storage.unreadable", file=SETTINGS, reason=exc.strerror), t("storage.unreadable_hint")
        ) from exc
    try:
        settings = json.loads(raw)
        if settings["kind"] != "whistle vault":
            raise ValueError("another kind of file")
        if settings["v"] < VERSION:
            raise VaultForeign(
                t("storage.old"),
                t("storage.old_hint"),
            )
        if settings["v"] > VERSION:
            raise VaultForeign(t("storage.newer"), t("storage.newer_hint"))
        price = passphrase.Cost(int(settings["memory"]), int(settings["time"]), int(settings["lanes"]))
        salt, wrapped = (base64.b64decode(settings[name], validate=True) for name in ("salt", "key"))
        if len(wrapped) != NONCE + passphrase.KEY + Aead.MACBYTES:
            raise ValueError("not a wrapped key")
        return price, salt, wrapped
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as exc:
        raise VaultForeign(t("storage.damaged", file=SETTINGS), t("storage.damaged_hint")) from exc
