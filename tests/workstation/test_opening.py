"""Envelopes opened in processes of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import parties
from whistle.protocol import message
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.message import Signed
from whistle.workstation import opening
from whistle.workstation.opening import Opened, Opening

SLOTS = 8


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


def opened(org: parties.Organisation, bodies: list[bytes]) -> list[Opened]:
    """What one reviewer can open."""
    under_way = Opening(org.people["ombuds"].identities, SLOTS, len(bodies))
    for body in bodies:
        under_way.add(body)
    return under_way.finish()


def hashes(found: list[Opened]) -> list[object]:
    """Messages by their hash, faults by their kind."""
    kinds = [Signed, NotForMe, Malformed]
    assert [next(kind for kind in kinds if isinstance(each, kind)) for each in found] == kinds * (len(found) // 3)
    return [each.hash if isinstance(each, Signed) else str(each) for each in found]


def test_processes_open_the_same_in_the_same_order(
    org: parties.Organisation, bodies: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many processes open them, the envelopes give the same messages and faults in the order they came."""
    here = hashes(opened(org, bodies))
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening, "BATCH", 2)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    assert hashes(opened(org, bodies)) == here


def test_where_no_process_starts_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that ends the processes, or starts none, delays an import and loses nothing of it."""
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(opening, "_begin", os._exit)
    assert len(hashes(opened(org, bodies))) == len(bodies)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_no_process_outlives_a_program_that_was_killed(tmp_path: Path) -> None:
    """The processes hold identities: they end with the program, however it ends."""
    script = tmp_path / "opens.py"
    script.write_text(
        "import os, sys\n"
        "from whistle.protocol.age import HybridIdentity\n"
        "from whistle.workstation import opening\n"
        "if __name__ == '__main__':\n"
        "    opening.os.cpu_count = lambda: 2\n"
        "    under_way = opening.Opening([HybridIdentity.generate()], 8, 10_000)\n"
        "    for _ in range(64):\n"
        "        under_way.add(bytes(8 * 4096))\n"
        "    under_way._receive()\n"
        "    print(*under_way._pool._processes, flush=True)\n"
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
