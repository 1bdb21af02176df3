"""Where places or memory run short, the slowest connections give way at once, and enough of them."""

import contextlib
import json
import selectors
import socket
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

import pytest
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from tests.server.visitor import Page
from whistle.server.limits import AGAIN
from whistle.server.running import connection
from whistle.server.running.connection import Buffers, Terms
from whistle.server.running.lanes import Overrun
from whistle.server.running.refusals import Busy
from whistle.server.running.worker import Worker
from whistle.translations import catalogues


class Connection:
    """A connection of a speed, in bytes a second, that holds so many bytes."""

    patience = 10.0

    def __init__(self, speed: float, held: int = 0, waited: float = 60.0) -> None:
        self.speed, self.size, self._waited = speed, held, waited
        self.sock = self
        self.closed = False

    def waited(self, _now: float) -> float:
        """Seconds that we waited for it."""
        return self._waited

    def rate(self, _now: float) -> float:
        """Bytes a second."""
        return self.speed

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return self.size

    def weight(self, _now: float) -> float:
        """Bytes times seconds, all equally long."""
        return self.size * self._waited

    def drop(self) -> None:
        """Note that its thread has to give it up."""
        self.closed = True


class Threads:
    """Those that threads have."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = connections

    def busy(self) -> list[Connection]:
        """All of them."""
        return self._connections


class Small(Worker):
    """A worker with few places, whose connections are only noted when they are closed."""

    def __init__(self, connections: list[Connection], places: int, busy: list[Connection] | None = None) -> None:
        self._buffers = Buffers(sum(each.size for each in (*connections, *(busy or []))))
        self.tpool = Threads(busy or [])
        self._waiting = OrderedDict.fromkeys(connections)
        self.nr_conns, self.worker_connections = len(connections), places
        self.poller = selectors.DefaultSelector()

    def _close(self, conn: Any) -> None:
        conn.closed = True
        del self._waiting[conn]
        self.nr_conns -= 1
        self._buffers.add(-conn.size)


def test_the_slowest_make_room_for_an_eighth() -> None:
    """At once, not one for one: else those who come, and not those who wait, would decide who gets a place."""
    connections = [Connection(float(speed)) for speed in range(80)]
    small = Small(connections, 80)
    small._free_places(0.0)
    assert [each.speed for each in connections if each.closed] == list(range(11))


def test_no_honest_client_gives_way_to_another() -> None:
    """Where places are short, those that move what a slow circuit moves stay, and those that just came."""
    connections = [*(Connection(6000.0) for _ in range(40)), *(Connection(0.0, waited=1.0) for _ in range(40))]
    small = Small(connections, 80)
    small._free_places(0.0)
    assert not any(each.closed for each in connections)


def test_memory_is_bounded_whoever_has_to_go() -> None:
    """Where memory is short those that hold most for longest give way, also those that came a second ago."""
    connections = [Connection(1e9, connection.ROOM // 64, 1.0 - number / 100) for number in range(80)]
    small = Small(connections, 1000)
    assert small._buffers.is_short
    small._free_memory(0.0)
    assert small._buffers.held <= connection.ROOM and connections[0].closed and not connections[-1].closed


def test_who_holds_little_stays_whatever_threads_hold() -> None:
    """Answers that nobody takes and threads wait with go first, and nobody has to go for them."""
    honest = [Connection(6000.0, 10_000) for _ in range(80)]
    unread = [Connection(1e9, connection.ROOM // 8, 1.0) for _ in range(12)]
    small = Small(honest, 1000, unread)
    small._free_memory(0.0)
    assert sum(each.closed for each in unread) == 6 and not any(each.closed for each in honest)


def test_memory_is_looked_at_between_the_ticks() -> None:
    """Much can arrive in half a second."""
    connections = [Connection(1e9, connection.ROOM // 8, 1.0) for _ in range(12)]
    small = Small(connections, 1000)
    small._next_tick, small._next_look = float("inf"), 0.0
    small.murder_pending()
    assert not small._buffers.is_short


OVERRUN = {
    "a page": ("POST /ar/ HTTP/1.1", "text/html", "ar", "rtl"),
    "another": ("GET /nothing HTTP/1.1", "text/html", "en", "ltr"),
    "reporters": ("POST /api/store HTTP/1.1", "application/json", "", ""),
    "couriers": ("POST /courier/days HTTP/1.1", "application/json", "", ""),
}


@pytest.mark.parametrize(("line", "kind", "language", "direction"), OVERRUN.values(), ids=OVERRUN)
def test_where_too_many_wait_each_is_told_when_to_come_again(
    line: str, kind: str, language: str, direction: str
) -> None:
    """In words, in the page's language, or as a record for programs: nothing was stored, and how long to wait."""
    small, overrun = Small([], 10), Future[Any]()
    small._busy = Busy({code: catalogues.shipped()[code] for code in ("en", "ar")})
    overrun.set_exception(Overrun())
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs), contextlib.closing(connection.Connection(ours, Terms(), Buffers())) as sock:
        theirs.sendall(f"{line}\r\nHost: x\r\nX-Secret: SECRET\r\n\r\n".encode())
        assert sock.arrive()
        small.finish_request(TConn(None, sock, ("127.0.0.1", 1), ""), overrun)
        answer = b"".join(iter(lambda: theirs.recv(65_536), b""))
    head, body = answer.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert f"Retry-After: {AGAIN}" in lines and f"Content-Length: {len(body)}" in lines and "Connection: close" in lines
    assert any(each.startswith(f"Content-Type: {kind}") for each in lines) and "Cache-Control: no-store" in lines
    assert len(answer) < 4096 and b"SECRET" not in answer
    if language:
        [html] = [given for tag, given in Page(body.decode()).tags if tag == "html"]
        assert (html["lang"], html["dir"]) == (language, direction)
        assert (b"None of this was stored. Wait" in body) == (language == "en")
    else:
        assert json.loads(body)["hint"] == f"nothing of this was stored; try again in {AGAIN} seconds"
