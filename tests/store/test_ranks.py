"""Rank correlation between the order of arrival and every order in which things lie, after several days of a server.

The same figures see the order before the turn-over, and after one that goes in order of arrival.
"""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.store.things import DAY, SIZE, TRIAL, after, files, on, put, sealed
from whistle.store import FolderOfBlocks, Heap, Limits, Sealed, Store, sqlite_files, turnover
from whistle.store.models import MAIN, TODAY, Tables, key

COUNT = 500 if TRIAL else 80  # envelopes of a day
BLOCKS = 250 if TRIAL else 40
DAYS = 4 if TRIAL else 2
Order = dict[bytes, float]


def ranks(values: Sequence[float]) -> list[float]:
    """The rank of each; equal ones share theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in values]


def spearman(values: Sequence[float]) -> float:
    """Spearman's rank correlation of these with the order in which they are given; 0 when all are equal."""
    found = ranks(values)
    middle = (len(found) - 1) / 2
    spread = sum((rank - middle) ** 2 for rank in found) * sum((place - middle) ** 2 for place in range(len(found)))
    together = sum((rank - middle) * (place - middle) for place, rank in enumerate(found))
    return together / spread**0.5 if spread else 0.0


def beyond(order: Order, arrivals: Sequence[bytes]) -> float:
    """How many standard deviations an order of some hundreds is from telling nothing of their arrival."""
    numbers = [order[id] for id in arrivals if id in order]
    assert len(numbers) > len(arrivals) / 2 >= 20
    return abs(spearman(numbers)) * (len(numbers) - 1) ** 0.5


