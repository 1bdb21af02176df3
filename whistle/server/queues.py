"""Queues of threads: whoever came first is served first, and wakes the next."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

LOOK = 1.0  # seconds after which those who wait look whether their client is still there
LEAST = 0.01  # seconds between two tries of the first, at least


class Place(threading.Event):
    """A place in a queue; set when whoever has it may try again."""

    def __init__(self) -> None:
        super().__init__()
        self.since = time.monotonic()


class Queue:
    """Those who wait until something may be done, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: deque[Place] = deque()

    def wait(self, attempt: Callable[[], float | None], end: float, is_gone: Callable[[], bool]) -> bool:
        """Wait until `attempt` succeeds; False if the time `end` comes first, or the client goes away.

        `attempt` returns None if it succeeded, else the seconds after which it may; only the first in the queue tries.
        Whatever it raises ends the waiting.
        """
        with self._place() as place:
            while not is_gone():
                pause = attempt() if self._places[0] is place else LOOK
                if pause is None:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    break
                rest(place, min(LOOK, left, max(LEAST, pause)))
                place.clear()
        return False

    def wake(self) -> None:
        """Something has changed: let the first try again."""
        with self._lock:
            if self._places:
                self._places[0].set()

    def waited(self) -> float:
        """Seconds for which the first has waited; 0 if nobody does."""
        with self._lock:
            return time.monotonic() - self._places[0].since if self._places else 0.0

    @contextlib.contextmanager
    def _place(self) -> Iterator[Place]:
        place = Place()
        with self._lock:
            self._places.append(place)
        try:
            yield place
        finally:
            with self._lock:
                self._places.remove(place)
            self.wake()


class Room:
    """Bytes that all who work at once may hold together, given out in the order in which they are asked for."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._queue = Queue()
        self.size = self.left = size

    def take(self, count: int, end: float, is_gone: Callable[[], bool]) -> bool:
        """Wait for room; False if there is none by `end`, or the client goes away."""

        def attempt() -> float | None:
            with self._lock:
                if self.left < count:
                    return LOOK
                self.left -= count
            return None

        return self._queue.wait(attempt, end, is_gone)

    def give_back(self, count: int) -> None:
        """Make room for others."""
        with self._lock:
            self.left += count
        self._queue.wake()

    def waited(self) -> float:
        """Seconds for which somebody has waited; 0 if nobody does."""
        return self._queue.waited()


def rest(place: Place, seconds: float) -> None:
    """Wait at a place until it is woken, or so long."""
    place.wait(seconds)
