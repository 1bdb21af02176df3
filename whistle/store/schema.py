"""The tables' revision: made, brought up to date, or taken back, without any configuration file."""

import contextlib
import importlib.resources
from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, inspect, text

from whistle.store.database import SCHEMA, Database, plainly
from whistle.store.errors import StoreError
from whistle.store.job_lock import alone
from whistle.store.models import REVISION, TODAY


def upgrade(url: str) -> None:
    """Bring the database up to the newest revision, making the tables where there are none."""
    with contextlib.closing(Database(url)) as database:
        prepare(database)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to a revision. `base` drops all tables, and with them everything stored."""
    with contextlib.closing(Database(url)) as database:
        _alembic(lambda: command.downgrade(_config(database.engine), revision))


def current(url: str) -> str | None:
    """The database's revision, or None when it has no tables yet."""
    with contextlib.closing(Database(url)) as database:
        return revision(database)


def revision(database: Database) -> str | None:
    """The revision of an open database."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def prepare(database: Database) -> None:
    """Upgrade a database that needs it. Refuse one that a newer program made, or whose file of today is gone."""
    if revision(database) != REVISION:
        with alone(database, SCHEMA, wait=True):
            _alembic(lambda: command.upgrade(_config(database.engine), "head"))
    with database.read() as connection:
        today = "today" if database.is_sqlite else None
        if not inspect(connection).has_table(TODAY.envelopes.name, schema=today):
            raise StoreError("a table is missing; today's database file belongs beside the main one")


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("whistle.migrations")).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def _alembic(run: Callable[[], None]) -> None:
    try:
        with plainly():
            run()
    except CommandError as exc:
        raise StoreError("the database is of a revision that this program does not know") from exc
