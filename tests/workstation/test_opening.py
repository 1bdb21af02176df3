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
from whistle.workstation import opener, opening
from whistle.workstation.opener import Opened, Opener, Place
from whistle.workstation.opening import Helper, Opening


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


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes open them, however few they are."""
    monkeypatch.setattr(opening, "FEW", 1)
    monkeypatch.setattr(opening, "BATCH", 2)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 2)


def test_processes_open_the_same_in_the_same_order(
    org: parties.Organisation, bodies: list[bytes], part: Path, request: pytest.FixtureRequest
) -> None:
    """However many processes open them, the envelopes give the same messages and faults in the order they came."""
    here = hashes(opened(org, part, places(bodies)))
    request.getfixturevalue("helped")
    assert hashes(opened(org, part, places(bodies))) == here


@pytest.mark.usefixtures("helped")
@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(1)",
        "import os, sys; os.write(int(sys.argv[1]), b'\\x80\\x05\\x95'); os._exit(0)",
        "this is no program",
    ],
    ids=["ends at once", "ends in an answer", "fails"],
)
def test_where_a_process_ends_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """A system that ends the processes, or starts none, delays an import and loses nothing of it."""
    monkeypatch.setattr(opener, "COMMAND", (*opener.COMMAND[:-1], program))
    assert len(hashes(opened(org, part, places(bodies)))) == len(bodies)


def test_a_process_that_is_not_understood_is_ended(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads what it says from then on, so it must not wait until somebody does."""
    none = "import os, sys; os.write(int(sys.argv[1]), b'N.'); "
    monkeypatch.setattr(opener, "COMMAND", (*opener.COMMAND[:-1], none + opener.COMMAND[-1]))
    helper = Helper(Opener(part, org.people["ombuds"].identities))
    try:
        helper.ask(places(bodies))
        assert helper.answer(len(bodies)) is None
        assert helper.process.wait(20) != 0
        helper.ask(places(bodies))
        assert helper.answer(len(bodies)) is None
    finally:
        helper.end()
        helper.ended()


@pytest.mark.usefixtures("helped")
def test_where_pipes_hold_too_little_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that gives small pipes could have both sides wait for each other."""
    monkeypatch.setattr(opening, "LEAST", 2**30)
    with Opening(part, org.people["ombuds"].identities, len(bodies)) as under_way:
        assert not under_way.helpers
        for place in places(bodies):
            under_way.add(place)
        assert len(hashes(list(under_way.finish()))) == len(bodies)


@pytest.mark.usefixtures("helped")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_part_that_a_process_cannot_read_is_read_here(
    org: parties.Organisation, bodies: list[bytes], part: Path
) -> None:
    """As one that only this program has open."""
    with part.open("rb") as file:
        assert len(hashes(opened(org, Path(f"/proc/self/fd/{file.fileno()}"), places(bodies)))) == len(bodies)


@pytest.mark.usefixtures("helped")
def test_a_process_that_is_killed_in_the_middle_is_done_without(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had been asked for is opened here."""
    monkeypatch.setattr(opening, "BATCH", 3)
    with Opening(part, org.people["ombuds"].identities, len(bodies)) as under_way:
        [first, *others] = [places(bodies)[at : at + 3] for at in range(0, len(bodies), 3)]
        for place in first:
            under_way.add(place)
        under_way._receive()
        for helper in under_way.helpers:
            helper.process.kill()
            helper.process.wait()
        for place in (place for batch in others for place in batch):
            under_way.add(place)
        assert len(hashes(list(under_way.finish()))) == len(bodies)


@pytest.mark.usefixtures("helped")
def test_no_file_of_the_folder_stands_in_for_a_module(
    org: parties.Organisation, bodies: list[bytes], part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in a folder that somebody else filled, a stick's, runs none of its programs."""
    for name in ("whistle", "hashlib", "pickle", "nacl", "site", "cryptography", "multiprocessing", "signal", "click"):
        (tmp_path / name).mkdir()
        for file in (tmp_path / f"{name}.py", tmp_path / name / "__init__.py"):
            file.write_text("from pathlib import Path; Path(__file__).with_name('ran').touch(); raise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    with Opening(part, org.people["ombuds"].identities, len(bodies)) as under_way:
        answer = under_way.helpers[0]
        answer.ask(places(bodies))
        assert len(answer.answer(len(bodies)) or ()) == len(bodies)
    command = [Path(sys.executable).with_name("whistle"), "workstation", "import", "--folder", tmp_path, tmp_path]
    assert b"no vault" in subprocess.run(command, capture_output=True).stderr
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.usefixtures("helped")
def test_what_is_printed_meanwhile_is_no_answer(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A library that prints something in the process, at its start or later, does not stand between the answers."""
    chatty = "print('This site is monitored', flush=True)\n"
    chatty += "from whistle.workstation import opener; told = opener._answered\n"
    chatty += "opener._answered = lambda *asked: (print('warning: old', flush=True), told(*asked))[1]; opener.serve()"
    monkeypatch.setattr(opener, "COMMAND", (*opener.COMMAND[:-1], chatty))
    with Opening(part, org.people["ombuds"].identities, len(bodies)) as under_way:
        for helper in under_way.helpers:
            helper.ask(places(bodies))
            assert hashes(helper.answer(len(bodies)) or [])


@pytest.mark.usefixtures("helped")
def test_where_no_process_can_be_started_they_are_opened_here(
    org: parties.Organisation, bodies: list[bytes], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system has no process left for it, the import goes on by itself."""

    def refused(_: Opener) -> Helper:
        raise BlockingIOError

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
        "from whistle.workstation.opener import Place\n"
        "if __name__ == '__main__':\n"
        "    opening.os.cpu_count = lambda: 2\n"
        "    part = Path(__file__).with_name('part')\n"
        "    part.write_bytes(bytes(8 * 4096))\n"
        "    place = Place(0, 8 * 4096, hashlib.sha256(part.read_bytes()).digest())\n"
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
