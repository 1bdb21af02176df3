"""What a workstation's folder and its backup reveal, and restoring a backup."""

import json
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.parties import DAY, report, reporter, sealed
from tests.workstation.backups import spoil
from tests.workstation.carrying import PASSPHRASE, World, attach
from whistle.protocol import age
from whistle.protocol.case import message
from whistle.protocol.trust.minisign import SecretKey
from whistle.workstation import backup
from whistle.workstation.backup import folder
from whistle.workstation.cases import compose, overview, transcript
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import (
    VaultError,
    VaultForeign,
    VaultMissing,
    WorkstationError,
    WrongPassphrase,
)
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation


def filled(world: World) -> str:
    """A case with everything in it, in the ombudsperson's vault; its name."""
    blocks, attached = attach(b"plaintext-in-a-file" * 99, "plaintext-file-name.jpg")
    world.carrier.put_blocks(blocks)
    who = world.report(text="plaintext-of-the-report", attachments=(attached,), answers={"where": "plaintext-answer"})
    world.round("ombuds")
    station = world.station("ombuds")
    case = overview.load(station, who.case.hex())
    files = [Upload("plaintext-reply-name.pdf", "text/plain", BytesIO(b"plaintext-reply-file"))]
    compose.reply(station, case, "plaintext-of-the-reply", files)
    compose.status(
        station, overview.load(station, case.id), "open", labels=["plaintext-label"], text="plaintext-reason"
    )
    world.round("ombuds")
    return case.id


def everything(folder: Path) -> bytes:
    """All files of a folder, their names included."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join([str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes() for path in paths])


def test_no_file_of_the_folder_holds_plaintext_keys_or_names(world: World) -> None:
    """No text, file name, key, case, reviewer, passphrase or block id of a message stands in the vault's folder."""
    case = filled(world)
    station = world.station("ombuds")
    secrets = [station.signing.text, *(period.identity.text for period in station.periods())]
    station.close()
    found = everything(world.folder / "ombuds")
    for hidden in ["plaintext", case, case[:16], "AGE-SECRET", "WHISTLE-SECRET", "Ombuds", PASSPHRASE, *secrets]:
        assert hidden.encode() not in found and bytes(hidden, "utf-16-le") not in found
    assert bytes.fromhex(case) not in found
    assert {path.stat().st_mode & 0o077 for path in (world.folder / "ombuds").rglob("*")} == {0}


def test_no_stick_holds_plaintext(world: World) -> None:
    """Everything on the stick is sealed."""
    filled(world)
    assert b"plaintext" not in everything(world.stick) and b"Ombuds" not in everything(world.stick / "outbox")


