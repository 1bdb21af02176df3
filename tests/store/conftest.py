"""A store for each test, on SQLite and, where there is a server, on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import schema
from tests.store.things import CLOCK, DAY, opened
from whistle.store import Store, sqlite_files, upgrade


@pytest.fixture(autouse=True)
def clock() -> None:
    """Every test begins on DAY."""
    CLOCK.day = DAY


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/whistle.sqlite"
        return
    with schema() as found:
        yield found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of a SQLite database that is up to date and empty, to copy: making one syncs the disk often."""
    url = f"sqlite:///{tmp_path_factory.mktemp('made')}/whistle.sqlite"
    upgrade(url)
    return list(sqlite_files(url))


@pytest.fixture
def store(url: str, made: list[Path], tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    for file in made if sqlite_files(url) else []:
        shutil.copy(file, tmp_path)
    found = opened(url, tmp_path / "blocks")
    yield found
    found.close()


@pytest.fixture
def here(made: list[Path], tmp_path: Path) -> Iterator[Store]:
    """An empty store on SQLite, for what concerns its files."""
    for file in made:
        shutil.copy(file, tmp_path)
    found = opened(f"sqlite:///{tmp_path}/whistle.sqlite", tmp_path / "blocks")
    yield found
    found.close()
