"""Under strace: what workstations, couriers, root keepers and reporters write on their own computers."""

import http.client
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests import parties
from tests.patience import PATIENCE
from tests.reporter.device import Device, attached, connected, twelve
from tests.server.visitor import answer
from tests.trial.counts import TRIAL
from tests.trial.faults import Disk
from tests.trial.planted import forms_of, secrets_of
from tests.trial.serving import WHISTLE, Server, Upload, today
from tests.trial.tracing import Tracer
from tests.workstation.carrying import PASSPHRASE, Carrier, attach
from tests.workstation.test_commands import enlisted
from whistle.protocol.case import message
from whistle.protocol.case.attachment import BLOCK
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.enrolment import ReviewerKeys
from whistle.workstation.workstation import Workstation

MARK = secrets.token_hex(16)
TEXT = f"What happened: {MARK}."
SIZES = (0, 1, 3 * BLOCK) if TRIAL else (1,)  # bytes of files
BODY = f"A line of evidence, {MARK}.\n".encode()


@pytest.fixture
def tracer(tmp_path: Path) -> Tracer:
    """strace, where it works."""
    return Tracer(tmp_path / "traces")


def evidence(folder: Path, size: int) -> Path:
    """A file whose name and content are planted."""
    path = folder / f"{size} {MARK}.txt"
    path.write_bytes((BODY * (size // len(BODY) + 1))[:size])
    return path


@contextmanager
def readable(content: str) -> Iterator[int]:
    """A descriptor from which a short text can be read."""
    reading, writing = os.pipe()
    os.write(writing, content.encode())
    os.close(writing)
    yield reading
    os.close(reading)


class Program:
    """`whistle` under strace, in a folder that is its home, its working folder and its place for temporary files."""

    def __init__(self, tracer: Tracer, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self.home, self._tracer = home, tracer
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(Path.cwd())}
        self._environment |= dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR"), str(home))
        self._environment |= {"WHISTLE_VAULT_PROFILE": "test", "WHISTLE_WORKSTATION": str(home / "vault")}

    def start(self, *arguments: object, fds: tuple[int, ...] = ()) -> "subprocess.Popen[bytes]":
        """Begin; standard input, output and errors are pipes."""
        command = [*self._tracer.command(), sys.executable, "-uc", WHISTLE, *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.home, env=self._environment, pass_fds=fds
        )

    def run(self, *arguments: object, said: str = "", fails: bool = False, **given: str) -> str:
        """Run to the end; `given` are options that read from a descriptor, and what is read. Returns its output."""
        texts = [readable(text) for text in given.values()]
        fds = tuple(text.__enter__() for text in texts)
        options = [part for name, fd in zip(given, fds, strict=True) for part in (f"--{name}-fd", fd)]
        process = self.start(*arguments, *options, fds=fds)
        out, error = process.communicate(said.encode(), timeout=PATIENCE)
        for text in texts:
            text.__exit__(None, None, None)
        assert (process.returncode != 0) is fails and b"Traceback" not in error, error.decode()
        return out.decode()


class Desk(Program):
    """A reviewer with a vault, made under strace; a carrier brings planted reports."""

    def __init__(self, tracer: Tracer, home: Path) -> None:
        super().__init__(tracer, home)
        self.org, self.stick = parties.organisation(today()), home / "stick"
        self.stick.mkdir()
        root = home / "root-1.pub"
        root.write_bytes(self.org.root.public.file())
        names = ("--name", "R. Reviewer", "--role", "Ombudsperson", "--no-backup", "--root", root)
        self.do("init", *names, "--public", home / "me.reviewer")
        keys = enrolment.read((home / "me.reviewer").read_bytes())
        assert isinstance(keys, ReviewerKeys)
        self.org.known = enlisted(self.org, keys)
        self.carrier = Carrier(self.org, today=today())

    def do(self, *arguments: object, said: str = "", fails: bool = False) -> str:
        """A command of the workstation."""
        return self.run("workstation", *arguments, said=said, fails=fails, passphrase=PASSPHRASE + "\n")

    def brings(self) -> str:
        """A report with files of all sizes comes and is taken in; its reference."""
        who, records = parties.reporter(), []
        for size in SIZES:
            blocks, record = attach((BODY * (size // len(BODY) + 1))[:size], f"{size} {MARK}.jpg")
            self.carrier.put_blocks(blocks)
            records.append(record)
        found = parties.report(who, self.org, text=TEXT, attachments=tuple(records), day=today())
        body = parties.sealed(message.sign(found, who.signing), self.org, ("ombuds", "ethics"), today())
        self.carrier.put(body)
        self.carrier.inbox(self.stick)
        self.do("exchange", self.stick)
        return self.do("cases").split()[0]

    def patterns(self) -> list[bytes]:
        """All that no file but those that were asked for may hold."""
        station = Workstation.open(self.home / "vault", PASSPHRASE)
        hidden = [MARK, PASSPHRASE, "AGE-SECRET-KEY", "WHISTLE-SECRET", station.signing.text, *station.case_ids()]
        hidden += [period.identity.text for period in station.periods()]
        found = [each.encode() for each in hidden] + [bytes.fromhex(each) for each in station.case_ids()]
        station.close()
        return [form for secret in found for form in forms_of(secret)]


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_a_vault_is_all_that_a_workstation_writes(tmp_path: Path, tracer: Tracer) -> None:
    """What is decrypted is written sealed, into the vault; in clear only what is saved or exported, and there."""
    desk = Desk(tracer, tmp_path / "home")
    case = desk.brings()
    files = [part for size in SIZES for part in ("--attach", evidence(tmp_path, size))]
    assert MARK in desk.do("show", case)
    desk.do("reply", case, *files, said=TEXT)
    desk.do("attachments", "save", case, "--to", tmp_path / "saved")
    desk.do("note", case, *files, said=TEXT)
    reason = ("--label", f"label {MARK}", "--reason-file", "-", "--yes")
    desk.do("status", case, "--set", "open", *reason, said=TEXT)
    desk.do("grant", case, "counsel", "--reason-file", "-", "--yes", said=TEXT)
    desk.do("export", case, "--to", tmp_path / "out")
    desk.do("exchange", desk.stick)
    desk.do("backup", "--to", tmp_path / "usb")
    desk.do("reply", case, "--attach", tmp_path / f"none {MARK}", said=TEXT, fails=True)
    desk.do("export", case, "--to", tmp_path / "out", fails=True)
    seen, patterns = tracer.seen(), desk.patterns()
    assert seen.holding(patterns, tmp_path / "saved", tmp_path / "out") == []
    assert len(seen.holding(patterns)) >= len(SIZES)  # what was saved is in clear, so the search can see
    assert all(name.endswith("-shm") or name.startswith("/dev/shm/sem.") for name in seen.mapped)


def page(
    desk: Desk, connection: http.client.HTTPConnection, path: str, body: bytes | None, kind: str
) -> tuple[int, str]:
    """Status, and the text or the place to go on to, of an answer of the local page."""
    origin = f"http://127.0.0.1:{connection.port}"
    headers = {"Origin": origin, "Content-Type": kind} if body is not None else {}
    connection.request("POST" if body is not None else "GET", path, body, headers)
    answered = connection.getresponse()
    return answered.status, answered.read().decode() or (answered.headers["Location"] or "")


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_the_local_page_writes_nothing_else(tmp_path: Path, tracer: Tracer) -> None:
    """Pages, a note with large files, a refused form, one that breaks off, a search, and a file that is saved."""
    desk = Desk(tracer, tmp_path / "home")
    desk.brings()
    with readable(PASSPHRASE + "\n") as fd:
        options = ("--no-browser", "--saved", tmp_path / "saved", "--passphrase-fd", fd)
        process = desk.start("workstation", "open", desk.stick, *options, fds=(fd,))
    assert process.stdout
    address = re.search(rb"http://127\.0\.0\.1:(\d+)(/\S+/)", process.stdout.readline())
    assert address
    connection, path = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=PATIENCE), address[2].decode()
    status, shown = page(desk, connection, path, None, "")
    [case] = set(re.findall(r'href="([^"]*/case/[0-9a-f]+)"', shown))
    status, shown = page(desk, connection, case, None, "")
    assert status == 200 and MARK in shown
    for size in (0, 1, 600_000, 5_000_000):
        form = Upload(TEXT, size, lambda size=size: [(BODY * (size // len(BODY) + 1))[:size]], f"{MARK}.txt")  # type: ignore[misc]
        kind = "multipart/form-data; boundary=trial-trial-trial"
        body = b"".join(form.pieces())
        assert page(desk, connection, f"{case}/note", body, kind)[0] == 303
        assert page(desk, connection, f"{case}/reply", body.replace(TEXT.encode(), b""), kind)[0] in (303, 422)
        broken = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=PATIENCE)
        broken.putrequest("POST", f"{case}/note")
        broken.putheader("Origin", f"http://127.0.0.1:{connection.port}")
        broken.putheader("Content-Type", kind)
        broken.putheader("Content-Length", str(len(body) + 1))
        broken.endheaders(body)
        broken.close()
    assert page(desk, connection, f"{case}/{MARK}", None, "")[0] == 404
    words = urlencode({"words": MARK}).encode()
    assert page(desk, connection, f"{path}search", words, "application/x-www-form-urlencoded")[0] == 303
    assert f"<mark>{MARK}</mark>" in page(desk, connection, f"{path}found", None, "")[1]
    look = re.findall(r'href="([^"]*)" aria-label="Look at', shown)[0]
    looked = page(desk, connection, look, None, "")[1]
    fields = dict(re.findall(r'name="(message|number)" value="([^"]*)"', looked)[:2])
    assert (
        page(desk, connection, f"{case}/save", urlencode(fields).encode(), "application/x-www-form-urlencoded")[0]
        == 303
    )
    process.send_signal(signal.SIGINT)
    assert b"Locked." in process.communicate(timeout=PATIENCE)[0]
    assert [MARK in path.name for path in (tmp_path / "saved").rglob("*.jpg")] == [True]
    assert tracer.seen().holding(desk.patterns(), tmp_path / "saved") == []


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_what_breaks_off_leaves_nothing_in_clear(tmp_path: Path, tracer: Tracer) -> None:
    """A workstation that is killed at any moment while it writes, and one whose disk is full."""
    desk = Desk(tracer, tmp_path / "home")
    case, large = desk.brings(), evidence(tmp_path, 3_000_000)
    for what in ("note", "reply"):
        for _ in range(6):
            with readable(PASSPHRASE + "\n") as fd:
                process = desk.start("workstation", what, case, "--attach", large, "--passphrase-fd", fd, fds=(fd,))
            assert process.stdin
            process.stdin.write(TEXT.encode())
            process.stdin.close()
            time.sleep(secrets.randbelow(3000) / 1000)
            process.kill()
            process.wait()
    assert tracer.seen().holding(desk.patterns()) == []
    tracer.clear()
    disk = Disk(tmp_path / "disk", "6m")
    try:
        full = Desk(tracer, disk.folder / "home")
        case = full.brings()
        disk.fill()
        full.do("note", case, "--attach", large, said=TEXT, fails=True)
        full.do("export", case, "--to", disk.folder / "out", fails=True)
        assert tracer.seen().holding(full.patterns(), disk.folder / "out") == []
    finally:
        disk.unmount()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Device]:
    """A server far away."""
    (tmp_path / "far").mkdir()
    with connected(tmp_path / "far", today()) as found:
        yield found


def test_a_reporter_writes_nothing_at_all(tmp_path: Path, far: Device, tracer: Tracer) -> None:
    """Sent, sealed, looked, followed up and withdrawn: no file is opened for writing but those saved on request."""
    program = Program(tracer, tmp_path / "home")
    there = ("--server", far.url, "--root", far.folder / "root-1.pub")
    files = [evidence(tmp_path, size) for size in SIZES]
    typed = twelve(program.run("reporter", "send", *there, "--channel", "harassment", *files, text=TEXT))
    if TRIAL:
        record = attached(far, BODY, f"{MARK}.txt")
        answer(far.app, far.org, derive(words.decode(typed)), far.report, TEXT, attachments=(record,))
        saving = ("--save", tmp_path / "saved")
        assert MARK in program.run("reporter", "replies", *there, *saving, words=typed)
        program.run("reporter", "follow-up", *there, files[-1], words=typed, text=TEXT)
        program.run("reporter", "follow-up", *there, tmp_path / MARK, words=typed, text=TEXT, fails=True)
        program.run("reporter", "withdraw", "--server", far.url, "--yes", words=typed)
        assert (tmp_path / "saved" / f"{MARK}.txt").read_bytes() == BODY
    seen = tracer.seen()
    saved = str(tmp_path / "saved")
    assert {name for name in {*seen.written, *seen.names, *seen.mapped} if not name.startswith(saved)} == set()
    assert seen.holding([form for secret in secrets_of(typed) for form in forms_of(secret)]) == []


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_a_courier_writes_what_it_cannot_open(tmp_path: Path, tracer: Tracer) -> None:
    """Exchanges, one of them killed, put nothing on the courier's computer or the stick that was said."""
    server = Server.make(tmp_path / "s")
    stick = tmp_path / "stick"
    stick.mkdir()
    server.courier(tmp_path / "courier")
    program = Program(tracer, tmp_path / "home")
    exchange = ("courier", "exchange", "--folder", tmp_path / "courier", stick)
    with server.running():
        form = Upload(TEXT, 3 * BLOCK, lambda: [(BODY * 20_000)[: 3 * BLOCK]], f"{MARK}.txt")
        typed = server.send(form)
        for wait in (0.5, 0.8, 1.1):
            process = program.start(*exchange)
            time.sleep(wait)
            process.kill()
            process.wait()
        program.run(*exchange)
    seen = tracer.seen()
    assert sum(map(len, seen.written.values())) > 3 * BLOCK
    assert seen.holding([form for secret in [MARK.encode(), *secrets_of(typed)] for form in forms_of(secret)]) == []


@pytest.mark.skipif(not TRIAL, reason="a trial: make trial")
def test_a_root_is_written_sealed(tmp_path: Path, tracer: Tracer) -> None:
    """The key that signs who may read is written under its passphrase, and in no other way."""
    program = Program(tracer, tmp_path / "home")
    secret = f"six words and more {MARK}"
    program.run("root", "init", passphrase=secret)
    seen = tracer.seen()
    assert any(name.endswith("root.key") for name in seen.names)
    assert seen.holding([form for each in (MARK, "WHISTLE-SECRET") for form in forms_of(each.encode())]) == []
