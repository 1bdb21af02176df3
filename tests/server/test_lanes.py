"""Lanes: no kind of request starves another, visitors take turns, few requests compute at once."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.patience import PATIENCE, until
from whistle.server.reporter import routes
from whistle.server.running import lanes
from whistle.server.running.lanes import Lanes, Overrun, Size

ONE, TWO = range(2)


@dataclass(eq=False)
class Socket:
    """What a lane asks of a connection."""

    speed: float = 1e9
    held: int = 0

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
    streams = queues = True


@dataclass(eq=False)
class Request:
    """A request that can be let go."""

    lane: int
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
    sizes = {ONE: Size(1, 1), TWO: Size(2, 1, streams=True)}
    return Lanes(sizes, lambda request: (request.lane, request.visitor))


FORM = b"POST /en/ HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
REQUESTS = {
    (b"GET /en/ HTTP/1.1\r\n", b""): lanes.PAGES,
    (b"HEAD /nothing HTTP/1.1\r\n", b""): lanes.PAGES,
    (b"\x00\xff", b""): lanes.PAGES,
    (FORM, b"step=look&words=step=renew"): lanes.READING,
    (FORM, b"words=1&step=download"): lanes.FETCHING,
    (FORM, b"step=%64ownload&words=1"): lanes.READING,
    (FORM, b"step=stop-now&words=1"): lanes.SENDING,
    (FORM, b"step=make-report&words=1"): lanes.SENDING,
    (FORM, b"words=1&step=renew&attempt=1"): lanes.SENDING,
    (b"POST /en/ HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=b\r\n", b"step=download"): lanes.SENDING,
    (b"POST /api/lookup HTTP/1.1\r\n", b""): lanes.READING,
    (b"\r\nPOST /api/lookup HTTP/1.1\r\n", b""): lanes.READING,
    (b"POST /api/withdraw HTTP/1.1\r\n", b""): lanes.READING,
    (b"POST /api/blocks HTTP/1.1\r\n", b""): lanes.FETCHING,
    (b"POST /api/block HTTP/1.1\r\n", b""): lanes.BLOCKS,
    (b"POST /api/ready HTTP/1.1\r\n", b""): lanes.BLOCKS,
    (b"POST /api/store HTTP/1.1\r\n", b""): lanes.SENDING,
    (b"POST /courier/push HTTP/1.1\r\n", b""): lanes.COURIERS,
}


def test_every_kind_of_request_has_its_lane() -> None:
    """Reading, fetching, sending, couriers, pages and large bodies share no threads."""
    assert {asked: lanes.lane_of(*asked, False) for asked in REQUESTS} == REQUESTS
    large = {asked[0]: lanes.lane_of(*asked, True) for asked in REQUESTS}
    assert large == {head: lanes.COURIERS if b"courier" in head else lanes.LARGE for head in large}


def test_steps_are_those_of_the_pages() -> None:
    """What is stored by a form that is not multipart, and what is downloaded, is told by the names that pages use."""
    assert {*routes.STORING, "download"} - {"send", "follow-up"} == {"renew", "stop-now", "make-report", "download"}
    assert {"renew", "stop-now", "make-report", "download"} <= set(routes.STEPS)


def test_a_full_lane_leaves_the_others_free(pool: Lanes) -> None:
    """While one lane's threads are all taken, another's answer at once."""
    stuck = [Request(ONE) for _ in range(3)]
    waiting = [pool.submit(handle, each) for each in stuck]
    other = Request(TWO, "other")
    other.go.set()
    assert pool.submit(handle, other).result(PATIENCE) == "other"
    assert not any(each.done() for each in waiting) and not stuck[1].begun.is_set()
    for each in stuck:
        each.go.set()
    assert [each.result(PATIENCE) for each in waiting] == ["", "", ""]


def test_visitors_take_turns(pool: Lanes) -> None:
    """Whoever sends many requests waits for himself; another's one comes next."""
    first = Request(ONE, "many")
    order: list[str] = []
    waiting = [pool.submit(handle, first)]
    assert first.begun.wait(PATIENCE)
    for visitor in ("many", "many", "many", "few", "other"):
        request = Request(ONE, visitor)
        request.go.set()
        waiting.append(pool.submit(handle, request))
        waiting[-1].add_done_callback(lambda done: order.append(done.result()))
    first.go.set()
    assert [each.result(PATIENCE) for each in waiting]
    assert order == ["many", "few", "other", "many", "many"]


def test_the_last_threads_are_for_visitors_who_have_none(pool: Lanes) -> None:
    """Whoever holds all but the last threads of a lane waits for these; another gets one at once."""
    many = [Request(TWO, "many") for _ in range(3)]
    few = Request(TWO, "few")
    waiting = [pool.submit(handle, each) for each in many]
    assert many[0].begun.wait(PATIENCE)
    few.go.set()
    pool.lanes[TWO].turns = threading.BoundedSemaphore(2)
    assert pool.submit(handle, few).result(PATIENCE) == "few"
    assert not many[1].begun.is_set() and not many[2].begun.is_set()
    for each in many:
        each.go.set()
    assert [each.result(PATIENCE) for each in waiting] == ["many"] * 3


