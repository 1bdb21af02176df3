"""Runs the server: gunicorn with many threads, told to keep nothing, to wait for nobody too long and to say little."""

import ctypes
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

from whistle.protocol import age
from whistle.server import create_app, headers, logs
from whistle.server.config import Config
from whistle.server.counting import Memory
from whistle.server.errors import BadManifest, ConfigError, StartError
from whistle.server.instance import NAME, Instance, open_instance
from whistle.server.logs import LOG, describe
from whistle.server.running.housekeeping import Housekeeper
from whistle.store import StoreError

OPENING = 15  # seconds that a connection may be open without a byte; it holds no thread until one comes
HEAD = 20  # seconds from then on for a request's head
STILL = 60  # seconds without a byte, after which a connection is given up
SLOWEST = 100  # bytes a second on average, once somebody was waited for that long
FILES = 65_536  # that the process may have open, if the system lets it
OTHER_FILES = 500  # open beside those of visitors and their threads: the database's connections, for the most part
LINGER = 1.0  # second
LINGER_BYTES = 1024 * 1024
ANSWERS = 5.0  # seconds in which a server takes a connection, or it is busy and there all the same
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  gunicorn keeps a heartbeat there, an empty file without a name
PR_SET_DUMPABLE = 4
NO_FILES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
GONE = (BlockingIOError, TimeoutError, ConnectionError)


def serve(config: Config) -> None:
    """Run the server of a configuration that was checked, until it is told to stop."""
    harden()
    logs.init()
    wsgi.Response = Answer  # for which gunicorn has no setting
    Application(config).run()


def check(folder: Path) -> Config:
    """The configuration, once everything that can be tried before the start has been; StartError otherwise."""
    try:
        config = Config.load(folder)
        age.self_test()
        open_instance(config).store.close()
    except ConfigError as error:
        raise StartError(str(error), "mend whistle.toml, or make a new folder with: whistle server init") from error
    except BadManifest as error:
        raise StartError(str(error), "put the roots' public keys and what they signed into keys/") from error
    except StoreError as error:
        raise StartError(str(error), "check `database` and `blocks` in whistle.toml, and the disk's room") from error
    _check_address(config.bind)
    return config


def cautions(config: Config) -> list[str]:
    """What an operator should see to that no check from here can tell."""
    if config.hosts or (config.behind_tor and not config.trusted_proxies):
        return []
    return [
        "a proxy in front must hand on the host that visitors ask for (nginx: proxy_set_header Host $host), or name it "
        'in whistle.toml: hosts = ["report.example.org"]; else nobody with an old browser can send anything'
    ]


def harden() -> None:
    """No core dump, no file that anybody else may read, and as many open files as may be needed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # which may hand dumps to a program, whatever the limit
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o077)
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, min(most, FILES)), most))


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured by whistle.toml and nothing else."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._memory = Memory()  # before there are workers, so that all of them count in it
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        for name, value in settings(self._config).items():
            self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        """The application; made in each worker, since no connection to the store may be shared after a fork."""
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
        "graceful_timeout": 30,
        "limit_request_line": 1024,
        "limit_request_fields": 64,
        "limit_request_field_size": 4096,
        "forwarded_allow_ips": "",
        "umask": 0o077,
        "proc_name": "whistle",
        "control_socket_disable": True,
        "post_worker_init": _begin_housekeeping,
    }


def _connections(threads: int) -> int:
    """How many connections may be open at once: many to each thread, as far as the limit of open files goes."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(threads, min(10 * threads, most - 2 * threads - OTHER_FILES))


class Socket:
    """A connection that gives up on whoever sends or takes nothing for a minute, or hardly anything for longer."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self.go_on()

    def begin(self) -> None:
        """A new request, whose head may take a third of a minute; what was waited for before does not count."""
        self._wait(HEAD, in_all=True)

    def go_on(self) -> None:
        """The head has come; the rest may take long if only it goes on."""
        self._wait(STILL, in_all=False)

    def _wait(self, seconds: int, in_all: bool) -> None:
        limit = seconds.to_bytes(8, sys.byteorder) + bytes(8)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._patience, self._in_all = seconds, in_all
        self._waited, self._moved = 0.0, 0

    def recv(self, size: int) -> bytes:
        """As a socket's; TimeoutError when it is too slow."""
        begun = time.monotonic()
        data = self._plain.recv(size)
        self._count(begun, len(data))
        return data

    def sendall(self, data: bytes) -> None:
        """As a socket's; TimeoutError when it is too slow."""
        left = memoryview(data)
        while left:
            begun = time.monotonic()
            sent = self._plain.send(left)
            self._count(begun, sent)
            left = left[sent:]

    def setblocking(self, flag: bool) -> None:
        """As a socket's; nothing once it is closed."""
        if self._plain.fileno() >= 0:
            self._plain.setblocking(flag)

    def leave(self) -> None:
        """Close, once the other side has had time to read the answer; what it still sends is thrown away."""
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
            pass  # it has gone already, or takes too long
        finally:
            self._plain.close()

    def _count(self, begun: float, moved: int) -> None:
        self._waited += time.monotonic() - begun
        self._moved += moved
        if self._waited > self._patience and (self._in_all or self._moved < self._waited * SLOWEST):
            raise TimeoutError("a connection is too slow")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


