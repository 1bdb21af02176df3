"""Runs the server in gunicorn, with many threads, limits for slow clients, and minimal logs."""

import errno
import http
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import flask
from gunicorn import glogging, util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker  # type: ignore[import-untyped]

from whistle import hardening
from whistle.protocol import age
from whistle.server import create_app, headers, logs
from whistle.server.config import Config
from whistle.server.counting import Memory
from whistle.server.errors import BadManifest, ConfigError, StartError
from whistle.server.instance import of, open_instance
from whistle.server.logs import LOG, log_error
from whistle.server.running.housekeeping import Housekeeper
from whistle.server.running.watch import Watch
from whistle.store import StoreError

FIRST_BYTE_TIME = 15  # seconds until the first byte of a connection; it holds no thread until then
HEAD_TIME = 20  # seconds from then on for the head of a request
IDLE_TIME = 60  # seconds without a byte until a connection is closed
MIN_RATE = 100  # bytes a second on average, once a client has made us wait that long
FILES = 65_536  # open files, if the system allows as many
OTHER_FILES = 500  # open files other than visitors' and their threads', mostly of the database
STOP_TIME = 30  # seconds after which the master kills workers that were told to stop
FINISH_TIME = 25  # seconds that a worker gives requests under way when it is told to stop
LINGER = 1.0  # second
LINGER_BYTES = 1024 * 1024
CONNECT_TIME = 5.0  # seconds; a server that does not accept a connection by then is busy
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  for gunicorn's heartbeat, an empty unnamed file
OUT_OF_FILES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
DISCONNECTED = (BlockingIOError, TimeoutError, ConnectionError)


def serve(config: Config) -> None:
    """Run the server with a checked configuration until it is stopped."""
    harden()
    logs.init()
    wsgi.Response = Answer  # gunicorn has no setting for it
    Application(config).run()


def check(folder: Path) -> Config:
    """Load the configuration and check all that can be checked before the start; StartError if something is wrong."""
    try:
        config = Config.load(folder)
        age.self_test()
        open_instance(config, may_be_away=True).store.close()
    except ConfigError as error:
        raise StartError(str(error), "mend whistle.toml, or make a new folder with: whistle server init") from error
    except BadManifest as error:
        raise StartError(str(error), "put the roots' public keys and what they signed into keys/") from error
    except StoreError as error:
        raise StartError(str(error), "check `database` and `blocks` in whistle.toml, and the disk's room") from error
    _check_address(config.bind)
    return config


def cautions(config: Config) -> list[str]:
    """Warnings about what `check` cannot verify."""
    if config.hosts or (config.behind_tor and not config.trusted_proxies):
        return []
    return [
        "a proxy in front must hand on the host that visitors ask for (nginx: proxy_set_header Host $host), or name it "
        'in whistle.toml: hosts = ["report.example.org"]; else nobody with an old browser can send anything'
    ]


def harden() -> None:
    """Disable core dumps, make new files private, and raise the limit of open files."""
    hardening.no_memory_on_disk()
    os.umask(0o077)
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, min(most, FILES)), most))


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured by whistle.toml only."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._memory = Memory()  # before the workers fork, so that they share it
        super().__init__()

    def load_config(self) -> None:
        """Pass the settings to gunicorn."""
        for name, value in settings(self._config).items():
            self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        """Create the application; in each worker, since connections to the store must not be shared after a fork."""
        return create_app(self._config, memory=self._memory)


def settings(config: Config) -> dict[str, Any]:
    """gunicorn's settings."""
    return {
        "bind": config.bind,
        "workers": config.workers,
        "threads": config.threads,
        "worker_class": Worker,
        "worker_connections": _connections(config.threads),
        "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
        "logger_class": Logger,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "error",
        "keepalive": 5,
        "timeout": 120,
        "graceful_timeout": STOP_TIME,
        "limit_request_line": 1024,
        "limit_request_fields": 64,
        "limit_request_field_size": 4096,
        "forwarded_allow_ips": "",
        "umask": 0o077,
        "proc_name": "whistle",
        "control_socket_disable": True,
        "post_worker_init": _start_worker,
    }


