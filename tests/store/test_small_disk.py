"""A small disk that strangers have filled: a night later it is of use again, and whatever was acknowledged is there."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.things import DAY, NEXT, after, an_id, block, on, opened
from whistle.store import Full, Heap, Missing, Sealed, State, Store, check
from whistle.store.models import TODAY

MIB = 1024 * 1024
SIZE = 40_000  # bytes of an envelope
DISK = 20 * MIB
Report = tuple[tuple[Sealed, Sealed], list[bytes]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def store(disk: Path) -> Iterator[Store]:
    """A store on it."""
    found = opened(f"sqlite:///{disk}/whistle.sqlite", disk / "blocks", SIZE)
    yield found
    found.close()


def free(disk: Path) -> int:
    """Bytes free on the disk."""
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def report(store: Store, blocks: int = 0) -> Report:
    """Store a report with its slip, acknowledged."""
    upload, ids = an_id(), [an_id() for _ in range(blocks)]
    for id in ids:
        store.put_block(id, block(), Heap.REVIEWERS, upload)
    pair = tuple(Sealed(an_id(), heap, os.urandom(SIZE)) for heap in Heap)
    store.commit(pair, ids)
    return (pair[0], pair[1]), ids


def until_full(act: Callable[[], Report | None], most: int = 2000) -> list[Report]:
    """Act until the disk is full, or so often; what was acknowledged."""
    done: list[Report | None] = []
    try:
        while len(done) < most:
            done.append(act())
    except Full:
        assert done
    return [each for each in done if each]


def pending(store: Store, disk: Path) -> list[Report]:
    """A flood of blocks without a commit, three disks of them."""
    return until_full(lambda: store.put_block(an_id(), block(), Heap.REVIEWERS, an_id()), 3 * DISK // 262_144)


def blocks(store: Store, disk: Path) -> list[Report]:
    """A flood of reports with files, until there is no room even for those without."""
    return until_full(lambda: report(store, 4)) + until_full(lambda: report(store))


def envelopes(store: Store, disk: Path) -> list[Report]:
    """A flood of reports without files."""
    return until_full(lambda: report(store))


def others(store: Store, disk: Path) -> list[Report]:
    """A flood of reports, and then somebody else takes the rest, to the last byte."""
    found = until_full(lambda: report(store))
    with (disk / "other").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    return found


@pytest.mark.parametrize("flood", [pending, blocks, envelopes, others])
def test_one_night_after_a_flood(store: Store, disk: Path, flood: Callable[[Store, Path], list[Report]]) -> None:
    """Lookups, withdrawals and couriers go on at once; the night makes order, and then a report is taken again."""
    first = report(store, 1)
    told = [first, *flood(store, disk)]
    assert store.lookup([first[0][1].id])[0].body == first[0][1].body
    gone = told.pop()[0] if len(told) > 1 else report(store)[0]
    assert store.withdraw(gone[0].id, gone[1].id) == "withdrawn"
    assert store.collect([first[0][0].id]) == [first[0][0].id]
    store.record_visit("courier")
    on(store, NEXT).sweep()
    store.turn_over()
    assert store.remove_due([]) == [] and check(store).is_whole
    with store.database.read() as connection:
        assert [connection.scalars(table.select()).all() for table in (TODAY.envelopes, TODAY.bodies)] == [[], []]
    for pair, ids in told:
        assert [each.body for each in store.lookup([each.id for each in pair], bodies=Heap)] == [
            each.body for each in sorted(pair, key=lambda each: each.id)
        ]
        assert all(store.block(id, Heap.REVIEWERS) for id in ids)
    if flood is others:  # what housekeeping needs is not for reports
        with pytest.raises(Full):
            report(store)
        (disk / "other").unlink()
    report(store)


def test_removal_needs_no_room_and_makes_some(store: Store, disk: Path) -> None:
    """A flood goes when its time is over, though the disk is full again by then, and leaves room for others."""
    old = envelopes(store, disk)[: DISK // 2 // SIZE]
    on(store, NEXT).turn_over()
    later = until_full(lambda: report(store))
    on(store, after(2)).turn_over()
    full = free(disk)
    store.collect([pair[0].id for pair, _ in old])
    on(store, after(181)).remove_due([])
    assert [each.day for each in store.days()] == ([NEXT] if later else [])
    states = {each.state for each in store.lookup([pair[0].id for pair, _ in old], bodies=())}
    assert states == {State.COLLECTED}
    assert free(disk) - full > len(old) * SIZE // 2
    assert check(store).is_whole
    assert len(until_full(lambda: report(store))) > len(old) // 4
    assert [each.day for each in store.days()][-1] == after(181) != DAY


@pytest.mark.parametrize("flood", ["single blocks", "one upload", "kept alive"])
def test_an_upload_that_moves_stays(store: Store, disk: Path, monkeypatch: pytest.MonkeyPatch, flood: str) -> None:
    """A flood pushes out itself: single blocks, one huge upload, or a few large ones to which something comes often."""
    place, order = store.block_store, {}
    arrived = place.arrived
    monkeypatch.setattr(place, "arrived", lambda ids: {id: order[id] for id in arrived(ids)})  # one second each
    honest, ids, others = an_id(), [], [an_id() for _ in range(4)]
    for second in range(200):
        upload = {"single blocks": an_id(), "one upload": others[0], "kept alive": others[second % 4]}[flood]
        is_honest = second >= 180 and second % 3 == 0
        id = an_id()
        order[id] = float(second)
        with contextlib.suppress(*[] if is_honest else [Full]):
            store.put_block(id, block(), Heap.REVIEWERS, honest if is_honest else upload)
        ids += [id] if is_honest else []
    assert 0 < len(arrived(order)) < 100 and len(arrived(ids)) == len(ids) == 7
    assert free(disk) > DISK // 10
    store.commit([Sealed(an_id(), Heap.REVIEWERS, bytes(SIZE))], ids)


def test_an_upload_that_was_pushed_out_is_told(store: Store, disk: Path) -> None:
    """Its commit says which blocks are missing; a courier's blocks, and what is stored, are never pushed out."""
    kept, trusted = report(store, 2), [an_id() for _ in range(2)]
    for id in trusted:
        store.put_block(id, block(), Heap.REPORTERS)
    ids = [an_id() for _ in range(3)]
    for id in ids:
        store.put_block(id, block(), Heap.REVIEWERS, an_id())
    pending(store, disk)
    with pytest.raises(Missing) as missing:
        store.commit([Sealed(an_id(), Heap.REVIEWERS, bytes(SIZE))], [*ids, *trusted])
    assert set(missing.value.ids) <= set(ids)
    store.commit([Sealed(an_id(), Heap.REPORTERS, bytes(SIZE))], trusted)
    assert all(store.block(id) for id in (*kept[1], *trusted))
