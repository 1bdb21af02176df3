"""A server in a process of its own, for a ceremony or a demo."""

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
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: it ends with its parent
from whistle.server.running import gunicorn
gunicorn.serve(gunicorn.check(pathlib.Path(sys.argv[1])))
"""
PATIENCE = 60.0  # seconds to wait for the first answer
GRACE = 10.0  # seconds to stop before it is killed


class ServingError(Exception):
    """A server cannot be started here; `hint` says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_free(port: int, option: str) -> None:
    """Raise ServingError if the port is in use; `option` is the one that changes it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            hint = f"stop the other program (perhaps this one runs in another window), or add {option} {port + 10}"
            raise ServingError(f"port {port} cannot be used", hint) from exc


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Run the server of this folder; yields its address once it answers. Raises ServingError if it never does."""
    command = [sys.executable, "-P", "-c", COMMAND, str(folder)]  # -P: no modules from the current folder
    # In a session of its own, so that Ctrl-C does not reach each of its processes too.
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
