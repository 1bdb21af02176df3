"""A courier that is killed at any moment of its exchange, again and again: nothing is lost, and nothing there twice."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.server.visitor import Page
from tests.trial.counts import full
from tests.trial.serving import Server, Upload, today
from tests.workstation.carrying import station
from whistle.protocol.transfer import bundle
from whistle.workstation.cases import compose, overview, saved_files
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.workstation import Workstation

KILLS = full("COURIER_KILLS", 200, 3)
FILE = random.randbytes(600_000)


CARRY = """
import sys
from pathlib import Path
from whistle.courier import Courier
courier = Courier(Path(sys.argv[1]))
print("begins", flush=True)
courier.exchange(Path(sys.argv[2]))
"""


def killed(courier: Path, stick: Path, longest: float) -> bool:
    """Kill an exchange after a number of seconds; whether that interrupted it."""
    child = subprocess.Popen([sys.executable, "-c", CARRY, str(courier), str(stick)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"begins\n"
    time.sleep(random.random() * longest)
    child.kill()
    child.stdout.close()
    return child.wait() == -9


def whole(stick: Path) -> None:
    """Every part on the stick is what its list says."""
    for path in stick.rglob("*.tar"):
        with path.open("rb") as file:
            bundle.verify(file)


def answer(workstation: Workstation, answered: set[str]) -> None:
    """Reply to each case that has no reply yet, with what it said."""
    for case in overview.queue(workstation):
        if case.id not in answered:
            text = next(entry.content.text for entry in case.entries if not entry.by)  # type: ignore[attr-defined]
            compose.reply(workstation, case, f"Reply to: {text}")
            answered.add(case.id)


def page(server: Server, words: str) -> str:
    """What a lookup shows."""
    body = f"step=look&words={words.replace(' ', '+')}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return Page(server.post("/en/", [body], len(body), kind)[1].decode()).text


def test_a_courier_killed_at_any_moment(tmp_path: Path) -> None:
    """Parts on the stick are whole after each kill; at the end each report was read once, and each reply too."""
    server, stick, answered, broken = Server.make(tmp_path / "server"), tmp_path / "stick", set[str](), 0
    stick.mkdir()
    workstation = station(tmp_path / "ombuds", server.org.people["ombuds"], today)
    workstation.trust.pin([server.org.root.public])
    courier = server.courier(tmp_path / "courier")
    words = {}
    with server.running():
        longest = 0.3  # seconds, about what one takes
        for number in range(KILLS):
            text = f"Report {number}."
            words[text] = server.send(Upload(text, len(FILE), lambda: [FILE]))
            broken += killed(tmp_path / "courier", stick, longest)
            whole(stick)
            begun = time.monotonic()
            if number % 10 == 0:
                courier.exchange(stick)
                longest = 1.2 * (time.monotonic() - begun)
            exchange(workstation, stick)
            answer(workstation, answered)
        for _ in range(2):
            courier.exchange(stick)
            exchange(workstation, stick)
            answer(workstation, answered)
        courier.exchange(stick)
        assert all(page(server, words[text]).count(f"Reply to: {text}") == 1 for text in words)
    queue = overview.queue(workstation)
    texts = Counter(entry.content.text for case in queue for entry in case.entries if not entry.by)  # type: ignore[attr-defined]
    assert texts == Counter(list(words)) and all(case.faults == [] for case in queue)
    assert all(
        saved_files.content(record, workstation.blocks) == FILE for case in queue for _, record in overview.files(case)
    )
    workstation.close()
    assert broken or KILLS < 20
    print(f"broken off: {broken} of {KILLS}")
