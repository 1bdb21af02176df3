"""What every look and every report asks of SQLite, put to its own connection: around statements as small as these,
SQLAlchemy's work would be most of it.  The counterpart for PostgreSQL stands in `envelopes`.
"""

import functools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from whistle.store.models import EPOCH, PLACES, TODAY, Heap, Place, State, key
from whistle.store.sieve import Sieve, mark, numbers

MOST = 4096  # ids in one statement that asks by their numbers
_DIGITS = 8  # hexadecimal, whose number stands for an id in the indexes that revision 0003 has made
_NUMBER = " | ".join(
    f"(instr('123456789ABCDEF', substr(hex(kept.id), {place + 1}, 1)) << {4 * (_DIGITS - 1 - place)})"
    for place in range(_DIGITS)
)
# Names are ours, in all of these.
_UNDER = tuple(f"SELECT id, heap FROM {place.envelopes.name} WHERE id BETWEEN ? AND ?" for place in PLACES)  # noqa: S608
_BODY = tuple(f"SELECT body FROM {place.bodies.name} WHERE k = ?" for place in PLACES)  # noqa: S608
_ADD = f"INSERT INTO {TODAY.envelopes.name} VALUES (?, ?, ?, ?, ?)"  # noqa: S608
_ADD_BODY = f"INSERT INTO {TODAY.bodies.name} VALUES (?, ?)"  # noqa: S608


class Row(NamedTuple):
    """An envelope without its body."""

    id: bytes
    heap: Heap
    day: date
    state: State
    state_day: date


@functools.lru_cache(maxsize=16)
def numbered(count: int, place: Place) -> str:
    """What asks for the rows by that many ids' numbers; others may share these, so the ids are to be compared.

    A look asks for a thousand, and SQLite compares numbers far quicker than blobs.
    """
    asked = ",".join(f"(?{number + 1})" for number in range(count))
    return (
        f"SELECT kept.* FROM (VALUES {asked}) AS asked "  # noqa: S608  names are ours
        f"CROSS JOIN {place.envelopes.name} AS kept ON {_NUMBER} = asked.column1"
    )


@dataclass(frozen=True)
class Direct:
    """A connection of SQLite's, in a transaction, and what the process remembers of the tables."""

    bare: sqlite3.Connection
    sieves: Mapping[Place, Sieve]

    def rows(self, ids: Sequence[bytes]) -> Iterator[Row]:
        """The rows under the ids, today's before the main ones: what moves meanwhile is found there."""
        for start in range(0, len(ids), MOST):
            some = ids if len(ids) <= MOST else ids[start : start + MOST]
            asked = numbers(some)
            for place in PLACES:
                if passed := self.sieves[place].passed(self.bare, some, asked):
                    yield from self._found(place, passed)

    def _found(self, place: Place, ids: Sequence[bytes]) -> Iterator[Row]:
        found = self.bare.execute(numbered(len(ids), place), numbers(ids)).fetchall()
        wanted = set(ids) if found else ()
        for id_, heap, day, state, state_day in found:
            if id_ in wanted:
                yield Row(id_, Heap(heap), EPOCH + timedelta(day), State(state), EPOCH + timedelta(state_day))

    def under(self, id_: bytes) -> tuple[bytes, Heap] | None:
        """Which envelope has the id, or another with the same key."""
        for asking in _UNDER:
            for found, heap in self.bare.execute(asking, (id_[:8] + bytes(8), id_[:8] + b"\xff" * 8)):
                return found, Heap(heap)
        return None

    def bodies(self, ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The bodies that are there, each behind its id."""
        for id_ in ids:
            for asking in _BODY:
                if found := self.bare.execute(asking, (key(id_),)).fetchone():
                    yield id_, found[0]
                    break

    def add(self, envelopes: Sequence[tuple[bytes, Heap, bytes]], day: date) -> None:
        """New envelopes of a day: id, heap and body."""
        if not envelopes:
            return
        since = (day - EPOCH).days
        self.mark(TODAY)
        for id_, heap, body in envelopes:
            self.bare.execute(_ADD, (id_, heap.value, since, State.WAITING.value, since))
            self.bare.execute(_ADD_BODY, (key(id_), body))

    def mark(self, place: Place) -> None:
        """Say that envelopes are added there."""
        mark(self.bare, place.envelopes.name)