def _connections(threads: int) -> int:
    """The maximum of open connections: several for each thread, within the limit of open files."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(threads, min(10 * threads, most - 2 * threads - OTHER_FILES))


class Socket:
    """A connection that times out when a client is idle for a minute, or too slow for longer."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self.begin_body()

    def begin_head(self) -> None:
        """Start the time limit for the head of a new request."""
        self._wait(HEAD_TIME, in_total=True)

    def begin_body(self) -> None:
        """Start the limits for the body: it may take long but not stall."""
        self._wait(IDLE_TIME, in_total=False)

    def _wait(self, seconds: int, in_total: bool) -> None:
        limit = seconds.to_bytes(8, sys.byteorder) + bytes(8)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._limit, self._in_total = seconds, in_total
        self._waited, self._bytes = 0.0, 0

    def recv(self, size: int) -> bytes:
        """Like `socket`'s; TimeoutError if the client is too slow."""
        begun = time.monotonic()
        data = self._plain.recv(size)
        self._count(begun, len(data))
        return data

    def sendall(self, data: bytes) -> None:
        """Like `socket`'s; TimeoutError if the client is too slow."""
        left = memoryview(data)
        while left:
            begun = time.monotonic()
            sent = self._plain.send(left)
            self._count(begun, sent)
            left = left[sent:]

    def setblocking(self, flag: bool) -> None:
        """Like `socket`'s; does nothing on a closed socket."""
        if self._plain.fileno() >= 0:
            self._plain.setblocking(flag)

    def linger_close(self) -> None:
        """Close after giving the client time to read the response; discards what it still sends."""
        end, room = time.monotonic() + LINGER, LINGER_BYTES
        try:
            self._plain.shutdown(socket.SHUT_WR)
            while room > 0 and (left := end - time.monotonic()) > 0:
                self._plain.settimeout(left)
                piece = self._plain.recv(65_536)
                if not piece:
                    break
                room -= len(piece)
        except OSError:
            pass  # disconnected, or too slow
        finally:
            self._plain.close()

    def _count(self, begun: float, moved: int) -> None:
        self._waited += time.monotonic() - begun
        self._bytes += moved
        if self._waited > self._limit and (self._in_total or self._bytes < self._waited * MIN_RATE):
            raise TimeoutError("a connection is too slow")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


