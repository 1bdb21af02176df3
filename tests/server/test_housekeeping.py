"""What the server does by itself."""

import datetime
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import flask
import pytest

from tests import parties
from tests.patience import PATIENCE
from tests.server.visitor import Clock, config, opened, turn
from tests.trial.serving import WHISTLE, Server
from whistle.protocol.case import envelope
from whistle.server.config import Config
from whistle.server.instance import Instance, open_instance
from whistle.server.manifests import Manifests
from whistle.server.running import chaff, housekeeping
from whistle.server.running.housekeeping import Housekeeper
from whistle.store import BLOCK, Full, Heap, Sealed, State, Store, StoreError, check

DAY = parties.DAY
ONE = datetime.timedelta(days=1)


class Ticking(Clock):
    """A clock with hours."""

    def __init__(self) -> None:
        super().__init__()
        self.time = super().__call__()

    def __call__(self) -> datetime.datetime:
        return self.time


def everything(instance: Instance, day: datetime.date = DAY) -> tuple[int, int, int]:
    """How much lies there: envelopes to reviewers, blocks to reviewers, envelopes in all."""
    ids = instance.store.day_ids(day)
    with instance.store.database.read() as connection:
        rows = sum(
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0
            for table in ("envelopes", "today_envelopes")
        )
    return len(ids.envelopes), len(ids.blocks), rows


