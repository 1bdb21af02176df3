"""A disk of 300 MB that strangers fill over the network: after one night, without a hand, the server is usable."""

import contextlib
import http.client
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import parties
from tests.server.test_api import sealed_report
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL
from tests.trial.faults import Disk
from tests.trial.serving import Server, today
from whistle.protocol.code.retrieval import Reporter, message_id
from whistle.protocol.reporter import submission
from whistle.server.config import Config
from whistle.server.instance import open_instance
from whistle.store import BLOCK, Heap, State
from whistle.store.models import TODAY

SIZE = 300  # MB
CLIENTS = 8
NIGHT = 300.0  # seconds that housekeeping may take after its first tick
OCTETS = {"Content-Type": "application/octet-stream"}
TOMORROW = """
import datetime
from whistle.server import instance
from whistle.store import clock
now, day = instance.utc_now, clock._system_day
instance.utc_now = lambda: now() + datetime.timedelta(days=1)
clock._system_day = lambda: day() + datetime.timedelta(days=1)
from whistle.cli.main import main; main()
"""

pytestmark = pytest.mark.skipif(not TRIAL, reason="a trial: make trial; tests/store/test_small_disk.py has small disks")


class Flood:
    """Programs that send without end, until the server has refused each of them for good."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # to the keys of another organisation: the server cannot tell them apart
        self.envelopes = b"".join(sealed_report(parties.reporter(), parties.organisation()))
        self.stored: list[tuple[bytes, list[bytes]]] = []  # tokens, with the ids of their blocks

    def run(self, blocks: int, most: int) -> None:
        """Send reports with so many blocks each, or blocks alone if they are negative."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda _: self._client(blocks, most), range(CLIENTS)))

    def _client(self, blocks: int, most: int) -> None:
        refused = 0
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)) as connection:
            for _ in range(most):
                refused = 0 if self._send(connection, blocks) else refused + 1
                if refused == 3:
                    return

    def _send(self, connection: http.client.HTTPConnection, blocks: int) -> bool:
        upload, ids = os.urandom(16), [os.urandom(16) for _ in range(abs(blocks))]
        for id in ids:
            body = upload + id + os.urandom(64).ljust(BLOCK, b"\0")
            if (status := ask(connection, "block", body)[0]) != 204:
                assert status in (507, 503, 429), status
                return False
        if blocks < 0:
            return True
        token = os.urandom(16)
        status, _ = ask(connection, "store", submission.encode(token, [], ids) + self.envelopes)
        if status == 204:
            self.stored.append((token, ids))
        else:
            assert status in (507, 424, 503, 429), status
        return status == 204


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and answer of the reporters' interface; once more if the server has closed the connection."""
    for _ in range(2):
        try:
            connection.request("POST", f"/api/{path}", body, OCTETS)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, ConnectionError):
            connection.close()
    return 503, b""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose data lies on a small disk of its own."""
    disk = Disk(tmp_path / "disk", f"{SIZE}m")
    try:
        yield Server.make(tmp_path / "disk" / "server", workers=2)
    finally:
        disk.unmount()


def is_turned_over(server: Server) -> bool:
    """Whether nothing of the day before lies in today's tables."""
    instance = open_instance(Config.load(server.folder))
    try:
        with instance.store.database.read() as connection:
            days = connection.scalars(TODAY.envelopes.select().with_only_columns(TODAY.envelopes.c.day).distinct())
            return not [day for day in days if day <= today()]
    finally:
        instance.store.close()


@pytest.mark.parametrize("kind", [(-1, 400), (4, 400), (0, 4000)], ids=["blocks alone", "with files", "texts"])
def test_a_night_after_a_flood(server: Server, kind: tuple[int, int], measured: Measure) -> None:
    """Lookups, withdrawals and couriers go on, every acknowledged report is there, and new ones are taken."""
    first: Reporter = parties.reporter()
    flood = Flood(server)

    def usable() -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            assert ask(connection, "lookup", b"".join(first.lookup_ids(8)))[0] == 200
            token, _ = flood.stored.pop()
            assert ask(connection, "withdraw", token) == (200, b"\0")

    with server.running():
        flood.run(0, 1)
        begun = time.monotonic()
        flood.run(*kind)
        measured("reports acknowledged; seconds", f"{len(flood.stored)}; {time.monotonic() - begun:.0f}")
        usable()
    server.program = TOMORROW
    with server.running():
        usable()
        begun = time.monotonic()
        while not is_turned_over(server):
            assert time.monotonic() < begun + NIGHT, (server.folder / "said.log").read_text()
            time.sleep(1)
        measured("seconds until the night's work is done", f"{time.monotonic() - begun:.0f}")
        usable()
        before = len(flood.stored)
        flood.run(0, 1)
        assert len(flood.stored) == before + CLIENTS
    instance = open_instance(Config.load(server.folder))
    for token, ids in flood.stored:
        (found,) = instance.store.lookup([message_id(token)], bodies=Heap)
        assert found.state is State.WAITING and found.body and found.body in flood.envelopes
        assert all(instance.store.block(id, Heap.REVIEWERS) for id in ids)
    instance.store.close()
