"""Which manifests are accepted."""

import datetime
from dataclasses import replace

import pytest

from tests.parties import DAY
from tests.workstation.carrying import World
from whistle.protocol.trust.manifest import SignedManifest
from whistle.workstation.errors import Untrusted


def files(*chain: SignedManifest) -> dict[str, bytes]:
    """Manifests as a bundle holds them."""
    found: dict[str, bytes] = {}
    for known in chain:
        stem = "manifest.json" if known is chain[-1] else f"manifest-{known.manifest.serial}.json"
        found |= {stem: known.data, stem + ".minisig": known.signature}
    return found


def test_a_chain_is_followed_and_never_goes_back(world: World) -> None:
    """Newer manifests are accepted if each names its predecessor; an older one is refused."""
    first = world.org.known
    world.org.known = second = world.org.next(collection=("friday",))
    third = world.org.next()
    trust = world.station("ombuds").trust
    assert [trust.take(files(first)), trust.take(files(first)), trust.take(files(first, second, third))] == [1, 0, 2]
    assert trust.newest().manifest.serial == 3
    with pytest.raises(Untrusted, match="older"):
        trust.take(files(first, second))


def test_what_does_not_follow_is_refused(world: World) -> None:
    """A gap, another manifest of a serial that was seen, other slots and a missing signature are refused."""
    first = world.org.known
    trust = world.station("ombuds").trust
    trust.take(files(first))
    other = world.org.sign(collection=("friday",))
    skipped = world.org.sign(serial=3, previous=first.hash)
    slots = world.org.next(slots=9)
    for chain in ((other,), (first, skipped), (skipped,), (first, slots), (first, replace(skipped, signature=b""))):
        with pytest.raises(Untrusted):
            trust.take(files(*chain))
    assert trust.serials() == [1]


def test_a_manifest_signed_in_advance_begins_on_its_day(world: World) -> None:
    """The newest one that has begun is in force."""
    first = world.org.known
    ahead = world.org.next(begins=DAY + datetime.timedelta(days=10))
    trust = world.station("ombuds").trust
    trust.take(files(first, ahead))
    assert trust.sealing().manifest.serial == 1
    world.day = DAY + datetime.timedelta(days=10)
    assert trust.sealing().manifest.serial == 2
