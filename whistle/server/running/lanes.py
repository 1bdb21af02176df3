"""Threads that answer requests, in lanes: what one kind of request takes, no other kind has to do without.

Within a lane, visitors who can be told apart take turns; one with many requests waits for itself.  Few requests of a
lane compute at once, since Python computes one thing at a time: the thread that accepts, and other lanes, get theirs.
"""

import contextlib
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

from whistle.server.running.connection import BRISK, HONEST_RATE, PATIENCE, ROOM, Connection, slowest

Job = tuple["futures.Future[Any]", Callable[[Any], Any], Any, float]  # with the time since when it waits


@dataclass(frozen=True)
class Size:
    """How many requests of a lane are answered at once, and how many of them compute.

    `streams`: an answer may be long, so its thread waits for the client.  `queues`: its thread waits until more may be
    stored.  In other lanes no thread waits for anybody.
    """

    threads: int
    turns: int
    streams: bool = False
    queues: bool = False


PAGES, READING, FETCHING, SENDING, BLOCKS, COURIERS, LARGE = range(7)
SIZES = {
    PAGES: Size(4, 2),
    READING: Size(64, 4),  # pages that answer a lookup wait for the beat
    FETCHING: Size(32, 2, streams=True),
    SENDING: Size(64, 2, queues=True),  # so do those of a follow-up
    BLOCKS: Size(4, 2),
    COURIERS: Size(8, 2, streams=True),
    LARGE: Size(100, 3, streams=True, queues=True),  # forms that are received while they arrive
}
PATHS = (
    (re.compile(rb"POST /courier/"), COURIERS),
    (re.compile(rb"POST /api/(lookup|withdraw) "), READING),
    (re.compile(rb"POST /api/blocks "), FETCHING),
    (re.compile(rb"POST /api/(ready|block|drop) "), BLOCKS),  # what comes before a message, and never waits in a queue
    (re.compile(rb"POST /api/"), SENDING),
)
MULTIPART = re.compile(rb"(?im)^content-type:[ \t]*multipart/form-data")
STEPS = (  # of forms that are not multipart; spelt in another way, they get the lane whose threads wait for nobody
    (b"&step=download&", FETCHING),
    (b"&step=renew&", SENDING),
    (b"&step=stop-now&", SENDING),
    (b"&step=make-report&", SENDING),
)
FORM = 64 * 1024  # bytes of a form that is not multipart, in which its step is looked for
IDLE = 2.0  # seconds that a thread waits for the next request of its lane, since to begin one takes long
QUEUE = 500  # requests that wait in a lane of a process
QUEUED = ROOM // 2  # bytes that those of all lanes hold


class Overrun(Exception):
    """Too many requests wait in a lane, most of them of this visitor."""


def lane_of(head: bytes, body: bytes, is_large: bool) -> int:
    """The lane of a request; `is_large`: its body arrives while it is answered, and `body` is its beginning."""
    head = head.removeprefix(b"\r\n")  # gunicorn ignores an empty line before a request
    for pattern, lane in PATHS:
        if pattern.match(head):
            return LARGE if is_large and lane != COURIERS else lane
    if is_large:
        return LARGE
    if not head.startswith(b"POST "):
        return PAGES
    if MULTIPART.search(head):
        return SENDING
    form = b"&%b&" % body[:FORM]
    return next((lane for step, lane in STEPS if step in form), READING)


