"""gunicorn's threaded worker: its threads wait for no client, its answers and errors reveal nothing of a request.

gunicorn documents `worker_class`, and that `get_thread_pool` may be overridden; the rest of what is overridden here is
held by tests/server/test_gunicorn.py to what this module expects of it.
"""

import dataclasses
import errno
import http
import ipaddress
import os
import selectors
import signal
import socket
import sys
import time
from concurrent import futures
from functools import partial
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from whistle.server import limits
from whistle.server.config import Config
from whistle.server.instance import of
from whistle.server.logs import log_error
from whistle.server.running import lanes
from whistle.server.running.connection import (
    BODY,
    ROOM,
    Buffers,
    Connection,
    State,
    Stranger,
    Terms,
    heaviest,
    slowest,
)
from whistle.server.running.lanes import Lanes, Overrun
from whistle.server.running.refusals import Busy, refusal

AT_ONCE = 64  # connections accepted before others get on
KERNEL = 64 * 1024  # bytes of an answer that the system holds for a client, beside those that are counted here
TICK = 0.5  # seconds between two looks at whose time is over
LOOK = 0.1  # seconds between two looks at who holds most, while memory is short
PART = 7 / 8  # of what there is may be taken after some had to go, so that others need not at once
SWITCH = 0.001  # seconds until another thread may go on: the accepting one needs many short turns
OUT_OF_FILES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Answer(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """A response without Server and Date: a clock's error identifies its machine.

    It says that the connection is closed where the body was not read, as when a request is refused by its head.
    """

    def default_headers(self) -> list[str]:
        """gunicorn's headers without these two."""
        if not _is_read(self.req):
            self.force_close()
        return [line for line in super().default_headers() if not line.startswith(("Server:", "Date:"))]


def _is_read(request: Any) -> bool:
    """Whether the whole body was read."""
    return getattr(request.body.reader, "length", None) == 0


def is_local(address: Any) -> bool:
    """Whether a connection comes from this machine, as tor's does; only tor says which circuit it is."""
    return not isinstance(address, tuple) or ipaddress.ip_address(address[0]).is_loopback


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The accepting thread waits for clients; threads answer those whose requests have arrived, lane by lane."""

    settings: Config  # set before the workers start

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        config = self.settings
        self._terms = Terms(config.circuits, not config.behind_tor, config.trusted_proxies)
        self._waiting: dict[TConn, None] = {}
        self._busy = Busy({code: config.translations[code] for code in config.languages})
        self._buffers = Buffers()
        self._next_tick = self._next_look = self._next_notice = 0.0

    def get_thread_pool(self) -> Lanes:
        """Threads in lanes; the one for large bodies has as many as whistle.toml says."""
        large = dataclasses.replace(lanes.SIZES[lanes.LARGE], threads=self.settings.threads)
        return Lanes(lanes.SIZES | {lanes.LARGE: large}, _route)

    def run(self) -> None:
        """Serve until told to stop; then what is still under way is cut off, and SQLite's log is merged."""
        sys.setswitchinterval(SWITCH)
        for listener in self.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)  # its connections inherit it
        super().run()
        of(self.app.callable).store.shut_down()
        os._exit(0)  # Python would wait for the threads of those who are slow

    def notify(self) -> None:
        """Show the master that the worker lives: once a second, where gunicorn would at every event."""
        if time.monotonic() >= self._next_notice:
            self._next_notice = time.monotonic() + 1.0
            super().notify()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; once told to stop, refuse them, where gunicorn would let them wait."""
        super().set_accept_enabled(enabled)
        for listener in self.sockets if not self.alive else ():
            listener.close()

    def init_signals(self) -> None:
        """Ignore Ctrl-C, which a terminal sends to all processes: the master stops the workers."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Exit at once, as in a power cut; gunicorn would wait for a lock that the interrupted thread may hold."""
        os._exit(0)

    def accept(self, listener: socket.socket) -> None:
        """Accept those who have come, and wait for their requests."""
        for _ in range(min(AT_ONCE, self.worker_connections - self.nr_conns)):
            try:
                plain, address = listener.accept()
            except OSError as error:
                if error.errno in OUT_OF_FILES:
                    time.sleep(0.1)  # gunicorn would end the process
                return
            self._begin_waiting(plain, address, listener)

    def finish_request(self, conn: TConn, fs: "futures.Future[Any]") -> None:
        """Wait for the client to take the rest of its answer; then for its next request, or until it closes."""
        if isinstance(fs.exception(), Overrun):
            self._refuse(conn, self._busy.answer(conn.sock.head))
            return
        conn.keep = not fs.exception() and bool(fs.result())
        conn.sock.answered()
        self._next(conn)

    def murder_pending(self) -> None:
        """Close connections whose time is over, and those that must give way to others; called at least each second."""
        now = time.monotonic()
        if self._buffers.is_short and now >= self._next_look:
            self._next_look = now + LOOK
            self._free_memory(now)
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        for conn in [
            each for each in self._waiting if each.sock.is_over(now) or (not self.alive and each.sock.is_idle)
        ]:
            self._close(conn)
        for connection in self.tpool.slow(now, limits.of(self.app.callable).texts.waited()):
            connection.drop()
        if self.nr_conns >= self.worker_connections:
            self._free_places(now)

    def handle(self, conn: TConn) -> Any:
        """Answer one request of a connection, in a thread; whether the connection stays open."""
        if conn.sock.is_gone:
            return False
        keep = super().handle(conn)
        if conn.parser is not None:
            conn.sock.unread(conn.parser.unreader.take_buffered())
        conn.sock.flush()  # what was too little to be sent before
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Respond to malformed HTTP or an unhandled error without quoting any of it."""
        bad = type(exc).__module__ == "gunicorn.http.errors"
        if not bad:
            log_error(exc)
        try:
            status = http.HTTPStatus.BAD_REQUEST if bad else http.HTTPStatus.INTERNAL_SERVER_ERROR
            util.write_nonblock(client, refusal(status))
        except OSError:
            pass

    def _keepalive_after(self, conn: TConn, keepalive: Any) -> bool:
        """Keep alive only if the whole body was read: waiting for the rest would block a thread."""
        return bool(keepalive) and _is_read(conn.parser.mesg)

    def _begin_waiting(self, plain: socket.socket, address: Any, listener: socket.socket) -> None:
        self.nr_conns += 1
        conn = TConn(self.cfg, Connection(plain, self._terms, self._buffers), address, listener.getsockname())
        if self._terms.circuits and not is_local(address):
            self._close(conn)
            return
        self._wait(conn, selectors.EVENT_READ)
        self._on_event(conn, conn.sock)  # what has come already

    def _wait(self, conn: TConn, events: int) -> None:
        self._waiting[conn] = None
        self.poller.register(conn.sock, events, partial(self._on_event, conn))

    def _stop_waiting(self, conn: TConn) -> None:
        if conn in self._waiting:
            del self._waiting[conn]
            self.poller.unregister(conn.sock)

    def _on_event(self, conn: TConn, _connection: Any) -> None:
        """What a connection waited for has come, in the accepting thread."""
        try:
            self._go_on(conn)
        except BlockingIOError:
            pass
        except Stranger:
            self._refuse(conn, refusal(http.HTTPStatus.BAD_REQUEST))
        except OSError:
            self._close(conn)

    def _go_on(self, conn: TConn) -> None:
        state = conn.sock.state
        if state is State.ANSWER:
            if conn.sock.flush():
                self._next(conn)
        elif state is State.LINGER:
            if conn.sock.discard():
                self._close(conn)
        elif conn.sock.arrive():
            self._begin(conn)

    def _begin(self, conn: TConn) -> None:
        self._stop_waiting(conn)
        conn.sock.taken()
        conn.data_ready = True  # else gunicorn would wait for data in the thread
        if conn.sock.circuit:
            conn.client = (conn.sock.circuit, 0)
        self.enqueue_req(conn)

    def _next(self, conn: TConn) -> None:
        """After an answer, or a part of it."""
        try:
            self._stop_waiting(conn)
            if not conn.sock.flush():
                self._wait(conn, selectors.EVENT_WRITE)
            elif not conn.keep or not self.alive:
                conn.sock.linger()
                self._wait(conn, selectors.EVENT_READ)
            else:
                conn.sock.go_on()
                if conn.sock.held and conn.sock.is_ready():
                    self._begin(conn)
                else:
                    self._wait(conn, selectors.EVENT_READ)
        except Stranger:
            self._refuse(conn, refusal(http.HTTPStatus.BAD_REQUEST))
        except OSError:
            self._close(conn)

    def _refuse(self, conn: TConn, answer: bytes) -> None:
        conn.keep = False
        try:
            conn.sock.sendall(answer)
            conn.sock.answered()
        except OSError:
            self._close(conn)
        else:
            self._next(conn)

    def _close(self, conn: TConn) -> None:
        self._stop_waiting(conn)
        self.nr_conns -= 1
        conn.sock.close()

    def _free_places(self, now: float) -> None:
        """Close the slowest, until an eighth of the places is free; never an honest client's."""
        by_socket = {conn.sock: conn for conn in self._waiting}
        for found in slowest(by_socket, now):
            if self.nr_conns < PART * self.worker_connections:
                break
            self._close(by_socket[found])

    def _free_memory(self, now: float) -> None:
        """Close those that weigh most, until an eighth of the memory is free, however short a while they waited."""
        by_socket, held = {conn.sock: conn for conn in self._waiting}, self._buffers.held
        for found in heaviest([*by_socket, *self.tpool.busy()], now):
            if held < PART * ROOM:
                break
            held -= found.held
            if found in by_socket:
                self._close(by_socket[found])
            else:
                found.drop()


def _route(conn: TConn) -> tuple[int, str]:
    connection: Connection = conn.sock
    address = conn.client[0] if isinstance(conn.client, tuple) else ""
    is_large = connection.length > BODY
    body = b"" if is_large else connection.beginning
    return lanes.lane_of(connection.head, body, is_large), connection.visitor(address)
