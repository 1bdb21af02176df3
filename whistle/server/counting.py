"""Sliding-window counters in shared memory, for the limits; the library provides the storage in Redis.

All processes of a server share the memory, so that limits do not depend on their number.
The library's own memory storage starts a thread at nearly every request to remove expired counters.  Here they are
removed while counting, within a minute of their end if there are requests.
"""

import contextlib
import fcntl
import hashlib
import math
import mmap
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from limits.storage import SlidingWindowCounterSupport, Storage

SWEEP = 60.0  # seconds
EVERYBODY = "everybody"  # the key of counters for all visitors together
COUNTER = struct.Struct("<16sIId")  # the hash of a key, the counts in the previous and the current window, and when
# they expire, in seconds since 1970
SHARED_COUNTERS = 64  # counters for everybody, a few for each action; never evicted by visitors'
VISITOR_COUNTERS = 16_384  # counters for visitors; if all probed ones are in use, the one that ends first is replaced
PROBES = 32  # counters searched for a key, from the position given by its hash
HEAD = 64  # bytes before the counters, for the user of the memory
Clock = Callable[[], float]


class Memory:
    """Anonymous memory that the processes of a server share; to be created before they fork."""

    def __init__(self) -> None:
        self.bytes = mmap.mmap(-1, HEAD + (SHARED_COUNTERS + VISITOR_COUNTERS) * COUNTER.size)
        self._file_lock = tempfile.TemporaryFile()  # noqa: SIM115  empty and without a name; closed with the process
        self._thread_lock = threading.Lock()

    @contextlib.contextmanager
    def locked(self) -> Iterator[mmap.mmap]:
        """The bytes, for one thread of one process at a time; the lock of a process that dies is released."""
        with self._thread_lock:
            fcntl.lockf(self._file_lock, fcntl.LOCK_EX)
            try:
                yield self.bytes
            finally:
                fcntl.lockf(self._file_lock, fcntl.LOCK_UN)


class MemoryStorage(Storage, SlidingWindowCounterSupport):
    """Counts by key with expiry; registered in `limits` as ``counting://``.

    A sliding window is the current window plus the part of the previous one that has not passed yet.
    """

    STORAGE_SCHEME = ["counting"]  # noqa: RUF012  required by the library

    def __init__(
        self, uri: str | None = None, now: Clock = time.time, memory: Memory | None = None, **options: Any
    ) -> None:
        super().__init__(uri, **options)
        self._now = now
        self._memory = memory or Memory()
        self._next_sweep = now() + SWEEP

    @property
    def base_exceptions(self) -> type[Exception]:
        """Required by the library; memory raises nothing to be wrapped."""
        return ValueError

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` within the last `expiry` seconds; False, and counts nothing, if that exceeds `limit`."""
        with self._memory.locked() as data:
            now = self._now()
            self._forget(data, now)
            offset, hashed, before, count = _window(data, key, expiry, now)
            if math.floor(before * _left(expiry, now) / expiry) + count + amount > limit:
                return False
            COUNTER.pack_into(data, offset, hashed, before, count + amount, (now // expiry + 2) * expiry)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """The count of the previous window and its seconds left; the same for the current window."""
        with self._memory.locked() as data:
            now = self._now()
            _, _, before, count = _window(data, key, expiry, now)
            return before, _left(expiry, now) if before else 0.0, count, _left(expiry, now) + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Remove one counter."""
        self.clear(key)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` in a fixed window that starts with the first and lasts `expiry` seconds; returns the count."""
        with self._memory.locked() as data:
            now = self._now()
            self._forget(data, now)
            offset, hashed = _find(data, key)
            stored, _, count, end = COUNTER.unpack_from(data, offset)
            if stored != hashed or end <= now:
                count, end = 0, now + expiry
            COUNTER.pack_into(data, offset, hashed, 0, count + amount, end)
            return int(count + amount)

    def get(self, key: str) -> int:
        """The count, or 0 after its end."""
        count, end = self._counted(key)
        return count if end > self._now() else 0

    def get_expiry(self, key: str) -> float:
        """When the counter expires, in seconds since 1970."""
        return self._counted(key)[1] or self._now()

    def check(self) -> bool:
        """True: memory is always available."""
        return True

    def reset(self) -> int:
        """Remove all counters; returns how many there were."""
        with self._memory.locked() as data:
            used = sum(any(hashed) for _, hashed, _ in _counters(data))
            data[HEAD:] = bytes(len(data) - HEAD)
            return used

    def clear(self, key: str) -> None:
        """Remove one counter."""
        with self._memory.locked() as data:
            offset, hashed = _find(data, key)
            if data[offset : offset + len(hashed)] == hashed:
                COUNTER.pack_into(data, offset, b"", 0, 0, 0)

    def _counted(self, key: str) -> tuple[int, float]:
        with self._memory.locked() as data:
            offset, hashed = _find(data, key)
            stored, _, count, end = COUNTER.unpack_from(data, offset)
            return (count, end) if stored == hashed else (0, 0.0)

    def _forget(self, data: mmap.mmap, now: float) -> None:
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP
            for offset, _, end in _counters(data):
                if 0 < end <= now:
                    COUNTER.pack_into(data, offset, b"", 0, 0, 0)


def _window(data: mmap.mmap, key: str, expiry: int, now: float) -> tuple[int, bytes, int, int]:
    """The offset of a key's counter, the key's hash, and the counts of the previous and the current window."""
    offset, hashed = _find(data, key)
    stored, before, count, end = COUNTER.unpack_from(data, offset)
    past = now // expiry + 2 - end // expiry if stored == hashed else 2  # windows since the last one counted
    return offset, hashed, before if past == 0 else count if past == 1 else 0, count if past == 0 else 0


def _left(expiry: int, now: float) -> float:
    """Seconds left in the current window."""
    return expiry - now % expiry


def _counters(data: mmap.mmap) -> Iterator[tuple[int, bytes, float]]:
    """Every counter: its offset, its key's hash and its end."""
    for offset in range(HEAD, len(data), COUNTER.size):
        hashed, _, _, end = COUNTER.unpack_from(data, offset)
        yield offset, hashed, end


def _find(data: mmap.mmap, key: str) -> tuple[int, bytes]:
    """The offset of a key's counter, or of the one to replace, and the key's hash."""
    hashed = hashlib.blake2b(key.encode(), digest_size=16).digest()
    first, size, near = (
        (0, SHARED_COUNTERS, SHARED_COUNTERS)
        if EVERYBODY in key.split("/")
        else (SHARED_COUNTERS, VISITOR_COUNTERS, PROBES)
    )
    begin, best = int.from_bytes(hashed[:8]), (float("inf"), 0, 0)
    for step in range(near):
        offset = HEAD + (first + (begin + step) % size) * COUNTER.size
        stored, _, _, end = COUNTER.unpack_from(data, offset)
        if stored == hashed:
            return offset, hashed
        best = min(best, (end, step, offset))  # an empty one ends at 0; among those, the first
    return best[2], hashed
