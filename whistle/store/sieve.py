"""Which ids can lie in SQLite's main tables: most of a look's thousand cannot, and need not be searched for there.

The main tables get rows at the turn-over alone.  It counts these in the database's own `user_version`, in the same
transaction, so a process that remembers what lies there knows whether it still does.  An id too many, as of a row that
was removed since, costs a search and changes nothing.
"""

import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence

MOST = 250_000  # ids that a process remembers, about 60 bytes each; with more, everything is searched for
STEP = 4096  # ids read at a time
VERSIONS = 2**31 - 1  # then they begin anew


def numbers(ids: Sequence[bytes]) -> tuple[int, ...]:
    """The first four bytes of each id, big-endian: others may share them."""
    return struct.unpack(">" + "I12x" * len(ids), b"".join(ids))


def version(bare: sqlite3.Connection) -> int:
    """How often the main tables got rows, as the transaction at hand sees them."""
    found: int = bare.execute("PRAGMA main.user_version").fetchone()[0]
    return found


def grown(bare: sqlite3.Connection) -> None:
    """Count, in the transaction at hand, that the main tables get rows."""
    bare.execute(f"PRAGMA main.user_version = {version(bare) % VERSIONS + 1}")


class Sieve:
    """The numbers of the ids in the main tables of one database, as one process remembers them."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._made: tuple[int, frozenset[int] | None] = (-1, None)

    def passed(self, bare: sqlite3.Connection, ids: Sequence[bytes], asked: tuple[int, ...]) -> Sequence[bytes]:
        """Those of the ids that can lie there as the transaction at hand sees it; `asked` are their numbers."""
        known = self._numbers(bare)
        if known is None:
            return ids
        few = known.intersection(asked)
        return [id_ for id_, number in zip(ids, asked, strict=True) if number in few] if few else ()

    def _numbers(self, bare: sqlite3.Connection) -> frozenset[int] | None:
        now = version(bare)
        made, known = self._made
        if made != now and self._making.acquire(blocking=False):  # others search for everything meanwhile
            try:
                known = _read(bare)
                made, _ = self._made = (now, known)
            finally:
                self._making.release()
        return known if made == now else None


def _read(bare: sqlite3.Connection) -> frozenset[int] | None:
    """The numbers of all ids; None where there are too many."""
    found: set[int] = set()
    for some in _parts(bare.execute("SELECT id FROM envelopes LIMIT ?", [MOST + 1])):
        found.update(numbers(some))
    return frozenset(found) if len(found) <= MOST else None


def _parts(cursor: sqlite3.Cursor) -> Iterator[list[bytes]]:
    while rows := cursor.fetchmany(STEP):
        yield [id_ for (id_,) in rows]
