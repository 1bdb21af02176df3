"""The ceremony: one session at a terminal, at whose end a trial report has come through."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from whistle.ceremony import trial
from whistle.ceremony.root import Keys
from whistle.cli.ceremony import ceremony
from whistle.protocol import manifest
from whistle.protocol.message import Report
from whistle.workstation.workstation import Workstation

ROOT, VAULT = "the first passphrase", "the second passphrase"
ANSWERS = [
    *(ROOT, ROOT),
    *("Name", "Ombudsperson", "en ar"),
    *("short", "short", ROOT, ROOT, VAULT, VAULT),
    "Courier",
    *("Misconduct", "Whatever should not happen.", "n", "someday", "Monday, thursday"),
    "y",
    "An organisation",
]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases that cost little."""
    monkeypatch.setenv("WHISTLE_VAULT_PROFILE", "test")


def lead(folder: Path, answers: list[str]) -> Result:
    """The whole session with these answers, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return CliRunner().invoke(ceremony, [str(folder), "--port", str(port)], input="\n".join(answers) + "\n")


def test_one_session_ends_with_a_report_that_was_opened(tmp_path: Path) -> None:
    """Root, vault, courier, manifest and server exist, and the trial report lies in the vault."""
    result = lead(tmp_path / "new", ANSWERS)
    assert result.exit_code == 0, result.output
    published = Keys.read(tmp_path / "new" / "keys")
    assert published.newest
    found = published.newest.manifest
    assert (found.channels[0].id, found.channels[0].readers) == ("misconduct", ("ombudsperson",))
    assert (found.channels[0].workstation, found.collection) == ("offline", ("monday", "thursday"))
    assert result.output.count(manifest.fingerprint(published.roots)) == 2
    station = Workstation.open(tmp_path / "new" / "workstation-first", VAULT)
    reports = [station.message(hash_).message for case in station.case_ids() for hash_ in station.hashes(case)]
    station.close()
    assert [each.text for each in reports if isinstance(each, Report)] == [trial.TEXT]


def test_digits_that_are_wrong_end_it(tmp_path: Path) -> None:
    """Nothing is signed when somebody says that digits differ."""
    answers = [*ANSWERS[: ANSWERS.index("y")], "n"]
    assert lead(tmp_path / "new", answers).exit_code == 1
    assert Keys.read(tmp_path / "new" / "keys").newest is None


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """The ceremony begins in a new folder only."""
    assert "exists already" in lead(tmp_path, []).stderr
    assert list(tmp_path.iterdir()) == []
