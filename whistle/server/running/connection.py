"""A client's connection: what arrives is collected without a thread, and answers are sent without one.

A request gets a thread once its head and its body have arrived, or the first part of a large body.  What a client has
not taken yet of an answer waits here.  So whoever is slow holds bytes, which are counted, and no thread.

gunicorn parses every request itself: what is read here of a head only decides when its thread begins, in which lane,
and whose turn it is.
"""

import contextlib
import ipaddress
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from whistle.server.limits import CIRCUITS, network, visitor_address

FIRST_TIME = 15.0  # seconds until the first byte of a connection
NEXT_TIME = 5.0  # seconds until the first byte of a further request
HEAD_TIME = 20.0  # seconds from then on for the head of a request
IDLE_TIME = 60  # seconds without a byte until a connection is closed
MIN_RATE = 100  # bytes a second on average, once a client has made us wait that long
HONEST_RATE = 4096  # bytes a second: when places are short, those who are slower give way, and no others
BRISK = 32 * 1024  # bytes a second: the same where somebody has waited long for the thread that a large form holds
PATIENCE = 10.0  # seconds that a client has made us wait before its rate counts
HEAD_PATIENCE = 2.0  # the same before its head has come, which is one packet or a few
LINGER = 3.0  # seconds in which the client may read an answer before the connection is closed
HEAD = 32 * 1024  # bytes of a head
BODY = (
    384 * 1024
)  # bytes; a body up to here has arrived completely before it gets a thread: a block, a report's envelopes
BEGUN = 64 * 1024  # bytes of a larger body that have arrived before it gets one
ANSWER = 512 * 1024  # bytes of an answer that wait for the client without a thread
WHOLE = 24 * 1024 * 1024  # bytes of an answer that wait for the client where no thread does
PIECE = 64 * 1024  # bytes received at a time
ROOM = 48 * 1024 * 1024  # bytes that all connections of a process may hold
SOON = 1.0  # seconds after which whoever waits for a thread may have gone
SMALL = 16 * 1024  # bytes of an answer for which it is not worth to call the system
MOMENT = 0.1  # seconds for which even a connection that moves counts as still, or size would not count at all
CIRCUIT = re.compile(rb"PROXY TCP6 ([0-9a-fA-F:]{2,39}) [0-9a-fA-F:]{2,39} [0-9]{1,5} [0-9]{1,5}\r\n")
LONGEST = 107  # bytes of a line of the PROXY protocol, its end included
END = b"\r\n\r\n"
LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,15})[ \t]*\r$")
EXPECTS = re.compile(rb"(?im)^expect:[ \t]*100-continue[ \t]*\r$")
FORWARDED = re.compile(rb"(?im)^x-forwarded-for:(.*)\r$")
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
NOW = socket.MSG_DONTWAIT


class State(Enum):
    """What a connection waits for."""

    HEAD = "the rest of a head, or its first byte"
    BODY = "the rest of a body"
    THREAD = "nothing: a thread has it, or will"
    ANSWER = "the client, to take the rest of an answer"
    LINGER = "the client, to close it"


@dataclass(frozen=True)
class Terms:
    """How visitors are told apart."""

    circuits: bool = False  # the line that tor writes before each connection names its circuit
    addresses: bool = False  # each address is a visitor
    proxies: int = 0  # that write X-Forwarded-For


class Stranger(Exception):
    """A connection that does not begin as one from tor does, or whose head is too long."""


@dataclass
class Buffers:
    """How many bytes all connections of a process hold."""

    held: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        """Count bytes, or fewer."""
        with self.lock:
            self.held += count

    @property
    def is_short(self) -> bool:
        """Whether they hold more than they may."""
        return self.held > ROOM


