"""A server on this machine, as a process of its own, for as long as a ceremony or a demo lasts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

HOST = "127.0.0.1"
COMMAND = """
import ctypes, pathlib, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not to outlive whoever started it
from whistle.server.running import gunicorn
gunicorn.serve(gunicorn.check(pathlib.Path(sys.argv[1])))
"""
PATIENCE = 60.0  # seconds until a server that does not answer is given up
GRACE = 10.0  # seconds in which it may stop by itself


class ServingError(Exception):
    """A server cannot be started here; `hint` says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_free(port: int, option: str) -> None:
    """Raise ServingError when something listens at this port already; `option` chooses another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            hint = f"stop the other program (perhaps this one runs in another window), or add {option} {port + 10}"
            raise ServingError(f"port {port} cannot be used", hint) from exc


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Run the server of this folder; its address, once it answers. Raises ServingError when it never does."""
    command = [sys.executable, "-P", "-c", COMMAND, str(folder)]  # -P: no module from where the user happens to stand
    # In a session of its own: Ctrl-C reaches the server once, from here, and not each of its processes as well.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    url = f"http://{HOST}:{port}"
    try:
        _wait(process, url)
        yield url
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + PATIENCE
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < end and process.poll() is None:
            try:
                session.get(f"{url}/manifest.json", timeout=5)
            except requests.RequestException:
                time.sleep(0.05)
            else:
                return
    raise ServingError("the server did not start", "see what it says above; whistle server run shows it too")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
