"""The server as a process of its own."""

import contextlib
import datetime
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import parties
from tests.patience import PATIENCE
from whistle.cli import server as commands
from whistle.cli.errors import Problem
from whistle.server.config import Config
from whistle.server.errors import StartError
from whistle.server.key_files import write_manifests, write_roots
from whistle.server.running import gunicorn, setup
from whistle.server.running.connection import HEAD_TIME
from whistle.server.running.connection import PATIENCE as SLOW
from whistle.server.running.lanes import READING, SIZES
from whistle.server.running.socket_lock import socket_lock

THREADS = 40


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(place: Path, port: int) -> parties.Organisation:
    """The folder of a server for today."""
    org = parties.organisation(datetime.datetime.now(datetime.UTC).date())
    setup.make(place, bind=f"127.0.0.1:{port}")
    text = (place / "whistle.toml").read_text("utf-8").replace("# threads = 100", f"threads = {THREADS}")
    (place / "whistle.toml").write_text(text.replace("# proof_of_work", "proof_of_work"), "utf-8")
    write_roots(place / "keys", [org.root.public])
    write_manifests(place / "keys", [org.known])
    return org


@dataclass
class Running:
    """A server that runs; ask it, then stop it."""

    process: subprocess.Popen[bytes]
    port: int

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())

    def raw(self, data: bytes) -> bytes:
        """What comes back for bytes that need be no HTTP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(data)
            found = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65_536):
                    found += piece
            return found

    def stop(self) -> str:
        """Everything that it said."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=PATIENCE)
        return said.decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder."""
    return tmp_path_factory.mktemp("server")


@contextlib.contextmanager
def serving(place: Path, more: str = "") -> Iterator[Running]:
    """A server in a process of its own, run by the command; `more` stands in its [server]."""
    port = free_port()
    prepare(place, port)
    text = (place / "whistle.toml").read_text("utf-8")
    (place / "whistle.toml").write_text(text.replace("behind_tor = true", f"behind_tor = true\n{more}"), "utf-8")
    code = "import sys; sys.argv[0] = 'whistle'; from whistle.cli.main import main; main()"
    command = [sys.executable, "-c", code, "server", "run", "--folder", str(place)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
                break
            assert process.poll() is None, process.communicate()[0].decode()
            time.sleep(0.1)
        yield Running(process, port)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def running(place: Path) -> Iterator[Running]:
    """A server that these tests share."""
    with serving(place) as found:
        yield found


def test_it_answers(running: Running) -> None:
    """Pages, the manifest and lookups are answered; no answer names the program or the time, no cookie is set."""
    status, page, headers = running.ask("GET", "/en/")
    assert status == 200 and b"<form" in page
    assert not {"Server", "Date", "Set-Cookie"} & set(headers)
    assert running.ask("GET", "/manifest.json")[0] == 200
    ids = b"".join(parties.reporter().lookup_ids(8))
    status, body, _ = running.ask("POST", "/api/lookup", ids, **{"Content-Type": "application/octet-stream"})
    assert (status, len(body)) == (200, 262_144)


def test_what_is_refused_by_its_head_closes_the_connection(running: Running) -> None:
    """An answer to a body that nobody read says that the connection ends; after one that was read it stays."""
    ids, octets = b"".join(parties.reporter().lookup_ids(8)), {"Content-Type": "application/octet-stream"}
    wrong = {"Content-Type": "text/plain"}
    for path, body, kind, status in (
        ("/api/lookup", ids, wrong, 415),
        ("/api/withdraw", ids, octets, 413),
        ("/nothing", ids, wrong, 404),
    ):
        answered, _, headers = running.ask("POST", path, body, **kind)
        assert (answered, headers["Connection"]) == (status, "close")
    assert running.ask("POST", "/api/lookup", ids, **octets)[2]["Connection"] == "keep-alive"
    assert running.ask("POST", "/en/", ids, **wrong)[2]["Connection"] == "keep-alive"


@pytest.mark.parametrize("path", ["/en/", "/api/lookup"])
def test_who_has_said_all_is_answered(running: Running, path: str) -> None:
    """A client that closes its half of the connection once it has asked gets all of its answer."""
    head = b"GET /en/ HTTP/1.1\r\nHost: x\r\n\r\n"
    if path != "/en/":
        ids = b"".join(parties.reporter().lookup_ids(8))
        kind = "application/octet-stream"
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(ids)}"]
        head = "\r\n".join([*lines, "", ""]).encode() + ids
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as connection:
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 200") and len(answer) >= 16_384


def test_a_large_form_arrives(running: Running, place: Path) -> None:
    """A form of some megabytes streams in and is answered with a page, and its file is nowhere in the folder."""
    mark = b"PLAINTEXT-MARK-"
    boundary = "b"
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in FORM]
    file = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n' + mark * 300_000
    body = "".join(parts).encode() + file + b"\r\n--b--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, page, _ = running.ask("POST", "/en/", body, **headers)
    assert status == 200 and b"Keep these twelve words" in page
    files = [path for path in place.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size == 262_144 for path in files) >= 17  # so the file has come
    assert not any(mark in path.read_bytes() for path in files)


FORM = [("step", "send"), ("attempt", "ab" * 32), ("keys", "1"), ("channel", "harassment"), ("shown", "harassment")]
FORM += [("text", "PLAINTEXT-MARK-")]


BLOCK = (
    b"POST /api/block HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 262176\r\n\r\n"
)
PAGE = b"POST /en/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"
STUCK = {
    "not_a_byte": (3 * THREADS, b""),
    "a_block": (THREADS, BLOCK + bytes(100)),
    "a_large_form": (THREADS, PAGE % 3_000_000 + b"--b\r\n"),
    "a_form_with_text": (THREADS, PAGE % 30_000 + b"--b\r\n"),
}


@pytest.mark.parametrize(("count", "sent"), STUCK.values(), ids=STUCK)
def test_half_sent_requests_do_not_starve_others(running: Running, count: int, sent: bytes) -> None:
    """While many connections wait for the rest of what was begun, others are answered at once."""
    with contextlib.ExitStack() as stuck:
        for _ in range(count):
            connection = stuck.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE))
            connection.sendall(sent)
        begun = time.monotonic()
        assert running.ask("GET", "/en/")[0] == 200
        assert time.monotonic() - begun < HEAD_TIME  # so not only when the others' time was over


def test_a_length_that_is_read_in_two_ways_holds_no_thread(running: Running) -> None:
    """A body that the accepting thread does not see coming is not waited for by those that answer others."""
    kind = "application/x-www-form-urlencoded"
    head = f"POST /en/ HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {'0' * 20}50\r\n\r\n".encode()
    with contextlib.ExitStack() as stuck:
        for _ in range(4 * SIZES[READING].threads):  # of two processes
            stuck.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE)).sendall(head)
        begun = time.monotonic()
        assert running.ask("POST", "/en/", b"step=replies", **{"Content-Type": kind})[0] == 200
        assert time.monotonic() - begun < SLOW  # so not only when some of the others were given up


def test_more_visitors_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more connections are taken than the system's limit of open files bears."""
    limits = {"files": 1024}
    usual = Config(Path())
    monkeypatch.setattr(gunicorn.resource, "getrlimit", lambda _: (limits["files"], 1 << 20))
    assert gunicorn.settings(usual)["worker_connections"] == 1024 - 2 * usual.threads - gunicorn.OTHER_FILES
    limits["files"] = gunicorn.FILES
    assert gunicorn.settings(usual)["worker_connections"] == gunicorn.CONNECTIONS


