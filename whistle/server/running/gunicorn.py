"""Runs the server in gunicorn, with many threads, limits for slow clients, and minimal logs."""

import contextlib
import ctypes
import errno
import os
import resource
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import flask
from gunicorn import glogging, util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]

from whistle import hardening
from whistle.protocol import age
from whistle.server import create_app, logs
from whistle.server.config import Config
from whistle.server.counting import Memory
from whistle.server.errors import BadManifest, ConfigError, StartError
from whistle.server.instance import of, open_instance
from whistle.server.logs import LOG, log_error
from whistle.server.running.housekeeping import Housekeeper
from whistle.server.running.watch import Watch
from whistle.server.running.worker import Answer, Worker
from whistle.store import StoreError

M_ARENA_MAX, ARENAS = -8, 2  # of malloc: with one for each thread, what one freed helps no other
M_MMAP_THRESHOLD, APART = -3, 320 * 1024  # bytes; what is larger than a block is given back as soon as it is freed
CONNECTIONS = 4000  # of a process; those that wait for their request hold a few hundred bytes each
FILES = 65_536  # open files, if the system allows as many
OTHER_FILES = 500  # open files other than visitors' and their threads', mostly of the database
STOP_TIME = 30  # seconds after which the master kills workers that were told to stop
FINISH_TIME = 25  # seconds that a worker gives requests under way when it is told to stop
CONNECT_TIME = 5.0  # seconds; a server that does not accept a connection by then is busy
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  for gunicorn's heartbeat, an empty unnamed file
PROXY = (
    "a proxy in front must hand on the host that visitors ask for (nginx: proxy_set_header Host $host), or name it "
    'in whistle.toml: hosts = ["report.example.org"]; else nobody with an old browser can send anything'
)
NO_WORK = (
    "as far as whistle.toml says, tor asks visitors for no proof of work, so a flood costs nothing; set "
    "HiddenServicePoWDefensesEnabled 1 in torrc, then proof_of_work = true in whistle.toml (docs/onion.md)"
)
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
        raise StartError(str(error), error.hint) from error
    except BadManifest as error:
        raise StartError(str(error), "put the roots' public keys and what they signed into keys/") from error
    except StoreError as error:
        raise StartError(str(error), "check `database` and `blocks` in whistle.toml, and the disk's room") from error
    _check_address(config.bind)
    return config


def cautions(config: Config) -> list[str]:
    """Warnings about what `check` cannot verify."""
    directly = config.behind_tor and not config.trusted_proxies
    found = [] if config.hosts or directly else [PROXY]
    return [*found, NO_WORK] if config.behind_tor and not config.proof_of_work else found


def harden() -> None:
    """Disable core dumps, make new files private, raise the limit of open files, and let freed memory be of use."""
    hardening.no_memory_on_disk()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        for name, value in ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, APART)):
            ctypes.CDLL(None).mallopt(name, value)
    os.umask(0o077)
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(least, min(most, FILES)), most))


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured by whistle.toml only."""

    def __init__(self, config: Config) -> None:
        self._config = config
        Worker.settings = config
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
        "sendfile": False,  # it would pass by what counts slow readers
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
        "forwarder_headers": "",  # whoever comes by a unix socket would be trusted with these, as tor's visitors do
        "secure_scheme_headers": {},
        "umask": 0o077,
        "proc_name": "whistle",
        "control_socket_disable": True,
        "post_worker_init": _start_worker,
    }


def _connections(threads: int) -> int:
    """The maximum of open connections of a process, within the limit of open files."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(threads + 1, min(CONNECTIONS, most - 2 * threads - OTHER_FILES))


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
