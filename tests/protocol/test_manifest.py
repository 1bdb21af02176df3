"""The manifest: who may read, on the word of a root alone, from a day and for a time."""

import dataclasses
import datetime
from typing import Any

import pytest

from tests import parties
from tests.parties import DAY
from whistle.protocol import canonical, schema
from whistle.protocol.errors import Expired, Forged, Malformed
from whistle.protocol.trust import manifest
from whistle.protocol.trust.enrolment import Period
from whistle.protocol.trust.manifest import Manifest, Recovery, Reviewer, SignedManifest
from whistle.protocol.trust.minisign import SecretKey

ORG = parties.organisation()
ROOT = ORG.root.public
RECOVERY = Recovery("Recovery", parties.POOL[0].text)
ONE = datetime.timedelta(days=1)


def changed(**changes: Any) -> Manifest:
    """The manifest with changes."""
    return dataclasses.replace(ORG.manifest, **changes)


def with_reviewer(place: int, **changes: Any) -> Manifest:
    """The manifest with changes in one reviewer."""
    people = list(ORG.manifest.reviewers)
    people[place] = dataclasses.replace(people[place], **changes)
    return changed(reviewers=tuple(people))


def with_channel(**changes: Any) -> Manifest:
    """The manifest with changes in its first channel."""
    return changed(channels=(dataclasses.replace(ORG.manifest.channels[0], **changes), *ORG.manifest.channels[1:]))


def test_a_root_signs_it() -> None:
    """What a pinned root signed is read as it was written, any one of several roots being enough."""
    other = SecretKey.generate().public
    for roots in ([ROOT], [other, ROOT], [ROOT, other]):
        known = manifest.verify(ORG.known.data, ORG.known.signature, roots)
        assert (known.manifest, known.hash) == (ORG.manifest, ORG.known.hash)


def test_nobody_else_does() -> None:
    """Without a root, by another one, altered by a byte or with another's signature it is forged."""
    stranger = SecretKey.generate()
    cases = [
        (ORG.known.data, ORG.known.signature, []),
        (ORG.known.data, ORG.known.signature, [stranger.public]),
        (ORG.known.data.replace(b"Harassment", b"Harmlessness"), ORG.known.signature, [ROOT]),
        (ORG.known.data, ORG.next().signature, [ROOT]),
    ]
    for data, signature, roots in cases:
        with pytest.raises(Forged):
            manifest.verify(data, signature, roots)


def test_what_a_root_signs_must_still_be_a_manifest() -> None:
    """A root's signature does not make a manifest of other bytes."""
    for data in (b"{}", b"", ORG.known.data + b" ", canonical.dumps({"v": 1, "kind": "report"})):
        with pytest.raises(Malformed):
            manifest.verify(data, ORG.root.sign(data, ""), [ROOT])


@pytest.mark.parametrize(
    ("days", "standing"),
    [(-8, "ahead"), (-7, "current"), (0, "current"), (83, "current"), (84, "grace"), (113, "grace"), (114, "closed")],
)
def test_it_stands_for_its_days_and_30_more(days: int, standing: str) -> None:
    """It comes into force on its first day, ends with its last, and sealing goes on for 30 days of grace."""
    assert ORG.manifest.standing(DAY + datetime.timedelta(days=days)) == standing


@pytest.mark.parametrize(("left", "warning"), [(51, None), (50, 50), (25, 25), (10, 10), (0, 0), (-1, -1), (-31, -31)])
def test_it_warns_from_50_days_before_its_end(left: int, warning: int | None) -> None:
    """The days that are left are told from the fiftieth on, and below zero past the end."""
    assert ORG.manifest.warning(ORG.manifest.expires - left * ONE) == warning


def test_one_seals_to_the_newest_key_that_has_begun() -> None:
    """The newest begun recipient counts even past its last day; before the first there is none."""
    person = ORG.people["ombuds"]
    first, second = person.periods
    reviewer = ORG.manifest.reviewer("ombuds")
    assert reviewer
    assert reviewer.recipient(first.first).text == first.recipient
    assert reviewer.recipient(second.first - ONE).text == first.recipient
    assert reviewer.recipient(second.first).text == second.recipient
    assert reviewer.recipient(second.last + 1000 * ONE).text == second.recipient
    alone = dataclasses.replace(reviewer, recipients=(first,))
    assert alone.recipient(first.last + 300 * ONE).text == first.recipient
    with pytest.raises(Expired):
        reviewer.recipient(first.first - ONE)


