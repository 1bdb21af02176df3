"""The hash over what the reviewers' heap holds of a day, contents included: what workstations sign (SPEC 8.3).

A day is read once, a piece at a time, each in a transaction of its own, so that nobody waits for the end of a large
day. Its hash is remembered while the server runs: nothing is ever overwritten, so it stays true until the ids change.
"""

import hashlib
import heapq
import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import date

from whistle.store.blocks import Blocks
from whistle.store.database import Database
from whistle.store.days import DayIds, day_ids
from whistle.store.envelopes import bodies_of
from whistle.store.errors import Missing

PIECE = 64  # envelopes that are in memory at once


class Held:
    """What lies here of days, as their hashes. Threads may share it."""

    def __init__(self, database: Database, place: Blocks) -> None:
        self._database, self._place = database, place
        self._lock = threading.Lock()  # one reads; others wait for what it finds
        self._known: dict[date, tuple[bytes, bytes]] = {}  # the hash of the ids alone, and that of all

    def hash(self, day: date) -> bytes | None:
        """BLAKE2b-256 over the sorted pairs of id and SHA-256 of the content. None when a content is gone."""
        with self._lock:
            with self._database.read() as connection:
                ids = day_ids(connection, day)
            names = _of_ids(ids)
            known = self._known.get(day)
            if known is None or known[0] != names:
                try:
                    known = names, self._read(ids)
                except Missing:  # withdrawn meanwhile, or lost by the disk
                    return None
                self._known[day] = known
            return known[1]

    def keep(self, days: Collection[date]) -> None:
        """Forget the hashes of all other days."""
        with self._lock:
            self._known = {day: known for day, known in self._known.items() if day in days}

    def _read(self, ids: DayIds) -> bytes:
        digest = hashlib.blake2b(digest_size=32)
        for pair in heapq.merge(self._envelopes(ids.envelopes), self._blocks(ids.blocks)):
            digest.update(pair)
        return digest.digest()

    def _envelopes(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for start in range(0, len(ids), PIECE):
            some = ids[start : start + PIECE]
            with self._database.read() as connection:
                found = bodies_of(connection, some)
            for id_ in some:
                yield _pair(id_, found.get(id_))

    def _blocks(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for id_ in ids:
            yield _pair(id_, self._place.get(id_))


def _pair(id_: bytes, content: bytes | None) -> bytes:
    if content is None:
        raise Missing([id_])
    return id_ + hashlib.sha256(content).digest()


def _of_ids(ids: DayIds) -> bytes:
    digest = hashlib.blake2b(len(ids.envelopes).to_bytes(8, "big"))
    for id_ in (*ids.envelopes, *ids.blocks):
        digest.update(id_)
    return digest.digest()