class Answer(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """A response without Server and Date: a clock's error identifies its machine."""

    def default_headers(self) -> list[str]:
        """gunicorn's headers without these two."""
        return [line for line in super().default_headers() if not line.startswith(("Server:", "Date:"))]


def refusal(status: http.HTTPStatus) -> bytes:
    """The response to a malformed request, or to an error outside any view."""
    body = f"{status.value} {status.phrase}\n"
    fields = [("Connection", "close"), ("Content-Type", "text/plain"), ("Content-Length", len(body)), *headers.OURS[0]]
    lines = [f"{name}: {value}" for name, value in fields]
    return "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", body]).encode()


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker, with `Socket` connections and errors that reveal nothing of a request."""

    def run(self) -> None:
        """Serve until told to stop; then what is still under way is cut off, and SQLite's log is merged."""
        super().run()
        of(self.app.callable).store.shut_down()
        os._exit(0)  # Python would wait for the threads of those who are slow

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

    def handle(self, conn: TConn) -> Any:
        """Serve one request of a connection."""
        if not isinstance(conn.sock, Socket):
            conn.sock = Socket(conn.sock)
        if not (conn.initialized or conn.data_ready or conn.wait_for_data(0)):
            return _DEFER  # gunicorn would block a thread for some seconds
        conn.sock.begin_head()
        result = super().handle(conn)
        if not result:
            conn.sock.linger_close()  # here, since gunicorn would close it in the accepting thread
        return result

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Handle a request whose head has arrived."""
        conn.sock.begin_body()
        return super().handle_request(req, conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Keep or close a connection; one that has sent no byte yet may wait longer than one after a response."""
        super().finish_request(conn, fs)
        if self.pending_conns and self.pending_conns[-1] is conn:
            conn.timeout = time.monotonic() + FIRST_BYTE_TIME

    def accept(self, listener: Any) -> None:
        """Accept a connection; if too many files are open, pause instead of ending the process."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in OUT_OF_FILES:
                raise
            time.sleep(0.1)

    def _keepalive_after(self, conn: TConn, keepalive: Any) -> bool:
        """Keep alive only if the whole body was read: waiting for the rest would block a thread."""
        return bool(keepalive) and getattr(conn.parser.mesg.body.reader, "length", None) == 0

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


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without addresses, requests and times: errors only, with an exception's type and line."""

    def setup(self, cfg: Any) -> None:
        """Nothing: `logs.init` configures logging."""

    def critical(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log an error of gunicorn."""
        self.error(msg, *args, **kwargs)

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log an error of gunicorn."""
        if kwargs.get("exc_info"):
            self.exception(msg)
        else:
            LOG.error(msg, *args)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log the current exception, unless a client disconnected; never the message, which names the request."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, DISCONNECTED):
            log_error(error)

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Nothing: gunicorn's warnings name visitors' addresses."""

    info = debug = warning

    def log(self, lvl: Any, msg: str, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: requests are never logged."""

    def reopen_files(self) -> None:
        """Nothing: there are no log files."""

    def close_on_exec(self) -> None:
        """Nothing: there are no log files."""


def _start_worker(worker: Worker) -> None:
    hardening.lock_memory()  # a fork does not inherit it
    worker.cfg.set("graceful_timeout", FINISH_TIME)  # in this process: the master waits longer
    instance = of(worker.app.callable)
    for work in (Housekeeper(instance), Watch(instance)):
        threading.Thread(target=work.run, args=(threading.Event(),), daemon=True).start()


def _check_address(bind: str) -> None:
    """Try the address first: gunicorn would retry for five seconds and report it less clearly."""
    try:
        address = util.parse_address(bind)
    except RuntimeError as error:
        raise StartError("bind in whistle.toml is not an address", 'write it like bind = "127.0.0.1:8080"') from error
    if not isinstance(address, tuple):
        _check_unix(Path(os.fsdecode(address)))
        return
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise _bad_address(address[1], error) from error


def _check_unix(path: Path) -> None:
    """StartError if a server uses the socket: gunicorn would replace it, and both would write to one store."""
    try:
        is_live = _answers(path)
    except OSError as error:
        raise _bad_address(0, error) from error
    if is_live:
        raise StartError("another server is using this socket", "stop it first, or choose another in whistle.toml")


def _answers(path: Path) -> bool:
    """Whether a server listens at a unix socket.  StartError if it cannot be a socket, OSError if not accessible."""
    if not path.parent.is_dir():
        raise StartError("the folder of the socket does not exist", "make it, or mend bind in whistle.toml")
    if os.path.lexists(path) and not path.is_socket():
        raise StartError("the file at the socket's path is not a socket", "move it away, or mend bind in whistle.toml")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIME)
        try:
            probe.connect(str(path))  # fails for a path that is too long, which gunicorn would report late
        except (ConnectionRefusedError, FileNotFoundError):
            return False  # none yet, or left by a killed server
        except (BlockingIOError, TimeoutError):
            return True  # it is busy
    return True


def _bad_address(port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(f"port {port} is in use", "stop the other program, or choose another port in whistle.toml")
    if error.errno == errno.EACCES and port:
        return StartError(f"port {port} may not be used", "choose a port above 1023 in whistle.toml")
    return StartError("the address to listen at cannot be used", "mend bind in whistle.toml")
