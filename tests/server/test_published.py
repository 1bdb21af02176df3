"""The manifests of a server: in its store, and by hand in its folder."""

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from tests import parties
from whistle.protocol.case import envelope
from whistle.protocol.trust.manifest import Signing
from whistle.protocol.trust.manifest_chain import offered
from whistle.protocol.trust.minisign import SecretKey
from whistle.server.errors import BadManifest, NoManifest
from whistle.server.key_files import read_published, write_manifests, write_roots
from whistle.server.manifests import Published, next_collection
from whistle.server.running import setup
from whistle.store import Full, Store, open_store
from whistle.store.models import manifests

DAY = parties.DAY


Opened = Callable[[], Published]


@pytest.fixture
def keys(tmp_path: Path, org: parties.Organisation) -> Path:
    """A folder with the root pinned."""
    folder = tmp_path / "keys"
    folder.mkdir()
    write_roots(folder, [org.root.public])
    return folder


@pytest.fixture
def opened(tmp_path: Path, keys: Path) -> Iterator[Opened]:
    """Opens the manifests of one server, each time as another process does."""
    with contextlib.ExitStack() as stack:

        def published() -> Published:
            store = open_store(f"sqlite:///{tmp_path}/whistle.sqlite", tmp_path / "blocks", envelope.size(8))
            stack.callback(store.close)
            return Published(keys, 8, store)

        yield published


def serials(published: Published) -> list[int]:
    """What is known at this moment."""
    return [signed.manifest.serial for signed in published.now().manifests]


def write_row(published: Published, serial: int, data: bytes, signature: bytes) -> None:
    """Do what whoever owns the database can."""
    with published._store.database.write() as connection:
        connection.execute(delete(manifests).where(manifests.c.serial == serial))
        connection.execute(insert(manifests).values(serial=serial, data=data, signature=signature))


def pair(known: parties.SignedManifest) -> tuple[bytes, bytes]:
    """A manifest as it is brought."""
    return known.data, known.signature


def follow(org: parties.Organisation, known: parties.SignedManifest, **changes: object) -> parties.SignedManifest:
    """The manifest after ``known``."""
    content = dataclasses.replace(known.manifest, serial=known.manifest.serial + 1, previous=known.hash, **changes)  # type: ignore[arg-type]
    return parties.signed(content, org.root)


def test_nothing_is_in_force_before_the_first(opened: Opened) -> None:
    """Without a manifest nothing can be sealed, and there is nothing to show."""
    published = opened()
    assert published.now().newest is None
    with pytest.raises(NoManifest):
        published.now().current(DAY)


def test_installs_and_finds_again(opened: Opened, org: parties.Organisation) -> None:
    """An installed manifest is there after a restart, and the same again is the same."""
    published = opened()
    assert published.install([pair(org.known)]) == "installed"
    assert published.install([pair(org.known)]) == "same"
    again = opened()
    assert again.now().current(DAY).data == org.known.data
    assert again.now().numbered(1) and not again.now().numbered(2)


def test_a_manifest_takes_effect_on_its_day(opened: Opened, org: parties.Organisation) -> None:
    """One that was signed in advance is the newest at once and in force only from its first day."""
    published = opened()
    second = follow(org, org.known, begins=DAY + datetime.timedelta(days=3))
    assert published.install([pair(second), pair(org.known)]) == "installed"
    assert published.now().newest and published.now().newest.manifest.serial == 2
    assert published.now().current(DAY).manifest.serial == 1
    assert published.now().current(DAY + datetime.timedelta(days=3)).manifest.serial == 2


def test_sealing_stops_thirty_days_after_the_end(opened: Opened, org: parties.Organisation) -> None:
    """Reading goes on for ever, sealing for thirty days past the end."""
    published = opened()
    published.install([pair(org.known)])
    end = org.manifest.expires
    assert published.now().sealing(end + datetime.timedelta(days=30))
    with pytest.raises(NoManifest):
        published.now().sealing(end + datetime.timedelta(days=31))
    assert published.now().current(end + datetime.timedelta(days=31))


