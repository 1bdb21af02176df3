"""The vault: what opens it, and what a copy of its folder reveals."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whistle.workstation.errors import (
    Refused,
    VaultError,
    VaultForeign,
    VaultLocked,
    VaultMissing,
    VaultReadOnly,
    WrongPassphrase,
)
from whistle.workstation.vault import passphrase
from whistle.workstation.vault import storage as vaults
from whistle.workstation.vault.storage import DATABASE, PAD, SETTINGS, Vault

SECRET = "seven quiet otters swim"
DOINGS = st.sampled_from(["put", "put", "remove", "get", "nested"])
STEPS = st.tuples(DOINGS, st.sampled_from("abcdefgh"), st.integers())
TRANSACTIONS = st.lists(st.tuples(st.lists(STEPS, max_size=30), st.booleans()), max_size=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a closed vault with one record."""
    Vault.create(tmp_path / "vault", SECRET, {"case": {"text": "third floor"}}, "test").close()
    return tmp_path / "vault"


def test_records_come_back_after_locking(folder: Path) -> None:
    """Records are there when the vault is opened again, and only its owner may read the files."""
    vault = Vault.open(folder, SECRET)
    vault.put("note", ["naïve", 7, None])
    vault.remove("case")
    vault.close()
    again = Vault.open(folder, SECRET)
    assert again.get("note") == ["naïve", 7, None] and again.get("case") is None
    again.close()
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.iterdir()])


def test_a_broken_off_transaction_leaves_nothing(folder: Path) -> None:
    """An exception inside a transaction undoes all of it, the nested ones too."""
    vault = Vault.open(folder, SECRET)
    with pytest.raises(KeyError), vault.transaction():
        vault.put("case", "changed")
        with vault.transaction():
            vault.put("other", 1)
        raise KeyError
    assert vault.get("case") == {"text": "third floor"} and vault.get("other") is None
    vault.close()


