"""The ceremony: one session at a terminal, which ends with a trial report."""

import socket
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from whistle.ceremony import first_report, travel
from whistle.ceremony import root as roots
from whistle.ceremony.root import Keys
from whistle.cli.ceremony import ceremony
from whistle.protocol.case.message import Report
from whistle.protocol.trust import manifest
from whistle.workstation import backup
from whistle.workstation.workstation import Workstation

ROOT, VAULT = "the first passphrase", "the second passphrase"
ANSWERS = [
    *(ROOT, ROOT),
    *("x" * 129, "Na\u200bme", "Name", "\u3164", "Ombudsperson", "English", "Arabic, en", "en AR"),
    *("short", "short", ROOT, ROOT, VAULT, VAULT),
    *("\u2060", "Courier"),
    *("Misconduct", "Whatever should not happen.", "n", "someday", "mo", "Mon, thursday"),
    *("", "y"),
    "An organisation",
    *("", ""),
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
    assert [each.text for each in reports if isinstance(each, Report)] == [first_report.TEXT]


def test_what_must_travel_is_copied_and_compared(tmp_path: Path) -> None:
    """Invalid folders are asked for again; the copies open with the passphrases, and the end names all files."""
    stick, disk = tmp_path / "stick", tmp_path / "disk"
    stick.mkdir()
    disk.mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    inside = [str(tmp_path / "new" / "server"), str(tmp_path / "link" / "stick")]
    unfit = ["~nobody-of-this-name/stick", "x" * 300]
    none = [str(tmp_path / "none"), str(tmp_path / "file")]
    answers = [*ANSWERS[:-2], *inside, *unfit, *none, str(stick), inside[0], "/nowhere", str(disk)]
    result = lead(tmp_path / "new", answers)
    assert result.exit_code == 0, result.output
    assert result.output.count("Sorry: there is no folder") == 3 and result.output.count("Copied and compared") == 2
    assert result.output.count("Sorry: this folder is part of") == 3
    assert result.output.count("Sorry: this folder cannot be used") == 2
    assert sorted(path.name for path in (tmp_path / "new").rglob("*root.key")) == ["root.key"]
    assert (stick / "root.key").read_bytes() == (tmp_path / "new" / "root.key").read_bytes()
    assert roots.read_key_file((stick / "root.key").read_bytes(), ROOT)
    assert stat.S_IMODE((stick / "root.key").stat().st_mode) == 0o600
    [saved] = disk.iterdir()
    backup.restore(saved, tmp_path / "again", VAULT, VAULT, "test").vault.close()
    for name in ("root.key", "workstation-first", "server", "courier", "keys", "root-1.pub"):
        assert name in result.output.partition("Done. What to do next")[2]


def test_a_copy_that_does_not_read_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick that stores other bytes, or a file in the way, does not count as a copy."""
    (tmp_path / "root.key").write_bytes(b"sealed")
    (tmp_path / "to").mkdir()
    monkeypatch.setattr(travel.durable, "write", lambda path, data: path.write_bytes(b"others"))
    with pytest.raises(roots.RootError, match="not what was written"):
        travel.copy(tmp_path / "root.key", tmp_path / "to")
    with pytest.raises(roots.RootError, match="already"):
        travel.copy(tmp_path / "root.key", tmp_path / "to")


def test_what_is_published_is_said_to_be(tmp_path: Path) -> None:
    """The question for a name or role says that it is published."""
    shown = lead(tmp_path / "new", ANSWERS).output
    for asked in ("Your name", "Your role", "What the published manifest calls the courier"):
        assert "published" in shown.partition(asked)[2][:60] or "published" in asked


def test_digits_that_are_wrong_end_it(tmp_path: Path) -> None:
    """Nothing is signed if somebody says that digits differ."""
    answers = [*ANSWERS[: ANSWERS.index("y")], "n"]
    assert lead(tmp_path / "new", answers).exit_code == 1
    assert Keys.read(tmp_path / "new" / "keys").newest is None


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """The ceremony begins in a new folder only."""
    assert "exists already" in lead(tmp_path, []).stderr
    assert list(tmp_path.iterdir()) == []
