"""The vault: what opens it, and what a copy of its folder reveals."""

import importlib.resources
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

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
from whistle.workstation.vault.models import REVISION, Base, KnownManifest
from whistle.workstation.vault.storage import DATABASE, SETTINGS, Vault

SECRET = "seven quiet otters swim"
DOINGS = st.sampled_from(["put", "put", "remove", "get", "nested"])
STEPS = st.tuples(DOINGS, st.sampled_from("abcdefgh"), st.integers(0, 2**40))
TRANSACTIONS = st.lists(st.tuples(st.lists(STEPS, max_size=30), st.booleans()), max_size=5)


def put(vault: Vault, name: str, value: str) -> None:
    """Store a row; that table serves, since its rows have a name and a value."""
    vault.session.merge(KnownManifest(serial=number(name), data=value.encode(), signature=b""))


def get(vault: Vault, name: str) -> str | None:
    """The value of a row, None if there is none."""
    row = vault.session.get(KnownManifest, number(name))
    return row.data.decode() if row else None


def number(name: str) -> int:
    """The key of a name's row."""
    return int.from_bytes(name.encode(), "big")


def spilling(vault: Vault) -> None:
    """Have pages written long before a transaction ends."""
    vault.session.connection().exec_driver_sql("PRAGMA cache_size = 10")


def made(folder: Path, secret: str = SECRET, *rows: Base) -> Vault:
    """A new vault."""
    return Vault.create(folder, secret, list(rows), "test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a closed vault with one row."""
    made(tmp_path / "vault", SECRET, KnownManifest(serial=number("case"), data=b"third floor", signature=b"")).close()
    return tmp_path / "vault"


def test_rows_come_back_after_locking(folder: Path) -> None:
    """Rows are there when the vault is opened again, and only its owner may read the files."""
    vault = Vault.open(folder, SECRET)
    with vault.transaction():
        put(vault, "note", "naïve")
        vault.session.delete(vault.session.get_one(KnownManifest, number("case")))
    vault.close()
    again = Vault.open(folder, SECRET)
    assert get(again, "note") == "naïve" and get(again, "case") is None
    again.close()
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.iterdir()])


def test_a_broken_off_transaction_leaves_nothing(folder: Path) -> None:
    """An exception inside a transaction undoes all of it, the nested ones too; outside of one nothing is written."""
    vault = Vault.open(folder, SECRET)
    with pytest.raises(KeyError), vault.transaction():
        put(vault, "case", "changed")
        with vault.transaction():
            put(vault, "other", "1")
        raise KeyError
    assert get(vault, "case") == "third floor" and get(vault, "other") is None
    put(vault, "other", "1")
    with pytest.raises(AssertionError, match="outside a transaction"):
        vault.session.flush()
    vault.close()


@given(TRANSACTIONS)
@settings(deadline=None, max_examples=60)
def test_any_transactions_leave_what_a_dictionary_would(transactions: list[Any]) -> None:
    """Whether they end well or not, however many rows are written in between, read in between, or removed."""
    with tempfile.TemporaryDirectory() as place:
        vault = made(Path(place) / "vault")
        spilling(vault)
        expected: dict[str, str] = {}
        for steps, fails in transactions:
            inside = dict(expected)
            with suppress(KeyError), vault.transaction():
                for step in steps:
                    _do(vault, inside, *step)
                if fails:
                    raise KeyError
            expected = expected if fails else inside
            assert {name: get(vault, name) for name in "abcdefgh"} == {name: expected.get(name) for name in "abcdefgh"}
        vault.close()
        vault = Vault.open(Path(place) / "vault", SECRET)
        assert {name: get(vault, name) for name in "abcdefgh"} == {name: expected.get(name) for name in "abcdefgh"}
        vault.close()


def _do(vault: Vault, expected: dict[str, str], step: str, name: str, value: int) -> None:
    if step == "nested":
        with vault.transaction():
            _do(vault, expected, "put", name, value)
    elif step == "put":
        put(vault, name, str(value))
        expected[name] = str(value)
    elif step == "remove":
        if row := vault.session.get(KnownManifest, number(name)):
            vault.session.delete(row)
            vault.session.flush()
        expected.pop(name, None)
    else:
        assert get(vault, name) == expected.get(name)


