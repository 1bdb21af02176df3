"""Counters in memory for the limits; the counterpart in Redis comes with the library.

The library's own memory starts a thread at nearly every request only to forget what is over.  Here that is forgotten
while others are counted, a minute after its time at the latest if anybody counts at all.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from limits.storage import Storage

SWEEP = 60.0  # seconds


class Counting(Storage):
    """Counts by key, each for its time; `limits` finds it as ``counting://``."""

    STORAGE_SCHEME = ["counting"]  # noqa: RUF012  the library reads it so

    def __init__(self, uri: str | None = None, now: Callable[[], float] = time.time, **options: Any) -> None:
        super().__init__(uri, **options)
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}  # how many, and until when they count
        self._sweep = now() + SWEEP

    @property
    def base_exceptions(self) -> type[Exception]:
        """None that could come from outside."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count some more; what has been counted since the first, which lasts for `expiry` seconds."""
        with self._lock:
            self._forget()
            count, end = self._counts.get(key, (0, 0.0))
            if end <= self._now():
                count, end = 0, self._now() + expiry
            self._counts[key] = count + amount, end
            return count + amount

    def get(self, key: str) -> int:
        """What has been counted."""
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > self._now() else 0

    def get_expiry(self, key: str) -> float:
        """When it is forgotten, in seconds since 1970."""
        return self._counts.get(key, (0, self._now()))[1]

    def check(self) -> bool:
        """Always well."""
        return True

    def reset(self) -> int:
        """Forget everything; how much that was."""
        with self._lock:
            count = len(self._counts)
            self._counts.clear()
            return count

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._lock:
            self._counts.pop(key, None)

    def _forget(self) -> None:
        now = self._now()
        if now >= self._sweep:
            self._sweep = now + SWEEP
            self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