@pytest.fixture
def saved(world: World) -> Path:
    """A backup of the filled vault."""
    filled(world)
    return backup.save(world.station("ombuds"), world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder


def test_a_backup_gives_back_everything(world: World, saved: Path) -> None:
    """A restored workstation shows the same case, opens its files, and continues its chain and outbox."""
    old = world.station("ombuds")
    compose.note(old, overview.queue(old)[0], "plaintext-after-the-backup")
    [before] = overview.queue(old)
    new = backup.restore(saved, world.folder / "new", PASSPHRASE, "another long passphrase", "test", lambda: DAY)
    [after] = overview.queue(new)
    assert transcript.lines(new, after) == transcript.lines(old, before)[: len(transcript.lines(new, after))]
    assert list(new.blocks.ids()) == list(old.blocks.ids()) and new.me == "ombuds"
    world.round("ombuds")
    world.carrier.inbox(world.stick)
    exchange(new, world.stick)
    assert [entry.signed.hash for entry in overview.queue(new)[0].entries] == [
        entry.signed.hash for entry in overview.queue(old)[0].entries
    ]
    new.close()


def test_a_backup_shows_no_plaintext_and_not_the_wrong_passphrase(world: World, saved: Path) -> None:
    """Nothing in a backup is readable without the passphrase; a wrong one or a damaged message is reported."""
    assert b"plaintext" not in everything(saved) and b"AGE-SECRET" not in everything(saved)
    with pytest.raises(WrongPassphrase):
        backup.restore(saved, world.folder / "a", "a wrong passphrase", PASSPHRASE, "test", lambda: DAY)
    for path in (saved / "parts").iterdir():
        spoil(path)
        with pytest.raises(WorkstationError, match=path.name):
            backup.restore(saved, world.folder / "b", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)
    for path in (saved / "index.age", saved / "index-copy.age"):
        path.unlink()
    with pytest.raises(WorkstationError, match="not finished"):
        backup.restore(saved, world.folder / "c", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)


def _restore(world: World, saved: Path, to: str = "new") -> Workstation:
    return backup.restore(saved, world.folder / to, PASSPHRASE, PASSPHRASE, "test", lambda: DAY)


def test_a_backup_that_somebody_else_wrote_is_refused(world: World, saved: Path) -> None:
    """Other roots that somebody put into a backup are rejected, and no folder is left."""
    station = world.station("ombuds")
    keys = [period.identity for period in station.periods()]
    index = folder.read_index(saved, keys, station.signing.public)
    assert index is not None
    folder.write_index(saved, index, keys[0].recipient, SecretKey.generate())
    with pytest.raises(WorkstationError, match=r"index-copy\.age of this backup is damaged"):
        _restore(world, saved)
    assert not (world.folder / "new").exists()


@pytest.mark.parametrize("harm", ["another's message", "no manifest"])
def test_a_backup_that_is_not_whole_leaves_no_vault(world: World, saved: Path, harm: str) -> None:
    """Exchanged and missing files are reported, and the folder is free for the next attempt."""
    parts = sorted((saved / "parts").iterdir())
    kept = {path: path.read_bytes() for path in [*parts, saved / "manifest-1.json"]}
    if harm == "another's message":
        who = reporter()
        strange = message.sign(report(who, world.org), who.signing)
        for path in parts:
            path.write_bytes(sealed(strange, world.org, ("ombuds",)))
    else:
        (saved / "manifest-1.json").unlink()
    with pytest.raises(WorkstationError) as caught:
        _restore(world, saved)
    assert caught.value.hint
    with pytest.raises(VaultMissing):
        Workstation.open(world.folder / "new", PASSPHRASE)
    for path, data in kept.items():
        path.write_bytes(data)
    (saved / "parts" / "._0123456789abcdef.age").write_bytes(b"of another system")
    new = _restore(world, saved)
    assert new.case_ids() == world.station("ombuds").case_ids()
    new.close()


def test_a_restore_that_was_cut_off_is_not_taken_for_a_workstation(world: World, saved: Path) -> None:
    """A computer that stops in the middle leaves a folder that says so, and no half of a case."""
    script = (
        "import os, pathlib, sys\n"
        "from whistle.workstation import backup\n"
        "backup.restore.__globals__['_conclude'] = lambda *_: os.kill(os.getpid(), 9)\n"
        "backup.restore(*map(pathlib.Path, sys.argv[1:3]), sys.argv[3], sys.argv[3], 'test')\n"
    )
    command = [sys.executable, "-c", script, str(saved), str(world.folder / "new"), PASSPHRASE]
    assert subprocess.run(command, check=False).returncode == -9
    with pytest.raises(VaultForeign, match="cut off"):
        Workstation.open(world.folder / "new", PASSPHRASE)
    with pytest.raises(VaultError, match="already"):
        _restore(world, saved)
    shutil.rmtree(world.folder / "new")
    _restore(world, saved).close()


def test_what_a_backup_holds_opens_without_the_vault(world: World, saved: Path) -> None:
    """Key file and parts open by age alone; a message is canonical JSON on a line, its signature the next."""
    text = age.decrypt([age.ScryptIdentity(PASSPHRASE)], (saved / "keys.age").read_bytes()).decode()
    held = [age.identity(line) for line in text.splitlines() if not line.startswith("#")]
    assert f"# WHISTLE-SECRET-MINISIGN {world.station('ombuds').signing.text}" in text.splitlines()
    members = {}
    for path in (saved / "parts").iterdir():
        with tarfile.open(fileobj=BytesIO(age.decrypt(held, path.read_bytes()))) as tar:
            members |= {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
    lines = [line for name in members if name.startswith("messages/") for line in members[name].splitlines()[::2]]
    assert sorted(json.loads(each)["kind"] for each in lines) == ["note", "reply", "report", "status"]
    blocks = {name for name in members if name.startswith("blocks/")}
    assert blocks == {f"blocks/{id.hex()}" for id in world.station("ombuds").blocks.ids()}


@pytest.mark.skipif(shutil.which("minisign") is None, reason="needs minisign")
def test_stock_minisign_knows_the_root_and_manifest_of_a_backup(world: World, saved: Path) -> None:
    """The public files in a backup verify with stock tools."""
    command = ["minisign", "-Vm", str(saved / "manifest-1.json"), "-p", str(saved / "root-1.pub")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_no_file_of_the_folder_stands_in_for_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands in a folder that somebody else filled, a stick's, runs none of its programs."""
    for name in ("whistle", "hashlib", "pickle", "nacl", "site", "cryptography", "multiprocessing", "signal", "click"):
        (tmp_path / name).mkdir()
        for file in (tmp_path / f"{name}.py", tmp_path / name / "__init__.py"):
            file.write_text("from pathlib import Path; Path(__file__).with_name('ran').touch(); raise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    command = [Path(sys.executable).with_name("whistle"), "workstation", "import", "--folder", tmp_path, tmp_path]
    assert b"no vault" in subprocess.run(command, capture_output=True).stderr
    assert not list(tmp_path.rglob("ran"))