PRELUDE = (
    "import os, pathlib, sys\n"
    "from tests.workstation.test_vault import get, put, spilling\n"
    "from whistle.workstation.errors import VaultError, VaultReadOnly\n"
    "from whistle.workstation.vault.storage import Vault\n"
)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_killed_program_leaves_the_last_whole_state(folder: Path) -> None:
    """A process that dies in the middle of a transaction loses that transaction and nothing else, written or not."""
    script = (
        "vault = Vault.open(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "spilling(vault)\n"
        "with vault.transaction():\n"
        "    put(vault, 'kept', '1')\n"
        "with vault.transaction():\n"
        "    for n in range(300):\n"
        "        put(vault, f'lost {n}', 'x' * 20000)\n"
        "        vault.session.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert run(script, folder, SECRET).returncode == -9
    assert (folder / DATABASE).stat().st_size > 2_000_000  # of what was written before the end, of which nothing counts
    vault = Vault.open(folder, SECRET)
    assert get(vault, "kept") == "1" and get(vault, "lost 0") is None and get(vault, "case") == "third floor"
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
    (folder / SETTINGS).write_text(json.dumps({**found, "v": 3}))


def _older(folder: Path) -> None:
    found = json.loads((folder / SETTINGS).read_text())
    (folder / SETTINGS).write_text(json.dumps({**found, "v": 1}))
    (folder / DATABASE).rename(folder / "vault.sqlite")


def _newer_database(folder: Path) -> None:
    vault = Vault.open(folder, SECRET)
    with vault.transaction():
        vault.session.execute(text("UPDATE alembic_version SET version_num = 'v9999'"))
    vault.close()


def _emptied(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"")


def _cut_short(folder: Path) -> None:
    os.truncate(folder / DATABASE, (folder / DATABASE).stat().st_size - 4096)


def _foreign_database(folder: Path) -> None:
    other = folder.parent / "other"
    made(other).close()
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
        (_older, VaultForeign),
        (_newer_database, VaultForeign),
        (_emptied, VaultForeign),
        (_cut_short, VaultForeign),
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
    assert ("too old" in caught.value.message) == (harm is _older)
    assert ("newer program" in caught.value.message) == (harm in (_newer, _newer_database))


def test_a_wrong_passphrase_opens_nothing(folder: Path) -> None:
    """The passphrase must be the same, whichever way the keyboard composes its letters."""
    with pytest.raises(WrongPassphrase):
        Vault.open(folder, SECRET + " ")
    made(folder.parent / "two", "caf\u00e9 au lait, encore").close()
    Vault.open(folder.parent / "two", "cafe\u0301 au lait, encore").close()


def test_a_vault_is_open_in_one_program_only(folder: Path) -> None:
    """A second program is told to wait; nothing is overwritten by a second `init`."""
    vault = Vault.open(folder, SECRET)
    with pytest.raises(VaultLocked):
        Vault.open(folder, SECRET)
    vault.close()
    with pytest.raises(VaultError, match="already"):
        made(folder)


def test_a_folder_that_takes_no_writing_is_named(folder: Path) -> None:
    """Somebody who may not write in the folder is told so, and nothing changes."""
    if os.getuid() != 0:
        folder.chmod(0o500)
        (folder / DATABASE).chmod(0o400)
        with pytest.raises(VaultReadOnly):
            Vault.open(folder, SECRET)
        return
    for path in [folder.parent, folder, *folder.iterdir()]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = (
        "import os, pathlib, sys\n"
        "from whistle.workstation import language\n"
        "from whistle.workstation.errors import VaultReadOnly\n"
        "from whistle.workstation.vault.storage import Vault\n"
        "language.current()  # while what is installed can still be read\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for folder in sys.argv[1:]:\n"
        "    try:\n"
        "        Vault.open(pathlib.Path(folder), 'seven quiet otters swim')\n"
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


def test_a_full_disk_loses_nothing(folder: Path) -> None:
    """When there is no room for a row it is refused, and the vault opens with what it had."""
    script = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "vault = Vault.open(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        "spilling(vault)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, -1))\n"
        "try:\n"
        "    with vault.transaction():\n"
        "        put(vault, 'case', 'x')\n"
        "        for n in range(300):\n"
        "            put(vault, f'more {n}', 'x' * 20_000)\n"
        "            vault.session.flush()\n"
        "except VaultReadOnly as error:\n"
        "    print('named', get(vault, 'case'), get(vault, 'more 299'))\n"
    )
    told = run(script, folder, SECRET)
    assert (told.stdout, told.stderr) == ("named third floor None\n", "")
    vault = Vault.open(folder, SECRET)
    assert get(vault, "case") == "third floor" and get(vault, "more 299") is None
    vault.close()


