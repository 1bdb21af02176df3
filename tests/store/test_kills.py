"""kill -9 at any moment loses nothing that was acknowledged, and leaves nothing that the next run does not repair."""

import random
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from tests.store.things import SIZE, TRIAL, after, files, on, opened, rows
from tests.store.uploader import BLOCKS, OVER, blocks_of, pair_of, store_report
from whistle.store import Heap, Store

UPLOADS = 200 if TRIAL else 4  # kills
REPORTS = 8  # before each turn-over, which then has about 70 steps
STEPS = [number % 75 for number in range(200)] if TRIAL else random.sample(range(68), 5)
REMOVALS = [number % 30 for number in range(200)] if TRIAL else random.sample(range(26), 4)


def start(url: str, folder: Path, what: str, number: int, days: int = 0) -> "subprocess.Popen[bytes]":
    """Start a process to kill."""
    command = [sys.executable, "-m", "tests.store.uploader", url, str(folder), str(days), what, str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def has_whole(store: Store, number: int) -> bool:
    """Whether a numbered report is stored; if so, all of it must be."""
    pair = pair_of(number)
    found = [store.body(each.id) for each in pair]
    if found == [None, None]:
        return False
    assert found == [each.body for each in pair]
    assert [store.block(id, Heap.REVIEWERS) for id, _ in blocks_of(number)] == [body for _, body in blocks_of(number)]
    return True


def test_uploads_killed_at_any_moment(url: str, tmp_path: Path) -> None:
    """Every acknowledged report is whole, none is there in part, and uploading the broken one again succeeds."""
    folder = tmp_path / "blocks"
    store = opened(url, folder, SIZE)
    first = 0
    for _ in range(UPLOADS):
        child = start(url, folder, "upload", first)
        assert child.stdout is not None
        said = [int(child.stdout.readline())]
        time.sleep(random.random() / 5)
        child.kill()
        said += [int(line) for line in child.stdout.read().split(b"\n") if line]
        child.wait()
        assert all(has_whole(store, number) for number in said)
        has_whole(store, max(said) + 1)
        store_report(store, max(said) + 1)
        assert has_whole(store, max(said) + 1)
        first = max(said) + 2
    on(store, after(2)).sweep()
    assert store.days()[0].envelopes == first
    assert len(files(folder)) == store.days()[0].blocks == first * BLOCKS
    assert rows(store)["pending"] == []
    store.close()


def test_turn_overs_killed_at_any_step(url: str, tmp_path: Path) -> None:
    """Whatever step it dies at, everything is there once; the next turn-over ends as if there had been no other."""
    folder = tmp_path / "blocks"
    store = opened(url, folder, SIZE)
    first = 0
    for days, step in enumerate(STEPS):
        numbers = range(first, first + REPORTS)
        for number in numbers:
            store_report(on(store, after(days)), number)
        before = store.day_ids(after(days)), store.days()
        child = start(url, folder, "turn-over", step, days + 1)
        said, _ = child.communicate()
        assert (child.returncode, said) in {(-9, b""), (0, b"done\n")}
        assert (store.day_ids(after(days)), store.days()) == before
        assert all(has_whole(store, number) for number in numbers)
        on(store, after(days + 1)).turn_over()
        first += REPORTS
        assert (store.day_ids(after(days)), store.days()) == before
        assert not files(folder / "today")
        assert len(files(folder / "settled")) == first * BLOCKS
        assert [name for name, kept in rows(store).items() if kept] == ["blocks", "bodies", "envelopes"]
    assert all(has_whole(store, number) for number in range(first))
    store.close()


def test_removals_killed_at_any_step(url: str, tmp_path: Path) -> None:
    """A day goes whole or stays whole; the next night ends it, and what is not due is never touched."""
    folder = tmp_path / "blocks"
    store = opened(url, folder, SIZE)
    first, died = 0, 0
    for days, step in zip(count(0, 300), REMOVALS, strict=False):
        numbers, later = range(first, first + REPORTS), range(first + REPORTS, first + REPORTS + 2)
        for number in numbers:
            store_report(on(store, after(days)), number)
        for number in later:
            store_report(on(store, after(days + 100)), number)
        over = after(days + OVER)
        on(store, over).turn_over()
        child = start(url, folder, "remove", step, days + OVER)
        said, _ = child.communicate()
        died += child.returncode == -9
        assert (child.returncode, said) in {(-9, b""), (0, b"done\n")}
        assert len({store.body(pair_of(number)[0].id) is None for number in numbers}) == 1
        on(store, over).sweep()
        on(store, over).turn_over()
        on(store, over).remove_due([])
        first += REPORTS + 2
        assert [counted.day for counted in store.days()] == [after(days + 100)]
        assert len(files(folder)) == 2 * BLOCKS
        for number in numbers:
            report, slip = pair_of(number)
            assert (store.body(report.id), store.body(slip.id)) == (None, slip.body)
        assert all(has_whole(store, number) for number in later)
    assert died > len(REMOVALS) / 2
    store.close()
