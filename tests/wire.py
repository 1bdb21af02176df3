"""A wire between a program and a server: it hears every byte, may cut connections, and may be a SOCKS5 proxy."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.patience import PATIENCE

NAME, NO_METHOD, BY_PASSWORD = 3, 255, 2


@dataclass
class Wire:
    """Where it leads, what it heard, and after how many bytes each of the next connections is cut."""

    to: tuple[str, int]
    socks: bool = False
    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    asked: list[tuple[int, str, int]] = field(default_factory=list)  # kind of address, address, port
    users: set[bytes] = field(default_factory=set)
    cuts: list[int] = field(default_factory=list)

    def carry(self, program: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        if self.socks:
            self._greet(program)
        room = self.cuts.pop(0) if self.cuts else None
        with socket.create_connection(self.to) as server:
            back = threading.Thread(target=_copy, args=(server, program), daemon=True)
            back.start()
            while data := program.recv(65_536):
                self.heard += data
                if room is not None and (room := room - len(data)) < 0:
                    program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join(PATIENCE)

    def _greet(self, program: socket.socket) -> None:
        _, methods = _take(program, 2)
        assert BY_PASSWORD in _take(program, methods)
        program.sendall(bytes([5, BY_PASSWORD]))
        user = _take(program, _take(program, 2)[1])
        self.users.add(user + b":" + _take(program, _take(program, 1)[0]))
        program.sendall(b"\1\0")
        _, _, _, kind = _take(program, 4)
        size = _take(program, 1)[0] if kind == NAME else 4
        host = _take(program, size)
        (port,) = struct.unpack(">H", _take(program, 2))
        self.asked.append((kind, host.decode("ascii", "replace"), port))
        program.sendall(b"\5\0\0\1" + bytes(6))


@contextlib.contextmanager
def wire(url: str, socks: bool = False) -> Iterator[Wire]:
    """A wire to the server at an address."""
    parts = urlsplit(url)
    found = Wire((parts.hostname or "", parts.port or 80), socks)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                found.carry(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _take(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
