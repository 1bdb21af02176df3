"""Threads that answer requests, in lanes: what one kind of request takes, no other kind has to do without.

Within a lane, visitors who can be told apart take turns; one with many requests waits for itself.  Few requests of a
lane compute at once, since Python computes one thing at a time: the thread that accepts, and other lanes, get theirs.
"""

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

from whistle.server.running.connection import Connection, slowest

Job = tuple["futures.Future[Any]", Callable[[Any], Any], Any]


@dataclass(frozen=True)
class Size:
    """How many requests of a lane are answered at once, and how many of them compute."""

    threads: int
    turns: int


PAGES, READING, SENDING, BLOCKS, COURIERS, LARGE = "pages", "reading", "sending", "blocks", "couriers", "large"
SIZES = {
    PAGES: Size(4, 2),
    READING: Size(32, 4),  # they wait for the beat
    SENDING: Size(8, 2),  # they wait until more may be stored
    BLOCKS: Size(4, 2),
    COURIERS: Size(8, 2),  # they wait for the courier to take what it asked for
    LARGE: Size(100, 3),  # forms that are received while they arrive
}
PATHS = (
    (re.compile(rb"POST /courier/"), COURIERS),
    (re.compile(rb"POST /api/(lookup|blocks|withdraw) "), READING),
    (re.compile(rb"POST /api/block "), BLOCKS),
    (re.compile(rb"POST /api/"), SENDING),
)
FORM = re.compile(rb"(?im)^content-type:[ \t]*multipart/form-data")


def lane_of(head: bytes, is_large: bool) -> str:
    """The lane of a request with this head; `is_large`: its body arrives while it is answered."""
    for pattern, lane in PATHS:
        if pattern.match(head):
            return LARGE if is_large and lane is not COURIERS else lane
    if is_large:
        return LARGE
    if not head.startswith(b"POST "):
        return PAGES
    return SENDING if FORM.search(head) else READING


@dataclass
class Lane:
    """One lane: who waits, by visitor, and whose requests are being answered."""

    size: Size
    busy: set[Any] = field(default_factory=set)
    waiting: "OrderedDict[str, deque[Job]]" = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.turns = threading.BoundedSemaphore(self.size.turns)
        self.threads = 0

    @property
    def is_short(self) -> bool:
        """Whether few threads are left, or none."""
        return len(self.busy) >= self.size.threads * 7 // 8

    def add(self, visitor: str, job: Job) -> None:
        """Wait behind the visitor's other requests."""
        self.waiting.setdefault(visitor, deque()).append(job)

    def take(self) -> Job | None:
        """The next request, of the visitor whose turn it is; None if nobody waits."""
        if not self.waiting:
            return None
        visitor, jobs = self.waiting.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self.waiting[visitor] = jobs  # behind all others
        return job


class Lanes(futures.Executor):
    """The pool of threads that gunicorn submits requests to: `submit(handle, conn)`.

    `route(conn)`: the lane and the visitor of a request.
    """

    def __init__(self, sizes: Mapping[str, Size], route: Callable[[Any], tuple[str, str]]) -> None:
        self.lanes = {name: Lane(size) for name, size in sizes.items()}
        self._route = route
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> "futures.Future[Any]":
        """Answer a request when its turn comes."""
        [conn], job = args, futures.Future[Any]()
        name, visitor = self._route(conn)
        lane = self.lanes[name]
        with self._lock:
            lane.add(visitor, (job, fn, conn))
            if lane.threads < lane.size.threads:
                lane.threads += 1
                threading.Thread(target=self._work, args=(lane,), daemon=True).start()
        return job

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: a thread ends when nobody waits in its lane, and the process waits for none."""

    def slow(self, now: float) -> list[Connection]:
        """Where threads are short, the slowest client of the lane, if one is slower than an honest one would be."""
        with self._lock:
            short = [list(lane.busy) for lane in self.lanes.values() if lane.is_short]
        found = (slowest((conn.sock for conn in busy), now) for busy in short)
        return [each for each in found if each is not None]

    def _work(self, lane: Lane) -> None:
        while True:
            with self._lock:
                job = lane.take()
                if job is None:
                    lane.threads -= 1
                    return
                future, handle, conn = job
                lane.busy.add(conn)
            try:
                with conn.sock.turn(lane.turns):
                    found = handle(conn)
            except BaseException as error:
                self._done(lane, conn)
                future.set_exception(error)
            else:
                self._done(lane, conn)
                future.set_result(found)

    def _done(self, lane: Lane, conn: Any) -> None:
        with self._lock:
            lane.busy.discard(conn)
