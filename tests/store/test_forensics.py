"""What the files themselves tell of the order of arrival: everything of today, nothing of any day before."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.store.things import DAY, NEXT, SIZE, TRIAL, after, an_id, block, files, on, opened, put, report, sealed
from whistle.store import Heap, Store, sqlite_files

COUNT = 2000 if TRIAL else 400


def correlation(left: Sequence[int], right: Sequence[int]) -> float:
    """Spearman's rank correlation of two lists without ties."""

    def ranks(values: Sequence[int]) -> list[int]:
        rank = {value: rank for rank, value in enumerate(sorted(values))}
        return [rank[value] for value in values]

    distance = sum((a - b) ** 2 for a, b in zip(ranks(left), ranks(right), strict=True))
    return 1 - 6 * distance / (len(left) * (len(left) ** 2 - 1))


def told(folder: Path, arrivals: Sequence[bytes], what: str) -> float:
    """How well a number of the blocks' files tells the order of arrival: 1 fully, 0 not at all."""
    numbers = {path.name: getattr(path.stat(), what) for path in files(folder)}
    return correlation([numbers[id.hex()] for id in arrivals], range(len(arrivals)))


def test_files_of_before_today_do_not_tell_the_order(here: Store, tmp_path: Path) -> None:
    """Inode numbers and change times tell today's order; after the turn-over they tell no more than chance."""
    arrivals = [put(here)[0] for _ in range(COUNT)]
    assert told(tmp_path / "blocks", arrivals, "st_ctime_ns") > 0.99
    here.commit([sealed()], arrivals)
    on(here, NEXT).turn_over()
    chance = 5 / (COUNT - 1) ** 0.5  # five standard deviations
    for what in ("st_ino", "st_ctime_ns"):
        assert abs(told(tmp_path / "blocks" / "settled", arrivals, what)) < chance, what
    assert {path.stat().st_mtime_ns for path in files(tmp_path / "blocks")} == {0}


def test_emptied_folders_are_made_anew(here: Store, tmp_path: Path) -> None:
    """A folder still holds the names of files that are gone, in order of arrival, so today's folders go too."""
    report(here, blocks=20)
    shards = {path.parent: path.parent.stat().st_ctime_ns for path in files(tmp_path / "blocks" / "today")}
    on(here, NEXT).turn_over()
    assert all(shard.is_dir() and shard.stat().st_ctime_ns > made for shard, made in shards.items())
    assert all(not list(shard.iterdir()) for shard in shards)


def test_the_database_is_the_same_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    """The same things, arrived in two orders, leave the same database files after a few days, byte for byte."""
    days = (DAY, NEXT, after(2))
    envelopes = {day: [sealed(random.choice(list(Heap))) for _ in range(60)] for day in days}
    blocks = {day: [an_id() for _ in range(10)] for day in days}
    body = block()
    left = []
    for name in ("one", "two"):
        url = f"sqlite:///{tmp_path}/{name}.sqlite"
        store = opened(url, tmp_path / name, SIZE)
        for day in days:
            for id in random.sample(blocks[day], 10):
                on(store, day).put_block(id, body, Heap.REVIEWERS)
            for at, each in enumerate(random.sample(envelopes[day], 60)):
                on(store, day).commit([each], blocks[day] if at == 0 else [])
            on(store, day).collect([each.id for each in random.sample(envelopes[day], 60) if each.id[0] < 128])
            on(store, day.fromordinal(day.toordinal() + 1)).turn_over()
        left.append([file.read_bytes() for file in sqlite_files(url)])
        store.close()
    assert left[0] == left[1]
    assert all(each.id in left[0][0] for day in days for each in envelopes[day])