def test_who_has_most_waiting_gives_way(pool: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane's queue is bounded: the last request of whoever has most is refused, whoever came last."""
    monkeypatch.setattr(lanes, "QUEUE", 4)
    first = Request(ONE, "many")
    waiting = [pool.submit(handle, first)]
    assert first.begun.wait(PATIENCE)
    requests = [Request(ONE, visitor) for visitor in ("few", "many", "many", "many", "other")]
    waiting += [pool.submit(handle, each) for each in requests]
    assert isinstance(waiting[4].exception(PATIENCE), Overrun)
    for each in (first, *requests):
        each.go.set()
    assert [each.result(PATIENCE) for number, each in enumerate(waiting) if number != 4] == [
        *("many", "few", "many", "many", "other")
    ]


def test_what_waits_holds_a_bounded_number_of_bytes(pool: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last large one has to go, from the lane that holds most; what is small waits on, in every lane."""
    monkeypatch.setattr(lanes, "QUEUED", 1000)
    stuck = [Request(ONE), Request(TWO), Request(TWO)]
    waiting = [pool.submit(handle, each) for each in stuck]
    requests = [Request(lane, sock=Socket(held=held)) for lane, held in ((TWO, 10), (ONE, 600), (ONE, 400), (TWO, 10))]
    waiting += [pool.submit(handle, each) for each in requests]
    assert isinstance(waiting[5].exception(PATIENCE), Overrun)
    for each in (*stuck, *requests):
        each.go.set()
    assert [each.result(PATIENCE) for number, each in enumerate(waiting) if number != 5] == [""] * 6
    assert all(lane.held == 0 for lane in pool.lanes.values())


def test_threads_are_used_again_and_end_when_none_is_needed(pool: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """To begin one for each request takes longer than most answers; after a flood they end."""
    begun, begin = [], threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: [begun.append(thread), begin(thread)])
    for _ in range(4):
        request = Request(ONE)
        request.go.set()
        pool.submit(handle, request).result(PATIENCE)
        until(lambda: bool(pool.lanes[ONE].idle), "the thread waits for the next")
    assert len(begun) == 1
    monkeypatch.setattr(lanes, "IDLE", 0.01)
    request = Request(ONE)
    request.go.set()
    pool.submit(handle, request).result(PATIENCE)
    begun[0].join(PATIENCE)
    assert pool.lanes[ONE].threads == 0 and not pool.lanes[ONE].idle


@pytest.mark.parametrize("size", [0, 10_000, 60_000])
def test_the_lane_of_a_form_is_found_by_a_plain_look(size: int) -> None:
    """Wherever its step stands; a body that is longer than any such form is not searched."""
    body = b"a=" + b"x" * size + b"&step=download&words=1"
    assert lanes.lane_of(FORM, body, False) == lanes.FETCHING
    assert lanes.lane_of(FORM, b"x" * 70_000 + body, False) == lanes.READING


def test_a_fault_is_told_and_ends_no_lane(pool: Lanes) -> None:
    """A request that fails leaves its thread to the next; when nobody waits the thread ends."""

    def fail(_: Any) -> None:
        raise ValueError("told")

    failed, request = pool.submit(fail, Request(ONE)), Request(ONE, "next")
    request.go.set()
    found = pool.submit(handle, request)
    assert isinstance(failed.exception(PATIENCE), ValueError) and found.result(PATIENCE) == "next"


def test_where_threads_are_short_the_slowest_is_found(pool: Lanes) -> None:
    """Nobody has to give way while there are threads, and an honest client never."""
    slow, slower = Request(TWO, sock=Socket(200.0)), Request(TWO, sock=Socket(100.0))
    waiting = [pool.submit(handle, slow)]
    assert slow.begun.wait(PATIENCE)
    pool.lanes[TWO].size = Size(4, 1)
    assert pool.slow(0.0) == []
    pool.lanes[TWO].size = Size(1, 1)
    assert pool.slow(0.0) == [slow.sock]
    slow.sock.speed = 10_000.0
    assert pool.slow(0.0) == []
    slow.go.set()
    slower.go.set()
    assert waiting[0].result(PATIENCE) == ""


def test_who_waits_long_for_a_large_forms_thread_gets_the_slowest_ones(
    pool: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five kilobytes a second hold no thread of a full lane for ever; a brisk client's stays, and so do short waits."""
    now = [1000.0]
    monkeypatch.setattr(lanes.time, "monotonic", lambda: now[0])
    slow, slower, brisk = (Request(TWO, sock=Socket(speed)) for speed in (6000.0, 5000.0, 40_000.0))
    pool.lanes[TWO].size, pool.lanes[TWO].turns = Size(3, 1, streams=True), threading.BoundedSemaphore(3)
    waiting = [pool.submit(handle, each) for each in (slow, slower, brisk)]
    assert all(each.begun.wait(PATIENCE) for each in (slow, slower, brisk))
    assert pool.slow(now[0] + 100) == [], "nobody waits"
    waiting.append(pool.submit(handle, Request(TWO)))
    assert pool.slow(now[0] + 1) == []
    assert pool.slow(now[0] + 11) == [slower.sock], "one at a time"
    slow.sock.speed = slower.sock.speed = 33_000.0
    assert pool.slow(now[0] + 11) == []
    for each in (slow, slower, brisk):
        each.go.set()
    assert [each.result(PATIENCE) for each in waiting[:3]] == [""] * 3


def test_who_waits_long_for_a_large_texts_room_gets_the_slowest_ones() -> None:
    """What holds room for long texts is a large form, also where threads are left."""
    pool = Lanes({lanes.LARGE: Size(8, 1, streams=True)}, lambda request: (lanes.LARGE, request.visitor))
    slow = Request(lanes.LARGE, sock=Socket(5000.0))
    waiting = pool.submit(handle, slow)
    assert slow.begun.wait(PATIENCE)
    assert pool.slow(0.0, waited=5.0) == []
    assert pool.slow(0.0, waited=11.0) == [slow.sock]
    slow.go.set()
    assert waiting.result(PATIENCE) == ""
