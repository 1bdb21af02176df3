"""Create, upgrade and downgrade the tables with Alembic, without a configuration file.

Alembic is imported where tables change: a server that finds them up to date does without its 10 MB.
"""

import contextlib
import importlib.resources
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from whistle.store.database import SCHEMA, Database, translate_errors
from whistle.store.errors import StoreError
from whistle.store.job_lock import job_lock
from whistle.store.models import REVISION, TODAY

if TYPE_CHECKING:
    from alembic.config import Config

OLDEST = "r0003"  # the first revision that this program can upgrade; names sort by age


def upgrade(url: str) -> None:
    """Upgrade the database to the newest revision; creates the tables if there are none."""
    with contextlib.closing(Database(url)) as database:
        prepare(database)


def downgrade(url: str, revision: str) -> None:
    """Downgrade the database to a revision. `base` drops all tables and everything in them."""
    with contextlib.closing(Database(url)) as database:
        _migrate(database.engine, "downgrade", revision)


def current(url: str) -> str | None:
    """The database's revision, or None if it has no tables yet."""
    with contextlib.closing(Database(url)) as database:
        return revision(database)


def revision(database: Database) -> str | None:
    """The revision of an open database."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version


def prepare(database: Database) -> None:
    """Upgrade a database if needed. StoreError if it is too old, newer than this program, or lacks today's file."""
    version = revision(database)
    if version != REVISION:
        _check_supported(version)
        with job_lock(database, SCHEMA, wait=True):
            _migrate(database.engine, "upgrade", "head")
    with database.read() as connection:
        today = "today" if database.is_sqlite else None
        if not inspect(connection).has_table(TODAY.envelopes.name, schema=today):
            raise StoreError("a table is missing; today's database file must be beside the main one")


def _check_supported(version: str | None) -> None:
    """Raise StoreError for a revision that no migration leads from."""
    if version is not None and version < OLDEST:
        raise StoreError(f"the database is too old for this program: it has revision {version}, not {OLDEST} or newer")
    if version is not None and version > REVISION:
        raise StoreError(f"the database is newer than this program: it has revision {version}, not {REVISION}")


def _config(engine: Engine) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("whistle.migrations")).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def _migrate(engine: Engine, how: str, revision: str) -> None:
    """Upgrade or downgrade to a revision."""
    from alembic import command
    from alembic.util import CommandError

    try:
        with translate_errors():
            getattr(command, how)(_config(engine), revision)
    except CommandError as exc:
        raise StoreError("this program does not know the database's revision, or the one asked for") from exc
