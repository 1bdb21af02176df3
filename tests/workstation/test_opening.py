"""Envelopes opened in processes of their own."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import parties
from whistle.protocol import message
from whistle.protocol.bundle import BundleError
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.message import Signed
from whistle.workstation import opening
from whistle.workstation.opening import Helper, Opened, Opener, Opening, Place


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation, with all secrets."""
    return parties.organisation()


@pytest.fixture(scope="module")
def bodies(org: parties.Organisation) -> list[bytes]:
    """Five times an envelope for one reviewer, one for another, and nonsense."""
    found = []
    for _ in range(5):
        for readers in (("ombuds",), ("counsel",)):
            who = parties.reporter()
            signed = message.sign(parties.report(who, org, readers=readers), who.signing)
            found.append(parties.sealed(signed, org, readers))
        found.append(os.urandom(len(found[0])))
    return found


@pytest.fixture(scope="module")
def part(bodies: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which they stand one after the other."""
    path = tmp_path_factory.mktemp("part") / "part"
    path.write_bytes(b"".join(bodies))
    return path


def ended(*_: object) -> None:
    """A process that the system ends as soon as it starts."""
    os._exit(1)


def places(bodies: list[bytes]) -> list[Place]:
    """Where in it they stand."""
    return [Place(number * len(body), len(body), hashlib.sha256(body).digest()) for number, body in enumerate(bodies)]


def opened(org: parties.Organisation, part: Path, wanted: list[Place]) -> list[Opened]:
    """What one reviewer can open."""
    with Opening(part, org.people["ombuds"].identities, len(wanted)) as under_way:
        for place in wanted:
            under_way.add(place)
        return list(under_way.finish())


def hashes(found: list[Opened]) -> list[object]:
    """Messages by their hash, faults by their kind."""
    kinds = [Signed, NotForMe, Malformed]
    assert [next(kind for kind in kinds if isinstance(each, kind)) for each in found] == kinds * (len(found) // 3)
    return [each.hash if isinstance(each, Signed) else str(each) for each in found]


def test_processes_open_the_same_in_the_same_order(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many processes open them, the envelopes give the same messages and faults in the order they came."""
    here = hashes(opened(org, part, places(bodies)))
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening, "BATCH", 2)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    assert hashes(opened(org, part, places(bodies))) == here


def test_where_no_process_starts_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that ends the processes, or starts none, delays an import and loses nothing of it."""
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(opening, "_serve", ended)
    assert len(hashes(opened(org, part, places(bodies)))) == len(bodies)


def test_a_process_that_leaves_its_pipe_open_is_not_waited_for(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it hold up an import when a pipe stays open after the process that was to answer has ended."""
    kept: list[int] = []
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(opening, "_serve", ended)
    monkeypatch.setattr(opening, "_widen", lambda answer: kept.append(os.dup(answer.fileno())))
    try:
        assert len(hashes(opened(org, part, places(bodies)))) == len(bodies)
    finally:
        assert kept
        for number in kept:
            os.close(number)


def test_where_no_process_can_be_started_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system has no process left for it, the import goes on by itself."""

    def refused(_: Opener) -> Helper:
        raise BlockingIOError

    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(opening, "Helper", refused)
    assert len(hashes(opened(org, part, places(bodies)))) == len(bodies)


@pytest.mark.parametrize("few", [1, 1000], ids=["in processes", "here"])
@pytest.mark.parametrize("wrong", ["another content", "cut off", "gone"])
def test_what_is_not_as_listed_is_told(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, few: int
) -> None:
    """An envelope that is another one than listed, or that cannot be read, is no envelope as sent."""
    monkeypatch.setattr(opening, "FEW", few)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    wanted = places(bodies)
    wanted[-2] = {
        "another content": Place(wanted[-2].offset, wanted[-2].size, bytes(32)),
        "cut off": Place(wanted[-1].offset + 1, wanted[-1].size, wanted[-1].sha256),
    }.get(wrong, wanted[-2])
    with pytest.raises(OSError if wrong == "gone" else BundleError):
        opened(org, part.with_name("none") if wrong == "gone" else part, wanted)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_no_process_outlives_a_program_that_was_killed(tmp_path: Path) -> None:
    """The processes hold identities: they end with the program, however it ends."""
    script = tmp_path / "opens.py"
    script.write_text(
        "import hashlib, os, sys\n"
        "from pathlib import Path\n"
        "from whistle.protocol.age import HybridIdentity\n"
        "from whistle.workstation import opening\n"
        "if __name__ == '__main__':\n"
        "    opening.os.cpu_count = lambda: 2\n"
        "    part = Path(__file__).with_name('part')\n"
        "    part.write_bytes(bytes(8 * 4096))\n"
        "    place = opening.Place(0, 8 * 4096, hashlib.sha256(part.read_bytes()).digest())\n"
        "    under_way = opening.Opening(part, [HybridIdentity.generate()], 10_000)\n"
        "    for _ in range(64):\n"
        "        under_way.add(place)\n"
        "    under_way._receive()\n"
        "    print(*(helper.process.pid for helper in under_way.helpers), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    program = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None and program.stdin is not None
    processes = [Path("/proc") / number for number in program.stdout.readline().split()]
    assert processes
    program.kill()
    program.wait()
    program.stdin.close()
    program.stdout.close()
    end = time.monotonic() + 20
    while any(each.exists() for each in processes) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(each.exists() for each in processes)
