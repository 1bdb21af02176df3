"""What a server with PostgreSQL leaves in the database's own files: tables, write-ahead log, and the program's log."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.server.watched import MARK, Watched, upload, words_in
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL
from tests.trial.planted import forms_of
from tests.trial.serving import FORM, Server
from whistle.protocol.case.attachment import capacity

URL = os.environ.get("WHISTLE_TEST_POSTGRESQL", "")
SIZES = (0, 1, capacity(1), 600_000, 3_000_000)
SAID = "-clog_statement=all -clog_min_messages=debug1 -clog_parameter_max_length=-1"  # all that it can be made to log
PIECE = 16 * 1024 * 1024  # bytes
SCHEMA = f"trial_{MARK[:8]}"

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(not TRIAL, reason="a trial: make trial"),
    pytest.mark.skipif(not URL, reason="WHISTLE_TEST_POSTGRESQL names no PostgreSQL server"),
]


def holding(path: Path, patterns: list[bytes]) -> bool:
    """Whether a file, however large, has any of the patterns."""
    before = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if any(pattern in before + piece for pattern in patterns):
                return True
            before = piece[-1000:]
    return False


def own_files() -> list[Path]:
    """The files of our database, the write-ahead log, and what the program prints; they must be on this machine."""
    engine = create_engine(URL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
        data = Path(str(connection.scalar(text("SHOW data_directory"))))
        number = connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    engine.dispose()
    if not os.access(data / "postmaster.pid", os.R_OK):
        pytest.skip("PostgreSQL's own files are not readable here")
    process = Path("/proc", (data / "postmaster.pid").read_text().split()[0])
    folders = [data / "base" / str(number), data / "pg_wal", *data.glob("*log"), data / "base" / "pgsql_tmp"]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [*found, *(path for number in (1, 2) if (path := process / "fd" / str(number)).is_file())]


@pytest.fixture
def database() -> Iterator[str]:
    """A schema of its own, and everything logged."""
    engine = create_engine(URL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        options = f"-csearch_path={SCHEMA} {SAID}"
        yield make_url(URL).update_query_dict({"options": options}).render_as_string(False)
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    engine.dispose()


def test_postgresql_gets_nothing_in_clear(tmp_path: Path, database: str, measured: Measure) -> None:
    """Reports, lookups, a withdrawal: its tables, write-ahead log and log hold sealed bodies and nothing planted."""
    server = Server.make(tmp_path / "s", 24, f'database = "{database}"')
    ids = []
    with server.running():
        watched = Watched(server)
        for size in SIZES:
            status, page = watched.post(upload(size), **FORM)
            assert status == 200
            watched.plant(words_in(page))
            ids.append(watched.report_id)
        watched.form(step="look", words=words_in(page))
        assert "Your report is withdrawn" in watched.form(step="withdraw-now", words=words_in(page)).text
    files = own_files()
    patterns = [form for secret in watched.everything for form in forms_of(secret)]
    assert [path for path in files if holding(path, patterns)] == []
    shown = [path for path in files if holding(path, list(forms_of(ids[0])))]
    assert any("pg_wal" in path.parts for path in shown) and any("base" in path.parts for path in shown)
    measured("files", len(files))
    measured("its log was there", any("fd" in path.parts for path in shown))
    measured("bytes", f"{sum(path.stat().st_size for path in files):,}")