def test_keys_may_be_listed_in_any_order() -> None:
    """The newest is told by its day and not by its place."""
    reviewer = ORG.manifest.reviewers[0]
    turned = dataclasses.replace(reviewer, recipients=tuple(reversed(reviewer.recipients)))
    for days in range(0, 200, 10):
        day = DAY + days * ONE
        assert turned.recipient(day) == reviewer.recipient(day)


def test_readers_become_recipients() -> None:
    """Active readers and the recovery identity have recipients; unknown and retired ones are refused."""
    known = changed(recovery=RECOVERY)
    found = known.recipients(["ethics", "recovery"], DAY)
    assert [recipient.text for recipient in found] == [ORG.people["ethics"].periods[0].recipient, RECOVERY.recipient]
    for reader in ("nobody", "recovery"):
        with pytest.raises(Malformed):
            ORG.manifest.recipients([reader], DAY)


def retired(id: str) -> Manifest:
    """The manifest when somebody has left, and nobody reads what they read."""
    people = tuple(dataclasses.replace(each, retired=each.id == id) for each in ORG.manifest.reviewers)
    channels = tuple(each for each in ORG.manifest.channels if id not in each.readers)
    return changed(reviewers=people, channels=channels)


def test_nothing_is_sealed_to_somebody_who_left() -> None:
    """A retired reviewer stays listed for what they signed, and has no recipient."""
    left = retired("counsel")
    assert left.reviewer("counsel")
    assert "counsel" not in {each.id for each in left.active()}
    with pytest.raises(Malformed):
        left.recipients(["counsel"], DAY)


LATE = ORG.manifest.expires + manifest.GRACE + ONE
KEY = parties.POOL[1].text
BEGUN = ORG.manifest.reviewers[0].recipients[0]
REFUSED = {
    "valid for 101 days": lambda: changed(expires=ORG.manifest.begins + 101 * ONE),
    "ends before it begins": lambda: changed(expires=ORG.manifest.begins - ONE),
    "first with a previous one": lambda: changed(previous="ab" * 32),
    "second without": lambda: changed(serial=2),
    "more readers than slots": lambda: changed(slots=2, recovery=RECOVERY),
    "channel without readers": lambda: with_channel(readers=()),
    "channel of an unknown reader": lambda: with_channel(readers=("nobody",)),
    "channel of the recovery identity": lambda: with_channel(readers=("recovery",)),
    "channel twice": lambda: changed(channels=ORG.manifest.channels[:1] * 2),
    "reviewer twice": lambda: changed(reviewers=ORG.manifest.reviewers + ORG.manifest.reviewers[:1]),
    "courier twice": lambda: changed(couriers=ORG.manifest.couriers * 2),
    "retired reader": lambda: with_reviewer(0, retired=True),
    "active without a signing key": lambda: with_reviewer(0, signing=()),
    "active without a recipient": lambda: with_reviewer(0, recipients=()),
    "key that begins too late": lambda: with_reviewer(0, recipients=(BEGUN, Period(KEY, LATE, LATE))),
    "two keys of one day": lambda: with_reviewer(0, recipients=(BEGUN, BEGUN)),
    "reviewer named recovery": lambda: with_reviewer(2, id="recovery"),
    "a signing key under two ids": lambda: with_reviewer(2, signing=ORG.manifest.reviewers[0].signing),
    "a recipient under two ids": lambda: with_reviewer(2, recipients=ORG.manifest.reviewers[0].recipients[1:]),
    "a reviewer's recipient for recovery": lambda: changed(recovery=Recovery("x", BEGUN.recipient)),
    "65 active reviewers": lambda: changed(reviewers=crowd(65, 65)),
    "257 reviewers": lambda: manifest.parse(manifest.encode(changed(reviewers=crowd(257, 64)))),
}