STRANGE = {
    "no_http": b"SECRET nonsense\r\n\r\n",
    "bad_method": b"SEC/RET / HTTP/1.1\r\n\r\n",
    "bad_header": b"GET / HTTP/1.1\r\nSECRET\x01: SECRET\r\n\r\n",
    "long_line": b"GET /SECRET" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n",
    "many_headers": b"GET / HTTP/1.1\r\n" + b"".join(b"S%d: SECRET\r\n" % n for n in range(100)) + b"\r\n",
}


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE)
def test_errors_repeat_nothing(running: Running, data: bytes) -> None:
    """What is no proper request gets an error that repeats nothing of it."""
    answer = running.raw(data)
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"SECRET" not in answer and b"SEC/RET" not in answer
    assert b"\r\nCache-Control: no-store\r\n" in answer
    assert b"\r\nContent-Security-Policy: default-src 'none';" in answer


def test_it_dumps_no_core_and_shares_no_file(running: Running, place: Path) -> None:
    """No core may be dumped, and what the process makes is its own."""
    worker = children(running.process.pid)[0]
    limits = Path(f"/proc/{worker}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert "Umask:\t0077" in Path(f"/proc/{worker}/status").read_text()
    assert not any(path.stat().st_mode & 0o077 for path in (place / "data").rglob("*"))


def test_it_says_nothing_and_stops(tmp_path: Path) -> None:
    """Its output names no address, no request and no fault; told to stop, it stops well."""
    with serving(tmp_path) as found:
        found.ask("GET", "/en/")
        found.ask("GET", "/SECRET")
        for data in STRANGE.values():
            found.raw(data)
        assert found.stop() == f"Whistle listens at 127.0.0.1:{found.port}.  Stop it with Ctrl-C.\n"
        assert found.process.returncode == 0


CIRCUIT = b"PROXY TCP6 fc00:dead:beef:4dad::abcd:%x ::1 258 80\r\n"
ASKED = b"GET /en/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LIES = {
    "no line": ASKED,
    "an address": b"PROXY TCP6 2001:db8::abcd ::1 258 80\r\n" + ASKED,
    "an older protocol": b"PROXY TCP4 192.0.2.1 127.0.0.1 258 80\r\n" + ASKED,
    "the binary one": b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + bytes(36) + ASKED,
    "small letters": (CIRCUIT % 1).lower() + ASKED,
    "other line ends": (CIRCUIT % 1).replace(b"\r\n", b"\n") + ASKED,
    "too long": b"PROXY TCP6 " + b"abcd:" * 100 + CIRCUIT % 1 + ASKED,
    "without end": b"PROXY TCP6 " + b"abcd" * 25_000,
    "a second line": CIRCUIT % 1 + CIRCUIT % 2 + ASKED,
}