class Answer(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """An answer without the program's name and without the time: how a clock goes wrong tells whose it is."""

    def default_headers(self) -> list[str]:
        """gunicorn's own lines, but for these two."""
        return [line for line in super().default_headers() if not line.startswith(("Server:", "Date:"))]


def refusal(status: http.HTTPStatus) -> bytes:
    """The answer to what is no proper request, or to a fault that no view could answer."""
    body = f"{status.value} {status.phrase}\n"
    about = [("Connection", "close"), ("Content-Type", "text/plain"), ("Content-Length", len(body)), *headers.OURS[0]]
    lines = [f"{name}: {value}" for name, value in about]
    return "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", body]).encode()


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, with such sockets, and with errors that hold nothing of a request."""

    def init_signals(self) -> None:
        """As gunicorn's, but deaf to Ctrl-C, which a terminal sends to everybody: the master tells when to stop."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once, as a power cut would; gunicorn's waits for a lock that the interrupted thread may hold."""
        os._exit(0)

    def handle(self, conn: TConn) -> Any:
        """Serve one request of a connection."""
        if not isinstance(conn.sock, Socket):
            conn.sock = Socket(conn.sock)
        if not (conn.initialized or conn.data_ready or conn.wait_for_data(0)):
            return _DEFER  # gunicorn would let it hold a thread for some seconds
        conn.sock.begin()
        result = super().handle(conn)
        if not result:
            conn.sock.leave()  # here, since gunicorn would do it in the one thread that accepts connections
        return result

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request whose head has come."""
        conn.sock.go_on()
        return super().handle_request(req, conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """What becomes of a connection; one without a byte yet may stay longer than one that had its answer."""
        super().finish_request(conn, fs)
        if self.pending_conns and self.pending_conns[-1] is conn:
            conn.timeout = time.monotonic() + OPENING

    def accept(self, listener: Any) -> None:
        """Take a new connection; where no more files may be open, none for a moment, instead of ending the process."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in NO_FILES:
                raise
            time.sleep(0.1)

    def _keepalive_after(self, conn: TConn, keepalive: Any) -> bool:
        """Only when the whole body was read: waiting for the rest would hold a thread."""
        return bool(keepalive) and getattr(conn.parser.mesg.body.reader, "length", None) == 0

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no HTTP, or a fault that reached this far, without repeating any of it."""
        bad = type(exc).__module__ == "gunicorn.http.errors"
        if not bad:
            LOG.error(describe(exc))
        try:
            status = http.HTTPStatus.BAD_REQUEST if bad else http.HTTPStatus.INTERNAL_SERVER_ERROR
            util.write_nonblock(client, refusal(status))
        except OSError:
            pass


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, without addresses, requests and times: errors only, and of exceptions their type and place."""

    def setup(self, cfg: Any) -> None:
        """Nothing: `logs.init` has said where things go."""

    def critical(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """An error of gunicorn itself."""
        self.error(msg, *args, **kwargs)

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """An error of gunicorn itself."""
        if kwargs.get("exc_info"):
            self.exception(msg)
        else:
            LOG.error(msg, *args)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """The exception at hand, unless a visitor has merely gone; never the message, which names the request."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, GONE):
            LOG.error(describe(error))

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Nothing: gunicorn's warnings name visitors' addresses."""

    info = debug = warning

    def log(self, lvl: Any, msg: str, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing, ever."""

    def reopen_files(self) -> None:
        """There are none."""

    def close_on_exec(self) -> None:
        """There are none."""


def _begin_housekeeping(worker: Worker) -> None:
    instance = worker.app.callable.extensions[NAME]
    assert isinstance(instance, Instance)
    threading.Thread(target=Housekeeper(instance).run, args=(threading.Event(),), daemon=True).start()


def _check_address(bind: str) -> None:
    """Try the address, since gunicorn would try for five seconds and then say it in its own words."""
    try:
        address = util.parse_address(bind)
    except RuntimeError as error:
        raise StartError("bind in whistle.toml is no address", 'write it like bind = "127.0.0.1:8080"') from error
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
    """Refuse a socket at which a server answers: gunicorn would take its place, and both would write to one store."""
    try:
        is_live = _answers(path)
    except OSError as error:
        raise _bad_address(0, error) from error
    if is_live:
        raise StartError("a server answers at this socket already", "stop it first, or choose another in whistle.toml")


def _answers(path: Path) -> bool:
    """Whether a server answers at a unix socket.  StartError if none can be there, OSError if nobody may look."""
    if not path.parent.is_dir():
        raise StartError("the folder of the socket does not exist", "make it, or mend bind in whistle.toml")
    if os.path.lexists(path) and not path.is_socket():
        raise StartError("what lies at the socket's path is no socket", "move it away, or mend bind in whistle.toml")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWERS)
        try:
            probe.connect(str(path))  # of a path that is too long this says so, and gunicorn would only at the end
        except (ConnectionRefusedError, FileNotFoundError):
            return False  # none yet, or left by one that was killed
        except (BlockingIOError, TimeoutError):
            return True  # it is busy
    return True


def _bad_address(port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(f"port {port} is in use", "stop the other program, or choose another port in whistle.toml")
    if error.errno == errno.EACCES and port:
        return StartError(f"port {port} may not be used", "choose a port above 1023 in whistle.toml")
    return StartError("the address to listen at cannot be used", "mend bind in whistle.toml")