@given(TRANSACTIONS)
@settings(deadline=None, max_examples=60)
def test_any_transactions_leave_what_a_dictionary_would(transactions: list[Any]) -> None:
    """Whether they end well or not, however many records are written in between, read in between, or removed."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(vaults, "HELD", 3)
        patch.setattr(vaults, "REMEMBERED", 2)
        vault = Vault.create(Path(place) / "vault", SECRET, {}, "test")
        expected: dict[str, int] = {}
        for steps, fails in transactions:
            inside = dict(expected)
            with suppress(KeyError), vault.transaction():
                for step in steps:
                    _do(vault, inside, *step)
                if fails:
                    raise KeyError
            expected = expected if fails else inside
            assert {name: vault.get(name) for name in "abcdefgh"} == {name: expected.get(name) for name in "abcdefgh"}
        vault.close()
        vault = Vault.open(Path(place) / "vault", SECRET)
        assert {name: vault.get(name) for name in "abcdefgh"} == {name: expected.get(name) for name in "abcdefgh"}
        vault.close()


def _do(vault: Vault, expected: dict[str, int], step: str, name: str, value: int) -> None:
    if step == "nested":
        with vault.transaction():
            _do(vault, expected, "put", name, value)
    elif step == "put":
        vault.put(name, value)
        expected[name] = value
    elif step == "remove":
        vault.remove(name)
        expected.pop(name, None)
    else:
        assert vault.get(name) == expected.get(name)


def test_a_killed_program_leaves_the_last_whole_state(folder: Path) -> None:
    """A process that dies in the middle of a transaction loses that transaction and nothing else, written or not."""
    script = (
        "import os, pathlib, sys\n"
        "from whistle.workstation.vault import storage as vaults\n"
        "from whistle.workstation.vault.storage import Vault\n"
        "vaults.HELD = 100\n"
        "vault = Vault.open(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "vault.put('kept', 1)\n"
        "with vault.transaction():\n"
        "    [vault.put(f'lost {n}', 'x' * 20000) for n in range(300)]\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, folder, SECRET], check=False).returncode == -9
    assert (folder / DATABASE).stat().st_size > 2_000_000  # of what was written before the end, of which nothing counts
    vault = Vault.open(folder, SECRET)
    assert vault.get("kept") == 1 and vault.get("lost 0") is None and vault.get("case") == {"text": "third floor"}
    vault.close()


def _no_settings(folder: Path) -> None:
    (folder / SETTINGS).unlink()


def _no_database(folder: Path) -> None:
    (folder / DATABASE).unlink()


def _damaged_settings(folder: Path) -> None:
    (folder / SETTINGS).write_text("{")


def _endless_settings(folder: Path) -> None:
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "memory": 2**32}))


def _infinite_settings(folder: Path) -> None:
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "memory": float("inf")}))


def _deep_settings(folder: Path) -> None:
    (folder / SETTINGS).write_text("[" * 100_000)


def _cut_key(folder: Path) -> None:
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "key": found["key"][:40]}))


def _newer(folder: Path) -> None:
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "v": 2}))


def _foreign_database(folder: Path) -> None:
    other = folder.parent / "other"
    Vault.create(other, SECRET, {}, "test").close()
    shutil.copy(other / DATABASE, folder / DATABASE)


def _no_sqlite(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"not a database at all" * 99)


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (_no_settings, VaultMissing),
        (_no_database, VaultForeign),
        (_damaged_settings, VaultForeign),
        (_endless_settings, VaultForeign),
        (_infinite_settings, VaultForeign),
        (_deep_settings, VaultForeign),
        (_cut_key, VaultForeign),
        (_newer, VaultForeign),
        (_foreign_database, VaultForeign),
        (_no_sqlite, VaultForeign),
    ],
)
def test_a_folder_that_is_no_whole_vault_is_named(folder: Path, harm: object, error: type[VaultError]) -> None:
    """Missing, damaged, newer and foreign parts are distinguished from a wrong passphrase, each with a hint."""
    assert callable(harm)
    harm(folder)
    with pytest.raises(error) as caught:
        Vault.open(folder, SECRET)
    assert caught.value.message and caught.value.hint


def test_a_wrong_passphrase_opens_nothing(folder: Path) -> None:
    """The passphrase must be the same, whichever way the keyboard composes its letters."""
    with pytest.raises(WrongPassphrase):
        Vault.open(folder, SECRET + " ")
    Vault.create(folder.parent / "two", "caf\u00e9 au lait, encore", {}, "test").close()
    Vault.open(folder.parent / "two", "cafe\u0301 au lait, encore").close()


def test_a_vault_is_open_in_one_program_only(folder: Path) -> None:
    """A second program is told to wait; nothing is overwritten by a second `init`."""
    vault = Vault.open(folder, SECRET)
    with pytest.raises(VaultLocked):
        Vault.open(folder, SECRET)
    vault.close()
    with pytest.raises(VaultError, match="already"):
        Vault.create(folder, SECRET, {}, "test")


def test_a_folder_that_takes_no_writing_is_named(folder: Path) -> None:
    """Somebody who may not write in the folder is told so, and nothing changes."""
    if os.getuid() != 0:
        folder.chmod(0o500)
        (folder / DATABASE).chmod(0o400)
        with pytest.raises(VaultReadOnly):
            Vault.open(folder, SECRET).put("x", 1)
        return
    for path in [folder.parent, folder, *folder.iterdir()]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = (
        "import os, pathlib, sys\n"
        "from whistle.workstation.errors import VaultReadOnly\n"
        "from whistle.workstation.vault.storage import Vault\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for folder in sys.argv[1:]:\n"
        "    try:\n"
        "        Vault.open(pathlib.Path(folder), 'seven quiet otters swim').put('x', 1)\n"
        "    except VaultReadOnly as error:\n"
        "        print('named', bool(error.hint))\n"
    )
    public = Path("/tmp") / f"whistle-read-only-{os.getpid()}"  # pytest's own folders are closed to others
    try:
        shutil.copytree(folder, public)
        told = subprocess.run([sys.executable, "-c", script, public], capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(public)
    assert (told.stdout, told.stderr) == ("named True\n", "")


FULL = {
    "one record": "        vault.put('much', 'x' * 1_000_000)\n",
    "amid many": "        [vault.put(f'more {n}', 'x' * 20_000) for n in range(300)]\n        print('not so far')\n",
}


@pytest.mark.parametrize("doing", FULL.values(), ids=FULL)
def test_a_full_disk_loses_nothing(folder: Path, doing: str) -> None:
    """When there is no room for a record it is refused, and the vault opens with what it had."""
    script = (
        "import pathlib, resource, signal, sys\n"
        "from whistle.workstation.vault import storage as vaults\n"
        "from whistle.workstation.errors import VaultReadOnly\n"
        "from whistle.workstation.vault.storage import Vault\n"
        "vaults.HELD = 8\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "vault = Vault.open(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))\n"
        "try:\n"
        "    with vault.transaction():\n"
        "        vault.put('case', 'x')\n" + doing + "except VaultReadOnly as error:\n"
        "    print('named', vault.get('case')['text'], vault.get('more 299'))\n"
    )
    command = [sys.executable, "-c", script, str(folder), SECRET]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("named third floor None\n", "")
    vault = Vault.open(folder, SECRET)
    assert vault.get("case") == {"text": "third floor"} and vault.get("more 299") is None
    vault.close()


def test_whoever_goes_on_after_a_full_disk_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite undoes all of a transaction when there is no room; what comes after that must not be kept alone."""
    monkeypatch.setattr(vaults, "HELD", 8)
    vault = Vault.open(folder, SECRET)

    def room(pages: int) -> None:
        vault._connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    refused = 0
    with pytest.raises(VaultReadOnly), vault.transaction():
        vault.put("case", "changed")
        room(40)
        for number in range(60):
            try:
                vault.put(f"more {number}", "x" * (20_000 if number < 20 else 20))
            except VaultReadOnly:
                refused += 1
                room(100_000)
    assert refused and vault.get("case") == {"text": "third floor"}
    assert not any(vault.get(f"more {number}") for number in range(60))
    vault.put("more 0", "again")
    vault.close()
    vault = Vault.open(folder, SECRET)
    assert (vault.get("case"), vault.get("more 0"), vault.get("more 59")) == ({"text": "third floor"}, "again", None)
    vault.close()


