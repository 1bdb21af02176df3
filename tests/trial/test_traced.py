"""Under strace: of all that servers ever write to any file, be it deleted at once, nothing is in clear."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.watched import MARK, TOO_LATE, Watched, upload, words_in
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL
from tests.trial.faults import Disk
from tests.trial.planted import files_of, forms_of, found_in
from tests.trial.serving import BOUNDARY, FORM, Server
from tests.trial.tracing import Seen, Tracer
from whistle.protocol.case.attachment import BLOCK, capacity

FULL = capacity(1)
SIZES = [0, 1, FULL - 1, FULL, FULL + 1, 3_000_000] if TRIAL else [1]
KIND = {"Content-Type": FORM["Content-Type"]}


@pytest.fixture
def tracer(tmp_path: Path) -> Tracer:
    """strace, where it works."""
    return Tracer(tmp_path / "traces")


def traced(folder: Path, tracer: Tracer, *more: str) -> Server:
    """A server that is traced from its start."""
    server = Server.make(folder, 24, *more)
    server.before = tracer.command
    return server


def nothing_in_clear(watched: Watched, seen: Seen) -> None:
    """None of what was planted was written anywhere, and nothing was mapped that could be."""
    assert seen.holding([form for secret in watched.everything for form in forms_of(secret)]) == []
    assert all(name.endswith("-shm") for name in seen.mapped)


def half(watched: Watched, body: bytes) -> None:
    """Send half of a form, and search while the server has it."""
    with watched.connect() as connection:
        head = f"POST /en/ HTTP/1.1\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2])
        time.sleep(0.2)
        watched.search()


def goes_wrong(watched: Watched, size: int) -> None:
    """A form that breaks off, one that is refused at its end, and bytes that are none."""
    half(watched, upload(size))
    late = b"\r\n" + TOO_LATE + f"--{BOUNDARY}--".encode()
    assert watched.post(upload(size).replace(f"\r\n--{BOUNDARY}--".encode(), late), **FORM)[0] == 422
    assert watched.post(MARK.encode(), **{"Content-Type": f"text/{MARK}"})[0] == 422
    with watched.connect() as connection:
        connection.sendall(b"GET /%b HTTP/9.9\r\n\r\n" % MARK.encode())
        while connection.recv(65_536):
            pass


def test_a_server_writes_nothing_in_clear(tmp_path: Path, tracer: Tracer, measured: Measure) -> None:
    """Uploads of every kind of size, lookups, a follow-up, a withdrawal, and whatever may go wrong."""
    with traced(tmp_path / "s", tracer).running() as server:
        watched = Watched(server)
        for size in SIZES:
            status, page = watched.post(upload(size), pauses=1, **FORM)
            assert status == 200
            watched.plant(words_in(page))
            if TRIAL:
                goes_wrong(watched, size)
        typed = words_in(page)
        watched.form(step="look", words=typed)
        field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="words"\r\n\r\n{typed}\r\n'.encode()
        more = field + upload(1000).replace(b"\r\nsend\r\n", b"\r\nfollow-up\r\n")
        assert "Your follow-up is stored" in watched.post(more, **FORM)[1].text
        assert "Your report is withdrawn" in watched.form(step="withdraw-now", words=typed).text
    seen = tracer.seen()
    assert sum(len(data) == BLOCK for data in seen.written.values()) >= len(SIZES)
    nothing_in_clear(watched, seen)
    measured("files written", len(seen.written))
    measured("bytes written", f"{sum(map(len, seen.written.values())):,}")


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_a_killed_server_has_written_nothing_in_clear(tmp_path: Path, tracer: Tracer) -> None:
    """Killed amid an upload, and started again."""
    server = traced(tmp_path / "s", tracer)
    watched = Watched(server)
    for size in SIZES:
        with server.running():
            half(watched, upload(size))
            server.kill()
    with server.running():
        watched.search()
    nothing_in_clear(watched, tracer.seen())


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_a_full_disk_gets_nothing_in_clear(tmp_path: Path, tracer: Tracer) -> None:
    """An upload for which there is no room."""
    disk = Disk(tmp_path / "disk", "4m")
    try:
        with traced(disk.folder / "s", tracer).running() as server:
            watched = Watched(server)
            for size in (5_000_000, 9_000_000):
                status, page = watched.post(upload(size), pauses=1, **FORM)
                assert status == 422 and "Our server is full" in page.text
        nothing_in_clear(watched, tracer.seen())
    finally:
        disk.unmount()


def cores(folder: Path) -> list[str]:
    """What may stand before a command so that the system would write its memory into this folder."""
    folder.mkdir(exist_ok=True)
    return ["bash", "-c", f'cd "{folder}" && ulimit -c unlimited && exec "$@"', "bash"]


def test_a_crash_writes_no_memory(tmp_path: Path) -> None:
    """A server that breaks down amid an upload leaves no core file, where another program leaves one."""
    other = [*cores(tmp_path / "other"), sys.executable, "-c", "import os; os.abort()"]
    subprocess.run(other, check=False, capture_output=True)
    if not list((tmp_path / "other").iterdir()):
        pytest.skip("this system writes no core files into a program's folder")
    server = Server.make(tmp_path / "s")
    server.before = lambda: cores(tmp_path / "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path.cwd()))
        with server.running():
            watched = Watched(server, tmp_path / "here")
            for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT) if TRIAL else (signal.SIGSEGV,):
                half(watched, upload(FULL))
                worker = server.worker
                os.kill(worker, number)
                while Path(f"/proc/{worker}").exists():
                    time.sleep(0.02)
                server.wait()
            watched.search()
    assert list((tmp_path / "here").iterdir()) == []
    assert found_in(watched.everything, files_of([], tmp_path / "s")) == []


ROUTES = """
import mmap, os, sys, tempfile, threading
folder, secret = sys.argv[1], sys.argv[2].encode()
def plain(): open(folder + "/plain", "wb").write(b"x" * 70000 + secret)
def in_two():
    with open(folder + "/two", "wb", buffering=0) as f: f.write(secret[:9]); f.write(secret[9:])
