"""Backups of a server in a process of its own, under load; its commands and what they say."""

import datetime
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from tests import parties
from tests.patience import PATIENCE
from tests.server.test_killed import Clients, content_of, reports, stands
from tests.store.things import block
from tests.trial.serving import WHISTLE, Server, today
from whistle.cli import server as commands
from whistle.cli.errors import Problem
from whistle.protocol.case import envelope
from whistle.server.config import Config
from whistle.server.instance import open_instance
from whistle.server.key_files import write_manifests, write_roots
from whistle.server.running import gunicorn, setup
from whistle.store import Heap, Sealed, open_store

EARLIER = 10  # reports of yesterday


@pytest.fixture(autouse=True)
def soft(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process stays as it is."""
    monkeypatch.setattr(gunicorn, "harden", lambda: None)


def run(*arguments: object) -> Result:
    """A command of the operator, in this process."""
    return CliRunner().invoke(commands.server, [str(each) for each in arguments], standalone_mode=False)


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    """The same in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", WHISTLE, "server", *map(str, arguments)], stdout=subprocess.DEVNULL)


def problem(*arguments: object) -> Problem:
    """What a command refuses."""
    refused = run(*arguments).exception
    assert isinstance(refused, Problem) and refused.hint
    return refused


def fill_yesterday(server: Server) -> dict[bytes, bytes]:
    """Store something on the day before, not turned over yet; ids and bodies, blocks included."""
    config, found = Config.load(server.folder), {}
    config.data.mkdir()
    size, yesterday = envelope.size(config.slots), today() - datetime.timedelta(days=1)
    store = open_store(config.database, config.blocks, size, lambda: yesterday)
    for _ in range(EARLIER):
        id, body = os.urandom(16), block()
        store.put_block(id, body, Heap.REVIEWERS)
        sealed = Sealed(os.urandom(16), Heap.REPORTERS, os.urandom(size))
        store.commit([sealed], [id])
        found |= {id: body, sealed.id: sealed.body}
    store.close()
    return found


def test_a_backup_under_load(tmp_path: Path) -> None:
    """Reports arrive and yesterday is turned over while backups are made; restored elsewhere, the server has every
    report that was acknowledged before the last backup began, and each of them opens.
    """
    server, saved = Server.make(tmp_path / "server", workers=2), tmp_path / "saved"
    yesterday = fill_yesterday(server)
    clients = Clients(server)
    threads = [threading.Thread(target=clients.run, args=(client,)) for client in range(2)]
    with server.running():
        for thread in threads:
            thread.start()
        purge = start("purge", "--folder", server.folder)
        acknowledged: dict[str, str] = {}
        while purge.poll() is None or len(acknowledged) < 3:
            acknowledged = dict(clients.acknowledged)
            done = run("backup", saved, "--folder", server.folder)
            assert done.exit_code == 0, done.exception
            time.sleep(0.05)
        clients.stop = True
        for thread in threads:
            thread.join(PATIENCE)
        assert run("check", "--folder", server.folder).exit_code == 0
    other = Server.make(tmp_path / "other")
    keys = other.folder / "keys"
    for path in keys.iterdir():
        path.unlink()  # so that they come from the backup
    restored = run("restore", saved, "--folder", other.folder)
    assert restored.exit_code == 0, restored.exception
    assert "fingerprint" in restored.output
    assert run("check", "--folder", other.folder).exit_code == 0
    with other.running():
        assert all(stands(other, words) for words in random.sample([*acknowledged.values()], 3))
    instance = open_instance(Config.load(other.folder))
    assert {id: instance.store.body(id) or instance.store.block(id) for id in yesterday} == yesterday
    found = {report.text: report for report in reports(instance.store, server.org)}
    assert set(acknowledged) <= set(found)
    for text in acknowledged:
        assert content_of(instance.store, found[text].attachments[0]) == clients.sent[text]
    instance.store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A server's folder with keys, a manifest that was pushed since, and a report's bytes in its store."""
    where = tmp_path / "server"
    setup.make(where)
    org = parties.organisation(today())
    write_roots(where / "keys", [org.root.public])
    write_manifests(where / "keys", [org.known])
    instance = open_instance(Config.load(where))
    instance.store.commit([Sealed(os.urandom(16), Heap.REVIEWERS, os.urandom(envelope.size(8)))], [])
    new = org.next()
    instance.published.install([(new.data, new.signature)])
    instance.store.close()
    return where


def manifests(folder: Path) -> list[bytes]:
    """The manifests that a server has when it starts."""
    instance = open_instance(Config.load(folder))
    found = [signed.data for signed in instance.published.now().manifests]
    instance.store.close()
    return found


def test_what_the_commands_say(folder: Path, tmp_path: Path) -> None:
    """A backup, a restore and a check say what they did, and what must be looked at."""
    done = run("backup", tmp_path / "saved", "--folder", folder)
    assert done.output == "Backed up: 1 envelopes, 0 blocks.\n0 files were there already, 3 are new.\n"
    assert not any(path.stat().st_mode & 0o077 for path in (tmp_path / "saved").iterdir())
    setup.make(tmp_path / "new")
    restored = run("restore", tmp_path / "saved", "--folder", tmp_path / "new")
    assert restored.output.startswith("Restored: 1 envelopes, 0 blocks.\nThe roots' fingerprint")
    assert manifests(tmp_path / "new") == manifests(folder) and len(manifests(folder)) == 2
    checked = run("check", "--folder", tmp_path / "new")
    assert checked.output == "1 envelopes and 0 blocks are stored.\nEverything has its other half.\n"
    assert "another server" in problem("backup", tmp_path / "saved", "--folder", tmp_path / "new").message


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    """One line and a hint each; nothing is pinned or stored by what is refused."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").touch()
    assert "something else" in problem("backup", tmp_path / "photos", "--folder", folder).message
    assert "cannot be written" in problem("backup", tmp_path / "no" / "where", "--folder", folder).message
    assert "no backup" in problem("restore", tmp_path / "nowhere", "--folder", folder).message
    run("backup", tmp_path / "saved", "--folder", folder)
    assert "not empty" in problem("restore", tmp_path / "saved", "--folder", folder).message
    setup.make(tmp_path / "small", slots=4)
    assert "slots" in problem("restore", tmp_path / "saved", "--folder", tmp_path / "small").message
    assert not list((tmp_path / "small" / "keys").iterdir())
    setup.make(tmp_path / "foreign")
    write_roots(tmp_path / "foreign" / "keys", [parties.organisation(today()).root.public])
    assert "another organisation" in problem("restore", tmp_path / "saved", "--folder", tmp_path / "foreign").message
    assert run("check", "--folder", tmp_path / "foreign").output.startswith("0 envelopes")


def test_a_check_says_what_fills_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is nearly full it is a warning; everything has its other half all the same."""
    low = SimpleNamespace(f_frsize=4096, f_blocks=100_000, f_bavail=9_000, f_bfree=9_000)
    monkeypatch.setattr(os, "statvfs", lambda _: low)
    checked = run("check", "--folder", folder)
    assert checked.exit_code == 0 and "Warning: a disk is nearly full" in checked.output


def test_a_check_names_what_is_lost(folder: Path) -> None:
    """A block that is gone is named by day and id, and the exit status is not 0."""
    config, id = Config.load(folder), os.urandom(16)
    instance = open_instance(config)
    instance.store.put_block(id, block(), Heap.REVIEWERS)
    instance.store.commit([], [id])
    instance.store.close()
    next(path for path in config.data.rglob(id.hex())).unlink()
    checked = run("check", "--folder", folder)
    assert f"Rows of blocks without a block: 1\n  {today()} {id.hex()}\n" in checked.output
    assert isinstance(checked.exception, Problem) and checked.exception.exit_code == 1
