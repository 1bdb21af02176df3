"""Serving the local page, on 127.0.0.1 only."""

import errno
import logging
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from whistle.courier import LEAPT, Courier, folder
from whistle.workstation import files
from whistle.workstation.app.app import create_app
from whistle.workstation.errors import Refused
from whistle.workstation.workstation import Workstation

HOST = "127.0.0.1"
# On Windows, SO_REUSEADDR would let another program take the port; elsewhere it only lets a new start have it again.
PORT_OPTION: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
STICK = "stick"  # in a courier's folder, for a connected workstation without a stick


class Handler(WSGIRequestHandler):
    """One connection, with a time-out: browsers open some in advance and send nothing."""

    timeout = 60  # seconds of silence
    server_version, sys_version = "Whistle", ""


def serve(
    workstation: Workstation,
    stick: Path | None,
    port: int = 0,
    saved: Path | None = None,
    courier: Path | None = None,
) -> tuple[BaseWSGIServer, str]:
    """A server for the page, and its address; the caller runs it.  Raises Refused for a busy port, CourierError.

    With a courier's folder the workstation is connected: it does the courier's part itself.  Nothing is logged, since
    addresses contain a token.
    """
    logging.getLogger("werkzeug").disabled = True
    if courier is not None:
        folder.settings(courier)
    if courier is not None and stick is None:
        stick = files.private_folder(courier / STICK)
    errand = carrying(courier, stick) if courier is not None and stick is not None else None
    app = create_app(workstation, stick, errand, saved=saved)
    with _listening(port) as listening:
        port = listening.getsockname()[1]
        server = make_server(HOST, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())
    return server, f"http://{HOST}:{port}{app.config['WHISTLE_PATH']}"


def carrying(folder: Path, stick: Path) -> Callable[[], Iterable[str]]:
    """A function that runs the courier between the server and `stick` and returns lines.  It raises CourierError."""

    def carry() -> list[str]:
        done = Courier(folder).exchange(stick)
        lines = [f"The server got {done.pushed.parts} part(s) and gave {done.pulled.fetched} new thing(s)."]
        if done.warning is not None:
            lines.append(
                f"The manifest ends in {done.warning} days." if done.warning >= 0 else "The manifest has ended."
            )
        if done.leapt:
            lines.append(LEAPT)
        return lines

    return carry


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, PORT_OPTION, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as exc:
        listener.close()
        why = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc.strerror}"
        raise Refused(f"port {port} {why}", "choose another with --port, or leave --port away") from exc
    return listener
