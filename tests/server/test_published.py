"""The manifests on the server's disk."""

import dataclasses
import datetime
from pathlib import Path

import pytest

from tests import parties
from whistle.protocol.trust.manifest import Signing
from whistle.protocol.trust.manifest_chain import offered
from whistle.protocol.trust.minisign import SecretKey
from whistle.server.errors import BadManifest, NoManifest
from whistle.server.manifests import Published, next_collection, read_keys, write_roots
from whistle.server.running import setup

DAY = parties.DAY


@pytest.fixture
def keys(tmp_path: Path, org: parties.Organisation) -> Path:
    """A folder with the root pinned."""
    write_roots(tmp_path, [org.root.public])
    return tmp_path


def pair(known: parties.SignedManifest) -> tuple[bytes, bytes]:
    """A manifest as it is brought."""
    return known.data, known.signature


def follow(org: parties.Organisation, known: parties.SignedManifest, **changes: object) -> parties.SignedManifest:
    """The manifest after ``known``."""
    content = dataclasses.replace(known.manifest, serial=known.manifest.serial + 1, previous=known.hash, **changes)  # type: ignore[arg-type]
    return parties.signed(content, org.root)


def test_nothing_is_in_force_before_the_first(keys: Path) -> None:
    """Without a manifest nothing can be sealed, and there is nothing to show."""
    published = Published(keys, 8)
    assert published.newest is None
    with pytest.raises(NoManifest):
        published.current(DAY)


def test_installs_and_finds_again(keys: Path, org: parties.Organisation) -> None:
    """An installed manifest is there after a restart, under both names, and the same again is the same."""
    published = Published(keys, 8)
    assert published.install([pair(org.known)]) == "installed"
    assert published.install([pair(org.known)]) == "same"
    assert (keys / "manifest.json").read_bytes() == (keys / "manifest-1.json").read_bytes() == org.known.data
    again = Published(keys, 8)
    assert again.current(DAY).data == org.known.data
    assert again.numbered(1) and not again.numbered(2)


def test_a_manifest_takes_effect_on_its_day(keys: Path, org: parties.Organisation) -> None:
    """One that was signed in advance is the newest at once and in force only from its first day."""
    published = Published(keys, 8)
    second = follow(org, org.known, begins=DAY + datetime.timedelta(days=3))
    assert published.install([pair(second), pair(org.known)]) == "installed"
    assert published.newest and published.newest.manifest.serial == 2
    assert published.current(DAY).manifest.serial == 1
    assert published.current(DAY + datetime.timedelta(days=3)).manifest.serial == 2


def test_sealing_stops_thirty_days_after_the_end(keys: Path, org: parties.Organisation) -> None:
    """Reading goes on for ever, sealing for thirty days past the end."""
    published = Published(keys, 8)
    published.install([pair(org.known)])
    end = org.manifest.expires
    assert published.sealing(end + datetime.timedelta(days=30))
    with pytest.raises(NoManifest):
        published.sealing(end + datetime.timedelta(days=31))
    assert published.current(end + datetime.timedelta(days=31))


def test_refuses_what_does_not_follow(keys: Path, org: parties.Organisation) -> None:
    """A foreign root, a gap, another previous, a second of one serial and other slots are refused; nothing changes."""
    published = Published(keys, 8)
    published.install([pair(org.known)])
    gap = parties.signed(dataclasses.replace(org.manifest, serial=3, previous="00" * 32), org.root)
    fork = parties.signed(dataclasses.replace(org.manifest, serial=2, previous="00" * 32), org.root)
    twin = org.sign(collection=("friday",))
    foreign = parties.signed(dataclasses.replace(org.manifest, serial=2, previous=org.known.hash), SecretKey.generate())
    wide = follow(org, org.known, slots=9)
    for wrong in (gap, fork, twin, foreign, wide):
        with pytest.raises(BadManifest):
            published.install([pair(wrong)])
    assert [known.data for known in published.manifests] == [org.known.data]
    assert sorted(path.name for path in keys.glob("manifest-*")) == ["manifest-1.json", "manifest-1.json.minisig"]


def test_all_of_a_chain_or_nothing(keys: Path, org: parties.Organisation) -> None:
    """A push with a good and a bad manifest installs neither."""
    published = Published(keys, 8)
    published.install([pair(org.known)])
    second = follow(org, org.known)
    third = follow(org, second, slots=9)
    with pytest.raises(BadManifest):
        published.install([pair(second), pair(third)])
    assert published.newest and published.newest.manifest.serial == 1


def test_sees_what_another_process_installed(keys: Path, org: parties.Organisation) -> None:
    """Two workers of one server show the same manifest, whichever took the push."""
    one, other = Published(keys, 8), Published(keys, 8)
    one.install([pair(org.known)])
    assert other.newest and other.newest.data == org.known.data


def test_refuses_a_folder_that_was_tampered_with(keys: Path, org: parties.Organisation) -> None:
    """A manifest on the disk that no pinned root signed stops the start."""
    Published(keys, 8).install([pair(org.known)])
    path = keys / "manifest-1.json"
    path.write_bytes(path.read_bytes().replace(b"Ombudsperson", b"Ombudspersom"))
    with pytest.raises(BadManifest):
        Published(keys, 8)


def test_an_interrupted_install_is_as_if_it_had_not_begun(keys: Path, org: parties.Organisation) -> None:
    """A signature without its manifest is passed over."""
    (keys / "manifest-1.json.minisig").write_bytes(org.known.signature)
    assert Published(keys, 8).newest is None


def test_signing_keys_count_until_their_last_day(keys: Path, org: parties.Organisation) -> None:
    """A key that was replaced counts to its last day; one of a retired or unlisted reviewer for older messages only."""
    published = Published(keys, 8)
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
    assert published.signing_keys("ombuds", DAY) == [old.key, fresh.key]
    assert published.signing_keys("ombuds", DAY + datetime.timedelta(days=1)) == [fresh.key]
    assert published.signing_keys("ethics", begins)
    assert not published.signing_keys("ethics", begins + datetime.timedelta(days=1))
    assert not published.signing_keys("nobody", DAY)


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
        read_keys(tmp_path)
