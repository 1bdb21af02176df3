"""Transactions, turns, and what is told of errors."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, text

from tests.store.things import DAY, SIZE, an_id, on, opened, report, sealed
from whistle.store import Heap, Store, StoreError, open_store
from whistle.store.database import SCHEMA
from whistle.store.locks import lock_file, locked
from whistle.store.models import TODAY


def test_one_at_a_time_keeps_house(store: Store, url: str, tmp_path: Path) -> None:
    """Under one name there is one, in this process and in another; under another name, and afterwards, the next."""
    script = (
        "import sys, pathlib; from whistle.store import open_store\n"
        f"with open_store(sys.argv[1], pathlib.Path(sys.argv[2]), {SIZE}).job_lock('house') as mine:\n"
        "    print(mine.acquired)"
    )
    command = [sys.executable, "-c", script, url, str(tmp_path / "blocks")]
    with store.job_lock("house") as mine:
        with store.job_lock("house") as second, store.job_lock("garden") as garden:
            assert (mine.acquired, second.acquired, garden.acquired) == (True, False, True)
        assert subprocess.check_output(command) == b"False\n"
    assert subprocess.check_output(command) == b"True\n"


def test_who_was_killed_holds_nothing(store: Store, url: str, tmp_path: Path) -> None:
    """A process that dies while it keeps house leaves the house to the next."""
    script = (
        "import os, sys, pathlib; from whistle.store import open_store\n"
        f"with open_store(sys.argv[1], pathlib.Path(sys.argv[2]), {SIZE}).job_lock('house'): os.kill(os.getpid(), 9)"
    )
    assert subprocess.call([sys.executable, "-c", script, url, str(tmp_path / "blocks")]) == -9
    with store.job_lock("house") as mine:
        assert mine


def test_many_open_a_new_database_at_once(url: str, tmp_path: Path) -> None:
    """Servers that start together make the tables once."""
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: opened(url, tmp_path / "blocks"), range(6)))
    first, _, _ = report(stores[0])
    assert all(store.has(first.id) for store in stores)
    for store in stores:
        store.close()


def test_a_database_in_the_making_is_waited_for(tmp_path: Path) -> None:
    """Who opens a SQLite database while another makes it waits, for SQLite refuses to change its log meanwhile."""
    file = tmp_path / "whistle.sqlite"
    with ThreadPoolExecutor(1) as pool:
        with locked(lock_file(file, SCHEMA), wait=True), contextlib.closing(sqlite3.connect(file)) as maker:
            maker.execute("BEGIN IMMEDIATE")
            opened = pool.submit(open_store, f"sqlite:///{file}", tmp_path / "blocks", SIZE)
            with pytest.raises(TimeoutError):
                opened.result(0.3)
            maker.rollback()
        opened.result(120).close()


def test_an_error_tells_nothing_of_what_was_stored(store: Store) -> None:
    """What would be written to a log of an error holds no id."""
    one = sealed()
    row = {"id": one.id, "heap": Heap.REVIEWERS, "day": DAY, "state": None, "state_day": DAY}
    with pytest.raises(StoreError) as caught, store.database.write() as connection:
        connection.execute(TODAY.envelopes.insert(), [row])
    told = "".join(traceback.format_exception(caught.value))
    assert "the database failed" in told
    assert not [form for form in (one.id.hex(), repr(one.id)[2:-1]) if form in told]


def test_a_failed_transaction_changes_nothing(store: Store) -> None:
    """What fails half-way is not there afterwards."""
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        connection.execute(TODAY.envelopes.delete())
        store.database.add(connection, TODAY.bodies, [{"k": 1, "body": b""}])
        raise ZeroDivisionError
    with store.database.read() as connection:
        assert connection.execute(TODAY.bodies.select()).all() == []


def test_a_commit_is_one_transaction(store: Store) -> None:
    """A report and its slip cost one commit of the database."""
    commits: list[object] = []
    event.listen(store.database.engine, "commit", commits.append)
    store.commit([sealed(), sealed()], [])
    assert len(commits) == 1


def test_days_and_looks_use_indexes(here: Store) -> None:
    """Listing days reads only the index, and a lookup only what it asks for, so both stay quick with many envelopes."""
    asked = []
    event.listen(here.database.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    report(here)
    on(here, DAY.fromordinal(DAY.toordinal() + 1)).turn_over()
    del asked[:]
    here.days()
    here.day_ids(DAY)
    here.lookup(sorted(an_id() for _ in range(1026)))
    plans = []
    with here.database.engine.connect() as connection:
        for statement, values in list(asked):
            if statement.startswith(("SELECT", "WITH")):
                plans += [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not [plan for plan in plans if plan.startswith(("SCAN envelopes", "SCAN bodies", "SCAN blocks"))]
    assert any("USING COVERING INDEX envelopes_day" in plan for plan in plans)
    for name in ("today_envelopes", "envelopes"):
        assert f"SEARCH {name} USING PRIMARY KEY (id=?)" in plans


def test_an_unknown_kind_of_place_is_refused(tmp_path: Path) -> None:
    """Blocks are kept in a folder, and nowhere that the program does not know; nothing is made first."""
    with pytest.raises(StoreError, match=r"pigeon.*folder"):
        open_store(f"sqlite:///{tmp_path}/whistle.sqlite", "pigeon://loft", SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://somewhere/whistle", "unknown database mysql"),
        ("postgres://somewhere/whistle", "unknown database postgres"),
        ("postgresql+pigeon://somewhere/whistle", r"pip install 'whistle\[postgresql\]'"),
        ("whistle.sqlite", "must have the form"),
    ],
)
def test_an_unknown_kind_of_database_is_refused(tmp_path: Path, url: str, told: str) -> None:
    """Of databases SQLite and PostgreSQL are known; another is named, and so is a driver that is missing."""
    with pytest.raises(StoreError, match=told):
        open_store(url, tmp_path / "blocks", SIZE)


def test_writers_of_two_processes_wait_for_each_other(store: Store, url: str, tmp_path: Path) -> None:
    """A writer waits until another process's transaction ends, and then succeeds."""
    other = opened(url, tmp_path / "blocks")
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with other.database.write() as connection:
            connection.execute(text("SELECT 1"))
            inside.set()
            done.wait(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    first, _, _ = report(store)
    done.set()
    holder.join()
    assert other.has(first.id)
    other.close()
