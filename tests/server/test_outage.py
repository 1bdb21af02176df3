"""A server whose database is away comes up, says so, and goes on by itself; one that is stopped leaves all in order."""

import contextlib
import os
import signal
import socket
import sqlite3
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.postgresql import Line, line_to, schema
from tests.trial.serving import PIECE, WHISTLE, Server, Upload, half_sent, wait_for
from whistle.protocol.code.retrieval import ID, PLACES
from whistle.store import BLOCK, restarts

AT_ONCE = "from whistle.store import restarts; restarts.LONGEST = 0.5"  # seconds that somebody waits for a restart
SAYS = "Our database is not answering"


@pytest.fixture
def line() -> Iterator[Line]:
    """A line to the database."""
    with schema() as url, line_to(url) as found:
        yield found


def page(server: Server) -> tuple[int, str]:
    """The first page, and its status."""
    try:
        with urllib.request.urlopen(f"{server.url}/en/", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def asked(server: Server) -> int:
    """The status of a lookup by a program."""
    ids = b"".join(struct.pack(">QQ", 0, n) for n in range(2 + 2 * server.org.manifest.slots * PLACES))
    assert len(ids) % ID == 0
    return server.post("/api/lookup", [ids], len(ids), {"Content-Type": "application/octet-stream"})[0]


def pieces(size: int) -> Iterator[bytes]:
    """Content."""
    for number in range(size // PIECE):
        yield bytes([number]) * PIECE


def wait_until_back(server: Server) -> None:
    """Until the server has found its database."""
    end = time.monotonic() + PATIENCE
    while asked(server) != 200:
        assert time.monotonic() < end, "the server did not find its database"
        time.sleep(0.1)


def wait_for_line(server: Server, text: str, count: int) -> None:
    """Until the log has so many lines with the text."""
    end = time.monotonic() + PATIENCE
    while said(server).count(text) < count:
        assert time.monotonic() < end, said(server)
        time.sleep(0.05)


def said(server: Server) -> str:
    """What the server has printed."""
    return (server.folder / "said.log").read_text()


@pytest.mark.postgresql
def test_it_comes_up_without_its_database(tmp_path: Path, line: Line) -> None:
    """Before PostgreSQL answers, pages say so and programs are told to wait; a worker that dies then is replaced.

    The log has a line when the database is away and one when it is back, and none for any request.
    """
    often = f"from whistle.server.running import watch; watch.TICK = 0.1; {AT_ONCE}; {WHISTLE}"
    server = replace(Server.make(tmp_path / "server", 4, f'database = "{line.url}"'), program=often)
    line.cut()
    with server.running():
        assert "the database does not answer" in said(server)
        wait_for_line(server, "the database is away", 1)
        assert page(server)[0] == asked(server) == 503 and SAYS in page(server)[1]
        assert {asked(server) for _ in range(20)} == {503}
        assert said(server).count("ERROR") == 1
        os.kill(server.worker, signal.SIGKILL)
        server.wait()
        wait_for_line(server, "the database is away", 2)  # by the new process
        status, html = server.post("/en/", [b"step=look"], 9, {"Content-Type": "application/x-www-form-urlencoded"})
        assert b"Traceback" not in html and status in (200, 422, 503)
        line.mend()
        wait_until_back(server)
        assert page(server)[0] == 200 and SAYS not in page(server)[1]
        wait_for_line(server, "the database is back", 1)
        words = server.send(Upload("Afterwards.", 0, lambda: ()))
        line.cut()
        form = f"step=look&words={words.replace(' ', '+')}".encode()
        status, html = server.post("/en/", [form], len(form), {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 503 and SAYS in html.decode()
        status, first = page(server)  # who reads is known by now
        assert status == 200 and SAYS in first and "Harassment" in first
    assert said(server).count("ERROR") < 10  # a slow machine may lose sight of it once more; requests were over twenty


@pytest.mark.postgresql
def test_an_upload_outlasts_a_restart(tmp_path: Path, line: Line) -> None:
    """PostgreSQL that is away for a moment in the middle of an upload, and at its end, costs the reporter nothing.

    Those who look under their words meanwhile, and couriers, are answered too.
    """
    server = Server.make(tmp_path / "server", 4, f'database = "{line.url}"')

    def restarted() -> Iterator[bytes]:
        for number, piece in enumerate(pieces(6 * BLOCK)):
            if number in (2, 5):
                line.cut()
                mending = threading.Timer(4 * restarts.PAUSE, line.mend)
                mending.start()
            if number == 4:
                mending.join()
            yield piece
        yield b"."

    with server.running():
        assert server.send(Upload("A large one.", 6 * BLOCK + 1, restarted))
        courier = server.courier(tmp_path / "courier")
        (tmp_path / "stick").mkdir()
        for ask in (lambda: asked(server) == 200, lambda: courier.pull(tmp_path / "stick").envelopes > 0):
            line.cut()
            mending = threading.Timer(4 * restarts.PAUSE, line.mend)
            mending.start()
            assert ask()
            mending.join()


def test_a_stop_amid_an_upload(tmp_path: Path) -> None:
    """A stop is bounded however slow an upload is, refuses who comes meanwhile, and leaves SQLite's log merged."""
    at_once = f"from whistle.server.running import gunicorn; gunicorn.FINISH_TIME = 1; {WHISTLE}"
    server = replace(Server.make(tmp_path / "server", 4, workers=2), program=at_once)
    upload = Upload("Too slow.", 3 * BLOCK, lambda: pieces(3 * BLOCK))
    with server.running():
        server.send(Upload("Stored.", 0, lambda: ()))
        with contextlib.closing(half_sent(server, upload, 2 * BLOCK)):
            wait_for(server, 1)
            server.processes[-1].terminate()
            with pytest.raises(ConnectionRefusedError):
                while server.processes[-1].poll() is None:
                    with contextlib.suppress(ConnectionResetError):  # in the moment in which the listener closes
                        socket.create_connection(("127.0.0.1", server.port)).close()
            assert server.processes[-1].poll() is None
            assert server.processes[-1].wait(PATIENCE) == 0
    assert [path.name for path in (server.folder / "data").glob("*-wal") if path.stat().st_size] == []
    today = server.folder / "data" / "whistle-today.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{today}?immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT count(*) FROM today_envelopes").fetchone() == (2,)
