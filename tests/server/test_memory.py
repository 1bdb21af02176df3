"""The memory of a real server's process while hostile bodies come."""

import itertools
import threading
from pathlib import Path

import pytest

from tests.trial.process import forget, peak
from tests.trial.serving import BOUNDARY, FORM, Server

CONNECTIONS = 8
LENGTH = 24 << 20  # bytes of one body
MOST = 64 << 10  # KiB that the process may grow by, for all of them
BODIES = {
    "boundaries": f"--{BOUNDARY}\r\n",
    "boundaries without lines": f"--{BOUNDARY}",
    "parts": f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n\r\n',
    "head": f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"x" * 4000}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_bodies_take_no_memory(tmp_path: Path, body: str) -> None:
    """What many connections repeat for ever does not grow in the server, and each gets an answer."""
    repeated = body.encode() * (1 + (64 << 10) // len(body))
    pieces = [repeated] * (LENGTH // len(repeated))
    statuses = []

    def send() -> None:
        length = sum(map(len, pieces))
        statuses.append(server.post("/en/", itertools.chain(pieces), length, FORM)[0])

    with Server.make(tmp_path / "server").running() as server:
        server.post("/en/", [b"x"], 1, FORM)
        before = peak(server.worker)
        forget(server.worker)
        threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        grown = peak(server.worker) - before
    assert statuses == [422] * CONNECTIONS
    assert grown < MOST
