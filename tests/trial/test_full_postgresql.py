"""A PostgreSQL whose disk is full: couriers and reporters go on, and it goes on by itself once there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.things import CLOCK, DAY, NEXT, an_id, on, opened
from tests.trial.counts import TRIAL
from tests.trial.faults import Disk
from whistle.store import Full, Heap, Sealed, State, Store
from whistle.store.room import MIB, TABLE_BALLAST

SIZE = 40_000  # bytes of an envelope
PORT = 54_387
REPORTS = 200
PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))
OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c min_wal_size=8MB -c max_wal_size=16MB"

pytestmark = pytest.mark.skipif(
    not TRIAL or not (PROGRAMS / "initdb").exists() or os.geteuid() != 0,
    reason="a trial, which needs root and the programs of PostgreSQL",
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk with a PostgreSQL on it."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # PostgreSQL does not run as root
    found = Disk(tmp_path / "disk", "160m")
    data = found.folder / "data"
    as_user = ["runuser", "-u", "postgres", "--"]
    control = [*as_user, str(PROGRAMS / "pg_ctl"), "-D", str(data), "-w", "-l", str(found.folder / "log")]
    try:
        subprocess.run(["chown", "-R", "postgres", str(found.folder)], check=True)
        make = [*as_user, str(PROGRAMS / "initdb"), "-D", str(data), "-A", "trust", "--wal-segsize=1"]
        subprocess.run(make, check=True, capture_output=True, cwd="/")
        options = f"-p {PORT} -c unix_socket_directories={found.folder} {OPTIONS}"
        subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        yield found
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    finally:
        found.unmount()


@pytest.fixture
def store(disk: Disk, tmp_path: Path) -> Iterator[Store]:
    """A store on it, whose blocks lie elsewhere."""
    CLOCK.day = DAY
    found = opened(f"postgresql+psycopg://postgres@127.0.0.1:{PORT}/postgres", tmp_path / "blocks", SIZE)
    yield found
    found.close()


def report(store: Store) -> list[bytes]:
    """Store a report with its slip; their ids."""
    pair = [Sealed(an_id(), heap, os.urandom(SIZE)) for heap in Heap]
    store.commit(pair, [])
    return [each.id for each in pair]


def free(disk: Disk) -> int:
    """Bytes free on the disk."""
    found = os.statvfs(disk.folder)
    return found.f_bavail * found.f_frsize


def test_a_full_disk_stops_neither_couriers_nor_reporters(disk: Disk, store: Store) -> None:
    """With no byte free, reports wait; what was stored is collected, stated, withdrawn and looked up all the same."""
    done = [report(store) for _ in range(REPORTS)]
    on(store, NEXT)
    store.turn_over()
    store.remove_due(set())  # a night's last step, which makes the ballast
    filler = disk.fill()
    assert free(disk) < MIB
    with pytest.raises(Full):
        for _ in range(2000):
            report(store)
    assert free(disk) < MIB, "reports get nothing of the ballast"
    assert len(store.collect([report for report, _ in done[1:]])) == REPORTS - 1
    assert free(disk) > TABLE_BALLAST // 2, "its place is free at once"
    store.record_visit("courier")
    assert store.record_imports([("ombuds", DAY, store.day_hash(DAY) or b"")]) == 1
    assert store.withdraw(*done[0]) == "withdrawn"
    assert [each.state for each in store.lookup([done[1][0]])] == [State.COLLECTED]
    filler.unlink()
    report(store)
    store.remove_due(set())
    assert store.database.room.give_up_ballast(), "it is made again once there is room"
