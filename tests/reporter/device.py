"""Somebody's computer, with a server far away, and what may stand between the two."""

import contextlib
import datetime
import hashlib
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask
from click.testing import CliRunner, Result

from tests import parties
from tests.parties import DAY, Organisation
from tests.patience import PATIENCE
from tests.server.visitor import Clock, reported, site, store_of
from tests.serving import WSGI, running
from whistle.cli.reporter import reporter as command
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import Report
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.instance import NAME as EXTENSION
from whistle.store import Heap

TEXT = "He took the money for the school, und niemand fragte."
NAME = "Rechnung März.pdf"
EMPTY = ("home", "here", "tmp")  # folders of the device, which stay as they are
Between = Callable[[WSGI, dict[str, Any], Any], Any]


@dataclass
class Device:
    """Somebody's computer, with a server far away; `between` may stand between the two."""

    app: flask.Flask
    org: Organisation
    folder: Path
    url: str = ""
    between: Between | None = None
    requests: list[str] = field(default_factory=list)

    def answer(self, environ: dict[str, Any], start: Any) -> Any:
        """Note the request, let whoever stands between have it, else the application."""
        self.requests.append(environ["PATH_INFO"])
        application = self.app.wsgi_app
        return self.between(application, environ, start) if self.between else application(environ, start)

    def run(self, name: str, *options: str, words: str | None = None, text: str | None = None, **given: Any) -> Result:
        """Run a command there; words and text come from file descriptors."""
        where = [] if name == "seal" else ["--server", given.get("url", self.url)]
        trust = [] if name == "withdraw" else given.get("trust", ["--root", str(self.folder / "root-1.pub")])
        fds = [("--words-fd", words), ("--text-fd", text)]
        read = [part for option, content in fds if content is not None for part in (option, str(readable(content)))]
        return CliRunner().invoke(command, [name, *where, *trust, *read, *options], catch_exceptions=False)

    def send(self, *options: str, text: str = TEXT, **given: Any) -> Reporter:
        """Report something; who came to be the reporter."""
        done = self.run("send", "--channel", "harassment", *options, text=text, **given)
        assert done.exit_code == 0, done.output
        return derive(words.decode(twelve(done.stdout)))

    @property
    def report(self) -> Report:
        """The one report that its first reader can open."""
        return reported(self.app, self.org)


def readable(content: str) -> int:
    """A descriptor from which a text can be read, once."""
    read, write = os.pipe()

    def fill() -> None:
        with os.fdopen(write, "wb") as file:
            file.write(content.encode())

    threading.Thread(target=fill, daemon=True).start()
    return read


def twelve(output: str) -> str:
    """The words that an output shows with their numbers."""
    found = re.findall(r"^ *(\d+)\. (\w+) +(\d+)$", output, re.MULTILINE)
    assert [int(place) for place, _, _ in found] == list(range(1, 13))
    shown = " ".join(word for _, word, _ in found)
    assert words.numbers(words.decode(shown)) == [int(number) for _, _, number in found]
    return shown


def typed(who: Reporter) -> str:
    """Somebody's words, one on a line."""
    return "\n".join(words.encode(who.code))


@contextlib.contextmanager
def connected(folder: Path, day: datetime.date = DAY) -> Iterator[Device]:
    """A device in a folder, and a server with a manifest."""
    org = parties.organisation(day)
    for name in ("server", *EMPTY):
        (folder / name).mkdir()
    (folder / "root-1.pub").write_bytes(org.root.public.file())
    found = Device(site(folder / "server", org, Clock(day)), org, folder)
    with running(found.answer) as found.url:
        yield found
    store_of(found.app).close()
    assert not [path for name in EMPTY for path in (folder / name).iterdir()]


def large() -> int:
    """The size in bytes of a large file."""
    return (300 if os.environ.get("WHISTLE_TRIAL") else 20) * 1_000_000


def photo(device: Device, size: int = 700_000, name: str = NAME) -> Path:
    """A file of random bytes."""
    (device.folder / "files").mkdir(exist_ok=True)
    path = device.folder / "files" / name
    with path.open("wb") as file:
        for _ in range(size // 1_000_000):
            file.write(os.urandom(1_000_000))
        file.write(os.urandom(size % 1_000_000))
    return path


def content(device: Device, record: Attachment) -> str:
    """The SHA-256 of an attachment as the server has it, verified."""
    opener, hash_ = attachment.Opener(record), hashlib.sha256()
    for id in attachment.block_ids(record):
        hash_.update(opener.update(store_of(device.app).block(id, Heap.REVIEWERS) or b""))
    hash_.update(opener.finish())
    return hash_.hexdigest()


def collect(device: Device) -> None:
    """A courier fetches everything."""
    store = store_of(device.app)
    store.collect([id for counted in store.days() for id in store.day_ids(counted.day).envelopes])


def attached(device: Device, data: bytes, name: str) -> Attachment:
    """A file that a reviewer sends, its blocks on the server."""
    sealer = attachment.Sealer()
    first = sealer.update(data)
    last, record = sealer.finish(name, "text/plain")
    for id, block in first + last:
        store_of(device.app).put_block(id, block, Heap.REPORTERS)
    store_of(device.app).commit([], [id for id, _ in first + last])
    return record


def publish(device: Device, *known: SignedManifest) -> None:
    """Install more manifests."""
    device.app.extensions[EXTENSION].published.install([(each.data, each.signature) for each in known])


def instead(answers: dict[str, bytes], status: int = 200) -> Between:
    """Other answers at some addresses."""

    def between(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"]
        answer = flask.Response(answers.get(path), status=status, mimetype="application/octet-stream")
        return (answer if path in answers else application)(environ, start)

    return between


class Terminal:
    """A terminal with someone at it, who waits for what is said before typing."""

    def __init__(self, device: Device, *arguments: str) -> None:
        self.screen = ""
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "HOME": str(device.folder / "home"), "TMPDIR": str(device.folder / "tmp")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from whistle.cli.main import main; main()", "reporter", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=device.folder / "here",
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, after: str, line: str) -> None:
        """Type a line when something new was said that ends so."""
        end = time.monotonic() + PATIENCE
        start = len(self.screen)
        while after not in self.screen[start:]:
            assert time.monotonic() < end and self._read(), self.screen
        os.write(self._ours, line.encode())

    def end(self) -> int:
        """Wait for the end; the exit status."""
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], PATIENCE)[0]:
            self._process.kill()
            return False
        try:
            seen = os.read(self._ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.screen += seen.decode().replace("\r\n", "\n")
        return bool(seen)
