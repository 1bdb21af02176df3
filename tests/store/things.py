"""Things to store, and what a store holds."""

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from whistle.store import BLOCK, Blocks, Heap, Sealed, Store, open_store
from whistle.store.models import clock, manifests, metadata

SIZE = 4096  # bytes of an envelope
DAY = date(2026, 11, 22)
NEXT = DAY + timedelta(days=1)
TRIAL = bool(os.environ.get("WHISTLE_TRIAL"))


class Clock:
    """A clock that tests turn."""

    day = DAY

    def __call__(self) -> date:
        return self.day


CLOCK = Clock()  # of every store that `opened` opens


def opened(url: str, blocks: Path | str | Blocks, size: int = SIZE) -> Store:
    """A store that goes by the tests' clock."""
    return open_store(url, blocks, size, CLOCK)


def on(store: Store, day: date) -> Store:
    """The store once it is that day; the operator accepts whatever leap that is."""
    CLOCK.day = day
    if store.clock().leapt:
        store.accept(day)
    assert store.clock().day == day, "this day is over"
    return store


def after(days: int) -> date:
    """So many days after DAY."""
    return DAY + timedelta(days=days)


def an_id() -> bytes:
    """A random id."""
    return os.urandom(16)


def sealed(heap: Heap = Heap.REVIEWERS, id: bytes | None = None) -> Sealed:
    """An envelope."""
    return Sealed(id or an_id(), heap, os.urandom(SIZE))


def block(start: bytes = b"") -> bytes:
    """A block; all of it random but the middle, which is quicker."""
    return (start + os.urandom(64)).ljust(BLOCK, b"\0")


def put(store: Store, heap: Heap = Heap.REVIEWERS) -> tuple[bytes, bytes]:
    """Put a block, and say its id and body."""
    id, body = an_id(), block()
    store.put_block(id, body, heap)
    return id, body


def report(store: Store, blocks: int = 0) -> tuple[Sealed, Sealed, list[bytes]]:
    """Store a report with its slip and blocks."""
    ids = [put(store)[0] for _ in range(blocks)]
    pair = sealed(), sealed(Heap.REPORTERS)
    store.commit(pair, ids)
    return *pair, ids


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database that people send or do; the last day seen and the manifests are not."""
    with store.database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in metadata.sorted_tables
            if table not in (clock, manifests)
        }


def files(folder: Path) -> list[Path]:
    """All files under a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
