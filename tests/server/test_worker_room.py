"""Where places or memory run short, the slowest connections give way at once, and enough of them."""

import selectors
from collections import OrderedDict
from typing import Any

from whistle.server.running import worker
from whistle.server.running.connection import Buffers
from whistle.server.running.worker import Worker


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


class Small(Worker):
    """A worker with few places, whose connections are only noted when they are closed."""

    def __init__(self, connections: list[Connection], places: int) -> None:
        self._buffers = Buffers(sum(each.size for each in connections))
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
    assert small._is_short(1.0)
    small._make_room(0.0)
    assert [each.speed for each in connections if each.closed] == list(range(11))


def test_no_honest_client_gives_way_to_another() -> None:
    """Where places are short, those that move what a slow circuit moves stay, and those that just came."""
    connections = [*(Connection(6000.0) for _ in range(40)), *(Connection(0.0, waited=1.0) for _ in range(40))]
    small = Small(connections, 80)
    small._make_room(0.0)
    assert not any(each.closed for each in connections)


def test_memory_is_bounded_whoever_has_to_go() -> None:
    """Where memory is short the slowest give way, however fast they are."""
    connections = [Connection(6000.0 + number, worker.ROOM // 64) for number in range(80)]
    small = Small(connections, 1000)
    small._make_room(0.0)
    assert small._buffers.held <= worker.ROOM and connections[0].closed and not connections[-1].closed