def test_too_little_memory_is_said(folder: Path) -> None:
    """A computer without the memory that unlocking takes is told so, and how much it is."""
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "memory": 2**20}))
    script = (
        "import pathlib, resource, sys\n"
        "from whistle.workstation.errors import VaultError\n"
        "from whistle.workstation.vault.storage import Vault\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
        "try:\n"
        "    Vault.open(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "except VaultError as error:\n"
        "    print(error.message)\n"
    )
    command = [sys.executable, "-c", script, str(folder), SECRET]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("unlocking takes 1024 MiB of memory, and there is not enough\n", "")


def test_a_changed_record_is_refused(folder: Path) -> None:
    """A record put in another's place, or altered in one byte, does not open."""
    import sqlite3

    vault = Vault.open(folder, SECRET)
    vault.put("note", "second")
    vault.close()
    raw = sqlite3.connect(folder / DATABASE)
    [[first], [second]] = raw.execute("SELECT name FROM records WHERE length(body) = 256 LIMIT 2").fetchall()
    body = raw.execute("SELECT body FROM records WHERE name = ?", [first]).fetchone()[0]
    raw.execute("UPDATE records SET body = ? WHERE name = ?", [body, second])
    raw.commit()
    raw.close()
    with pytest.raises(VaultForeign):
        vault = Vault.open(folder, SECRET)
        try:
            for name in ("case", "note"):
                vault.get(name)
        finally:
            vault.close()


def test_bodies_are_padded_and_names_hashed(folder: Path) -> None:
    """Lengths are multiples of 256 bytes, and neither names nor bodies stand in the file."""
    import sqlite3

    raw = sqlite3.connect(folder / DATABASE)
    rows = raw.execute("SELECT name, body FROM records").fetchall()
    raw.close()
    assert {len(name) for name, _ in rows} == {32} and all(len(body) % PAD == 0 for _, body in rows)
    assert b"third floor" not in (folder / DATABASE).read_bytes()


def test_the_usual_cost_is_high_and_the_cheap_one_is_asked_for(tmp_path: Path) -> None:
    """Argon2id takes 512 MiB in three passes unless the cheap profile is named; short passphrases are refused."""
    assert passphrase.PROFILES["standard"] == passphrase.Cost(memory=524_288, time=3, lanes=4)
    with pytest.raises(Refused):
        Vault.create(tmp_path / "a", SECRET, {}, "tset")
    with pytest.raises(Refused):
        Vault.create(tmp_path / "b", "short", {}, "test")
