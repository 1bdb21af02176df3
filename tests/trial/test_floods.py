"""A server under floods and slow connections: honest people are served, and it holds little then and afterwards.

`make floods` runs all kinds in all modes and ends with a table; `make floods SECONDS=5` takes five seconds for each.
Within all tests, where other programs may take most of the machine, what half of the people waited is compared with
what they waited before the flood; and there are fewer threads than slow connections, so that none may hold one.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parties
from tests.trial import floods, honest
from tests.trial.conftest import Measure, Row
from tests.trial.counts import TRIAL, full
from tests.trial.honest import Held, Served
from tests.trial.serving import Server, today
from whistle.protocol.reporter.compose import Draft, Writer

SECONDS = full("FLOOD_SECONDS", 60, 2)
SLOW = full("FLOOD_SLOW", 500, 40)
CLIENTS = full("FLOOD_CLIENTS", 16, 4)
THREADS = full("FLOOD_THREADS", 400, 8)  # for large forms
VISITS = full("FLOOD_VISITS", 5000, 20)
POOLED = 40  # descriptors that a process keeps open for its database
KEPT = 60 * 1024  # KiB above idle, a process, after all these visits
SETTLED = 60  # seconds after which everything is back where it was
WARM = full("FLOOD_WARM", 5, 1)  # seconds
SERVED = 0.95
STORED = ("whole reports", "junk")  # they share with honest reports
SOON = 2.0  # seconds
SLOWER = 20  # times what half of the people waited before
ABOVE = 200 * 1024  # KiB above idle, a process
KINDS = list(floods.KINDS) if TRIAL else ["broken forms", "lookups"]
MODES = {"tor": "behind_tor = true", "addresses": "behind_tor = false", "circuits": "circuits = true"}

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")


@pytest.fixture(scope="module", params=MODES if TRIAL else ["tor"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the server tells visitors apart."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mode: str) -> Iterator[Server]:
    """A server as an operator has it, with its usual limits."""
    made = Server.make(tmp_path_factory.mktemp("floods") / "server", THREADS, MODES[mode], workers=2, often=False)
    with made.running():
        yield made


@pytest.fixture(scope="module")
def calm(server: Server, mode: str) -> dict[str, Served]:
    """What became of those who came before any flood; what the server opens once is open then."""
    with honest.coming(server, mode == "circuits") as served:
        time.sleep(WARM)
    return served


def plan(server: Server, kind: str, mode: str) -> floods.Plan:
    """A flood of one kind beside slow connections."""
    sealed = Writer(server.org.known, today(), "device").report(Draft("harassment", "en", "x"), parties.reporter())
    envelopes = tuple(each.hex() for each in sealed.envelopes)
    keys = str(server.org.manifest.serial)
    return floods.Plan(server.port, kind, SECONDS, CLIENTS, SLOW, mode == "circuits", envelopes, keys)


def is_late(found: Served, before: Served) -> bool:
    """Whether too few were served, or too late."""
    waited, bar = (found.p99, SOON) if TRIAL else (found.median, max(SOON, SLOWER * before.median))
    return found.share < SERVED or waited > bar


def settled(server: Server, before: list[Held]) -> bool:
    """Whether descriptors and threads are back where they were, a few apart."""
    now = map(Held.of, server.workers)
    return all(n.files <= b.files + POOLED and n.threads <= b.threads + 10 for n, b in zip(now, before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_honest_people_are_served_under_a_flood(
    server: Server, calm: dict[str, Served], mode: str, kind: str, measured: Measure, row: Row
) -> None:
    """Beside slow connections and a flood, honest people are served soon; what it took is given back afterwards."""
    before = [Held.of(pid) for pid in server.workers]
    most = list(before)
    strangers = floods.flood(plan(server, kind, mode))
    with honest.coming(server, mode == "circuits") as served:
        while strangers.poll() is None:
            time.sleep(0.5)
            most = [
                max(one, Held.of(pid), key=lambda held: held.memory)
                for one, pid in zip(most, server.workers, strict=True)
            ]
    said, _ = strangers.communicate()
    begun = time.monotonic()
    wrong = honest.People(server, mode == "circuits").report()
    after_flood = time.monotonic() - begun
    above = max(one.memory - other.memory for one, other in zip(most, before, strict=True))
    counts = json.loads(said)
    end = time.monotonic() + SETTLED
    while not settled(server, before) and time.monotonic() < end:
        time.sleep(0.2)
    after = [Held.of(pid) for pid in server.workers]
    shown = {name: f"{100 * found.share:.0f} % {found.p99:.2f} s" for name, found in served.items()}
    sent = f"{sum(counts.values()) / SECONDS:.0f} /s"
    row({"flood": kind, "mode": mode, "sent": sent, **shown, "after": f"{after_flood:.1f} s", "MiB": above // 1024})
    measured("answers to the flood", counts)
    measured("not served", {name: found.faults[:5] for name, found in served.items() if found.faults})
    measured("before, at most, after", f"{before}, {most}, {after}")
    late = {name: str(found) for name, found in served.items() if is_late(found, calm[name])}
    assert not set(late) - ({"report"} if kind in STORED else set()), late
    assert above < ABOVE
    assert settled(server, before), after
    assert not wrong, "after the flood a report is taken within the half minute that it may wait"


@pytest.mark.skipif(not TRIAL, reason="what thousands of visits leave shows after thousands: WHISTLE_TRIAL=1")
def test_many_honest_visits_leave_little_in_memory(tmp_path: Path, measured: Measure) -> None:
    """After thousands of reports and lookups each process has little more than when it was idle."""
    server = Server.make(tmp_path / "server", 400, workers=2)
    with server.running():
        before = [Held.of(pid) for pid in server.workers]
        honest.visit(server, VISITS)
        after = [Held.of(pid) for pid in server.workers]
    measured("before, after", f"{before}, {after}")
    above = max(one.memory - other.memory for one, other in zip(after, before, strict=True))
    measured("MiB above idle", above // 1024)
    assert above < KEPT
