"""Connections: what arrives holds no thread, slow clients are given up, and tor's circuits are told apart."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.patience import PATIENCE
from whistle.server.limits import network
from whistle.server.running import connection
from whistle.server.running.connection import (
    BEGUN,
    BODY,
    HEAD,
    Buffers,
    Connection,
    State,
    Stranger,
    Terms,
    heaviest,
    slowest,
)
from whistle.server.running.worker import is_local

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LINE = b"PROXY TCP6 fc00:dead:beef:4dad::1:2 ::1 258 80\r\n"


class Pair:
    """Both ends of a connection, and a clock that is turned by hand."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.buffers = Buffers()
        ours, self.theirs = socket.socketpair()
        self.ours = Connection(ours, terms or Terms(), self.buffers)

    def send(self, data: bytes) -> bool:
        """Send bytes, which arrive; whether a thread can begin."""
        ready = False
        for start in range(0, len(data), 32_768):
            self.theirs.sendall(data[start : start + 32_768])
            ready = self.ours.arrive()
        return ready


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as connections see it."""
    found = [1000.0]
    monkeypatch.setattr(connection.time, "monotonic", lambda: found[0])
    return found


@pytest.fixture
def pair(now: list[float]) -> Iterator[Pair]:
    """A connection and its client."""
    found = Pair()
    with contextlib.closing(found.theirs), contextlib.closing(found.ours):
        yield found


def post(length: int, *more: str) -> bytes:
    """The head of a request with a body."""
    return "\r\n".join(["POST / HTTP/1.1", f"content-length: {length}", *more, "", ""]).encode()


def test_a_request_gets_a_thread_once_it_has_arrived(pair: Pair) -> None:
    """Neither half a head nor half a body does, however it is cut; then gunicorn reads just these bytes."""
    head = post(1000)
    assert not any(pair.send(head[at : at + 1]) for at in range(len(head)))
    assert not pair.send(bytes(999))
    assert pair.send(b"a")
    read = b"".join(iter(lambda: pair.ours.recv(100) if pair.ours.held else b"", b""))
    assert read == head + bytes(999) + b"a"


def test_a_large_body_gets_one_once_its_first_part_has_arrived(pair: Pair) -> None:
    """The rest is read while it arrives; bytes are counted until they are read."""
    head = post(BODY + 1)
    assert not pair.send(head + bytes(BEGUN - 1))
    assert pair.buffers.held == len(head) + BEGUN - 1
    assert pair.send(b"a")
    while pair.ours.held:
        pair.ours.recv(10_000)
    assert pair.buffers.held == 0


def test_a_thread_reads_a_piece_at_a_time(pair: Pair) -> None:
    """gunicorn would hold a megabyte of each large body, which nobody counts, and copy it again and again."""
    pair.send(post(BODY + 1) + bytes(BEGUN + 30_000))
    pair.ours.taken()
    pair.theirs.sendall(bytes(80_000))
    read = []
    while sum(read) < BEGUN + 110_000:
        read.append(len(pair.ours.recv(1 << 20)))
    assert max(read) == connection.PIECE


def test_whoever_asks_whether_to_go_on_is_told_before_a_thread_waits(pair: Pair) -> None:
    """A client that sends its body only once it is asked for holds no thread either."""
    assert not pair.send(post(10, "Expect: 100-continue"))
    assert pair.theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert pair.send(bytes(10))


def test_a_head_without_end_is_refused(pair: Pair) -> None:
    """It holds a bounded number of bytes."""
    with pytest.raises(Stranger):
        pair.send(bytes(HEAD + 1))


def test_a_head_comes_soon_or_not_at_all(pair: Pair, now: list[float]) -> None:
    """The first byte, and then the whole head, have their time, even if some of it comes."""
    now[0] += connection.FIRST_TIME - 1
    assert not pair.ours.is_over(now[0])
    pair.send(GET[:10])
    now[0] += connection.HEAD_TIME - 1
    assert not pair.ours.is_over(now[0])
    pair.send(GET[10:15])
    now[0] += 2
    assert pair.ours.is_over(now[0])


def test_a_trickle_is_given_up(pair: Pair, now: list[float]) -> None:
    """A byte now and then keeps no connection open; the next request begins anew."""
    pair.send(post(100_000))
    for _ in range(7):
        now[0] += 10
        pair.send(b"a")
    assert pair.ours.is_over(now[0])
    pair.ours.answered()
    assert not pair.ours.is_over(now[0])


def test_whoever_takes_nothing_is_given_up(pair: Pair, now: list[float]) -> None:
    """An answer waits without a thread, is counted, and is given up."""
    pair.ours.taken()
    pair.ours.sendall(bytes(connection.ANSWER))
    assert 0 < pair.buffers.held <= connection.ANSWER
    pair.ours.answered()
    assert not pair.ours.flush()
    now[0] += connection.IDLE_TIME + 1
    assert pair.ours.is_over(now[0])
    pair.ours.close()
    assert pair.buffers.held == 0


def test_more_of_an_answer_waits_for_the_client(pair: Pair) -> None:
    """No more than so much is held of one answer; the rest is made when the client has taken some."""
    pair.ours.taken()
    sender = threading.Thread(target=pair.ours.sendall, args=(bytes(4 * connection.ANSWER),))
    sender.start()
    taken = 0
    while taken < 3 * connection.ANSWER:
        taken += len(pair.theirs.recv(65_536))
    sender.join(10)
    assert not sender.is_alive() and pair.ours.held <= connection.ANSWER
    while not pair.ours.flush():
        taken += len(pair.theirs.recv(65_536))
    while taken < 4 * connection.ANSWER:
        taken += len(pair.theirs.recv(65_536))
    assert taken == 4 * connection.ANSWER


def test_a_lane_without_streams_waits_for_nobody(pair: Pair) -> None:
    """There an answer waits as a whole, however slow its reader is; one that goes on and on is given up."""
    pair.ours.taken()
    pair.ours.streams = False
    pair.ours.sendall(bytes(connection.WHOLE + 1))
    pair.theirs.recv(1)
    with pytest.raises(TimeoutError):
        pair.ours.sendall(bytes(connection.ANSWER))


def test_an_answer_is_not_copied_as_a_whole(pair: Pair) -> None:
    """However much is sent at once, no more than its part waits beside it."""
    pair.ours.taken()
    most, flush = [0], pair.ours.flush

    def noted() -> bool:
        most[0] = max(most[0], pair.ours.held)
        return flush()

    pair.ours.flush = noted  # type: ignore[method-assign]
    sender = threading.Thread(target=pair.ours.sendall, args=(bytes(8 * connection.ANSWER),))
    sender.start()
    taken = 0
    while taken < 7 * connection.ANSWER:  # the rest waits for the client
        taken += len(pair.theirs.recv(65_536))
    sender.join(PATIENCE)
    assert most[0] <= 2 * connection.ANSWER


@pytest.mark.parametrize("field", ["content-length: 0000000000000050", "transfer-encoding: chunked"])
def test_no_thread_waits_for_a_body_that_seemed_to_have_come(pair: Pair, field: str) -> None:
    """Where gunicorn expects more than was seen in the head, however that may be written, the connection ends."""
    head = f"POST / HTTP/1.1\r\n{field}\r\n\r\n".encode()
    assert pair.send(head)
    pair.ours.taken()
    assert pair.ours.recv(1000) == head
    pair.theirs.shutdown(socket.SHUT_WR)  # whoever waits would be woken by it
    with pytest.raises(TimeoutError):
        pair.ours.recv(1)


def test_whoever_went_away_is_not_answered(pair: Pair, now: list[float]) -> None:
    """A client that closed while it waited long for its turn costs nothing more."""
    pair.send(GET)
    now[0] += connection.SOON
    assert not pair.ours.is_gone and not pair.ours.has_ended
    pair.theirs.shutdown(socket.SHUT_WR)
    assert not pair.ours.is_gone and pair.ours.has_ended
    pair.theirs.close()
    assert pair.ours.is_gone and pair.ours.has_ended


def test_the_slowest_gives_way_and_no_honest_one(now: list[float]) -> None:
    """Of those who made us wait for a while, the slowest; never one that moves what a slow circuit of tor does."""
    trickle, slower, honest, young = (Pair() for _ in range(4))
    for each in (trickle, slower, honest):
        each.send(post(1_000_000))
    for _ in range(6):
        now[0] += 5
        trickle.send(bytes(500))
        slower.send(bytes(400))
        honest.send(bytes(30_000))  # 6 KB/s
    young.send(post(1_000_000))
    found = slowest([each.ours for each in (young, honest, trickle, slower)], now[0])
    assert found == [slower.ours, trickle.ours]
    for each in (trickle, slower, honest, young):
        each.theirs.close()
        each.ours.close()


def test_who_holds_much_and_moves_nothing_weighs_most(now: list[float]) -> None:
    """A flood that has just come weighs more than a slow upload that goes on, and who holds nothing is never asked."""
    slow, flood, idle = (Pair() for _ in range(3))
    for _ in range(5):
        slow.send(bytes(1000) if slow.ours.head else post(100_000))
        now[0] += 2
    slow.send(bytes(1000))
    flood.send(post(380_000) + bytes(300_000))
    assert heaviest([each.ours for each in (slow, idle, flood)], now[0]) == [flood.ours, slow.ours]
    now[0] += 100
    flood.send(bytes(1000))
    slow.send(bytes(1000))
    now[0] += 1
    flood.send(bytes(1000))
    assert heaviest([slow.ours, flood.ours], now[0] + 0.1)[0] is flood.ours
    for each in (slow, flood, idle):
        each.theirs.close()
        each.ours.close()


def test_time_in_a_thread_is_no_waiting(pair: Pair, now: list[float]) -> None:
    """While a request computes, its client is not the one who is slow."""
    pair.send(GET)
    pair.ours.taken()
    now[0] += 100
    assert slowest([pair.ours], now[0]) == [] and not pair.ours.is_over(now[0])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_circuit_is_taken_off(now: list[float], size: int) -> None:
    """The line that tor writes is not part of the request, however it is cut; it names the visitor."""
    pair = Pair(Terms(circuits=True))
    sent = LINE + GET
    ready = [pair.send(sent[at : at + size]) for at in range(0, len(sent), size)]
    assert ready == [False] * (len(ready) - 1) + [True]
    assert pair.ours.recv(1000) == GET
    assert pair.ours.visitor("127.0.0.1") == "fc00:dead:beef:4dad::1:2"
    pair.ours.answered()
    pair.ours.go_on()
    assert pair.send(GET), "a further request has no line"
    pair.theirs.close()
    pair.ours.close()


FORGED = {
    "none": GET,
    "address": b"PROXY TCP6 2001:db8::1 ::1 258 80\r\n" + GET,
    "ipv4": b"PROXY TCP4 192.0.2.1 127.0.0.1 258 80\r\n" + GET,
    "unknown": b"PROXY UNKNOWN\r\n" + GET,
    "no_address": b"PROXY TCP6 fc00:dead:beef:4dad:::: ::1 258 80\r\n" + GET,
    "long": b"PROXY TCP6 " + b"f" * 200,
    "late": b"\r\n" + LINE + GET,
}


@pytest.mark.parametrize("sent", FORGED.values(), ids=FORGED)
def test_what_tor_did_not_write_is_refused(sent: bytes) -> None:
    """Where circuits are told, a connection begins with the line of one."""
    pair = Pair(Terms(circuits=True))
    with pytest.raises(Stranger):
        pair.send(sent)
    pair.theirs.close()
    pair.ours.close()


def test_a_line_where_none_is_expected_is_part_of_the_request(pair: Pair) -> None:
    """Nobody gives himself a circuit."""
    pair.send(LINE + GET)
    assert pair.ours.circuit == "" and pair.ours.recv(1000).startswith(b"PROXY")


def test_visitors_are_told_apart_as_the_limits_do(now: list[float]) -> None:
    """By address, or by what a trusted proxy wrote last; behind tor without circuits not at all."""
    forwarded = b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7, 192.0.2.9\r\n\r\n"
    expected = {Terms(): "", Terms(addresses=True): "127.0.0.1", Terms(addresses=True, proxies=1): "192.0.2.9"}
    for terms, visitor in expected.items():
        pair = Pair(terms)
        pair.send(forwarded)
        assert pair.ours.state is State.BODY and pair.ours.visitor("127.0.0.1") == network(visitor).hex()
        pair.theirs.close()
        pair.ours.close()


def test_a_whole_network_of_ipv6_is_one_visitor(now: list[float]) -> None:
    """Else somebody who has one would get as many turns as they like, and everybody else one."""
    pair = Pair(Terms(addresses=True))
    pair.send(GET)
    found = {pair.ours.visitor(each) for each in ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:0:7::")}
    assert len(found) == 1 and found != {pair.ours.visitor("2001:db8:0:1::1")}
    pair.theirs.close()
    pair.ours.close()


def test_circuits_are_told_by_this_machine_alone() -> None:
    """A connection from elsewhere is none of tor's, whatever it says; a unix socket's has no address."""
    addresses = (("127.0.0.1", 1), ("::1", 1, 0, 0), "", b"")
    assert all(map(is_local, addresses))
    assert not any(map(is_local, (("192.0.2.1", 1), ("10.0.0.1", 1), ("fc00:dead:beef:4dad::1", 1, 0, 0))))
