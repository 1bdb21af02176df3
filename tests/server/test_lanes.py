"""Lanes: no kind of request starves another, visitors take turns, few requests compute at once."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.patience import PATIENCE
from whistle.server.running import lanes
from whistle.server.running.lanes import Lanes, Size


@dataclass(eq=False)
class Socket:
    """What a lane asks of a connection."""

    speed: float = 1e9

    @contextlib.contextmanager
    def turn(self, turns: threading.Semaphore) -> Iterator[None]:
        """Compute in turn."""
        with turns:
            yield

    def waited(self, _now: float) -> float:
        """Seconds that we waited for it."""
        return 100.0

    def rate(self, _now: float) -> float:
        """Bytes a second."""
        return self.speed

    patience = 10.0


@dataclass(eq=False)
class Request:
    """A request that can be let go."""

    lane: str
    visitor: str = ""
    sock: Socket = field(default_factory=Socket)
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)


def handle(request: Request) -> str:
    """Answer a request once it is let go."""
    request.begun.set()
    assert request.go.wait(PATIENCE)
    return request.visitor


@pytest.fixture
def pool() -> Lanes:
    """Two lanes, of one thread and of two, one of which computes."""
    sizes = {"one": Size(1, 1), "two": Size(2, 1)}
    return Lanes(sizes, lambda request: (request.lane, request.visitor))


HEADS = {
    b"GET /en/ HTTP/1.1\r\n": (lanes.PAGES, lanes.PAGES),
    b"HEAD /nothing HTTP/1.1\r\n": (lanes.PAGES, lanes.PAGES),
    b"POST /en/ HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n": (lanes.READING, lanes.LARGE),
    b"POST /en/ HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=b\r\n": (lanes.SENDING, lanes.LARGE),
    b"POST /api/lookup HTTP/1.1\r\n": (lanes.READING, lanes.LARGE),
    b"POST /api/withdraw HTTP/1.1\r\n": (lanes.READING, lanes.LARGE),
    b"POST /api/blocks HTTP/1.1\r\n": (lanes.READING, lanes.LARGE),
    b"POST /api/block HTTP/1.1\r\n": (lanes.BLOCKS, lanes.LARGE),
    b"POST /api/store HTTP/1.1\r\n": (lanes.SENDING, lanes.LARGE),
    b"POST /courier/push HTTP/1.1\r\n": (lanes.COURIERS, lanes.COURIERS),
    b"\x00\xff": (lanes.PAGES, lanes.LARGE),
}


def test_every_kind_of_request_has_its_lane() -> None:
    """Reading, sending, couriers, pages and large bodies share no threads."""
    found = {head: (lanes.lane_of(head, False), lanes.lane_of(head, True)) for head in HEADS}
    assert found | {head: lane for head, lane in HEADS.items() if b"GET" in head or b"HEAD" in head} == HEADS


def test_a_full_lane_leaves_the_others_free(pool: Lanes) -> None:
    """While one lane's threads are all taken, another's answer at once."""
    stuck = [Request("one") for _ in range(3)]
    waiting = [pool.submit(handle, each) for each in stuck]
    other = Request("two", "other")
    other.go.set()
    assert pool.submit(handle, other).result(PATIENCE) == "other"
    assert not any(each.done() for each in waiting) and not stuck[1].begun.is_set()
    for each in stuck:
        each.go.set()
    assert [each.result(PATIENCE) for each in waiting] == ["", "", ""]


def test_visitors_take_turns(pool: Lanes) -> None:
    """Whoever sends many requests waits for himself; another's one comes next."""
    first = Request("one", "many")
    order: list[str] = []
    waiting = [pool.submit(handle, first)]
    assert first.begun.wait(PATIENCE)
    for visitor in ("many", "many", "many", "few", "other"):
        request = Request("one", visitor)
        request.go.set()
        waiting.append(pool.submit(handle, request))
        waiting[-1].add_done_callback(lambda done: order.append(done.result()))
    first.go.set()
    assert [each.result(PATIENCE) for each in waiting]
    assert order == ["many", "few", "other", "many", "many"]


def test_a_fault_is_told_and_ends_no_lane(pool: Lanes) -> None:
    """A request that fails leaves its thread to the next; when nobody waits the thread ends."""

    def fail(_: Any) -> None:
        raise ValueError("told")

    failed, request = pool.submit(fail, Request("one")), Request("one", "next")
    request.go.set()
    found = pool.submit(handle, request)
    assert isinstance(failed.exception(PATIENCE), ValueError) and found.result(PATIENCE) == "next"


def test_where_threads_are_short_the_slowest_is_found(pool: Lanes) -> None:
    """Nobody has to give way while there are threads, and an honest client never."""
    slow, slower = Request("two", sock=Socket(200.0)), Request("two", sock=Socket(100.0))
    waiting = [pool.submit(handle, slow)]
    assert slow.begun.wait(PATIENCE)
    pool.lanes["two"].size = Size(4, 1)
    assert pool.slow(0.0) == []
    pool.lanes["two"].size = Size(1, 1)
    assert pool.slow(0.0) == [slow.sock]
    slow.sock.speed = 10_000.0
    assert pool.slow(0.0) == []
    slow.go.set()
    slower.go.set()
    assert waiting[0].result(PATIENCE) == ""
