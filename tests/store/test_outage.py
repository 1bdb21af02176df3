"""PostgreSQL that is locked, restarted or away: others go on, nobody waits for ever, and nothing is lost."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.patience import PATIENCE
from tests.postgresql import schema
from tests.store.things import NEXT, on, opened, report
from whistle.store import Store, StoreError, TurnoverCounts
from whistle.store import database as databases

pytestmark = pytest.mark.parametrize("url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)


class Operator:
    """Whoever has another connection to the same database."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).update_query_dict({"application_name": f"test-{secrets.token_hex(6)}"})
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self.connection = self._engine.connect()

    def said(self, statement: str, **values: Any) -> Any:
        """The first value of a statement; `:name` in it is the store's name for the database."""
        return self.connection.scalar(text(statement), {"name": self.url.query["application_name"], **values})

    def terminate(self) -> None:
        """End all connections of the store, as a restart does."""
        ended = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name = :name"
        assert self.said(ended) > 0

    @contextlib.contextmanager
    def transaction(self, statement: str, **values: Any) -> Iterator[None]:
        """A transaction of its own that has done this, and ends afterwards."""
        with self._engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
            connection.execute(text(statement), values)
            yield
            connection.rollback()

    def close(self) -> None:
        """End it."""
        self.connection.close()
        self._engine.dispose()


@pytest.fixture
def operator(url: str) -> Iterator[Operator]:
    """Another connection."""
    found = Operator(url)
    yield found
    found.close()


@pytest.fixture
def store(operator: Operator, tmp_path: Path) -> Iterator[Store]:
    """A store with a name of its own."""
    found = opened(operator.url.render_as_string(False), tmp_path / "blocks")
    yield found
    found.close()


def test_a_dump_stops_nobody(store: Store, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a dump's lock the turn-over gives up at once, so that others go on, and another time it is completed."""
    monkeypatch.setattr(databases, "BRIEFLY", 50)
    first, _, _ = report(store, blocks=1)
    on(store, NEXT)
    with ThreadPoolExecutor(1) as pool, operator.transaction("LOCK TABLE today_envelopes IN ACCESS SHARE MODE"):
        with pytest.raises(StoreError, match="55P03"):
            pool.submit(store.turn_over).result(PATIENCE)
        second, _, _ = report(store)
        assert store.has(first.id) and store.has(second.id)
    assert store.turn_over() == TurnoverCounts(0, 0)
    assert store.body(first.id) == first.body


def test_nobody_waits_for_ever(store: Store, operator: Operator) -> None:
    """Every connection has bounds, whatever the server's own settings are."""
    with store.database.read() as connection:
        bounds = [connection.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout")]
    assert bounds == [f"{databases.PATIENCE}s", "2min"]


def test_the_first_request_after_a_restart(store: Store, operator: Operator) -> None:
    """Connections that died meanwhile are not used: the first call succeeds."""
    first, _, _ = report(store)
    operator.terminate()
    assert store.has(first.id)
    operator.terminate()
    second, _, _ = report(store)
    assert store.has(second.id)


def test_writers_that_wait_leave_readers_their_connections(
    url: str, operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait to write, one of a process holds a connection."""
    monkeypatch.setattr(databases, "POOL", {**databases.POOL, "pool_size": 1, "max_overflow": 1, "pool_timeout": 1})
    store = opened(operator.url.render_as_string(False), tmp_path / "blocks")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(4) as pool:
        with operator.transaction(f"SELECT pg_advisory_xact_lock({databases.OF_SCHEMA})", k=databases.WRITERS):
            writers = [pool.submit(report, store) for _ in range(4)]
            while not operator.said(waiting):
                pass
            assert all(store.days() == [] for _ in range(4))
            assert operator.said(waiting) == 1
        assert all(store.has(writer.result(PATIENCE)[0].id) for writer in writers)
    store.close()


def test_two_in_one_database_do_not_wait_for_each_other(store: Store, tmp_path: Path) -> None:
    """Organisations with a schema each in one database write, and keep house, independently."""
    with schema() as url, contextlib.closing(opened(url, tmp_path / "others")) as other:
        with store.job_lock("housekeeping") as ours, other.job_lock("housekeeping") as others:
            assert ours and others
        with store.database.write(), ThreadPoolExecutor(1) as pool:
            pool.submit(report, other).result(PATIENCE / 2)


def test_too_few_connections_are_told(store: Store) -> None:
    """The operator is told of more processes than PostgreSQL has connections for."""
    usual = store.risks(2)
    [risk] = set(store.risks(1000)) - set(usual)
    assert "may open 30000" in risk and not any("may open" in each for each in usual)


def test_who_lost_the_lock_stops(store: Store, operator: Operator, url: str, tmp_path: Path) -> None:
    """A lock that went with its connection is another's: who had it learns so at the next step, and moves nothing."""
    report(store)
    on(store, NEXT)
    other = opened(url, tmp_path / "blocks")
    with store.job_lock("cleaning") as lock:
        lock.check()
        operator.terminate()
        with other.job_lock("cleaning") as others:
            assert others
            for _ in range(2):
                with pytest.raises(StoreError):
                    lock.check()
            with pytest.raises(StoreError):
                store.turn_over(lock)
            assert other.turn_over(others) == TurnoverCounts(2, 0)
    other.close()


def test_a_commit_is_on_the_disk(operator: Operator, tmp_path: Path) -> None:
    """Whatever the database's setting, what is acknowledged is durable."""
    options = f"{operator.url.query['options']} -csynchronous_commit=off"
    url = operator.url.update_query_dict({"options": options})
    with contextlib.closing(opened(url.render_as_string(False), tmp_path / "blocks")) as store:
        with store.database.write() as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"
        with store.database.write(lasting=False) as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == "off"


def test_a_standby_that_nothing_waits_for(store: Store, operator: Operator, tmp_path: Path) -> None:
    """The operator is told of a standby that is asynchronous, since it lacks what was acknowledged last."""
    programs = [*Path("/usr/lib/postgresql").glob("*/bin/pg_receivewal")]
    if not programs:
        pytest.skip("pg_receivewal is missing")
    before = store.risks()
    where = {"-h": operator.url.host, "-p": operator.url.port or 5432, "-U": operator.url.username, "-D": tmp_path}
    command = [programs[0], "--no-loop", *(str(part) for pair in where.items() for part in pair)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as standby:
        try:
            while not operator.said("SELECT count(*) FROM pg_stat_replication"):
                assert standby.poll() is None
            [risk] = set(store.risks()) - set(before)
            assert "nothing waits for it" in risk
        finally:
            standby.terminate()