def test_whoever_goes_on_after_a_full_disk_keeps_nothing(folder: Path) -> None:
    """SQLite undoes all of a transaction when there is no room; what comes after that must not be kept alone."""
    vault = Vault.open(folder, SECRET)
    spilling(vault)
    into = text("INSERT INTO manifests VALUES (:serial, :data, x'')")
    pages = vault.session.scalar(text("PRAGMA page_count"))
    refused = 0
    with pytest.raises(VaultReadOnly), vault.transaction():
        put(vault, "case", "changed")
        vault.session.execute(text(f"PRAGMA max_page_count = {pages + 20}"))
        for count in range(60):
            try:
                vault.session.execute(into, {"serial": count, "data": b"x" * (20_000 if count < 20 else 20)})
            except VaultReadOnly:
                refused += 1
                vault.session.connection().connection.driver_connection.execute("PRAGMA max_page_count = 100000")
    assert refused > 40 and get(vault, "case") == "third floor"
    assert not any(vault.session.get(KnownManifest, count) for count in range(60))
    with vault.transaction():
        put(vault, "more", "again")
    vault.close()
    vault = Vault.open(folder, SECRET)
    assert (get(vault, "case"), get(vault, "more")) == ("third floor", "again")
    assert not any(vault.session.get(KnownManifest, count) for count in range(60))
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


def test_any_altered_byte_is_refused(folder: Path) -> None:
    """A bit that flipped anywhere, two pages that changed places, and rubbish at the end are found at the opening."""
    vault = Vault.open(folder, SECRET)
    with vault.transaction():
        for count in range(8):
            put(vault, f"long {count}", "x" * 20_000)  # whose last overflow page SQLCipher alone would read as zeros
    vault.close()
    whole, chance = (folder / DATABASE).read_bytes(), random.Random(1)
    one, two = whole[4096:8192], whole[-4096:]
    altered = [two + whole[4096:-4096] + one, whole[:4096] + two + whole[8192:-4096] + one, whole + bytes(4096)]
    for start in range(0, len(whole), 4096):
        at = start + chance.randrange(4096)
        altered.append(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
    for each in altered:
        (folder / DATABASE).write_bytes(each)
        with pytest.raises(VaultForeign):
            Vault.open(folder, SECRET)
    (folder / DATABASE).write_bytes(whole)
    Vault.open(folder, SECRET).close()


def test_the_file_looks_random(folder: Path) -> None:
    """Every page of the database does, the first one too: no name of a table, no text, no key."""
    found = (folder / DATABASE).read_bytes()
    assert len(found) % 4096 == 0
    assert not [each for each in (b"third floor", b"SQLite", b"manifests") if each in found]
    assert all(len(set(found[start : start + 4096])) > 250 for start in range(0, len(found), 4096))


def test_temporary_tables_stay_in_memory(folder: Path) -> None:
    """A build that would write them in clear is refused, and the limits that keep deleted things away are on."""
    vault = Vault.open(folder, SECRET)
    wanted = {"temp_store": 2, "secure_delete": 1, "foreign_keys": 1, "synchronous": 2, "mmap_size": None}
    for name, value in wanted.items():
        assert vault.session.scalar(text(f"PRAGMA {name}")) in (value, value or 0)
    assert vault.session.scalar(text("SELECT v FROM words_config WHERE k = 'secure-delete'")) == 1
    assert vault.session.scalar(text("SELECT v FROM words_config WHERE k = 'pgsz'")) == 3950
    vault.close()


def test_no_error_quotes_what_was_written(folder: Path) -> None:
    """A statement that fails tells neither its parameters nor the key, in no line of its traceback."""
    vault = Vault.open(folder, SECRET)
    with pytest.raises(VaultError) as caught, vault.transaction():
        row = {"serial": number("case"), "data": b"the third floor again", "signature": b""}
        vault.session.execute(insert(KnownManifest), [row])
    told = "".join(traceback.format_exception(caught.value))
    assert "third floor" not in told and "x'" not in told
    vault.close()


def test_the_models_are_what_the_migrations_make(folder: Path) -> None:
    """Comparing a new vault's tables with the models finds no difference, and the newest revision is the models'."""
    vault = Vault.open(folder, SECRET)
    options = {"include_name": lambda name, kind, _: not (name or "").startswith(("words", "alembic"))}
    found = compare_metadata(MigrationContext.configure(vault.session.connection(), opts=options), Base.metadata)
    assert found == []
    scripts = ScriptDirectory(str(importlib.resources.files("whistle.workstation.vault.migrations")))
    assert scripts.get_heads() == [REVISION] == [vault.session.scalar(text("SELECT version_num FROM alembic_version"))]
    vault.close()


def test_the_usual_cost_is_high_and_the_cheap_one_is_asked_for(tmp_path: Path) -> None:
    """Argon2id takes 512 MiB in three passes unless the cheap profile is named; short passphrases are refused."""
    assert passphrase.PROFILES["standard"] == passphrase.Cost(memory=524_288, time=3, lanes=4)
    with pytest.raises(Refused):
        Vault.create(tmp_path / "a", SECRET, [], "tset")
    with pytest.raises(Refused):
        Vault.create(tmp_path / "b", "short", [], "test")
