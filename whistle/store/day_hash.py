"""The hash over what the reviewers' heap holds for a day, contents included: what workstations sign (SPEC 8.3).

A day is read in pieces, each in its own transaction, so that nobody has to wait while a large day is read. Its hash is
cached while the server runs: nothing is ever overwritten, so the hash is valid until the ids change.
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


class DayHashes:
    """The hashes of days, cached. Threads may share it."""

    def __init__(self, database: Database, block_store: Blocks) -> None:
        self._database, self._block_store = database, block_store
        self._lock = threading.Lock()  # one thread computes; the others wait for its result
        self._hashes: dict[date, tuple[bytes, bytes]] = {}  # the hash of the ids, and of ids and contents

    def get(self, day: date) -> bytes | None:
        """BLAKE2b-256 over the sorted pairs of id and SHA-256 of the content. None when some content is gone."""
        with self._lock:
            with self._database.read() as connection:
                ids = day_ids(connection, day)
            ids_hash = _hash_ids(ids)
            cached = self._hashes.get(day)
            if cached is None or cached[0] != ids_hash:
                try:
                    cached = ids_hash, self._read(ids)
                except Missing:  # withdrawn in the meantime, or lost by the disk
                    return None
                self._hashes[day] = cached
            return cached[1]

    def retain(self, days: Collection[date]) -> None:
        """Drop the cached hashes of all other days."""
        with self._lock:
            self._hashes = {day: cached for day, cached in self._hashes.items() if day in days}

    def _read(self, ids: DayIds) -> bytes:
        digest = hashlib.blake2b(digest_size=32)
        for pair in heapq.merge(self._envelopes(ids.envelopes), self._blocks(ids.blocks)):
            digest.update(pair)
        return digest.digest()

    def _envelopes(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for start in range(0, len(ids), PIECE):
            batch = ids[start : start + PIECE]
            with self._database.read() as connection:
                bodies = bodies_of(connection, batch)
            for id in batch:
                yield _pair(id, bodies.get(id))

    def _blocks(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        for id in ids:
            yield _pair(id, self._block_store.get(id))


def _pair(id: bytes, content: bytes | None) -> bytes:
    if content is None:
        raise Missing([id])
    return id + hashlib.sha256(content).digest()


def _hash_ids(ids: DayIds) -> bytes:
    digest = hashlib.blake2b(len(ids.envelopes).to_bytes(8, "big"))
    for id in (*ids.envelopes, *ids.blocks):
        digest.update(id)
    return digest.digest()
