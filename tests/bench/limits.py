"""What the same machine gives at best: a server without Whistle's work, under Whistle's own gunicorn settings.

`python -m tests.bench.limits FOLDER` serves at the address of FOLDER's whistle.toml:
POST /upload   parse a form and seal its file, and store nothing
POST /rows     insert the two rows of a report, as durably, and nothing else
POST /zeros    read a lookup's ids, answer 256 KiB of zeros
"""

import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from whistle.protocol.case import envelope
from whistle.server import limits
from whistle.server.config import Config
from whistle.server.running import gunicorn
from whistle.server.sealing.multipart import Bounds, receive
from whistle.store import Heap, Store

BLOCK = 262_144  # bytes
PATIENCE = 30  # seconds that a writer waits for its turn, as Whistle's
FOLDER = "limits"
Environ = dict[str, Any]
ENVELOPES = """CREATE TABLE IF NOT EXISTS envelopes (id BLOB PRIMARY KEY, heap TEXT NOT NULL, day INTEGER NOT NULL,
    state TEXT NOT NULL, state_day INTEGER NOT NULL) WITHOUT ROWID"""
BODIES = "CREATE TABLE IF NOT EXISTS bodies (k INTEGER PRIMARY KEY, body BLOB NOT NULL)"


class Rows:
    """A bare SQLite database with the two tables of envelopes."""

    def __init__(self, path: Path, slots: int) -> None:
        self._size = envelope.size(slots)
        self._turn = threading.Lock()
        self._base = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False, isolation_level=None)
        for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", ENVELOPES, BODIES):
            self._base.execute(line)

    def insert(self) -> None:
        """Two envelopes in one durable transaction."""
        rows = [(os.urandom(16), heap, os.urandom(self._size)) for heap in ("reviewers", "reporters")]
        with self._turn:
            self._base.execute("BEGIN IMMEDIATE")
            for id_, heap, body in rows:
                self._base.execute("INSERT INTO envelopes VALUES (?, ?, 1, 'waiting', 1)", (id_, heap))
                self._base.execute("INSERT INTO bodies VALUES (?, ?)", (int.from_bytes(id_[:8], signed=True), body))
            self._base.execute("COMMIT")


class Nothing:
    """A store that takes all blocks and keeps none."""

    def put_blocks(self, blocks: Sequence[tuple[bytes, bytes]], heap: Heap, upload: bytes) -> None:
        """Forget them."""

    def drop(self, ids: Sequence[bytes]) -> None:
        """Nothing is there."""


class Limits:
    """The application."""

    def __init__(self, config: Config) -> None:
        folder = config.folder / FOLDER
        self._rows = Rows(folder / "limits.sqlite", config.slots)
        self.extensions: dict[str, Any] = {limits.NAME: limits.Limits(config)}  # the worker asks who waits for room

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        work = {"/upload": self._upload, "/rows": self._insert, "/zeros": self._zeros}[environ["PATH_INFO"]]
        answer = work(environ, int(environ.get("CONTENT_LENGTH") or 0))
        start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(answer)))])
        return [answer]

    def _upload(self, environ: Environ, left: int) -> bytes:
        store = cast("Store", Nothing())
        arrived = receive(environ["wsgi.input"], environ["CONTENT_TYPE"], left, store, Bounds(upload=left))
        return arrived.digest

    def _insert(self, environ: Environ, left: int) -> bytes:
        environ["wsgi.input"].read(left)
        self._rows.insert()
        return b"stored"

    def _zeros(self, environ: Environ, left: int) -> bytes:
        environ["wsgi.input"].read(left)
        return bytes(BLOCK)


class Worker(gunicorn.Worker):
    """Whistle's worker; in the end there is no store to be shut down."""

    def run(self) -> None:
        """Serve until told to stop."""
        super(gunicorn.Worker, self).run()


class Application(gunicorn.Application):
    """gunicorn as Whistle runs it, with the limits in place of Whistle."""

    def load_config(self) -> None:
        """Whistle's settings, without its housekeeping."""
        super().load_config()
        self.cfg.set("post_worker_init", lambda worker: None)
        self.cfg.set("worker_class", Worker)

    def load(self) -> Any:
        """The application."""
        return Limits(self._config)


if __name__ == "__main__":
    gunicorn.harden()
    config = Config.load(Path(sys.argv[1]))
    shutil.rmtree(config.folder / FOLDER, ignore_errors=True)
    (config.folder / FOLDER).mkdir()
    Rows(config.folder / FOLDER / "limits.sqlite", config.slots)  # before there are workers, who would make it at once
    Application(config).run()