def deleted():
    with tempfile.NamedTemporaryFile() as f: f.write(secret); f.flush()
def unnamed():
    with tempfile.TemporaryFile() as f: f.write(secret.hex().encode()); f.flush()
def at():
    f = os.open(folder + "/at", os.O_CREAT | os.O_WRONLY); os.pwrite(f, secret, 5000)
def many():
    f = os.open(folder + "/many", os.O_CREAT | os.O_WRONLY); os.writev(f, [b"a", secret])
def memory(): os.write(os.memfd_create("m"), secret)
def named(): open(folder + "/" + secret.decode(), "wb").close(); os.unlink(folder + "/" + secret.decode())
def thread():
    t = threading.Thread(target=plain); t.start(); t.join()
def child():
    if not os.fork(): plain(); os._exit(0)
    os.wait()
def nothing(): open(folder + "/nothing", "wb").write(b"x")
globals()[sys.argv[3]]()
"""
NAMES = ("plain", "in_two", "deleted", "unnamed", "at", "many", "memory", "named", "thread", "child")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracer]:
    """One tracer for small programs."""
    yield Tracer(tmp_path_factory.mktemp("shared") / "traces")


@pytest.mark.parametrize("route", [*NAMES, "nothing"])
def test_the_trace_shows_every_way_to_the_disk(tmp_path: Path, shared: Tracer, route: str) -> None:
    """Whichever way a program writes a secret, it is found; and where it writes none, nothing is."""
    command = [sys.executable, "-S", "-c", ROUTES, str(tmp_path), MARK, route]
    subprocess.run([*shared.command(), *command], check=True)
    found = shared.seen().holding(list(forms_of(MARK.encode())))
    shared.clear()
    assert bool(found) == (route != "nothing")
