"""Listening for a local page, on 127.0.0.1 only."""

import errno
import logging
import socket

import flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"
# On Windows, SO_REUSEADDR would let another program take the port; elsewhere it only lets a new start have it again.
PORT_OPTION: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)


class PortTaken(Exception):
    """Nobody can listen there; `hint` says what would help."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.hint = "choose another with --port, or leave --port away"


class Handler(WSGIRequestHandler):
    """One connection, with a time-out: browsers open some in advance and send nothing."""

    timeout = 60  # seconds of silence
    server_version, sys_version = "Whistle", ""


def serve(app: flask.Flask, port: int, path: str) -> tuple[BaseWSGIServer, str]:
    """A server for an application, and the address of its page; the caller runs it.  Raises PortTaken.

    Nothing is logged, since addresses contain a token.
    """
    logging.getLogger("werkzeug").disabled = True
    with listen(port) as listening:
        port = listening.getsockname()[1]
        server = make_server(HOST, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())
    return server, f"http://{HOST}:{port}{path}"


def listen(port: int) -> socket.socket:
    """A socket for a port of this machine, any free one for 0.  Raises PortTaken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, PORT_OPTION, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as exc:
        listener.close()
        why = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be used: {exc.strerror}"
        raise PortTaken(f"port {port} {why}") from exc
    return listener
