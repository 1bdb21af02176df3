"""A real server of an organisation made up for the occasion, the limit server beside it, and load on both."""

import contextlib
import datetime
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import parties
from tests.server.visitor import Form, Page
from whistle.server.config import Config, _rates
from whistle.server.instance import Instance, open_instance
from whistle.server.key_files import write_roots

WHISTLE = ("-c", "from whistle.cli.main import main; main()", "server", "run", "--folder")
LIMITS = ("-m", "tests.bench.limits")
STARTING = 20.0  # seconds
BOUNDARY = "----benchmark"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
OCTETS = "Content-Type: application/octet-stream"
MARK = "\0mark\0"  # stands for the random part of a form


def today() -> datetime.date:
    """The UTC day."""
    return datetime.datetime.now(datetime.UTC).date()


@dataclass
class Result:
    """What the load has seen."""

    seconds: float
    times: list[float]
    errors: list[str]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds

    @property
    def usual(self) -> float:
        """The median time of an answer in ms."""
        return 1000 * statistics.median(self.times)


@dataclass
class Site:
    """A server's folder, and the address at which it is served."""

    folder: Path
    org: parties.Organisation
    port: int

    @classmethod
    def make(
        cls,
        folder: Path,
        org: parties.Organisation,
        slots: int = 8,
        threads: int = Config.threads,
        database: str = "",
    ) -> "Site":
        """A folder with whistle.toml and keys; what may be done how often is out of the way.

        `database` is the URL of an empty one; SQLite where it is not given.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        often = "10000000 per second"
        lines = ['[name]\nen = "Benchmark"', f'[server]\nbind = "127.0.0.1:{port}"\nslots = {slots}\nchaff = 0.0']
        lines += [f"threads = {threads}", f"database = {json.dumps(database)}", "[limits]"]
        lines += [f'{name} = {{ each = "{often}", all = "{often}" }}' for name in _rates()]
        (folder / "keys").mkdir(parents=True)
        (folder / "whistle.toml").write_text("\n".join(lines) + "\n")
        write_roots(folder / "keys", [org.root.public])
        site = cls(folder, org, port)
        with site.instance() as instance:
            instance.published.install([(org.known.data, org.known.signature)])
        return site

    @contextlib.contextmanager
    def instance(self) -> Iterator[Instance]:
        """The server's store and manifests, in this process."""
        instance = open_instance(Config.load(self.folder))
        try:
            yield instance
        finally:
            instance.store.close()

    @contextlib.contextmanager
    def served(self, program: Sequence[str] = WHISTLE, under: Sequence[str] = ()) -> Iterator[int]:
        """The server runs; its process id."""
        command = [*under, sys.executable, *program, str(self.folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            self._wait(process)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        for _ in range(int(STARTING * 50)):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.02)
        raise SystemExit("the server did not start in time")

    def load(self, path: str, parts: list[dict[str, Any]], count: int, **more: Any) -> Result:
        """Ask the server from another process."""
        plan: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "method": "POST", "path": path, "parts": parts}
        plan |= {"clients": 1, "count": count, "seconds": 60, "status": 200, **more}
        ran = subprocess.run(
            [sys.executable, "-m", "tests.bench.load"],
            input=json.dumps(plan) + "\n", capture_output=True, text=True, check=True, timeout=plan["seconds"] + 180,
        )  # fmt: skip
        return Result(**json.loads(ran.stdout))

    @contextlib.contextmanager
    def half_sent(self, count: int, seconds: float = 60) -> Iterator[None]:
        """So many requests are held open, half of each sent."""
        half = ["POST /en/ HTTP/1.1", "Host: 127.0.0.1", FORM, "Content-Length: 100000", "", f"--{BOUNDARY}"]
        plan = {"host": "127.0.0.1", "port": self.port, "clients": count, "seconds": seconds, "half": half}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(plan) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate()

    def page(self, path: str = "/en/", fields: Sequence[tuple[str, str]] = ()) -> Page:
        """A page of the server, by GET or, with fields, by POST."""
        import requests

        address = f"http://127.0.0.1:{self.port}{path}"
        answer = requests.post(address, data=list(fields)) if fields else requests.get(address)
        return Page(answer.text)

    def form(self) -> Form:
        """The form of a report, as a visitor gets it."""
        way = self.page().form("report")
        return self.page(fields=[*way.fields, ("step", "report")]).form("send")

    def report(self, text: str, file: int = 0) -> list[dict[str, Any]]:
        """A report as the parts of a plan: fresh each time it is sent, with a file of so many bytes."""
        return report_parts(self.form(), text, file)


def report_parts(form: Form, text: str, file: int) -> list[dict[str, Any]]:
    """The parts of a form filled in."""
    fields = {**dict(form.fields), "step": "send", "channel": "harassment", "text": text, "attempt": MARK}
    written = "".join(field(name, value) for name, value in fields.items())
    before, after = written.split(MARK)
    parts: list[dict[str, Any]] = [fixed(before), {"random": 64}, fixed(after)]
    if file:
        parts += [fixed(field("files", "", "film.mp4").removesuffix("\r\n")), {"fill": file}, fixed("\r\n")]
    return [*parts, fixed(f"--{BOUNDARY}--\r\n")]


def field(name: str, value: str, filename: str = "") -> str:
    """One field of a multipart form."""
    file = f'; filename="{filename}"\r\nContent-Type: video/mp4' if filename else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'


def fixed(text: str) -> dict[str, Any]:
    """A part that is the same in all requests."""
    return {"hex": text.encode().hex()}


def records(path: Path, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Bodies of one size that are asked with in turn."""
    path.write_bytes(b"".join(bodies))
    return [{"file": str(path), "records": len(bodies), "size": len(bodies[0])}]


def descendants(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def memory(pid: int, entry: str = "Pss", file: str = "smaps_rollup") -> float:
    """MB of a process and all that it started, by an entry of /proc."""
    total = 0
    for each in descendants(pid):
        text = Path(f"/proc/{each}/{file}").read_text()
        total += int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{entry}:")))
    return total * 1024 / 1e6


def settle() -> None:
    """Let the disk finish what it has to write."""
    os.sync()
