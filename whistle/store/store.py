"""The store as the server meets it. It takes opaque bytes, and says itself which day they came on."""

import contextlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

from whistle.store import envelopes, retention, schema, turnover, uploads
from whistle.store.blocks import Blocks, open_blocks
from whistle.store.clock import Clock, Reading, Today
from whistle.store.database import Database
from whistle.store.day_hash import Held
from whistle.store.days import DayCount, DayIds, count_days, day_ids
from whistle.store.envelopes import Found, Sealed
from whistle.store.errors import Unfit
from whistle.store.job_lock import alone
from whistle.store.models import BLOCK, ID, Heap
from whistle.store.retention import Limits

LIMITS = Limits()
BOTH = (Heap.REVIEWERS, Heap.REPORTERS)
REPORTERS = (Heap.REPORTERS,)


class Store:
    """One place where sealed things rest. Threads may share it; after a fork each process opens its own.

    Ids are 16 bytes, hashes 32, days UTC. Every method raises StoreError when the database or the folder fails, and
    Full when there is no room; then it has changed nothing and may be called again.
    """

    def __init__(self, database: Database, blocks: Blocks, envelope_size: int, today: Today | None = None) -> None:
        self.database = database
        self._clock = Clock(database, today)
        self._blocks, self._envelope_size = blocks, envelope_size
        self._held = Held(database, blocks)

    # The day

    def clock(self) -> Reading:
        """What the clock says now, and the day that counts."""
        with self.database.read() as connection:
            return self._clock.read(connection)

    def accept(self, day: date) -> None:
        """Believe the clock after a leap; `day` is what the operator knows it to be, WrongDay if the clock differs."""
        self._clock.accept(day)

    # What reporters and couriers bring

    def put_block(self, id_: bytes, body: bytes, heap: Heap) -> None:
        """Store one block of 262,144 bytes, durably. It goes after a day or two unless a commit names it.

        The same again is accepted, other bytes are Taken. The same id may stand in both heaps.
        """
        _fit([id_])
        if len(body) != BLOCK:
            raise Unfit("a block is 262,144 bytes")
        uploads.put_block(self.database, self._blocks, id_, body, heap, self._clock)

    def commit(self, sealed: Sequence[Sealed], blocks: Sequence[bytes]) -> None:
        """Store envelopes, and keep the blocks that belong to them, all or nothing; durable when it returns.

        The same again is accepted and changes nothing. Taken: other bytes, or another heap, lie under an id (also
        when its body is gone); Missing: a block was not put. Either names the ids.
        """
        _fit([each.id for each in sealed])
        _fit(blocks)
        if any(len(each.body) != self._envelope_size for each in sealed):
            raise Unfit(f"an envelope is {self._envelope_size} bytes")
        envelopes.commit(self.database, self._blocks, sealed, blocks, self._clock)

    def check_room(self) -> None:
        """Raise Full where a block would find no room now."""
        self._blocks.check_room()

    def drop(self, blocks: Sequence[bytes]) -> None:
        """Remove blocks that were put and that no commit has named, durably; others stay."""
        _fit(blocks)
        uploads.drop(self.database, self._blocks, blocks)

    # What reporters ask

    def has(self, id_: bytes) -> bool:
        """Whether an envelope was stored under the id, whatever has become of it."""
        with self.database.read() as connection:
            return envelopes.has(connection, id_)

    def look(
        self, ids: Sequence[bytes], heaps: Iterable[Heap] = BOTH, bodies: Iterable[Heap] = REPORTERS
    ) -> list[Found]:
        """What is stored under the ids, in order of id; bodies only of the heaps named in `bodies`."""
        with self.database.read() as connection:
            return envelopes.look(connection, ids, heaps, bodies)

    def withdraw(self, ids: Sequence[bytes]) -> str:
        """Remove a report and its slip while the report waits: `withdrawn` (again, too), `collected` or `unknown`."""
        return envelopes.withdraw(self.database, ids, self._clock)

    def block(self, id_: bytes, heap: Heap | None = None) -> bytes | None:
        """A block that a commit has named, in that heap or in any; None when there is none."""
        with self.database.read() as connection:
            if not uploads.is_kept(connection, id_, heap):
                return None
        return self._blocks.get(id_)

    # What couriers ask

    def days(self) -> list[DayCount]:
        """Every day of which the reviewers' heap holds something, oldest first, with counts."""
        with self.database.read() as connection:
            return count_days(connection)

    def day_ids(self, day: date) -> DayIds:
        """What the reviewers' heap holds of a day: ids of envelopes that have a body, and of blocks, each sorted."""
        with self.database.read() as connection:
            return day_ids(connection, day)

    def held(self, day: date) -> bytes | None:
        """The hash over the ids and contents of a day (SPEC 8.3); reads all of it. None when something is gone."""
        return self._held.hash(day)

    def collect(self, ids: Sequence[bytes]) -> list[bytes]:
        """Mark envelopes to reviewers as collected, durably, before any byte of them is sent.

        Returns, sorted, the ids that may be sent: those of the reviewers' heap that are not removed.
        """
        return envelopes.collect(self.database, ids, self._clock)

    def body(self, id_: bytes) -> bytes | None:
        """The body of an envelope, or None. Collect it first."""
        found = self.look([id_], bodies=BOTH)
        return found[0].body if found else None

    def record_import(self, reviewer: str, day: date, hash_: bytes) -> bool:
        """Keep a reviewer's statement, its signature checked by the caller. False: nothing lies here of that day.

        Whether it is what lies here shows at the removal.
        """
        return retention.record_import(self.database, reviewer, day, hash_, self._clock)

    def visit(self, courier: str) -> None:
        """Note that a courier came."""
        retention.visit(self.database, courier, self._clock)

    def last_visit(self) -> date | None:
        """The last day on which a courier came."""
        with self.database.read() as connection:
            return retention.last_visit(connection)

    def oldest_waiting(self) -> date | None:
        """The oldest day with an envelope to reviewers that nobody collected, for warnings before it is too late."""
        with self.database.read() as connection:
            return retention.oldest_waiting(connection)

    # Housekeeping, each within `alone`

    def alone(self, name: str) -> AbstractContextManager[bool]:
        """True for the only one, of all threads and processes, who is in it under this name; False for others."""
        return alone(self.database, name)

    def turn_over(self) -> turnover.Turned:
        """Move what arrived on days that are over to where nothing finer than the day can be read."""
        return turnover.turn_over(self.database, self._blocks, self._clock)

    def sweep(self) -> None:
        """Remove uploads that nobody finished within a day, and files that nothing names.  Raises Leapt."""
        uploads.sweep(self.database, self._blocks, self._clock.settled())

    def remove_due(self, active: Collection[str], limits: Limits = LIMITS) -> list[date]:
        """Remove what has been kept long enough, `active` being the reviewers who must have stated a day.

        Turn over first: days in today's tables are left alone. Returns the days removed because all had stated them.
        Raises Leapt.
        """
        today = self._clock.settled()
        return retention.remove_due(self.database, self._blocks, self._held, today, active, limits)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()


def open_store(url: str, blocks: Path | str | Blocks, envelope_size: int, today: Today | None = None) -> Store:
    """Open a store, after bringing its tables up to date.

    `url` is SQLAlchemy's: `sqlite:////path/whistle.sqlite` or `postgresql+psycopg://…`. `blocks` is a folder, made when
    needed, or another place for them. `envelope_size` in bytes is fixed for the life of an instance. `today` gives the
    UTC day, where it is not to be the system's or PostgreSQL's.
    """
    place = open_blocks(blocks) if isinstance(blocks, Path | str) else blocks
    database = Database(url)
    with contextlib.ExitStack() as undo:
        undo.callback(database.close)
        schema.prepare(database)
        store = Store(database, place, envelope_size, today)
        undo.pop_all()
    return store


def _fit(ids: Sequence[bytes]) -> None:
    if any(len(id_) != ID for id_ in ids):
        raise Unfit("an id is 16 bytes")
