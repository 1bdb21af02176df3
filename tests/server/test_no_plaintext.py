"""Nothing that a visitor sends in clear is in any file that the server writes or has open, at any moment, at any size.

A real server is sent planted texts, names, files and words; every file of its folder and every open file of its
processes, unlinked ones too, is searched before, amid and after each upload.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.watched import MARK, TOO_LATE, Watched, upload, words_in
from tests.trial.counts import full
from tests.trial.faults import Disk
from tests.trial.planted import files_of, found_in
from tests.trial.serving import BOUNDARY, FORM, Server

SIZES = [0, 10_000, 600_000, 5_000_000, full("PLAINTEXT", 30_000_000, 12_000_000)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server whose temporary folder, home and working folder are searched too."""
    with pytest.MonkeyPatch.context() as patch:
        apart = tmp_path_factory.mktemp("apart")
        for name in ("TMPDIR", "TEMP", "HOME", "XDG_RUNTIME_DIR"):
            patch.setenv(name, str(apart))
        patch.setenv("PYTHONPATH", str(Path.cwd()))
        with Server.make(tmp_path_factory.mktemp("server") / "s").running() as server:
            found = Watched(server, apart)
            found.search()
            yield found
            server.stop()
            lines = (server.folder / "said.log").read_text().splitlines()
            assert [line.split()[0] for line in lines] == ["Warning:", "Whistle"]  # of tor, and where it listens
            assert list(apart.iterdir()) == []


@pytest.mark.parametrize("size", SIZES)
def test_a_report_leaves_nothing_in_clear(watched: Watched, size: int) -> None:
    """Neither text, name, content, words, keys, tokens nor address, amid the upload or after it."""
    status, page = watched.post(upload(size), pauses=3, **FORM)
    assert status == 200
    typed = words_in(page)
    watched.plant(typed)


def test_the_way_back_leaves_nothing_in_clear(watched: Watched) -> None:
    """Nor do words that are typed, a follow-up, a file and a withdrawal."""
    _, page = watched.post(upload(1000), **FORM)
    typed = words_in(page)
    watched.plant(typed)
    page = watched.form(step="look", words=typed)
    assert page.form("follow-up")
    body = upload(300_000).replace(b"\r\nsend\r\n", b"\r\nfollow-up\r\n")
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="words"\r\n\r\n{typed}\r\n'.encode()
    assert "Your follow-up is stored" in watched.post(field + body, pauses=2, **FORM)[1].text
    watched.form(step="look", words=f"{typed} {MARK}")
    assert "Your report is withdrawn" in watched.form(step="withdraw-now", words=typed).text


@pytest.mark.parametrize("size", SIZES)
def test_a_report_that_breaks_off_leaves_nothing_in_clear(watched: Watched, size: int) -> None:
    """Nor does an upload that ends in the middle."""
    body = upload(size)
    with watched.connect() as connection:
        lines = ["POST /en/ HTTP/1.1", f"Content-Type: {FORM['Content-Type']}", f"Content-Length: {len(body)}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
        watched.search()
    watched.search()


@pytest.mark.parametrize("size", SIZES)
def test_a_refused_report_leaves_nothing_in_clear(watched: Watched, size: int) -> None:
    """Nor does one that is refused after its file has come."""
    body = upload(size).replace(f"\r\n--{BOUNDARY}--".encode(), b"\r\n" + TOO_LATE + f"--{BOUNDARY}--".encode())
    status, page = watched.post(body, pauses=2, **FORM)
    assert status == 422 and ("text", f"What happened: {MARK}") in page.form("send").fields


def test_what_is_no_form_leaves_nothing_in_clear(watched: Watched) -> None:
    """Nor do faults of HTTP, other addresses and other forms."""
    for data in (b"%b / HTTP/1.1\r\n\r\n", b"GET /%b HTTP/9.9\r\n\r\n", b"GET /%b HTTP/1.1\r\nA\0: %b\r\n\r\n"):
        with watched.connect() as connection:
            connection.sendall(data.replace(b"%b", MARK.encode()))
            while connection.recv(65_536):
                pass
    assert watched.post(MARK.encode(), **{"Content-Type": f"text/{MARK}"})[0] == 422
    assert watched.post(b"\xff" + MARK.encode(), **{"Content-Type": "application/x-www-form-urlencoded"})[0] == 422


@pytest.mark.parametrize("size", [5_000_000, 30_000_000])
def test_a_full_disk_leaves_nothing_in_clear(tmp_path: Path, size: int) -> None:
    """Nor does an upload for which there is no room."""
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    disk = Disk(tmp_path / "disk", "4m")
    try:
        with Server.make(disk.folder / "s").running() as server:
            watched = Watched(server)
            status, page = watched.post(upload(size), pauses=4, **FORM)
            assert status == 422 and "Our server is full" in page.text
    finally:
        disk.unmount()


@pytest.mark.parametrize("where", ["kept", "unlinked"])
def test_the_search_finds_what_is_there(tmp_path: Path, where: str) -> None:
    """A file that holds a secret, be it open and unlinked only, is found."""
    code = "import os, sys, tempfile\nf = tempfile.NamedTemporaryFile(dir=sys.argv[1], delete=sys.argv[2] != 'kept')\n"
    code += "f.write(b'x' * 70000 + sys.argv[3].encode()); f.flush()\n"
    code += (
        "sys.argv[2] == 'kept' and f.close()\nsys.argv[2] == 'kept' or os.unlink(f.name)\nprint(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), where, MARK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"\n"
        assert len(found_in([MARK.encode()], files_of([process.pid], tmp_path))) == 1
        process.communicate(b"\n")
