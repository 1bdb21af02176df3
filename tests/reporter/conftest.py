"""A device whose folders are empty, and stay so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parties import DAY
from tests.reporter.device import Device, connected
from whistle.cli import reporter_options
from whistle.reporter import connection


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A device in empty folders, and a server with a manifest; it waits for no server."""
    monkeypatch.setattr(reporter_options, "today", lambda: DAY)
    monkeypatch.setattr(connection, "WAITS", (0,) * len(connection.WAITS))
    with connected(tmp_path) as found:
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        monkeypatch.chdir(tmp_path / "here")
        yield found
