"""The store's interface. It takes opaque bytes and decides itself on which day they arrived."""

import contextlib
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, func, select

from whistle.store import envelopes, retention, schema, turnover, uploads
from whistle.store.blocks import Blocks, open_blocks
from whistle.store.clock import Clock, Reading, Today
from whistle.store.database import Database
from whistle.store.day_hash import DayHashes
from whistle.store.days import DayCount, DayIds, count_days, day_ids
from whistle.store.envelopes import Sealed, StoredEnvelope
from whistle.store.errors import Away, Full, StoreError, WrongSize
from whistle.store.job_lock import JobLock, job_lock
from whistle.store.models import BLOCK, ID, Heap, manifests
from whistle.store.restarts import Restarts
from whistle.store.retention import Limits

ALONE = JobLock(True)  # for callers that are certain to be the only ones
LIMITS = Limits()
BOTH = (Heap.REVIEWERS, Heap.REPORTERS)
REPORTERS = (Heap.REPORTERS,)
_MANIFESTS = select(func.count(), func.max(manifests.c.serial)).select_from(manifests)

P = ParamSpec("P")
R = TypeVar("R")


def _outlasting(method: "Callable[Concatenate[Store, P], R]") -> "Callable[Concatenate[Store, P], R]":
    """For a method that may be repeated: it waits for a database that restarts, and not in the place of a report."""

    @functools.wraps(method)
    def patient(store: "Store", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return store.reading_restarts.outlast(lambda: method(store, *args, **kwargs))

    return patient


class Store:
    """Envelopes and blocks, by id. Threads may share it; after a fork each process opens its own.

    Ids are 16 bytes, hashes 32, days UTC. Every method raises StoreError when the database or the folder fails, Full
    when there is no space, and Away when the database does not answer; then it may be called again, and except after
    Away it has changed nothing. Reporters' and couriers' calls wait for a database that restarts.
    """

    def __init__(self, database: Database, blocks: Blocks, envelope_size: int, today: Today | None = None) -> None:
        self.database = database
        self._clock = Clock(database, today)
        self.block_store, self.envelope_size = blocks, envelope_size
        self._day_hashes = DayHashes(database, blocks)
        self._restarts, self.reading_restarts = Restarts(), Restarts()  # neither takes the places of the other
        self._pending_room = uploads.PendingRoom(database, blocks)

    # The day

    def clock(self) -> Reading:
        """The clock's day, and the day that the store uses."""
        return self._read(self._clock.read)

    def accept(self, day: date) -> None:
        """Trust the clock after a leap; `day` is the day the operator expects. WrongDay if the clock differs."""
        self._clock.accept(day)

    # For whoever starts the server

    def risks(self, processes: int = 1) -> list[str]:
        """A line for each PostgreSQL setting that may lose or refuse reports with so many processes; none on SQLite."""
        return self.database.risks(processes)

    # For reporters and couriers: storing

    def put_block(self, id: bytes, body: bytes, heap: Heap, upload: bytes | None = None) -> None:
        """As `put_blocks`, for one block."""
        self.put_blocks([(id, body)], heap, upload)

    def put_blocks(self, blocks: Sequence[tuple[bytes, bytes]], heap: Heap, upload: bytes | None = None) -> None:
        """Store blocks, each an id and 262,144 bytes, until a commit names them, which makes them durable.

        They are removed after a day or two or, with an `upload`, when room runs short and it has stalled for long; that
        is 16 random bytes, the same for all that one commit will name.
        The same block again is accepted; Taken for other bytes under an id. An id may be in both heaps.
        """
        _check_ids([id for id, _ in blocks])
        _check_ids([upload] if upload else [])
        if any(len(body) != BLOCK for _, body in blocks):
            raise WrongSize("a block is 262,144 bytes")
        self._restarts.outlast(lambda: self._put_blocks(blocks, heap, upload))

    def _put_blocks(self, blocks: Sequence[tuple[bytes, bytes]], heap: Heap, upload: bytes | None) -> None:
        if blocks:
            self.database.check_room(is_known=not upload)
            if upload:
                self._pending_room.claim(len(blocks), upload)
            uploads.put_blocks(self.database, self.block_store, blocks, heap, upload, self._clock)

    def commit(self, sealed: Sequence[Sealed], blocks: Sequence[bytes], is_known: bool = False) -> None:
        """Store envelopes and keep the blocks that belong to them, all or nothing; durable when it returns.

        The same again is accepted and changes nothing. Raises Taken if an id is in use for other bytes or another heap
        (also after its body is gone), and Missing if a block was not put or is gone again; both list the ids.
        `is_known`: the sender may use the room that a day's strangers leave to the next.
        """
        _check_ids([each.id for each in sealed])
        _check_ids(blocks)
        if any(len(each.body) != self.envelope_size for each in sealed):
            raise WrongSize(f"an envelope is {self.envelope_size} bytes")
        self._restarts.outlast(
            lambda: envelopes.commit(self.database, self.block_store, sealed, blocks, self._clock, is_known),
        )

    def check_room(self) -> None:
        """Raise Full if there is no space for another block or envelope."""
        self.database.check_room()
        if not self._pending_room.has_some():
            raise Full("no space for more blocks")

    def is_low(self) -> bool:
        """Whether a disk is so full that blocks will be refused soon."""
        return self.block_store.is_low() or self.database.room.is_low()

    def unfinished(self) -> int:
        """How many blocks wait for a commit."""
        return self._pending_room.waiting()

    def drop(self, blocks: Sequence[bytes]) -> None:
        """Remove those of the blocks that no commit has named, durably."""
        _check_ids(blocks)
        self.database.room.with_ballast(lambda: uploads.drop(self.database, self.block_store, blocks))

    # For reporters: reading and withdrawing

    def has(self, id: bytes) -> bool:
        """Whether an envelope was stored under the id, whatever has become of it."""
        return self._restarts.outlast(lambda: self._read(lambda connection: envelopes.has(connection, id)))

    @_outlasting
    def lookup(
        self, ids: Sequence[bytes], heaps: Iterable[Heap] = BOTH, bodies: Iterable[Heap] = REPORTERS
    ) -> list[StoredEnvelope]:
        """The envelopes under the ids, in order of id; with bodies only for the heaps in `bodies`."""
        wanted, opened = set(heaps), set(bodies)
        return self._read(lambda connection: envelopes.lookup(connection, ids, wanted, opened))

    @_outlasting
    def withdraw(self, report: bytes, slip: bytes) -> str:
        """Remove a waiting report and its slip, by their ids: `withdrawn` (also the second time) or `collected`.

        `unknown` unless both were stored, one in each heap: so nothing but a report can be withdrawn.
        """
        _check_ids([report, slip])
        return self.database.room.with_ballast(lambda: envelopes.withdraw(self.database, report, slip, self._clock))

    @_outlasting
    def block(self, id: bytes, heap: Heap | None = None) -> bytes | None:
        """A block that a commit has named, in that heap or in any; None if there is none."""
        is_kept = self._read(lambda connection: uploads.is_kept(connection, id, heap))
        return self.block_store.get(id) if is_kept else None

    # For couriers

    @_outlasting
    def days(self) -> list[DayCount]:
        """Every day for which the reviewers' heap holds something, oldest first, with counts."""
        return self._read(count_days)

    @_outlasting
    def day_ids(self, day: date, after: bytes = b"", most: int | None = None) -> DayIds:
        """What the reviewers' heap holds for a day: ids of envelopes that have a body, and of blocks, each sorted.

        With `most`, the first so many of both together behind the id `after`; one more if both have the last.
        """
        with self.database.read() as connection:
            return day_ids(connection, day, after, most)

    def day_hash(self, day: date) -> bytes | None:
        """The hash over the ids and contents of a day (SPEC 8.3); reads all of it. None if something is gone."""
        return self._day_hashes.get(day)

    @_outlasting
    def collect(self, ids: Sequence[bytes]) -> list[bytes]:
        """Mark envelopes to reviewers as collected, durably, before any byte of them is sent.

        Returns, sorted, the ids that may be sent: those of the reviewers' heap that are not removed.
        """
        return self.database.room.with_ballast(lambda: envelopes.collect(self.database, ids, self._clock))

    def body(self, id: bytes) -> bytes | None:
        """The body of an envelope, or None. Collect it first."""
        envelopes = self.lookup([id], bodies=BOTH)
        return envelopes[0].body if envelopes else None

    @_outlasting
    def record_imports(self, stated: Iterable[tuple[str, date, bytes]]) -> int:
        """Store reviewers' statements, their signatures checked by the caller, in one transaction; returns how many.

        One of a day of which nothing is stored is left out. Whether one matches what is stored is checked at removal.
        """
        rows = list(stated)
        return self.database.room.with_ballast(lambda: retention.record_imports(self.database, rows, self._clock))

    @_outlasting
    def record_visit(self, courier: str) -> None:
        """Record today as a day on which this courier connected."""
        self.database.room.with_ballast(lambda: retention.record_visit(self.database, courier, self._clock))

    def last_visit(self) -> date | None:
        """The last day on which any courier connected."""
        return self._read(retention.last_visit)

    def oldest_waiting(self) -> date | None:
        """The oldest day with an envelope to reviewers that was not collected, to warn before it expires."""
        return self._read(retention.oldest_waiting)

    # The signed lists of who may read; the caller verifies what it reads

    def manifests_state(self) -> tuple[int, int]:
        """How many manifests there are, and the highest serial or 0: changes with each that is added."""
        count, highest = self._read(lambda connection: connection.execute(_MANIFESTS).one())
        return count, highest or 0

    def manifests(self, after: int = 0) -> list[tuple[int, bytes, bytes]]:
        """Serial, content and signature of the manifests after this serial, in order."""
        rows = select(manifests).where(manifests.c.serial > after).order_by(manifests.c.serial)
        return self._read(lambda connection: [tuple(row) for row in connection.execute(rows)])

    def add_manifests(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Store manifests as serial, content and signature, durably; a serial that is there stays as it is."""
        names = manifests.c.keys()
        new = [dict(zip(names, row, strict=True)) for row in rows]
        self._restarts.outlast(lambda: self._add_manifests(new))

    def _add_manifests(self, rows: list[dict[str, Any]]) -> None:
        with self.database.write() as connection:
            self.database.add(connection, manifests, rows)

    # Housekeeping, each in `job_lock`

    def job_lock(self, name: str, wait: bool = False) -> AbstractContextManager[JobLock]:
        """Hold the lock of that name among all threads and processes, if it can be acquired, or once it can."""
        self.database.ensure_prepared()
        return job_lock(self.database, name, wait)

    def turn_over(self, lock: JobLock = ALONE) -> turnover.TurnoverCounts:
        """Move what arrived on days that are over to the main tables, in an order that reveals only the day.

        StoreError, with the rest left for another time, once `lock` is lost.
        """
        return self.database.room.with_ballast_for_moving(
            lambda: turnover.turn_over(self.database, self.block_store, self._clock, lock),
        )

    def sweep(self) -> None:
        """Remove uploads that were not finished within a day, and files without a row. Raises Leapt."""
        self.database.room.with_ballast(
            lambda: uploads.sweep(self.database, self.block_store, self._clock.removal_day()),
        )

    def remove_due(self, active: Collection[str], limits: Limits = LIMITS) -> list[date]:
        """Remove what is due. `active`: the reviewers who must have stated a day before it is removed early.

        Turn over first: days in today's tables are left alone. Returns the days removed because all had stated them.
        Raises Leapt.
        """

        def remove() -> list[date]:
            today = self._clock.removal_day()
            return retention.remove_due(self.database, self.block_store, self._day_hashes, today, active, limits)

        removed = self.database.room.with_ballast(remove)
        self.database.room.keep_ballast()
        return removed

    def _read(self, ask: Callable[[Connection], R]) -> R:
        """What is asked of one snapshot; on a full disk even reading may need room."""

        def once() -> R:
            with self.database.read() as connection:
                return ask(connection)

        return self.database.room.with_ballast(once)

    def close(self) -> None:
        """Close all connections, and let go of the blocks."""
        self.database.close()
        self.block_store.close()

    def shut_down(self) -> None:
        """Close all connections, and leave nothing in SQLite's log alone, if nobody is reading it."""
        with contextlib.suppress(StoreError):  # with the log, the file is whole too
            self.database.empty_log(tries=1, pause=1000)
        self.close()


def open_store(
    url: str, blocks: Path | str | Blocks, envelope_size: int, today: Today | None = None, may_be_away: bool = False
) -> Store:
    """Open a store and upgrade its tables if needed.

    `url` is SQLAlchemy's: `sqlite:////path/whistle.sqlite` or `postgresql+psycopg://…`. `blocks` is a folder, made when
    needed, or a block store. `envelope_size` in bytes is fixed for the life of an instance. `today` returns the UTC
    day, to use instead of the system's or PostgreSQL's. If the database is away, it is prepared once it answers, if
    `may_be_away`; until then every method raises Away.
    """
    block_store = open_blocks(blocks) if isinstance(blocks, Path | str) else blocks
    database = Database(url)
    with contextlib.ExitStack() as undo:
        undo.callback(database.close)
        database.prepare_later(functools.partial(schema.prepare, database))
        with contextlib.suppress(*([Away] if may_be_away else [])):
            database.ensure_prepared()
        store = Store(database, block_store, envelope_size, today)
        undo.pop_all()
    return store


def _check_ids(ids: Sequence[bytes]) -> None:
    if any(len(id) != ID for id in ids):
        raise WrongSize("an id is 16 bytes")