class Days:
    """Some days of a server: what came, in its order, and what was withdrawn again."""

    def __init__(self, store: Store, folder: Path, url: str) -> None:
        self.store, self._folder, self._url = store, folder, url
        self.envelopes: dict[date, list[Sealed]] = {}
        self.blocks: dict[date, list[bytes]] = {}
        self.gone: list[Sealed] = []

    def come(self, day: date) -> None:
        """Reports with slips and blocks, one after the other; every tenth is withdrawn, others are collected."""
        self.envelopes[day], self.blocks[day] = [], []
        for number in range(COUNT // 2):
            pair = sealed(), sealed(Heap.REPORTERS)
            blocks = [put(on(self.store, day))[0]] if number % (COUNT // 2 // BLOCKS or 1) == 0 else []
            on(self.store, day).commit(pair, blocks)
            self.envelopes[day] += pair
            self.blocks[day] += blocks
            if number % 10 == 0:
                on(self.store, day).withdraw(*(each.id for each in pair))
                self.gone += pair
        some = [each.id for each in self.envelopes[day] if each.id[0] < 128 and each.heap is Heap.REVIEWERS]
        on(self.store, day).collect([each for each in some if each not in {gone.id for gone in self.gone}])

    def orders(self, place: Tables) -> dict[str, Order]:
        """Every number that the files or the database keep with a thing."""
        shelf = self._folder / "blocks" / ("today" if place is TODAY else "settled")
        found: dict[str, Order] = {"inode": {}, "change time": {}, "place in its folder": {}}
        for path in files(shelf):
            id, stat = bytes.fromhex(path.name), path.stat()
            found["inode"][id], found["change time"][id] = stat.st_ino, stat.st_ctime_ns
        for shard in sorted(shelf.iterdir()):
            for number, name in enumerate(os.listdir(shard)):  # noqa: PTH208  in the order of the folder itself
                found["place in its folder"][bytes.fromhex(name)] = number
        return found | (self._pages(place) if sqlite_files(self._url) else self._rows(place))

    def _pages(self, place: Tables) -> dict[str, Order]:
        """Where in a file of SQLite ids and bodies lie, and where in its log."""
        file = sqlite_files(self._url)[0 if place is MAIN else 1]
        found: dict[str, Order] = {}
        for path in (file, file.with_name(file.name + "-wal")):
            data = path.read_bytes() if path.exists() else b""
            come = [each for some in self.envelopes.values() for each in some]
            found[f"id in {path.name}"] = _found(data, {each.id: each.id for each in come})
            for at in (0, SIZE - 40):  # the end of a body lies on a page of its own
                found[f"byte {at} of a body in {path.name}"] = _found(
                    data, {each.id: each.body[at:][:40] for each in come}
                )
            ids = {id: id for some in self.blocks.values() for id in some}
            found[f"block in {path.name}"] = _found(data, ids)
        return found

    def _rows(self, place: Tables) -> dict[str, Order]:
        """Where in a table of PostgreSQL rows lie, and by which transaction they were written."""
        found: dict[str, Order] = {}
        named = {key(each.id): each.id for some in self.envelopes.values() for each in some}
        with self.store.database.read() as connection:
            for table, column in (
                (place.envelopes, place.envelopes.c.id),
                (place.bodies, place.bodies.c.k),
                (place.blocks, place.blocks.c.id),
            ):
                place_of = text("(ctid::text::point)[0] * 100000 + (ctid::text::point)[1], xmin::text::bigint")
                for id, at, written in connection.execute(select(column, place_of).select_from(table)):
                    id = named[id] if isinstance(id, int) else bytes(id)
                    found.setdefault(f"ctid in {table.name}", {})[id] = at
                    found.setdefault(f"xmin in {table.name}", {})[id] = written
        return found

    def told(self, place: Tables, day: date) -> dict[str, float]:
        """How far from chance each order is, of what came on a day and is there."""
        gone = {each.id for each in self.gone}
        kept = [each.id for each in self.envelopes[day] if each.id not in gone]
        arrivals = {True: self.blocks[day], False: kept}
        found = {}
        for name, order in self.orders(place).items():
            for blocks, ids in arrivals.items():
                if ids and len(set(ids) & set(order)) > len(ids) / 2:
                    found[f"{name}, {'blocks' if blocks else 'envelopes'}"] = beyond(order, ids)
        return found


def _found(data: bytes, wanted: dict[bytes, bytes]) -> Order:
    return {id: at for id, pattern in wanted.items() if (at := data.find(pattern)) >= 0}


@pytest.fixture
def days(store: Store, url: str, tmp_path: Path) -> Days:
    """An empty server."""
    return Days(store, tmp_path, url)


LIMIT = 5.0  # standard deviations


def test_nothing_tells_the_order_within_a_day(days: Days) -> None:
    """After each night, of every day before: no order of files, pages, rows or transactions tells the arrivals'."""
    for number in range(DAYS):
        days.come(after(number))
        before = days.told(TODAY, after(number))
        assert before["change time, blocks"] > LIMIT
        assert any(far > LIMIT for name, far in before.items() if name.endswith("envelopes"))
        on(days.store, after(number + 1)).turn_over()
        for day in list(days.envelopes):
            far = days.told(MAIN, day)
            assert len(far) >= 5 and {name: much for name, much in far.items() if much > LIMIT} == {}
    on(days.store, after(10)).remove_due(["nobody"], Limits(reviewers=9))
    assert {name: much for name, much in days.told(MAIN, after(1)).items() if much > LIMIT} == {}


def test_what_is_gone_is_overwritten(here: Store, tmp_path: Path) -> None:
    """What was withdrawn, or removed with its day, is in no file of SQLite once the nights' turn-overs are over."""
    days = Days(here, tmp_path, f"sqlite:///{tmp_path}/whistle.sqlite")
    for number in range(2):
        days.come(after(number))
        on(here, after(number + 1)).turn_over()
    gone = [each.body[at : at + 40] for each in days.gone for at in (0, SIZE // 2, SIZE - 40)]
    assert _left(tmp_path, gone) == 0
    first = [each.body[:40] for each in days.envelopes[DAY] if each not in days.gone and each.heap is Heap.REVIEWERS]
    assert _left(tmp_path, first) == len(first)
    assert on(here, after(9)).remove_due(["nobody"], Limits(reviewers=8)) == []
    assert _left(tmp_path, first) == 0
    on(here, after(10)).turn_over()
    assert _left(tmp_path, first) == 0


def _left(folder: Path, bodies: list[bytes]) -> int:
    data = b"".join(path.read_bytes() for path in folder.glob("*.sqlite*"))
    return sum(body in data for body in bodies)


def test_a_turn_over_in_order_of_arrival_would_be_seen(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were rows and blocks moved one by one as they came, the same figures would tell."""
    days.come(DAY)
    settle = FolderOfBlocks.settle
    monkeypatch.setattr(FolderOfBlocks, "settle", lambda place, _: [settle(place, [id]) for id in days.blocks[DAY]])
    for id in days.blocks[DAY]:
        turnover._move_rows(days.store.database, [(TODAY.blocks.c.id, MAIN.blocks, [id])])
    for each in days.envelopes[DAY]:
        pieces = [(TODAY.envelopes.c.id, MAIN.envelopes, [each.id]), (TODAY.bodies.c.k, MAIN.bodies, [key(each.id)])]
        turnover._move_rows(days.store.database, pieces)
    days.store.block_store.settle(days.blocks[DAY])
    on(days.store, after(1)).turn_over()
    seen = {name for name, far in days.told(MAIN, DAY).items() if far > LIMIT}
    assert "change time, blocks" in seen
    assert sum(name.endswith("envelopes") for name in seen) >= 1
