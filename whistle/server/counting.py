"""Counters in memory for the limits, over windows that slide; the counterpart in Redis comes with the library.

All processes of a server count in the same memory, so that a limit is one limit however many they are.
The library's own memory starts a thread at nearly every request only to forget what is over.  Here that is forgotten
while others are counted, a minute after its time at the latest if anybody counts at all.
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
EVERYBODY = "everybody"  # who is counted where all are counted together
COUNTER = struct.Struct("<16sIId")  # the hash of a key, how many in the window before and in the present one, and until
# when they count, in seconds since 1970
TOGETHER = 64  # counters of everybody: some for each action; they make room for no other
APART = 16_384  # counters of visitors; where all near a place are in use, the one that ends first makes room
NEAR = 32  # counters among which one visitor's is looked for
HEAD = 64  # bytes in front of the counters, for whoever counts
Clock = Callable[[], float]


class Memory:
    """Bytes that the processes of a server share, with no file and no name; to be made before they part."""

    def __init__(self) -> None:
        self.bytes = mmap.mmap(-1, HEAD + (TOGETHER + APART) * COUNTER.size)
        self._turn = tempfile.TemporaryFile()  # noqa: SIM115  empty, and without a name; the system lets go of it
        self._thread = threading.Lock()

    @contextlib.contextmanager
    def alone(self) -> Iterator[mmap.mmap]:
        """The bytes for one thread of one process at a time; who dies lets go."""
        with self._thread:
            fcntl.lockf(self._turn, fcntl.LOCK_EX)
            try:
                yield self.bytes
            finally:
                fcntl.lockf(self._turn, fcntl.LOCK_UN)


class Counting(Storage, SlidingWindowCounterSupport):
    """Counts by key, each for its time; `limits` finds it as ``counting://``.

    A sliding window is the present one, and of the one before it the part that is not over yet.
    """

    STORAGE_SCHEME = ["counting"]  # noqa: RUF012  the library reads it so

    def __init__(
        self, uri: str | None = None, now: Clock = time.time, memory: Memory | None = None, **options: Any
    ) -> None:
        super().__init__(uri, **options)
        self._now = now
        self._memory = memory or Memory()
        self._sweep = now() + SWEEP

    @property
    def base_exceptions(self) -> type[Exception]:
        """None that could come from outside."""
        return ValueError

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count some more within the last `expiry` seconds; False, and nothing is counted, where that were too many."""
        with self._memory.alone() as data:
            now = self._now()
            self._forget(data, now)
            place, hashed, before, count = _window(data, key, expiry, now)
            if math.floor(before * _left(expiry, now) / expiry) + count + amount > limit:
                return False
            COUNTER.pack_into(data, place, hashed, before, count + amount, (now // expiry + 2) * expiry)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """How many in the window before, and for how many seconds they count; the same of the present window."""
        with self._memory.alone() as data:
            now = self._now()
            _, _, before, count = _window(data, key, expiry, now)
            return before, _left(expiry, now) if before else 0.0, count, _left(expiry, now) + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget one counter."""
        self.clear(key)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count some more; what has been counted since the first, which lasts for `expiry` seconds."""
        with self._memory.alone() as data:
            now = self._now()
            self._forget(data, now)
            place, hashed = _place(data, key)
            found, _, count, end = COUNTER.unpack_from(data, place)
            if found != hashed or end <= now:
                count, end = 0, now + expiry
            COUNTER.pack_into(data, place, hashed, 0, count + amount, end)
            return int(count + amount)

    def get(self, key: str) -> int:
        """What has been counted."""
        count, end = self._counted(key)
        return count if end > self._now() else 0

    def get_expiry(self, key: str) -> float:
        """When it is forgotten, in seconds since 1970."""
        return self._counted(key)[1] or self._now()

    def check(self) -> bool:
        """Always well."""
        return True

    def reset(self) -> int:
        """Forget everything; how much that was."""
        with self._memory.alone() as data:
            used = sum(any(hashed) for _, hashed, _ in _counters(data))
            data[HEAD:] = bytes(len(data) - HEAD)
            return used

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._memory.alone() as data:
            place, hashed = _place(data, key)
            if data[place : place + len(hashed)] == hashed:
                COUNTER.pack_into(data, place, b"", 0, 0, 0)

    def _counted(self, key: str) -> tuple[int, float]:
        with self._memory.alone() as data:
            place, hashed = _place(data, key)
            found, _, count, end = COUNTER.unpack_from(data, place)
            return (count, end) if found == hashed else (0, 0.0)

    def _forget(self, data: mmap.mmap, now: float) -> None:
        if now >= self._sweep:
            self._sweep = now + SWEEP
            for place, _, end in _counters(data):
                if 0 < end <= now:
                    COUNTER.pack_into(data, place, b"", 0, 0, 0)


def _window(data: mmap.mmap, key: str, expiry: int, now: float) -> tuple[int, bytes, int, int]:
    """Where a key's counter is, the key's hash, and how many are in the window before and in the present one."""
    place, hashed = _place(data, key)
    found, before, count, end = COUNTER.unpack_from(data, place)
    past = now // expiry + 2 - end // expiry if found == hashed else 2  # windows since the one that was counted last
    return place, hashed, before if past == 0 else count if past == 1 else 0, count if past == 0 else 0


def _left(expiry: int, now: float) -> float:
    """How many seconds the present window lasts."""
    return expiry - now % expiry


def _counters(data: mmap.mmap) -> Iterator[tuple[int, bytes, float]]:
    """Every counter: its place, its key's hash and its end."""
    for place in range(HEAD, len(data), COUNTER.size):
        hashed, _, _, end = COUNTER.unpack_from(data, place)
        yield place, hashed, end


def _place(data: mmap.mmap, key: str) -> tuple[int, bytes]:
    """Where a key's counter is, or is to be, and the key's hash."""
    hashed = hashlib.blake2b(key.encode(), digest_size=16).digest()
    first, size, near = (0, TOGETHER, TOGETHER) if EVERYBODY in key.split("/") else (TOGETHER, APART, NEAR)
    begin, best = int.from_bytes(hashed[:8]), (float("inf"), 0, 0)
    for step in range(near):
        place = HEAD + (first + (begin + step) % size) * COUNTER.size
        found, _, _, end = COUNTER.unpack_from(data, place)
        if found == hashed:
            return place, hashed
        best = min(best, (end, step, place))  # one that is empty ends at 0, and the first such is found soonest
    return best[2], hashed
