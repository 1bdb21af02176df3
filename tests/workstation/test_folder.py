"""What a workstation's folder and its backup reveal, and restoring a backup."""

import json
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from tests.parties import DAY, report, reporter, sealed
from tests.workstation.carrying import PASSPHRASE, World, attach
from whistle.protocol import age
from whistle.protocol.case import message
from whistle.protocol.trust.minisign import SecretKey
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
from whistle.workstation.vault import backup, keyfile
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
    return backup.write(world.station("ombuds"), world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)


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
    path = saved / "messages" / "00001.age"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WorkstationError, match=r"00001\.age"):
        backup.restore(saved, world.folder / "b", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)
    (saved / "state.age").unlink()
    with pytest.raises(WorkstationError, match="not finished"):
        backup.restore(saved, world.folder / "c", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)


def _restore(world: World, saved: Path, to: str = "new") -> Workstation:
    return backup.restore(saved, world.folder / to, PASSPHRASE, PASSPHRASE, "test", lambda: DAY)


def test_a_backup_that_somebody_else_wrote_is_refused(world: World, saved: Path) -> None:
    """Other roots that somebody put into a backup are rejected, and no folder is left."""
    station = world.station("ombuds")
    keys = [period.identity for period in station.periods()]
    line, _, signature = age.decrypt(keys, (saved / "state.age").read_bytes()).partition(b"\n")
    state = json.loads(line)
    state["tables"]["roots"] = [{"key": SecretKey.generate().public.text}]
    forged = json.dumps(state).encode() + b"\n" + signature
    (saved / "state.age").write_bytes(age.encrypt([keys[0].recipient], forged))
    with pytest.raises(WorkstationError, match=r"state\.age of this backup is damaged"):
        _restore(world, saved)
    assert not (world.folder / "new").exists()


@pytest.mark.parametrize("harm", ["a message more", "a message less", "no manifest"])
def test_a_backup_that_is_not_whole_leaves_no_vault(world: World, saved: Path, harm: str) -> None:
    """Missing or additional parts are reported, and the folder is free for the next attempt."""
    first = saved / "messages" / "00001.age"
    kept = first.read_bytes()
    if harm == "a message more":
        who = reporter()
        strange = message.sign(report(who, world.org), who.signing)
        (saved / "messages" / "00099.age").write_bytes(sealed(strange, world.org, ("ombuds",)))
    elif harm == "a message less":
        first.unlink()
    else:
        (saved / "manifest-1.json").rename(saved / "away.json")
    with pytest.raises(WorkstationError) as caught:
        _restore(world, saved)
    assert caught.value.hint
    with pytest.raises(VaultMissing):
        Workstation.open(world.folder / "new", PASSPHRASE)
    first.write_bytes(kept)
    (saved / "messages" / "00099.age").unlink(missing_ok=True)
    if harm == "no manifest":
        (saved / "away.json").rename(saved / "manifest-1.json")
    for folder in (saved / "messages", saved / "blocks"):
        (folder / "._00001.age").write_bytes(b"of another system")
    new = _restore(world, saved)
    assert new.case_ids() == world.station("ombuds").case_ids()
    new.close()


def test_a_restore_that_was_cut_off_is_not_taken_for_a_workstation(world: World, saved: Path) -> None:
    """A computer that stops in the middle leaves a folder that says so, and no half of a case."""
    script = (
        "import os, pathlib, sys\n"
        "from whistle.workstation.vault import backup\n"
        "backup._restore_messages = lambda *_: os.kill(os.getpid(), 9)\n"
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
    """Key file, message and blocks open by age's format alone, and the message is canonical JSON on line 1."""
    text = age.decrypt([age.ScryptIdentity(PASSPHRASE)], (saved / "keys.age").read_bytes()).decode()
    held = [age.identity(line) for line in text.splitlines() if not line.startswith("#")]
    assert f"# WHISTLE-SECRET-MINISIGN {world.station('ombuds').signing.text}" in text.splitlines()
    told = [json.loads(age.decrypt(held, path.read_bytes()).split(b"\n")[0]) for path in (saved / "messages").iterdir()]
    assert sorted(each["kind"] for each in told) == ["note", "reply", "report", "status"]
    assert len(list((saved / "blocks").iterdir())) == len(list(world.station("ombuds").blocks.ids()))


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