def test_refuses_what_does_not_follow(opened: Opened, org: parties.Organisation) -> None:
    """A foreign root, a gap, another previous, a second of one serial and other slots are refused; nothing changes."""
    published = opened()
    published.install([pair(org.known)])
    gap = parties.signed(dataclasses.replace(org.manifest, serial=3, previous="00" * 32), org.root)
    fork = parties.signed(dataclasses.replace(org.manifest, serial=2, previous="00" * 32), org.root)
    twin = org.sign(collection=("friday",))
    foreign = parties.signed(dataclasses.replace(org.manifest, serial=2, previous=org.known.hash), SecretKey.generate())
    wide = follow(org, org.known, slots=9)
    for wrong in (gap, fork, twin, foreign, wide):
        with pytest.raises(BadManifest):
            published.install([pair(wrong)])
    assert [known.data for known in published.now().manifests] == [org.known.data]
    assert serials(opened()) == [1]


def test_all_of_a_chain_or_nothing(opened: Opened, org: parties.Organisation) -> None:
    """A push with a good and a bad manifest installs neither."""
    published = opened()
    published.install([pair(org.known)])
    second = follow(org, org.known)
    third = follow(org, second, slots=9)
    with pytest.raises(BadManifest):
        published.install([pair(second), pair(third)])
    assert published.now().newest and published.now().newest.manifest.serial == 1


def test_sees_what_another_process_installed(opened: Opened, org: parties.Organisation) -> None:
    """Two workers of one server show the same manifest, whichever took the push."""
    one, other = opened(), opened()
    one.install([pair(org.known)])
    assert other.now().newest and other.now().newest.data == org.known.data


def test_what_the_operator_puts_into_the_folder_reaches_all(
    keys: Path, opened: Opened, org: parties.Organisation
) -> None:
    """A manifest in `keys/` is taken at the start, and while the server runs, and then is every server's."""
    second = follow(org, org.known)
    write_manifests(keys, [org.known])
    one = opened()
    write_manifests(keys, [org.known, second])
    assert serials(one) == [1, 2]
    for file in keys.glob("manifest*"):
        file.unlink()
    assert serials(opened()) == [1, 2]


def test_what_was_pushed_follows_what_is_in_the_folder(keys: Path, opened: Opened, org: parties.Organisation) -> None:
    """A folder that was filled once, at set-up, stays as it is, and holds nothing back."""
    write_manifests(keys, [org.known])
    second = follow(org, org.known)
    assert opened().install([pair(second)]) == "installed"
    assert (keys / "manifest.json").read_bytes() == org.known.data
    assert serials(opened()) == [1, 2]


def test_refuses_a_folder_that_was_tampered_with(keys: Path, opened: Opened, org: parties.Organisation) -> None:
    """A manifest on the disk that no pinned root signed stops the start, and changes nothing while a server runs."""
    running = opened()
    running.install([pair(org.known)])
    write_manifests(keys, [org.known])
    path = keys / "manifest-1.json"
    path.write_bytes(path.read_bytes().replace(b"Ombudsperson", b"Ombudspersom"))
    with pytest.raises(BadManifest):
        opened()
    assert serials(running) == [1]
    assert running.install([pair(follow(org, org.known))]) == "installed"


def test_the_database_adds_no_manifest(
    opened: Opened, org: parties.Organisation, caplog: pytest.LogCaptureFixture
) -> None:
    """One that no pinned root signed, or that follows another, is not used and is told; the right one still comes."""
    published = opened()
    published.install([pair(org.known)])
    forged = parties.signed(dataclasses.replace(org.manifest, serial=2, previous=org.known.hash), SecretKey.generate())
    gap = parties.signed(dataclasses.replace(org.manifest, serial=3, previous="00" * 32), org.root)
    for wrong in (forged, gap):
        write_row(published, wrong.manifest.serial, *pair(wrong))
    for each in (published, opened()):
        assert serials(each) == [1]
    assert caplog.text.count("not used") == 4
    assert published.install([pair(follow(org, org.known))]) == "installed"
    assert serials(published) == [1, 2]


