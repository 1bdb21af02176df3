"""Which ids can lie in a table of SQLite's: most of a look's thousand cannot, and need not be searched for there.

Whoever adds envelopes marks the database file with a new random number, its `user_version`, in the same transaction, so
a process that remembers what lay there knows whether it still does.  An id too many, as of a row that has moved or was
removed since, costs a search and changes nothing.
"""

import functools
import operator
import secrets
import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import overload

from whistle.store.models import ID

MOST = 250_000  # ids that a process remembers of a table, about 60 bytes each; of a larger one it remembers nothing
STEP = 4096  # ids read at a time
MARKS = 2**31 - 1
FILES = {"envelopes": "main", "today_envelopes": "today"}  # by table; as the connections call them


class Ids(Sequence[bytes]):
    """Ids one after the other in one text, as they came: each is cut out only where it is wanted."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return len(self.raw) // ID

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(at, int):
            place = range(len(self))[at] * ID
            return self.raw[place : place + ID]
        return list(self)[at]

    def __iter__(self) -> Iterator[bytes]:
        return iter(struct.unpack(f"{ID}s" * len(self), self.raw))

    @functools.cached_property
    def numbers(self) -> tuple[int, ...]:
        """The first four bytes of each, big-endian: others may share them."""
        return struct.unpack(">" + "I12x" * len(self), self.raw)

    def ascend(self) -> bool:
        """Whether each is above the one before it."""
        if all(map(operator.lt, self.numbers, self.numbers[1:])):
            return True
        ids = list(self)
        return all(map(operator.lt, ids, ids[1:]))


def numbers(ids: Sequence[bytes]) -> tuple[int, ...]:
    """Those of `Ids`."""
    return (ids if isinstance(ids, Ids) else Ids(b"".join(ids))).numbers


def mark(bare: sqlite3.Connection, table: str) -> None:
    """Say, with the transaction at hand, that the table gets rows."""
    bare.execute(f"PRAGMA {FILES[table]}.user_version = {random_mark()}")


def marked(bare: sqlite3.Connection, table: str) -> int:
    """The mark, as the transaction at hand sees it."""
    found: int = bare.execute(f"PRAGMA {FILES[table]}.user_version").fetchone()[0]
    return found


def random_mark() -> int:
    """Not a count, which would tell how much ever came."""
    return secrets.randbelow(MARKS) + 1


class Sieve:
    """The numbers of the ids in one table, as one process remembers them."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._making = threading.Lock()
        self._seen = -1  # the mark that the last look saw
        self._made: tuple[int, frozenset[int] | None] = (-1, None)  # of which mark, and the numbers

    def passed(self, bare: sqlite3.Connection, ids: Sequence[bytes], asked: tuple[int, ...]) -> Sequence[bytes]:
        """Those of the ids that can lie there, as the transaction at hand sees it; `asked` are their numbers."""
        known = self._numbers(bare)
        if known is None:
            return ids
        few = known.intersection(asked)
        return [ids[at] for at in compress(range(len(ids)), map(few.__contains__, asked))] if few else ()

    def _numbers(self, bare: sqlite3.Connection) -> frozenset[int] | None:
        """The numbers; None where they are not known: then everything is searched for.

        They are read when a mark is seen for the second time, so not between one report and the next.
        """
        now = marked(bare, self._table)
        made, known = self._made
        if made == now:
            return known
        again, self._seen = self._seen == now, now
        if not again or not self._making.acquire(blocking=False):
            return None
        try:
            known = self._read(bare)
            self._made = (now, known)
            return known
        finally:
            self._making.release()

    def _read(self, bare: sqlite3.Connection) -> frozenset[int] | None:
        """The numbers of all ids; None where there are too many."""
        found: set[int] = set()
        for some in _parts(bare.execute(f"SELECT id FROM {self._table} LIMIT ?", [MOST + 1])):  # noqa: S608  ours
            found.update(numbers(some))
        return frozenset(found) if len(found) <= MOST else None


def _parts(cursor: sqlite3.Cursor) -> Iterator[list[bytes]]:
    while rows := cursor.fetchmany(STEP):
        yield [id_ for (id_,) in rows]
