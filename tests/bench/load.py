"""Load from a second process on 127.0.0.1, bounded in count and time; it stops by itself.

Reads a plan as JSON from its standard input, writes what came of it as JSON to its standard output.
Nothing but the standard library is imported here, so that it starts fast and stays small.
"""

import contextlib
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

PIECE = 65_536  # bytes sent or read at a time
RANDOM = os.urandom(PIECE)
PATIENCE = 120.0  # seconds that an answer may take


def body(parts: list[dict[str, Any]], number: int) -> Iterator[bytes]:
    """The pieces of the body of a request: fixed, random, one of a file's records in turn, or filling."""
    for part in parts:
        if "hex" in part:
            yield bytes.fromhex(part["hex"])
        elif "random" in part:  # that many hexadecimal digits
            yield os.urandom(part["random"] // 2).hex().encode()
        elif "fill" in part:
            yield from fill(part["fill"])
        else:
            with open(part["file"], "rb") as file:  # noqa: PTH123
                file.seek(number % part["records"] * part["size"])
                yield file.read(part["size"])


def fill(size: int) -> Iterator[bytes]:
    """That many bytes."""
    for _ in range(size // PIECE):
        yield RANDOM
    if size % PIECE:
        yield RANDOM[: size % PIECE]


def length(parts: list[dict[str, Any]]) -> int:
    """Bytes of a body."""
    sizes = ((len(part.get("hex", "")) // 2, part.get("random"), part.get("fill"), part.get("size")) for part in parts)
    return sum(next(filter(None, each), 0) for each in sizes)


class Client:
    """One connection that asks one thing after another; opened again when the server closes it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._socket: socket.socket | None = None
        size = length(plan["parts"])
        lines = [f"{plan['method']} {plan['path']} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {size}"]
        self._head = "\r\n".join([*lines, *plan.get("headers", []), "", ""]).encode()

    def ask(self, number: int) -> int:
        """The status of the answer, all of which was read."""
        if self._socket is None:
            self._socket = socket.create_connection((self._plan["host"], self._plan["port"]), PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pieces = body(self._plan["parts"], number)
        self._socket.sendall(self._head + next(pieces, b""))
        for piece in pieces:
            self._socket.sendall(piece)
        return self._answer(self._socket)

    def _answer(self, connection: socket.socket) -> int:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(PIECE)
            if not piece:
                raise ConnectionError("closed")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", b"0")) - len(rest)
        while left > 0:
            piece = connection.recv(min(left, PIECE))
            if not piece:
                raise ConnectionError("closed")
            left -= len(piece)
        if fields.get(b"connection") == b"close":
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None


class Run:
    """All clients of a plan, and what they have seen."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._numbers = itertools.count()
        self._end = 0.0
        self.times: list[float] = []
        self.errors: list[str] = []

    def run(self) -> dict[str, Any]:
        """Ask until count or time is over."""
        threads = [threading.Thread(target=self._client) for _ in range(self._plan["clients"])]
        begun = time.perf_counter()
        self._end = begun + self._plan["seconds"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"seconds": time.perf_counter() - begun, "times": self.times, "errors": self.errors}

    def _client(self) -> None:
        client = Client(self._plan)
        with contextlib.closing(client):
            while (number := next(self._numbers)) < self._plan["count"] and time.perf_counter() < self._end:
                begun = time.perf_counter()
                try:
                    status = client.ask(number)
                    if status != self._plan["status"]:
                        self.errors.append(f"status {status}")
                except OSError as error:
                    client.close()
                    self.errors.append(type(error).__name__)
                self.times.append(time.perf_counter() - begun)


def hold(plan: dict[str, Any]) -> None:
    """Open many connections, send half of a request on each, hold them until standard input ends or time is over."""
    held = []
    for _ in range(plan["clients"]):
        held.append(socket.create_connection((plan["host"], plan["port"]), PATIENCE))
        held[-1].sendall("\r\n".join(plan["half"]).encode())
    print("held", flush=True)
    threading.Timer(plan["seconds"], os._exit, (0,)).start()
    sys.stdin.readline()
    os._exit(0)


def main() -> None:
    """Carry out the plan."""
    plan = json.loads(sys.stdin.readline())
    if "half" in plan:
        hold(plan)
    else:
        print(json.dumps(Run(plan).run()))


if __name__ == "__main__":
    main()