def test_the_day_turns_over_once(instance: Instance, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the day changes the house is cleaned, once a day, and again later if it failed."""
    turned: list[datetime.date] = []
    failing = [True, False, False, False]

    def turn_over(*_: object) -> None:
        if failing.pop(0):
            raise StoreError("no")
        turned.append(clock.day)

    monkeypatch.setattr(type(instance.store), "turn_over", turn_over)
    keeper = Housekeeper(instance)
    for _ in range(4):
        keeper.tick()
    assert turned == [DAY]
    clock.day += ONE
    keeper.tick()
    keeper.tick()
    assert turned == [DAY, DAY + ONE]


def test_cleaning_that_fails_is_tried_ever_later(
    instance: Instance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a dump hinders it for hours it costs little, and made-up messages go on; the next day begins anew."""
    tried: list[int] = []
    made_up: list[int] = []
    keeper = Housekeeper(instance)

    def fail(*_: object) -> None:
        tried.append(len(made_up))
        raise StoreError("locked")

    monkeypatch.setattr(Housekeeper, "_tick_chaff", lambda _: made_up.append(1))
    for day, until in ((clock.day, 60), (clock.day + ONE, 68)):
        clock.day = day
        with monkeypatch.context() as hindered:
            hindered.setattr(type(instance.store), "turn_over", fail)
            while len(made_up) < until:
                keeper.tick()
        while len(made_up) < 66:
            keeper.tick()
    assert tried == [0, 1, 3, 7, 15, 31, 48, 66, 67]


def test_cleaning_sweeps_and_removes(instance: Instance, clock: Clock) -> None:
    """Uploads that nobody finished go, and what was kept long enough goes."""
    lost, kept = b"l" * 16, b"k" * 16
    instance.store.put_block(lost, bytes(262_144), Heap.REVIEWERS)
    instance.store.commit([Sealed(kept, Heap.REVIEWERS, bytes(envelope.size(8)))], [])
    turn(instance, DAY + datetime.timedelta(days=3))
    housekeeping.clean(instance)
    assert not any(Path(instance.config.blocks).rglob(lost.hex() + "*"))
    assert instance.store.lookup([kept])[0].state is State.WAITING
    turn(instance, DAY + datetime.timedelta(days=183))
    housekeeping.clean(instance)
    assert instance.store.lookup([kept])[0].state is State.REMOVED


def test_a_full_disk_is_cleaned_all_the_same(instance: Instance, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the turn-over finds no room, uploads that nobody finished and what is too old go, and make some."""
    lost, old = b"l" * 16, b"o" * 16
    instance.store.commit([Sealed(old, Heap.REVIEWERS, bytes(envelope.size(8)))], [])
    clock.day += ONE
    housekeeping.clean(instance)
    turn(instance, DAY + datetime.timedelta(days=200))
    instance.store.put_block(lost, bytes(262_144), Heap.REVIEWERS)
    turn(instance, DAY + datetime.timedelta(days=203))

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "turn_over", full)
    with pytest.raises(Full):
        housekeeping.clean(instance)
    assert not any(Path(instance.config.blocks).rglob(lost.hex() + "*"))
    assert instance.store.lookup([old])[0].state is State.REMOVED


def test_every_reviewer_must_state_a_day(instance: Instance, org: parties.Organisation, clock: Clock) -> None:
    """Who must have stated a day: everybody who is active now or by a manifest signed in advance."""
    assert housekeeping.must_state(instance) == {"ombuds", "ethics", "counsel"}
    extra = parties.person("extra", "Extra").listed()
    known = org.next(reviewers=(*org.manifest.reviewers, extra), begins=DAY + ONE)
    instance.published.install([(known.data, known.signature)])
    assert "extra" in housekeeping.must_state(instance)
    clock.day = DAY - datetime.timedelta(days=30)
    assert housekeeping.must_state(instance) == set()


def test_warnings(instance: Instance, org: parties.Organisation, clock: Clock) -> None:
    """The operator is warned of a manifest's end, of couriers who stay away, and of what waits too long."""
    assert housekeeping.warnings(instance) == []
    instance.store.record_visit("courier")
    instance.store.commit([Sealed(b"k" * 16, Heap.REVIEWERS, bytes(envelope.size(8)))], [])
    turn(instance, DAY + datetime.timedelta(days=60))
    said = " ".join(housekeeping.warnings(instance))
    assert "ends in 23 days" in said and "for 60 days" in said and "no courier" in said
    turn(instance, org.manifest.expires + ONE)
    assert "ended 1 days ago" in housekeeping.warnings(instance)[0]


def test_warns_before_the_first_manifest(tmp_path: Path) -> None:
    """A server without a manifest says so."""
    instance = open_instance(config(tmp_path), Clock())
    assert "no manifest" in housekeeping.warnings(instance)[0]
    Housekeeper(instance).tick()
    instance.store.close()


def test_chaff_is_like_the_real_thing(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """Made-up reports have the form of envelopes and blocks, in both heaps, and nobody can open them."""
    made_up = chaff.Reporters()
    for _ in range(12):
        made_up.act(instance.store, org.known, DAY)
    ids = instance.store.day_ids(DAY)
    assert 8 <= len(ids.envelopes) <= 12  # some may have been withdrawn
    assert everything(instance)[2] > 12
    for id in ids.envelopes:
        envelope.check_form(instance.store.body(id) or b"", 8)
    assert not any(opened(app, org, reader) for reader in org.people)


def test_some_made_up_reports_are_withdrawn(
    instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their slips, while they wait, as reporters do."""
    made_up = chaff.Reporters()
    monkeypatch.setattr(chaff, "REPORTS", 1.0)
    monkeypatch.setattr(chaff, "WITH_BLOCKS", 0.0)
    made_up.act(instance.store, org.known, DAY)
    [first] = instance.store.day_ids(DAY).envelopes
    monkeypatch.setattr(chaff, "WITHDRAWALS", 1.0)
    made_up.act(instance.store, org.known, DAY)
    assert instance.store.lookup([first])[0].state is State.REMOVED
    assert first not in instance.store.day_ids(DAY).envelopes and everything(instance)[2] == 4


def test_made_up_replies_come_with_a_push(org: parties.Organisation) -> None:
    """As many as the mean says; their blocks lie in one heap each, in the order of a bundle."""
    counts = [len(chaff.pushed(org.known, DAY, 2.0).envelopes) for _ in range(60)]
    assert 0 in counts and 0.5 < sum(counts) / len(counts) < 3.0  # 1.7 expected; five standard deviations either way
    assert not chaff.pushed(org.known, DAY, 0.0).envelopes
    made = chaff.pushed(org.known, DAY, 10_000.0)
    assert len(made.envelopes) <= 3 * chaff.MAX_PUSHED
    ids = [id for id, _, _ in made.blocks]
    assert ids == sorted(set(ids))
    assert {heap for _, _, heap in made.blocks} <= set(Heap)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_chaff_of_blocks(count: int) -> None:
    """As many blocks as asked for, each of a block's size, none like another."""
    blocks = chaff._blocks(count)
    assert [len(body) for _, body in blocks] == [262_144] * count
    assert len({id for id, _ in blocks}) == len({body[:64] for _, body in blocks}) == count


def test_chaff_comes_at_random_times(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many a day as configured, on average, and none when it is turned off."""
    clock, scattered = Ticking(), []
    monkeypatch.setattr(chaff.Reporters, "act", lambda *_: scattered.append(clock.time))
    monkeypatch.setattr(housekeeping, "clean", lambda _: [])
    instance = open_instance(config(tmp_path, chaff=24.0), clock)
    monkeypatch.setattr(Manifests, "current", lambda *_: org.known)
    keeper = Housekeeper(instance)
    for _ in range(10 * 24 * 12):  # ten days, every five minutes
        clock.time += datetime.timedelta(minutes=5)
        keeper.tick()
    assert 160 < len(scattered) < 320  # 240 expected; five standard deviations either way
    quiet = Housekeeper(Instance(config(tmp_path, chaff=0.0), instance.store, instance.published, clock))
    scattered.clear()
    clock.time += ONE
    quiet.tick()
    assert scattered == []
    instance.store.close()


def test_pauses_are_exponential() -> None:
    """The mean pause is the day over the mean count, and short pauses are commoner than long ones."""
    pauses = sorted(chaff.pause(4.0) for _ in range(4000))
    assert 0.9 < sum(pauses) / len(pauses) / (86_400 / 4) < 1.1
    assert 0.6 < pauses[2000] / (86_400 / 4) < 0.79  # the median of an exponential is ln 2 of its mean


def test_one_keeps_the_house(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one keeps the house another waits; when it ends the other takes over."""
    monkeypatch.setattr(housekeeping, "TICK", 0.01)
    ticked: list[str] = []
    stops = {name: threading.Event() for name in ("one", "other")}

    def keep(name: str) -> threading.Thread:
        keeper = Housekeeper(instance)
        monkeypatch.setattr(keeper, "tick", lambda: ticked.append(name))
        thread = threading.Thread(target=keeper.run, args=(stops[name],))
        thread.start()
        return thread

    first = keep("one")
    wait_for(ticked, "one")
    second = keep("other")
    assert not stops["other"].wait(0.1)
    assert set(ticked) == {"one"}
    stops["one"].set()
    first.join()
    wait_for(ticked, "other")
    stops["other"].set()
    second.join()


def wait_for(ticked: list[str], name: str) -> None:
    """Until somebody has ticked, for ten seconds at most."""
    waiting = threading.Event()
    for _ in range(1000):
        if name in ticked:
            return
        waiting.wait(0.01)
    pytest.fail(f"{name} never ticked")


def test_a_fault_does_not_end_housekeeping(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After an unforeseen fault the house is kept on; the log names its type and place only."""
    monkeypatch.setattr(housekeeping, "TICK", 0.01)
    stop, calls = threading.Event(), []

    def tick() -> None:
        calls.append(1)
        if len(calls) > 2:
            stop.set()
            return
        raise RuntimeError("SECRET")

    keeper = Housekeeper(instance)
    monkeypatch.setattr(keeper, "tick", tick)
    keeper.run(stop)
    assert len(calls) == 3
    assert "RuntimeError at" in caplog.text and "SECRET" not in caplog.text


def test_one_cleans_at_a_time(instance: Instance, clock: Clock) -> None:
    """Who would clean while another does, as `purge` beside the server, waits and then finds nothing left to do."""
    instance.store.commit([Sealed(b"k" * 16, Heap.REVIEWERS, bytes(envelope.size(8)))], [])
    clock.day += ONE
    with ThreadPoolExecutor(1) as pool:
        with instance.store.job_lock("cleaning") as lock:
            second = pool.submit(housekeeping.clean, instance)
            with pytest.raises(TimeoutError):
                second.result(0.2)
            assert instance.store.turn_over(lock).envelopes == 1
        second.result(PATIENCE)
    assert instance.store.turn_over().envelopes == 0


def test_two_purge_at_once(tmp_path: Path) -> None:
    """Two of the operator's programs that clean at once end well, and what came yesterday is there once."""
    server = Server.make(tmp_path / "server")
    yesterday = datetime.datetime.now(datetime.UTC).date() - ONE
    id = b"k" * 16
    instance = open_instance(Config.load(server.folder), lambda: datetime.datetime.now(datetime.UTC) - ONE)
    blocks = [bytes([number]) * 16 for number in range(20)]
    instance.store.put_blocks([(block, block * (BLOCK // 16)) for block in blocks], Heap.REVIEWERS)
    instance.store.commit([Sealed(id, Heap.REVIEWERS, bytes(envelope.size(8)))], blocks)
    instance.store.close()
    command = [sys.executable, "-c", WHISTLE, "server", "purge", "--folder", str(server.folder)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(each.wait(PATIENCE), each.communicate()[1]) for each in both] == [(0, b"")] * 2
    store = open_instance(Config.load(server.folder)).store
    held, turned = store.day_ids(yesterday), store.turn_over()
    assert (held.envelopes, held.blocks) == ((id,), tuple(blocks))
    assert not turned.envelopes and check(store).is_whole
    store.close()


def test_the_start_names_what_the_database_risks(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the server reads of a standby that lags, for as many processes as it will have."""
    asked: list[int] = []
    monkeypatch.setattr(Store, "risks", lambda _, processes: asked.append(processes) or ["a standby lags"])
    assert housekeeping.at_start(instance) == ["a standby lags"] and asked == [instance.config.workers]


def test_a_disk_that_is_nearly_full(
    instance: Instance, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator is told what filled it and what can be done, also when there is no room even for the turn-over."""
    envelopes = [Sealed(bytes([number]) * 16, Heap.REVIEWERS, bytes(envelope.size(8))) for number in range(40)]
    instance.store.commit(envelopes, [])
    instance.store.put_block(b"p" * 16, bytes(262_144), Heap.REVIEWERS, b"u" * 16)
    assert not any("full" in line for line in housekeeping.warnings(instance))
    real = os.statvfs
    low = SimpleNamespace(f_frsize=4096, f_blocks=100_000, f_bavail=9_000, f_bfree=9_000)
    monkeypatch.setattr(os, "statvfs", lambda folder: low)
    (line,) = (line for line in housekeeping.warnings(instance) if "full" in line)
    size = 80 * envelope.size(8) // 1_000_000
    assert f"{size} of {size} MB came on {DAY}: 40 messages and 0 blocks" in line
    assert "unfinished uploads take 0 MB" in line and "is not this server's" in line and "larger disk" in line

    def full(*_: object) -> None:
        raise Full("no room")

    monkeypatch.setattr(type(instance.store), "turn_over", full)
    clock.day += ONE
    Housekeeper(instance).tick()
    monkeypatch.setattr(os, "statvfs", real)
    assert not any("full" in line for line in housekeeping.warnings(instance))
    Housekeeper(instance).tick()  # as where the server cannot see the disk, which is PostgreSQL's
    assert [record.getMessage() for record in caplog.records] == [line, housekeeping.FULL], "one line each, no other"


def test_the_operator_is_told_by_day_that_reports_find_no_room(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the night, and without telling when somebody tried: what finds no room is a made-up report."""
    instance = open_instance(config(tmp_path, chaff=24.0), clock := Ticking())
    monkeypatch.setattr(Manifests, "current", lambda *_: org.known)

    def full(*_: object) -> None:
        raise Full("no room")

    keeper = Housekeeper(instance)
    keeper.tick()
    monkeypatch.setattr(type(instance.store), "commit", full)
    clock.time += datetime.timedelta(days=1)
    monkeypatch.setattr(housekeeping, "clean", lambda _: [])
    caplog.clear()
    keeper.tick()
    assert [record.getMessage() for record in caplog.records if "room" in record.getMessage()] == [housekeeping.NO_ROOM]
    instance.store.close()