def test_a_database_that_goes_back_takes_nothing_from_a_server_that_runs(
    opened: Opened, org: parties.Organisation
) -> None:
    """What the database loses stays known to those that run, and comes back with the next push."""
    running, second = opened(), follow(org, org.known)
    running.install([pair(org.known), pair(second)])
    with running._store.database.write() as connection:
        connection.execute(delete(manifests).where(manifests.c.serial == 2))
    assert serials(running) == [1, 2] and serials(opened()) == [1]
    assert running.install([pair(second)]) == "same"
    assert serials(opened()) == [1, 2]


def test_a_full_database_refuses_no_start(
    keys: Path, opened: Opened, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the folder and cannot be stored yet is used all the same, and stored once there is room."""
    write_manifests(keys, [org.known])
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_manifests", full)
        published = opened()
        assert serials(published) == [1]
    assert serials(published) == [1] and opened()._store.manifests_state() == (1, 1)


def full(*_: object) -> None:
    """There is no room."""
    raise Full("the database is full")


def test_an_interrupted_copy_is_as_if_it_had_not_begun(keys: Path, opened: Opened, org: parties.Organisation) -> None:
    """A signature without its manifest is passed over."""
    (keys / "manifest-1.json.minisig").write_bytes(org.known.signature)
    assert not serials(opened())


def test_signing_keys_count_until_their_last_day(opened: Opened, org: parties.Organisation) -> None:
    """A key that was replaced counts to its last day; one of a retired or unlisted reviewer for older messages only."""
    published = opened()
    published.install([pair(org.known)])
    old = org.people["ombuds"].secret.public
    fresh = SecretKey.generate().public
    ombuds, ethics, counsel = org.manifest.reviewers
    begins = DAY + datetime.timedelta(days=2)
    listed = (
        dataclasses.replace(ombuds, signing=(Signing(old.text, DAY), Signing(fresh.text, None))),
        dataclasses.replace(ethics, retired=True),
        counsel,
    )
    channels = (dataclasses.replace(org.manifest.channels[0], readers=("ombuds",)), org.manifest.channels[1])
    published.install([pair(follow(org, org.known, reviewers=listed, channels=channels, begins=begins))])
    assert published.now().signing_keys("ombuds", DAY) == [old.key, fresh.key]
    assert published.now().signing_keys("ombuds", DAY + datetime.timedelta(days=1)) == [fresh.key]
    assert published.now().signing_keys("ethics", begins)
    assert not published.now().signing_keys("ethics", begins + datetime.timedelta(days=1))
    assert not published.now().signing_keys("nobody", DAY)


def test_offers_every_active_reviewer(org: parties.Organisation) -> None:
    """Reporters may leave out any active reviewer whose key has begun, not only the channel's."""
    assert [reviewer.id for reviewer in offered(org.manifest, DAY)] == ["ombuds", "ethics", "counsel"]
    assert not offered(org.manifest, DAY - datetime.timedelta(days=8))


def test_next_collection(org: parties.Organisation) -> None:
    """22 November 2026 is a Sunday, so the next pick-up is on Monday, then on Thursday."""
    monday = next_collection(org.manifest, DAY)
    assert monday == datetime.date(2026, 11, 23)
    assert next_collection(org.manifest, monday) == monday
    assert next_collection(org.manifest, monday + datetime.timedelta(days=1)) == datetime.date(2026, 11, 26)


def test_install_pins_the_roots_once(tmp_path: Path, org: parties.Organisation) -> None:
    """The first keys pin the roots; a folder of another root is refused ever after."""
    setup.make(tmp_path / "server")
    public = tmp_path / "public"
    public.mkdir()
    write_roots(public, [org.root.public])
    (public / "manifest.json").write_bytes(org.known.data)
    (public / "manifest.json.minisig").write_bytes(org.known.signature)
    shown = setup.install(tmp_path / "server", public)
    assert len(shown.split()) == 10
    assert setup.install(tmp_path / "server", public) == shown
    write_roots(public, [SecretKey.generate().public])
    with pytest.raises(BadManifest, match="other roots"):
        setup.install(tmp_path / "server", public)
    assert setup.slots_of(public) == 8


def test_a_folder_without_roots_is_refused(tmp_path: Path) -> None:
    """What the operator is given must hold a root's public key."""
    with pytest.raises(BadManifest, match=r"root-1\.pub"):
        read_published(tmp_path)