def crowd(number: int, active: int) -> tuple[Reviewer, ...]:
    """The reviewers and as many more; so many are active, and the others left."""
    people = [parties.person(f"reviewer-{place}", "Reviewer") for place in range(number - 3)]
    return (*ORG.manifest.reviewers, *(each.listed(place >= active - 3) for place, each in enumerate(people)))


@pytest.mark.parametrize("case", REFUSED)
def test_a_manifest_that_contradicts_itself_is_refused(case: str) -> None:
    """Each of these is refused when it is made, and so when it is read."""
    with pytest.raises(Malformed):
        REFUSED[case]()


def test_a_key_may_begin_on_the_last_day_of_grace() -> None:
    """Keys are listed as long as anybody may seal by this manifest, and not longer."""
    assert with_reviewer(0, recipients=(BEGUN, Period(KEY, LATE - ONE, LATE)))


def test_64_may_be_active_and_192_more_have_left() -> None:
    """Nobody is taken off the list, so it has room for many who left."""
    full = manifest.parse(manifest.encode(changed(reviewers=crowd(256, 64))))
    assert (len(full.reviewers), len(full.active())) == (256, 64)


def test_a_channel_has_as_many_readers_as_slots() -> None:
    """Two readers fill two slots, the recovery identity counting as one."""
    assert changed(slots=2)
    assert changed(slots=3, recovery=RECOVERY)


@pytest.mark.parametrize("small", ["01" + "00" * 31, "00" * 32, "ec" + "ff" * 30 + "7f"])
def test_a_couriers_key_of_small_order_is_refused(small: str) -> None:
    """Anybody could sign in the name of such a courier."""
    value = canonical.loads(ORG.known.data)
    value["couriers"][0]["key"] = small
    with pytest.raises(Malformed):
        manifest.parse(canonical.dumps(value))


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2999-12-32"])
def test_dates_cannot_run_out_of_the_calendar(day: str) -> None:
    """The last day of all calendars is refused rather than reckoned with."""
    value = canonical.loads(ORG.known.data)
    with pytest.raises(Malformed):
        manifest.parse(canonical.dumps({**value, "from": day, "expires": day}))


def test_true_is_not_version_one() -> None:
    """`true` equals 1 in some languages, and would be a second form of the same manifest."""
    value = canonical.loads(ORG.known.data)
    with pytest.raises(Malformed):
        manifest.parse(canonical.dumps({**value, "v": True}))


def test_a_manifest_has_a_limit() -> None:
    """Two MiB are refused before they are read."""
    with pytest.raises(Malformed, match="large"):
        manifest.parse(b" " * (manifest.MAX_FILE + 1))


def test_the_next_follows() -> None:
    """The next serial that names this one's hash and has the same slots follows."""
    manifest.check_next(ORG.known, ORG.next(collection=()))


@pytest.mark.parametrize(
    ("error", "new"),
    [
        (Expired, lambda: ORG.known),
        (Forged, lambda: ORG.next(collection=())),
        (Malformed, lambda: parties.signed(changed(serial=4, previous=SECOND.hash), ORG.root)),
        (Malformed, lambda: parties.signed(changed(serial=3, previous=ORG.known.hash), ORG.root)),
        (Malformed, lambda: parties.signed(changed(serial=3, previous=SECOND.hash, slots=16), ORG.root)),
    ],
    ids=["older", "another of this serial", "a gap", "another before it", "other slots"],
)
def test_nothing_else_follows(error: type[Exception], new: Any) -> None:
    """An older one, a second of one serial, a gap, another predecessor and other slots are told apart."""
    with pytest.raises(error):
        manifest.check_next(SECOND, new())


SECOND: SignedManifest = ORG.next()


def test_the_roots_have_digits_together() -> None:
    """Ten groups of four digits, whatever the roots' order, and others for other roots."""
    one, two = SecretKey.generate().public, SecretKey.generate().public
    digits = manifest.fingerprint([one, two])
    assert [len(group) for group in digits.split(" ")] == [4] * 10
    assert digits == manifest.fingerprint([two, one]) != manifest.fingerprint([one])


def test_messages_name_it_by_serial_and_hash() -> None:
    """What stands in `keys` of a message is the serial and the SHA-256 of the very bytes."""
    assert schema.to_json(SECOND.keys) == {"serial": 2, "hash": SECOND.hash}
