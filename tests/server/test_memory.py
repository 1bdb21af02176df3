"""The memory of a real server's process while hostile bodies come."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.trial.process import forget, peak
from tests.trial.serving import BOUNDARY, FORM, Server
from whistle.server.running.connection import BODY, ROOM

CONNECTIONS = 8
BROKEN_OFF = 600
ROUNDS = 2
FORMS, LONG = 16, (1 << 20) - 1000  # bytes of each one's text
LENGTH = 12 << 20  # bytes of one body
MOST = 40 << 10  # KiB that the process may grow by, for all of them
BODIES = {
    "boundaries": f"--{BOUNDARY}\r\n",
    "boundaries without lines": f"--{BOUNDARY}",
    "parts": f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n\r\n',
    "head": f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"x" * 4000}',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has answered."""
    with Server.make(tmp_path_factory.mktemp("memory") / "server").running() as found:
        found.post("/en/", [b"x"], 1, FORM)
        yield found


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_bodies_take_no_memory(server: Server, body: str) -> None:
    """What many connections repeat for ever does not grow in the server, and each gets an answer."""
    repeated = body.encode() * (1 + (64 << 10) // len(body))
    pieces = [repeated] * (LENGTH // len(repeated))
    statuses = []

    def send() -> None:
        length = sum(map(len, pieces))
        statuses.append(server.post("/en/", itertools.chain(pieces), length, FORM)[0])

    forget(server.worker)
    before = peak(server.worker)
    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grown = peak(server.worker) - before
    assert statuses == [422] * CONNECTIONS
    assert grown < MOST


def test_large_texts_that_come_back_are_bounded_together(tmp_path: Path) -> None:
    """Each becomes five times as long in the page that gives it back whole; what they took is free afterwards."""
    fields = {"step": "send", "channel": "harassment", "text": "&" * LONG}
    head = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = ("".join(head) + f"--{BOUNDARY}--\r\n").encode()
    found: list[tuple[int, int]] = []
    grown: list[int] = []

    def send() -> None:
        status, page = server.post("/en/", [body], len(body), FORM)
        found.append((status, page.count(b"&amp;")))

    with Server.make(tmp_path / "server").running() as server:
        server.post("/en/", [b"x"], 1, FORM)
        before = peak(server.worker)
        for _ in range(ROUNDS):
            forget(server.worker)
            threads = [threading.Thread(target=send) for _ in range(FORMS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            grown.append(peak(server.worker) - before)
        forget(server.worker)
        left = peak(server.worker) - before
    assert found == [(422, LONG)] * FORMS * ROUNDS
    assert max(grown) < FORMS * 4 << 10
    assert left < FORMS * 5 << 9


def test_bodies_that_break_off_are_bounded_at_once(tmp_path: Path) -> None:
    """Whoever has bandwidth brings much more in a second than all connections may hold; nobody else goes for it."""
    head = b"POST /api/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
    with Server.make(tmp_path / "server").running() as server, contextlib.ExitStack() as stuck:

        def connect(sent: bytes) -> socket.socket:
            found = stuck.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            with contextlib.suppress(ConnectionError):
                found.sendall(sent)
            return found

        before = peak(server.worker)
        honest = connect(head % (b"withdraw", 16) + bytes(15))
        for _ in range(BROKEN_OFF):
            connect(head % (b"block", BODY) + bytes(BODY - 1))
        for _ in range(8):
            server.post("/en/", [b"x"], 1, FORM)  # until all of it has come
        honest.sendall(b"a")
        assert honest.recv(1000).startswith(b"HTTP/1.1 ")
        grown = peak(server.worker) - before
    assert grown < (ROOM + BROKEN_OFF * BODY) // 2 >> 10
