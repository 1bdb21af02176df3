"""The tables: as documented, as the models say, and reached by the packaged migrations."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, inspect, text

from tests.store.things import DAY, NEXT, on, opened, put, report, rows
from whistle.store import Store, StoreError, current, downgrade, schema, sqlite_files, upgrade
from whistle.store.models import REVISION, metadata
from whistle.store.schema import OLDEST

ENVELOPES = {"id", "heap", "day", "state", "state_day"}
DOCUMENTED = {
    "today_envelopes": ENVELOPES,
    "envelopes": ENVELOPES,
    "today_bodies": {"k", "body"},
    "bodies": {"k", "body"},
    "today_blocks": {"id", "heap", "day"},
    "blocks": {"id", "heap", "day"},
    "pending": {"id", "day", "upload"},
    "imports": {"reviewer", "day", "hash"},
    "visits": {"courier", "day"},
    "clock": {"day"},
    "manifests": {"serial", "data", "signature"},
}
ARRIVALS = {"today_envelopes", "today_bodies", "today_blocks", "pending"}


def parts(url: str) -> list[tuple[str, list[Table]]]:
    """The databases that belong to a URL, each with the tables that must be in it."""
    tables = metadata.sorted_tables
    if not sqlite_files(url):
        return [(url, tables)]
    main, today = (f"sqlite:///{file}" for file in sqlite_files(url))
    return [
        (main, [table for table in tables if table.name not in ARRIVALS]),
        (today, [table for table in tables if table.name in ARRIVALS]),
    ]


def test_the_columns_are_the_documented_ones(store: Store, url: str) -> None:
    """The database has these columns and no more: nothing about who, when within the day, how large or what kind."""
    found = {}
    for part, _ in parts(url):
        engine = create_engine(part)
        inspector = inspect(engine)
        for name in inspector.get_table_names():
            found[name] = {column["name"] for column in inspector.get_columns(name)}
        engine.dispose()
    assert found.pop("alembic_version") == {"version_num"}
    assert found == DOCUMENTED


def test_the_newest_revision_equals_the_models(store: Store, url: str) -> None:
    """Comparing the migrated database with the models finds no difference, in types, nulls and indexes too."""
    for part, tables in parts(url):
        wanted = MetaData()
        for table in tables:
            table.to_metadata(wanted)
        engine = create_engine(part)
        with engine.connect() as connection:
            options = {"compare_type": True, "include_name": lambda name, kind, _: name != "alembic_version"}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), wanted) == []
        engine.dispose()


def test_the_models_name_the_newest_revision() -> None:
    """The revision that the program asks for is the last of the scripts, and there is one line of them."""
    engine = create_engine("sqlite://")
    assert ScriptDirectory.from_config(schema._config(engine)).get_heads() == [REVISION]


def test_no_table_of_sqlite_has_row_ids_of_its_own(here: Store) -> None:
    """Tables are without row ids, and those of bodies have the random key for one."""
    for file in sqlite_files(str(here.database.engine.url)):
        engine = create_engine(f"sqlite:///{file}")
        with engine.connect() as connection:
            made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()
        for name, sql in made:
            if name.endswith("bodies"):
                assert "k INTEGER NOT NULL" in sql
                assert "PRIMARY KEY (k)" in sql
            elif name != "alembic_version":
                assert sql.rstrip().endswith("WITHOUT ROWID")
        engine.dispose()


def test_down_and_up_again_changes_nothing(store: Store, url: str) -> None:
    """Every revision after the first can be reverted and applied again with all data in place."""
    filled(store)
    store.add_manifests([(1, b"{}", b"signature")])
    before = rows(store)
    assert all(before.values())
    assert store.clock().last == NEXT
    assert current(url) == REVISION
    downgrade(url, OLDEST)
    assert current(url) == OLDEST
    assert rows(store) == before
    upgrade(url)
    assert current(url) == REVISION
    assert rows(store) == before
    assert store.clock().last == NEXT and len(store.manifests()) == 1
    test_the_newest_revision_equals_the_models(store, url)


def filled(store: Store) -> None:
    """Store something in every table."""
    report(store, blocks=1)
    on(store, NEXT).turn_over()
    report(on(store, NEXT), blocks=1)
    put(store)
    on(store, NEXT).record_visit("courier")
    on(store, NEXT).record_imports([("ombuds", DAY, store.day_hash(DAY) or b"")])


def test_down_to_the_base_leaves_no_table(store: Store, url: str, tmp_path: Path) -> None:
    """Reverting the first revision drops everything, data too; upgrading creates the tables anew and empty."""
    filled(store)
    store.close()
    downgrade(url, "base")
    assert current(url) is None
    for part, _ in parts(url):
        engine = create_engine(part)
        assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
        engine.dispose()
    again = opened(url, tmp_path / "blocks")
    assert not any(rows(again).values())
    assert again.clock().last is None
    test_the_newest_revision_equals_the_models(again, url)
    report(again)
    again.close()


def test_upgrading_twice_changes_nothing(store: Store, url: str) -> None:
    """An upgrade of a database that needs none leaves it as it is."""
    report(store, blocks=1)
    before = rows(store)
    upgrade(url)
    assert rows(store) == before


@pytest.mark.parametrize(
    ("revision", "message"), [("r0002", "the database is too old for this program"), ("r9999", "the database is newer")]
)
def test_a_database_of_an_unknown_revision_is_refused(
    store: Store, url: str, tmp_path: Path, revision: str, message: str
) -> None:
    """A database from before the first revision, or from a newer program, is refused in one line and not changed."""
    report(store)
    before = rows(store)
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(StoreError, match=f"^{message}.*{revision}") as caught:
        opened(url, tmp_path / "blocks")
    assert "\n" not in str(caught.value)
    assert current(url) == revision
    assert rows(store) == before


def test_a_main_file_without_todays_is_refused(here: Store, tmp_path: Path) -> None:
    """When today's file is lost, as by a backup of one file only, opening says so instead of losing more."""
    url = str(here.database.engine.url)
    here.close()
    sqlite_files(url)[1].unlink()
    with pytest.raises(StoreError, match="today"):
        opened(url, tmp_path / "blocks")


def test_a_database_in_memory_is_refused(tmp_path: Path) -> None:
    """A store that would forget everything is not opened."""
    with pytest.raises(StoreError, match="memory"):
        opened("sqlite://", tmp_path / "blocks")


def test_database_files_belong_to_us_alone(here: Store) -> None:
    """The database's files, and those that SQLite keeps beside them, have mode 0600."""
    report(here)
    main, today = sqlite_files(str(here.database.engine.url))
    beside = [*main.parent.glob("whistle*.sqlite*")]
    assert {main, today, today.with_name(today.name + "-wal")} <= set(beside)
    assert {path.stat().st_mode & 0o777 for path in beside} == {0o600}
