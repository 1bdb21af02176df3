"""What the same machine gives at best: a server without Whistle's work, under Whistle's own gunicorn settings.

`python -m tests.bench.limits FOLDER` serves at the address of FOLDER's whistle.toml:
POST /upload   parse a form, hash its file, write it as files of 256 KiB with the same fsyncs
POST /rows     insert the two rows of a report, as durably, and nothing else
POST /zeros    read a lookup's ids, answer 256 KiB of zeros
"""

import hashlib
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.http import parse_options_header
from werkzeug.sansio import multipart

from whistle.protocol.case import envelope
from whistle.server.config import Config
from whistle.server.running import gunicorn

BLOCK = 262_144  # bytes
PIECE = 65_536  # bytes read at a time
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


class Files:
    """A folder of files of 256 KiB, each there under its name only when it is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, block: bytes) -> None:
        """One more file."""
        id_ = os.urandom(16).hex()
        shelf = self._folder / id_[:2]
        shelf.mkdir(exist_ok=True)
        part = os.open(shelf / f"{id_}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(part, block)
        os.fsync(part)
        os.close(part)
        (shelf / f"{id_}.part").rename(shelf / id_)
        names = os.open(shelf, os.O_RDONLY)
        os.fsync(names)
        os.close(names)


class Limits:
    """The application."""

    def __init__(self, config: Config) -> None:
        folder = config.folder / FOLDER
        self._rows = Rows(folder / "limits.sqlite", config.slots)
        self._files = Files(folder / "files")
        self.extensions: dict[str, Any] = {}

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        work = {"/upload": self._upload, "/rows": self._insert, "/zeros": self._zeros}[environ["PATH_INFO"]]
        answer = work(environ, int(environ.get("CONTENT_LENGTH") or 0))
        start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(answer)))])
        return [answer]

    def _upload(self, environ: Environ, left: int) -> bytes:
        options = parse_options_header(environ["CONTENT_TYPE"])[1]
        decoder = multipart.MultipartDecoder(options["boundary"].encode(), 4 * PIECE)
        digest, ready = hashlib.sha256(), bytearray()
        while not isinstance(event := decoder.next_event(), multipart.Epilogue):
            if isinstance(event, multipart.NeedData):
                piece = environ["wsgi.input"].read(min(left, PIECE))
                left -= len(piece)
                decoder.receive_data(piece or None)
            elif isinstance(event, multipart.Data):
                digest.update(event.data)
                ready += event.data
                while len(ready) >= BLOCK:
                    self._files.write(bytes(ready[:BLOCK]))
                    del ready[:BLOCK]
        self._files.write(bytes(ready).ljust(BLOCK, b"\0"))
        return digest.digest()

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
    (config.folder / FOLDER / "files").mkdir(parents=True)
    Rows(config.folder / FOLDER / "limits.sqlite", config.slots)  # before there are workers, who would make it at once
    Application(config).run()