def test_what_clients_say_of_circuits_is_written_nowhere_and_refused(tmp_path: Path) -> None:
    """What tor writes first is taken from it alone, and is in no file and no log; who says anything else is refused.

    The second line is the client's own, behind tor's.  One client may come by as many circuits as it likes.
    """
    with serving(tmp_path, "circuits = true") as found:
        for lie in LIES.values():
            answer = found.raw(lie)
            assert answer.startswith(b"HTTP/1.1 400") and b"abcd" not in answer, lie
        for number in range(10):
            assert found.raw(CIRCUIT % number + ASKED).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", found.port), timeout=PATIENCE) as kept:
            kept.sendall(CIRCUIT % 1 + ASKED.replace(b"close", b"keep-alive") + CIRCUIT % 2 + ASKED)
            answers = b"".join(iter(lambda: kept.recv(65_536), b""))
        assert re.findall(rb"HTTP/1.1 ([0-9]+)", answers) == [b"200", b"400"], "nor does a further request have one"
        said = found.stop()
    assert said.splitlines() == [f"Whistle listens at 127.0.0.1:{found.port}.  Stop it with Ctrl-C."]
    assert not any(b"abcd:" in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_busy_port_and_a_missing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hinders the start is said in one line, with a hint."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        prepare(tmp_path / "server", other.getsockname()[1])
        with pytest.raises(StartError, match="is in use"):
            gunicorn.check(tmp_path / "server")
    monkeypatch.setattr(gunicorn, "harden", lambda: None)
    asked = CliRunner().invoke(commands.server, ["run", "--folder", str(tmp_path / "nowhere")], standalone_mode=False)
    assert isinstance(asked.exception, Problem)
    assert "there is no whistle.toml" in asked.exception.message and asked.exception.hint


def test_a_wrong_address(tmp_path: Path) -> None:
    """A bind that is no address is said in one line."""
    setup.make(tmp_path / "server", bind="127.0.0.1:no")
    with pytest.raises(StartError, match="bind"):
        gunicorn.check(tmp_path / "server")


def test_init_and_purge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """init makes the folder and pins the keys; purge cleans it; both say what they did."""
    monkeypatch.setattr(gunicorn, "harden", lambda: None)  # the tests' own process stays as it is
    public, place = tmp_path / "public", tmp_path / "server"
    public.mkdir()
    org = parties.organisation(datetime.datetime.now(datetime.UTC).date(), slots=4)
    write_roots(public, [org.root.public])
    (public / "manifest.json").write_bytes(org.known.data)
    (public / "manifest.json.minisig").write_bytes(org.known.signature)
    made = CliRunner().invoke(commands.server, ["init", "--folder", str(place), "--keys", str(public), "--name", "N"])
    assert made.exit_code == 0, made.output
    assert "fingerprint" in made.output
    assert Config.load(place).slots == 4
    purged = CliRunner().invoke(commands.server, ["purge", "--folder", str(place)])
    assert purged.exit_code == 0 and purged.output.endswith("Done.\n")
    again = CliRunner().invoke(commands.server, ["init", "--folder", str(place)], standalone_mode=False)
    assert isinstance(again.exception, Problem)


def test_ctrl_c_stops_master_and_worker(tmp_path: Path) -> None:
    """A terminal's Ctrl-C reaches everybody at once; workers leave it to the master, and all of them end."""
    with serving(tmp_path) as running:
        assert running.ask("GET", "/en/")[0] == 200  # so there is a worker, and others may still be starting
        end, workers = time.monotonic() + PATIENCE, [0]
        while len(workers) != 2 or not all(_ignored(worker) >> (signal.SIGINT - 1) & 1 for worker in workers):
            assert time.monotonic() < end, "a worker does not leave Ctrl-C to the master"
            time.sleep(0.05)
            workers = children(running.process.pid)
        for pid in (running.process.pid, *workers):
            os.kill(pid, signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0


def _ignored(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)


def test_two_started_at_once_on_one_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another server has started and does not listen yet, the second says so, and leaves the socket to it."""
    prepare(tmp_path / "server", 0)
    bind = f"unix:{tmp_path}/socket"
    settings = tmp_path / "server" / "whistle.toml"
    settings.write_text(settings.read_text("utf-8").replace("127.0.0.1:0", bind), "utf-8")
    monkeypatch.setattr(gunicorn, "harden", lambda: None)
    with socket_lock(bind):
        second = CliRunner().invoke(commands.server, ["run", "--folder", str(tmp_path / "server")])
    assert second.exit_code == 1 and "another server is using this socket" in second.output
    assert "listens" not in second.output and not (tmp_path / "socket").exists()