class Connection:
    """A client's socket as gunicorn's parser and responses use it, and what of it waits."""

    def __init__(self, plain: socket.socket, terms: Terms, buffers: Buffers) -> None:
        self._plain, self._terms, self._buffers = plain, terms, buffers
        self._in, self._out = bytearray(), bytearray()
        self._lock = threading.Lock()  # of what waits to be sent
        self._counted = 0
        self._turn: threading.Semaphore | None = None
        self._named = not terms.circuits
        self.circuit = ""
        self.streams = self.queues = True  # whether its thread may wait for the client, and until more may be stored
        self.head, self.length = b"", 0  # of the request that arrives, and of its body
        self._begin(State.HEAD, FIRST_TIME)

    # In the accepting thread: no call waits.

    def arrive(self) -> bool:
        """Take what has come; whether a thread can begin.  OSError if the client has gone, Stranger if it is none."""
        piece = self._plain.recv(PIECE, NOW)
        if not piece:
            raise ConnectionResetError
        if self.state is State.BODY:
            self.until = time.monotonic() + IDLE_TIME
        elif not self._in:
            self.until = time.monotonic() + HEAD_TIME
        self._in += piece
        self._note(len(piece))
        self._count()
        return self.is_ready()

    def is_ready(self) -> bool:
        """Whether enough has come for a thread to begin."""
        if not self._named and not self._take_name():
            return False
        if self.state is State.HEAD:
            end = self._in.find(END)
            if end < 0 and len(self._in) > HEAD:
                raise Stranger
            if end < 0:
                return False
            self._begin(State.BODY, IDLE_TIME, len(self._in))
            self.head = bytes(self._in[: end + len(END)])
            found = LENGTH.search(self.head)
            self.length = int(found[1]) if found else 0
            if self.length and EXPECTS.search(self.head):
                self._plain.send(GO_ON, NOW)
        return len(self._in) >= len(self.head) + (self.length if self.length <= BODY else BEGUN)

    def flush(self) -> bool:
        """Send what the client takes now; whether that was all."""
        with self._lock:
            while self._out:
                try:
                    sent = self._plain.send(self._out[:PIECE], NOW)
                except BlockingIOError:
                    break
                del self._out[:sent]
                self._note(sent)
                self.until = self._last + IDLE_TIME
            left = len(self._out)
        self._count()
        return not left

    def linger(self) -> None:
        """Nothing more is sent; let the client read what it got."""
        self._in.clear()
        self._count()
        self._begin(State.LINGER, LINGER)
        self._plain.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Discard what still comes; whether the client has closed."""
        return not self._plain.recv(PIECE, NOW)

    def answered(self) -> None:
        """The thread is done; the rest of its answer waits for the client."""
        self.head = b""
        self._begin(State.ANSWER, IDLE_TIME)

    def go_on(self) -> None:
        """Wait for a further request."""
        self._begin(State.HEAD, HEAD_TIME if self._in else NEXT_TIME)

    def taken(self) -> None:
        """A thread takes it over.  OSError if the client has gone."""
        if self.length > BODY:
            patience = IDLE_TIME.to_bytes(8, sys.byteorder) + bytes(8)
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._begin(State.THREAD, float("inf"))

    @property
    def is_idle(self) -> bool:
        """Whether it has sent nothing of a request yet."""
        return self.state is State.HEAD and not self._in

    def is_over(self, now: float) -> bool:
        """Whether its time is over."""
        return now > self.until or self.is_slow(now)

    def is_slow(self, now: float) -> bool:
        """Whether it has made us wait long, and moved little meanwhile."""
        return self.waited(now) > IDLE_TIME and self.rate(now) < MIN_RATE

    def rate(self, now: float) -> float:
        """Bytes a second that it has moved while we waited for it."""
        return self._moved / max(self.waited(now), 0.001)

    def waited(self, now: float) -> float:
        """Seconds that we have waited for it, in this state."""
        return self._waited + (now - self._since if self._since else 0.0)

    def weight(self, now: float) -> float:
        """What it costs others: the bytes that it holds, times the seconds since any moved."""
        return self.held * (now - self._last + MOMENT)

    def drop(self) -> None:
        """Give it up, whoever waits for it; what waits to be sent is lost."""
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)

    @property
    def patience(self) -> float:
        """Seconds that we wait for it before its rate counts."""
        return HEAD_PATIENCE if self.state is State.HEAD else PATIENCE

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return len(self._in) + len(self._out)

    def _begin(self, state: State, seconds: float, moved: int = 0) -> None:
        now = time.monotonic()
        self.state, self.until = state, now + seconds
        self._waited, self._moved, self._last = 0.0, moved, now
        self._since = 0.0 if state is State.THREAD else now

    def _note(self, moved: int) -> None:
        self._moved += moved
        self._last = time.monotonic()

    def _take_name(self) -> bool:
        """Take off the line that tor writes first; Stranger if another stands there."""
        end = self._in.find(b"\n") + 1
        if not end and len(self._in) < LONGEST:
            return False
        found = CIRCUIT.fullmatch(bytes(self._in[:end]))
        try:
            circuit = ipaddress.IPv6Address(found[1].decode()) if found else None
        except ValueError:
            circuit = None
        if circuit is None or circuit not in CIRCUITS:
            raise Stranger
        self.circuit, self._named = str(circuit), True
        del self._in[:end]
        return bool(self._in)

    @property
    def beginning(self) -> bytes:
        """What has arrived of the body."""
        return bytes(self._in[len(self.head) : len(self.head) + self.length])

    def visitor(self, address: str) -> str:
        """By which those who wait are told apart: each gets a turn in its turn."""
        if self.circuit or not self._terms.addresses:
            return self.circuit
        passed = b",".join(FORWARDED.findall(self.head)).decode("latin-1")
        environ = {"HTTP_X_FORWARDED_FOR": passed, "REMOTE_ADDR": address}
        return network(visitor_address(environ, self._terms.proxies)).hex()

    # In the thread that answers.

    @contextlib.contextmanager
    def turn(self, turns: threading.Semaphore) -> Iterator[None]:
        """A context that computes in its turn; while it waits for the client, another does."""
        turns.acquire()
        self._turn = turns
        try:
            yield
        finally:
            self._turn = None
            turns.release()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A context that computes nothing and leaves its turn to another."""
        turns = self._turn
        if turns is None:
            yield
            return
        turns.release()
        try:
            yield
        finally:
            turns.acquire()

    @property
    def is_gone(self) -> bool:
        """Whether nobody is left to take an answer, if it waited long; one that has closed its half alone still is."""
        if time.monotonic() < self._last + SOON:
            return False
        poll = select.poll()
        poll.register(self._plain, 0)
        return bool(poll.poll(0))

    @property
    def has_ended(self) -> bool:
        """Whether the client has closed its connection, or its half: by TCP one cannot be told from the other."""
        try:
            return not self._plain.recv(1, NOW | socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def recv(self, size: int) -> bytes:
        """Like `socket`'s; TimeoutError if the client is too slow, or more is read than what it announced."""
        size = min(size, PIECE)  # gunicorn asks for a megabyte, and copies what is left at each piece that is read
        if self._in:
            data = bytes(self._in[:size])
            del self._in[: len(data)]
            self._count()
            return data
        if self.length <= BODY:  # all of it had come: whatever gunicorn takes for the length, no thread waits
            raise TimeoutError("a body longer than its connection took it to be")
        with self._timed():
            data = self._plain.recv(size)
            self._moved += len(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what belongs to the next request."""
        self._in[:0] = data
        self._count()

    def sendall(self, data: bytes) -> None:
        """Send, or let it wait for the client; returns when little enough waits.  TimeoutError if it is too slow."""
        if not self.streams and self._out and len(self._out) + len(data) > WHOLE:
            raise TimeoutError("a long answer, in a lane whose threads wait for nobody")
        for start in range(0, len(data), ANSWER):
            with self._lock:
                self._out += memoryview(data)[start : start + ANSWER]
            while len(self._out) > SMALL and not self.flush() and self.streams and len(self._out) > ANSWER:
                with self._timed():
                    self._writable()

    send = sendall

    def setblocking(self, _flag: bool) -> None:
        """Nothing: each call says whether it waits."""

    def close(self) -> None:
        """Like `socket`'s; what waits is forgotten."""
        with self._lock:
            self._out.clear()
        self._in.clear()
        self._count()
        self._plain.close()

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """A context that waits for the client; TimeoutError at its end if that takes too long."""
        self._since = time.monotonic()
        try:
            with self.waiting():
                yield
        finally:
            self._waited += time.monotonic() - self._since
            self._since = 0.0
        if self.is_slow(time.monotonic()):
            raise TimeoutError("a connection is too slow")

    def _writable(self) -> None:
        poll = select.poll()
        poll.register(self._plain, select.POLLOUT)
        if not poll.poll(IDLE_TIME * 1000):
            raise TimeoutError("a client takes nothing")

    def _count(self) -> None:
        held = self.held
        self._buffers.add(held - self._counted)
        self._counted = held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def slowest(connections: Iterable[Connection], now: float, rate: float = HONEST_RATE) -> list[Connection]:
    """Those slower than `rate` bytes a second, of all that made us wait for a while; the slowest first."""
    found = [each for each in connections if each.waited(now) > each.patience and each.rate(now) < rate]
    return sorted(found, key=lambda each: each.rate(now))


def heaviest(connections: Iterable[Connection], now: float) -> list[Connection]:
    """Those that hold something, in the order in which they go when memory is short.

    As for unfinished uploads (`store/uploads`): neither size nor slowness alone decides.  Who has just sent much is not
    slow yet, and who sends slowly holds little.
    """
    return sorted((each for each in connections if each.held), key=lambda each: each.weight(now), reverse=True)
