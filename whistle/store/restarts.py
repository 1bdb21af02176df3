"""Waits for a database that restarts, so that an upload under way continues instead of being refused."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from whistle.store.errors import Away

LONGEST = 20.0  # seconds from when the database was first missed; whoever calls later is refused at once
PAUSE = 0.25  # seconds between two tries
WAITING = 8  # calls that may wait at once, since each holds a thread that could show a page

T = TypeVar("T")


class Restarts:
    """Repeats calls that failed because the database was away. Only for calls that are safe to repeat."""

    def __init__(self) -> None:
        self._missed: float | None = None
        self._room = threading.BoundedSemaphore(WAITING)

    def outlast(self, call: Callable[[], T]) -> T:
        """The call's result, perhaps of a later try; Away if the database stays away, or if too many wait already."""
        missed = None
        while True:
            try:
                result = call()
            except Away:
                missed = missed or self._note()
                if not self._pause(missed):
                    raise
            else:
                self._missed = None
                return result

    def _note(self) -> float:
        """When the database was first missed."""
        self._missed = self._missed or time.monotonic()
        return self._missed

    def _pause(self, missed: float) -> bool:
        """Wait until the next try; False if there is none."""
        if time.monotonic() > missed + LONGEST or not self._room.acquire(blocking=False):
            return False
        try:
            time.sleep(PAUSE)
        finally:
            self._room.release()
        return True
