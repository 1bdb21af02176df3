"""How the suite is spread over this machine, and what its tests share."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import hypothesis
import psutil
import pytest
from flask.templating import Environment
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine, event

from whistle.store import schema
from whistle.workstation.vault import database

WORKER = 2 * 1024**3  # bytes of memory that one may take, its browsers included
IN_MEMORY = 8 * 1024**3  # bytes free; the files of gigabytes in some tests take two of them


class Compiled(BytecodeCache):
    """Templates that were compiled in this process: compiling them anew for each server took a third of its tests."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the compiled template, if it is known."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Remember it."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def _share_compiled_templates() -> None:
    create, compiled = flask.Flask.create_jinja_environment, Compiled()

    def sharing(app: flask.Flask) -> Environment:
        environment = create(app)
        environment.bytecode_cache = compiled
        return environment

    flask.Flask.create_jinja_environment = sharing  # type: ignore[method-assign]


class Migrations:
    """What the migrations say to a new SQLite database, said again to the next: Alembic takes longer to find it out."""

    TABLES = "SELECT count(*) FROM sqlite_schema"
    ASKING = ("SELECT", "PRAGMA", "BEGIN", "COMMIT")

    def __init__(self) -> None:
        self._said: list[tuple[str, Any]] = []

    def run(self, engine: Engine, migrate: Callable[[], None]) -> None:
        """Bring a database to the newest revision; one that is not new, or not SQLite, as ever."""
        with engine.connect() as connection:
            is_new = engine.dialect.name == "sqlite" and not connection.exec_driver_sql(self.TABLES).scalar()
        if not is_new:
            migrate()
        elif self._said:
            self._repeat(engine)
        else:
            self._said = self._listen(engine, migrate)

    def _listen(self, engine: Engine, migrate: Callable[[], None]) -> list[tuple[str, Any]]:
        said = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if not statement.lstrip().startswith(self.ASKING):
                said.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        migrate()
        event.remove(engine, "before_cursor_execute", note)
        return said

    def _repeat(self, engine: Engine) -> None:
        with engine.begin() as connection:
            bare = connection.connection.driver_connection
            if bare is not None and not bare.in_transaction:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            for statement, parameters in self._said:
                connection.exec_driver_sql(statement, parameters)


def _say_migrations_again() -> None:
    of_store, of_vault = Migrations(), Migrations()
    migrate, prepare = schema._migrate, database.prepare

    def migrating(engine: Engine, how: str, revision: str) -> None:
        if (how, revision) == ("upgrade", "head"):
            of_store.run(engine, lambda: migrate(engine, how, revision))
        else:
            migrate(engine, how, revision)

    schema._migrate = migrating
    database.prepare = lambda engine: of_vault.run(engine, lambda: prepare(engine))


sys.dont_write_bytecode = False  # else each worker writes anew what asserts say into each module, for eight seconds
_share_compiled_templates()
_say_migrations_again()
hypothesis.settings.register_profile("untimed", deadline=None)  # many tests run at once
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `-n auto`: three for each core up to twelve, since more than half of a browser's test is waiting.

    Each has two browsers; where memory is too short for them, two workers for each core up to eight.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    is_roomy = psutil.virtual_memory().available > 3 * cores * WORKER
    return max(cores, min(3 * cores, 12) if is_roomy else min(2 * cores, 8))


def _keep_temporary_files_in_memory() -> None:
    """Let `tmp_path` be in memory where there is room: the suite makes thousands of small files."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= IN_MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(shared))


_keep_temporary_files_in_memory()