@dataclass
class Lane:
    """One lane: who waits, by visitor, and whose requests are being answered."""

    size: Size
    busy: dict[Any, str] = field(default_factory=dict)  # connections, with their visitors
    waiting: "OrderedDict[str, deque[Job]]" = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.turns = threading.BoundedSemaphore(self.size.turns)
        self.idle: list[threading.Lock] = []  # of threads that wait for a request; each goes on when it is released
        self.threads = self.length = self.held = 0

    @property
    def is_short(self) -> bool:
        """Whether few threads are left, or none."""
        return len(self.busy) >= max(1, self.size.threads * 7 // 8)

    def waited(self, now: float) -> float:
        """Seconds for which the request that comes next has waited; 0 if none does."""
        return now - next(iter(self.waiting.values()))[0][3] if self.waiting else 0.0

    def add(self, visitor: str, job: Job) -> None:
        """Wait behind the visitor's other requests."""
        self.waiting.setdefault(visitor, deque()).append(job)
        self.length += 1
        self.held += job[2].sock.held

    def take(self) -> tuple[str, Job] | None:
        """The next visitor and request; None if nobody waits.

        The last threads are for visitors who have none, where visitors are told apart.
        """
        served = set(filter(None, self.busy.values())) if self.is_short else ()
        visitor = next((each for each in self.waiting if each not in served), None)
        return None if visitor is None else (visitor, self._pop(visitor, deque.popleft))

    def overrun(self) -> Job | None:
        """The request that has to go; None if there is room."""
        return None if self.length <= QUEUE else self.take_back()

    def take_back(self) -> Job:
        """Take back the last request of whoever has most of them."""
        return self._pop(max(self.waiting, key=lambda visitor: len(self.waiting[visitor])), deque.pop)

    def _pop(self, visitor: str, pop: Callable[["deque[Job]"], Job]) -> Job:
        jobs = self.waiting.pop(visitor)
        job = pop(jobs)
        if jobs:
            self.waiting[visitor] = jobs  # behind all others
        self.length -= 1
        self.held -= job[2].sock.held
        return job


class Lanes(futures.Executor):
    """The pool of threads that gunicorn submits requests to: `submit(handle, conn)`.

    `route(conn)`: the lane and the visitor of a request.
    """

    def __init__(self, sizes: Mapping[int, Size], route: Callable[[Any], tuple[int, str]]) -> None:
        self.lanes = {name: Lane(size) for name, size in sizes.items()}
        self._route = route
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> "futures.Future[Any]":
        """Answer a request when its turn comes; or Overrun, of this one or of one that waits already."""
        [conn], job = args, futures.Future[Any]()
        name, visitor = self._route(conn)
        lane = self.lanes[name]
        conn.sock.streams, conn.sock.queues = lane.size.streams, lane.size.queues
        with self._lock:
            lane.add(visitor, (job, fn, conn, time.monotonic()))
            excess = [each for each in (lane.overrun(), *self._too_heavy()) if each]
            if lane.idle:
                lane.idle.pop().release()
            elif lane.threads < lane.size.threads:
                with contextlib.suppress(RuntimeError):  # no thread can be had: another of the lane will take it
                    threading.Thread(target=self._work, args=(lane,), daemon=True).start()
                    lane.threads += 1
        for each in excess:
            each[0].set_exception(Overrun())
        return job

    def _too_heavy(self) -> Iterator[Job]:
        """Requests that have to go since those that wait hold too much, from the lane that holds most."""
        while sum(lane.held for lane in self.lanes.values()) > QUEUED:
            yield max(self.lanes.values(), key=lambda lane: lane.held).take_back()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: a thread ends when no request has come to its lane for a while, and the process waits for none."""

    def slow(self, now: float, waited: float = 0.0) -> list[Connection]:
        """Where threads are short, the slowest client of the lane, if one is slower than an honest one would be.

        Where somebody has waited long for a thread that may wait for its client, or for so many seconds (`waited`) for
        what large forms hold, the slowest goes sooner.
        """
        found = []
        with self._lock:
            for name, lane in self.lanes.items():
                long = lane.size.streams and max(lane.waited(now), waited if name == LARGE else 0.0) > PATIENCE
                if long or lane.is_short:
                    found.append(([*lane.busy], BRISK if long else HONEST_RATE))
        return [each for busy, rate in found for each in slowest((conn.sock for conn in busy), now, rate)[:1]]

    def busy(self) -> list[Connection]:
        """The connections that threads have."""
        with self._lock:
            return [conn.sock for lane in self.lanes.values() for conn in lane.busy]

    def _work(self, lane: Lane) -> None:
        while job := self._take(lane):
            self._answer(lane, job)
            del job  # while the thread waits for the next, it holds nothing of this one

    def _answer(self, lane: Lane, job: Job) -> None:
        future, handle, conn, _ = job
        try:
            with conn.sock.turn(lane.turns):
                found = handle(conn)
        except BaseException as error:
            self._done(lane, conn)
            future.set_exception(error)
        else:
            self._done(lane, conn)
            future.set_result(found)

    def _take(self, lane: Lane) -> Job | None:
        """The next request, after waiting for it for a while; None if none came, which ends the thread."""
        woken = True
        while True:
            with self._lock:
                if taken := lane.take():
                    visitor, job = taken
                    lane.busy[job[2]] = visitor
                    return job
                if not woken:
                    lane.threads -= 1
                    return None
                called = threading.Lock()
                called.acquire()
                lane.idle.append(called)
            woken = called.acquire(timeout=IDLE)
            with self._lock:
                if not woken and called in lane.idle:
                    lane.idle.remove(called)

    def _done(self, lane: Lane, conn: Any) -> None:
        with self._lock:
            del lane.busy[conn]
