"""What earlier versions stored is read and carried over: each has a folder in `tests/versions`, which never changes."""

import datetime
import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import pytest

from tests.server.visitor import Clock, Visitor, config, store_of
from tests.serving import running
from whistle import courier as couriers
from whistle.courier import Courier, Settings, folder
from whistle.protocol.transfer import bundle
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.server import create_app
from whistle.server.instance import of
from whistle.server.running import backup as server_backup
from whistle.store import open_backup
from whistle.workstation import backup
from whistle.workstation.cases import overview, saved_files
from whistle.workstation.exchange.imports import import_files
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import check, search
from whistle.workstation.workstation import Workstation

VERSIONS = sorted((Path(__file__).parent / "versions").iterdir())


@dataclass
class Kept:
    """What a version stored, copied so that it may be carried over, and what it says."""

    folder: Path
    told: dict[str, str]

    @property
    def day(self) -> datetime.date:
        """The day on which it was stored."""
        return datetime.date.fromisoformat(self.told["day"])

    def app(self, name: str) -> flask.Flask:
        """A server whose folder has this name."""
        return create_app(config(self.folder / name), Clock(self.day))

    def parts(self, way: str) -> list[Path]:
        """The parts of a bundle."""
        return sorted((self.folder / "bundles" / way).glob("*.tar"))


@pytest.fixture(params=VERSIONS, ids=[each.name for each in VERSIONS])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """What one version stored."""
    shutil.copytree(request.param, tmp_path / "kept")
    return Kept(tmp_path / "kept", json.loads((tmp_path / "kept" / "told.json").read_text()))


def said(workstation: Workstation) -> list[str]:
    """What is said in the one case of a workstation; it has its file, and a check finds no fault."""
    [case] = overview.queue(workstation)
    assert check.faults(workstation) == []
    return [entry.content.text for entry in case.entries if entry.content.text]  # type: ignore[attr-defined]


def files(workstation: Workstation, to: Path) -> list[str]:
    """The files of the one case."""
    [case] = overview.queue(workstation)
    return [saved_files.save(each, workstation.blocks, to).read_text() for _, each in overview.files(case)]


def test_a_vault_is_opened_and_goes_on(kept: Kept, tmp_path: Path) -> None:
    """Its case, title, draft and tray are there, words are found, and a bundle of that time is imported."""
    told, station = kept.told, Workstation.open(kept.folder / "vault", kept.told["passphrase"], lambda: kept.day)
    [case] = overview.queue(station)
    assert (case.title, case.labels) == (told["title"], (told["label"],))
    assert said(station)[:2] == [told["report"], told["reply"]] and told["note"] in said(station)
    assert files(station, tmp_path / "saved") == [told["file"]]
    assert drafts.of(station, case.id, "note") == {"text": told["draft"]}
    assert [each.fields["text"] for each in tray.items(station, case.id)] == [told["waits"]]
    assert search.find(station, "treasurer") and not search.find(station, "Monday")
    assert len(import_files(station, kept.parts("inbox")).kept) == 1
    assert told["follow_up"] in said(station) and search.find(station, "Monday")
    station.close()


def test_a_server_goes_on(kept: Kept, tmp_path: Path) -> None:
    """The words show the reply, and a courier pushes what a workstation wrote out then."""
    app = kept.app("server")
    assert kept.told["reply"] in Visitor(app).come_back(kept.told["words"]).html
    with running(app) as address:
        root = PublicKey.from_text((kept.folder / "manifests" / "root.pub").read_text())
        couriers.create(tmp_path / "courier", Settings(address, "Courier", (root,), None))
        (tmp_path / "courier" / folder.KEY).write_text(folder.SECRET + kept.told["courier"])
        stick = tmp_path / "stick"
        shutil.copytree(kept.folder / "bundles" / "outbox", stick / "outbox")
        Courier(tmp_path / "courier", clock=lambda: Clock(kept.day)().timestamp()).push(stick)
    members = [member for path in kept.parts("outbox") for member in _members(path)]
    assert members and all(store_of(app).has(member.id) for member in members if member.is_envelope and member.id)
    store_of(app).close()


def _members(path: Path) -> list[bundle.Member]:
    with path.open("rb") as file:
        return [member for member, _ in bundle.Reader(file)]


def test_manifests_are_verified(kept: Kept) -> None:
    """Root's key of then signs them, and each follows the one before."""
    place = kept.folder / "manifests"
    root = PublicKey.from_text((place / "root.pub").read_text())
    names = sorted(place.glob("*.json"))
    chain = [manifest.verify(name.read_bytes(), Path(f"{name}.minisig").read_bytes(), [root]) for name in names]
    for older, newer in itertools.pairwise(chain):
        manifest.check_next(older, newer)
    assert ManifestChain(tuple(chain)).current(kept.day).manifest.serial == len(chain) == 2


def test_a_servers_backup_is_restored(kept: Kept, tmp_path: Path) -> None:
    """In a new folder the words show the reply."""
    (kept.folder / "new" / "keys").mkdir(parents=True)
    app = kept.app("new")
    fingerprint, envelopes, blocks = server_backup.load(of(app), open_backup(kept.folder / "server-backup"))
    assert fingerprint and envelopes > 2 and blocks == 1
    store_of(app).close()
    app = kept.app("new")
    assert kept.told["reply"] in Visitor(app).come_back(kept.told["words"]).html
    store_of(app).close()


def test_a_workstations_backup_is_restored(kept: Kept, tmp_path: Path) -> None:
    """The restored workstation has the case with its file, title and draft."""
    told = kept.told
    secrets: Any = (told["passphrase"], told["passphrase"], "test")
    station = backup.restore(kept.folder / "workstation-backup", tmp_path / "vault", *secrets, lambda: kept.day)
    [case] = overview.queue(station)
    assert (case.title, case.labels) == (told["title"], (told["label"],))
    assert said(station)[:2] == [told["report"], told["reply"]]
    assert files(station, tmp_path / "saved") == [told["file"]]
    assert drafts.of(station, case.id, "note") == {"text": told["draft"]}
    station.close()


def test_this_version_has_a_folder() -> None:
    """Whoever raises the version's number writes what it stores: `python -m tests.making.versions`."""
    from whistle import __version__

    assert __version__ in [each.name for each in VERSIONS]
