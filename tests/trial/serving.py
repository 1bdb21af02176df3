"""A real server in a process of its own, and clients that send forms of any size to it."""

import contextlib
import datetime
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import parties
from tests.patience import PATIENCE
from tests.server.visitor import Page
from whistle import courier as couriers
from whistle.courier import Courier, Settings, folder
from whistle.server.config import Config
from whistle.server.key_files import write_manifests, write_roots
from whistle.store import BLOCK

OFTEN = "1000000 per second"
WHISTLE = "from whistle.cli.main import main; main()"
BOUNDARY = "trial-trial-trial"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PIECE = 262_144  # bytes
Pieces = Callable[[], Iterable[bytes]]


def today() -> datetime.date:
    """The UTC day."""
    return datetime.datetime.now(datetime.UTC).date()


@dataclass
class Server:
    """The folder of a server, and its process while it runs."""

    folder: Path
    org: parties.Organisation
    port: int
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    before: Callable[[], list[str]] = list  # what stands before its command
    program: str = WHISTLE

    @classmethod
    def make(
        cls,
        folder: Path,
        threads: int = 24,
        *more: str,
        workers: int = 1,
        often: bool = True,
        org: parties.Organisation | None = None,
    ) -> "Server":
        """A folder with keys and whistle.toml, `more` in its [server]; unless not `often`, no limit is ever met."""
        org = org or parties.organisation(today())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "keys").mkdir(parents=True)
        lines = ['[name]\nen = "Trial"', f'[server]\nbind = "127.0.0.1:{port}"\nthreads = {threads}\nchaff = 0.0']
        lines += [f"workers = {workers}"]
        lines += more
        if often:
            rates = [f'{name} = {{ each = "{OFTEN}", all = "{OFTEN}" }}' for name in Config(folder).rates]
            lines += ["[limits]", *rates]
        (folder / "whistle.toml").write_text("\n".join(lines) + "\n")
        write_roots(folder / "keys", [org.root.public])
        write_manifests(folder / "keys", [org.known])
        return cls(folder, org, port)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def worker(self) -> int:
        """The process that answers, where there is one."""
        [found] = self.workers
        return found

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        pid = self.processes[-1].pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def start(self) -> None:
        """Run it until `stop` or `kill`."""
        command = [*self.before(), sys.executable, "-c", self.program, "server", "run", "--folder", str(self.folder)]
        with (self.folder / "said.log").open("ab") as said:
            self.processes.append(subprocess.Popen(command, stdout=said, stderr=said))
        self.wait()

    def wait(self) -> None:
        """Until it answers, after a start or when a worker has gone."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.processes[-1].poll() is None, (self.folder / "said.log").read_text()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.post("/api/lookup", [], 0, {})[0] in (400, 415):  # 400: it asks for the circuit
                    return
            time.sleep(0.05)
        raise AssertionError("the server did not start in time")

    def stop(self) -> None:
        """End it as an operator does."""
        self.processes[-1].terminate()
        self.processes[-1].wait(PATIENCE)

    def kill(self) -> None:
        """End master and workers as a power cut does."""
        workers = self.workers
        self.processes[-1].kill()
        self.processes[-1].wait(PATIENCE)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        for worker in workers:
            while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
                time.sleep(0.01)

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        """It runs inside."""
        self.start()
        try:
            yield self
        finally:
            if self.processes[-1].poll() is None:
                self.stop()

    def post(self, path: str, pieces: Iterable[bytes], length: int, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the answer to a body of this length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        with contextlib.closing(connection):
            connection.request("POST", path, pieces, {**headers, "Content-Length": str(length)})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, form: "Upload") -> str:
        """Send a report; its words as the page's hidden field carries them."""
        status, html = self.post("/en/", form.pieces(), form.length, FORM)
        page = Page(html.decode())
        assert status == 200, page.text
        found = [value for each in page.forms for name, value in each.fields if name == "words"]
        assert found, page.text
        return found[0]

    def courier(self, where: Path) -> Courier:
        """The organisation's courier."""
        courier_folder(where, self.org, self.url)
        return Courier(where)


@dataclass
class Upload:
    """A form with one file, as a browser sends it; the same attempt is the same form again."""

    text: str
    size: int
    content: Pieces
    name: str = "evidence.bin"
    attempt: str = field(default_factory=lambda: os.urandom(32).hex())

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return len(self._head()) + self.size + len(self._tail())

    def pieces(self) -> Iterator[bytes]:
        """The body."""
        yield self._head()
        yield from self.content()
        yield self._tail()

    def _head(self) -> bytes:
        fields = {"step": "send", "attempt": self.attempt, "keys": "1", "channel": "harassment", "shown": "harassment"}
        fields["text"] = self.text
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{self.name}"\r\n'
        return ("".join(parts) + file + "Content-Type: application/octet-stream\r\n\r\n").encode()

    def _tail(self) -> bytes:
        return f"\r\n--{BOUNDARY}--\r\n".encode()


def courier_folder(where: Path, org: parties.Organisation, url: str, number: int = 0) -> None:
    """The folder of the organisation's courier."""
    couriers.create(where, Settings(url, f"Courier {number}", (org.root.public,), None))
    secret = folder.SECRET + folder.base64.b64encode(bytes(org.courier)).decode()
    (where / folder.KEY).write_text(secret)


def half_sent(server: Server, upload: Upload, size: int) -> socket.socket:
    """A connection on which so much of a form has been sent."""
    head = f"POST /en/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    connection.sendall(f"{head}Content-Length: {upload.length}\r\n\r\n".encode() + b"".join(upload.pieces())[:size])
    return connection


def wait_for(server: Server, blocks: int) -> None:
    """Until so many blocks lie on the server."""
    end = time.monotonic() + PATIENCE
    while _whole_blocks(server.folder / "data") < blocks:
        assert time.monotonic() < end, "the blocks did not come"
        time.sleep(0.02)


def _whole_blocks(folder: Path) -> int:
    """How many files have a block's size; those that are moved or removed meanwhile are passed over."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found += Path(place, name).stat().st_size == BLOCK
    return found
