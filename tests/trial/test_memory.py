"""An attachment costs no program memory that grows with it."""

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.trial import process
from tests.trial.conftest import Measure
from tests.trial.counts import full
from tests.trial.serving import Server, Upload, today
from tests.workstation.carrying import station

MIB = 1024 * 1024  # bytes
LARGE = full("LARGE_MIB", 2048, 40) * MIB
SMALL = MIB
MORE = full("MORE_MIB", 64, 16) * 1024  # KiB that the large one may cost beyond the small one
REVIEWED = ["workstation, importing", "workstation, saving", "workstation, replying", "workstation, exporting"]
PIECE = bytes(range(256)) * 1024  # 256 KiB

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks of memory are read from /proc")


def pieces(size: int) -> Iterator[bytes]:
    """A content whose pieces all differ."""
    for start in range(0, size, len(PIECE)):
        yield start.to_bytes(8, "big") + PIECE[8 : size - start]


def expected(size: int) -> bytes:
    """SHA-256 of that content."""
    found = hashlib.sha256()
    for piece in pieces(size):
        found.update(piece)
    return found.digest()


def digest(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def peaks(place: Path, size: int) -> dict[str, int]:
    """The peak in KiB of each program while an attachment goes to a reviewer, and comes back with a reply."""
    found = {}
    server = Server.make(place / "server")
    station(place / "ombuds", server.org.people["ombuds"], today).close()
    pinned(place / "ombuds", server)
    (place / "stick").mkdir()
    server.courier(place / "courier")
    with server.running():
        code = server.send(Upload("one file", size, lambda: pieces(size)))
        found["server, receiving"] = process.peak(server.worker)
        process.forget(server.worker)
        [found["courier, collecting"]] = process.run("carry", place / "courier", place / "stick")
        found["server, giving to the courier"] = process.peak(server.worker)
        reviewed = process.run("review", place / "ombuds", place / "stick", place / "saved")
        found |= zip(REVIEWED, reviewed, strict=True)
        [saved] = (place / "saved").iterdir()
        assert digest(saved) == expected(size)
        process.forget(server.worker)
        [found["courier, delivering"]] = process.run("carry", place / "courier", place / "stick")
        found["server, taking from the courier"] = process.peak(server.worker)
        process.forget(server.worker)
        assert download(server, code) == expected(size)
        found["server, giving to the reporter"] = process.peak(server.worker)
    return found


def pinned(folder: Path, server: Server) -> None:
    """Pin the root."""
    workstation = process.Workstation.open(folder, process.PASSPHRASE)
    workstation.trust.pin([server.org.root.public])
    workstation.close()


def download(server: Server, code: str) -> bytes:
    """SHA-256 of the file of the one reply, as the pages give it."""
    body = urlencode({"step": "download", "words": code, "file": "0-0-0"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=900)
    connection.request("POST", "/en/", body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert answer.status == 200
    found = hashlib.sha256()
    while piece := answer.read(MIB):
        found.update(piece)
    connection.close()
    return found.digest()


def test_a_large_attachment_needs_no_more_memory(tmp_path: Path, measured: Measure) -> None:
    """Nowhere does a large attachment need much more than one of 1 MiB, on the way to the reviewer and back."""
    small, large = peaks(tmp_path / "small", SMALL), peaks(tmp_path / "large", LARGE)
    measured("size", f"{LARGE // MIB} MiB")
    for step, most in large.items():
        measured(step, f"{most // 1024} MiB, {(most - small[step]) / 1024:+.1f} MiB")
    assert {step: most - small[step] for step, most in large.items() if most - small[step] > MORE} == {}
