"""Chains of manifests: whose signatures count for messages of which days."""

import dataclasses
import datetime

from tests import parties
from whistle.protocol.trust.manifest import Reviewer, SignedManifest, Signing
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import SecretKey

ORG = parties.organisation()
FIRST = ORG.manifest.begins
ETHICS = ORG.people["ethics"]
KEY = ETHICS.secret.public.key
STEP = datetime.timedelta(days=60)
ONE = datetime.timedelta(days=1)


def row(*listed: Reviewer | None) -> ManifestChain:
    """A manifest every 60 days, in each of which `ethics` is listed so, or not at all; nobody reads for them."""
    others = tuple(each for each in ORG.manifest.reviewers if each.id != "ethics")
    channels = tuple(each for each in ORG.manifest.channels if "ethics" not in each.readers)
    known: list[SignedManifest] = []
    for place, reviewer in enumerate(listed):
        content = dataclasses.replace(
            ORG.manifest,
            serial=place + 1,
            previous=known[-1].hash if known else None,
            begins=FIRST + place * STEP,
            expires=FIRST + (place + 1) * STEP,
            reviewers=(*others, reviewer) if reviewer else others,
            channels=channels,
        )
        known.append(parties.signed(content, ORG.root))
    return ManifestChain(tuple(known))


def ends(manifests: ManifestChain) -> datetime.date | None:
    """The last day for which the key of `ethics` counts, in the first three hundred; None if it does not end."""
    days = [FIRST + day * ONE for day in range(301)]
    good = [day for day in days if KEY in manifests.signing_keys("ethics", day)]
    assert good == days[: len(good)]
    return good[-1] if len(good) < len(days) else None


ACTIVE = ETHICS.listed()
RETIRED = ETHICS.listed(retired=True)
DATED = dataclasses.replace(RETIRED, signing=(Signing(ETHICS.secret.public.text, FIRST + 30 * ONE),))


def test_an_active_reviewers_key_counts() -> None:
    """No last day, no end."""
    assert ends(row(ACTIVE, ACTIVE)) is None


def test_somebody_who_left_does_not_come_back_with_each_manifest() -> None:
    """The key of a retired reviewer counts up to the first day of retirement, however many manifests follow."""
    for away in range(1, 4):
        assert ends(row(ACTIVE, *[RETIRED] * away)) == FIRST + STEP


def test_who_returned_counts_again() -> None:
    """The newest manifest decides."""
    assert ends(row(ACTIVE, RETIRED, ACTIVE)) is None


def test_who_left_again_counts_up_to_then() -> None:
    """What counts is when the present absence began."""
    assert ends(row(RETIRED, ACTIVE, RETIRED, RETIRED)) == FIRST + 2 * STEP


def test_a_last_day_goes_before_all() -> None:
    """A key with a last day counts up to it."""
    assert ends(row(ACTIVE, RETIRED, DATED)) == FIRST + 30 * ONE


def test_who_is_listed_no_more_counts_to_the_end_of_the_last_list() -> None:
    """Dropped from the list, a key counts while the last manifest that had it was valid; a retired one not so long."""
    assert ends(row(ACTIVE, ACTIVE, None, None)) == FIRST + 2 * STEP
    assert ends(row(ACTIVE, RETIRED, RETIRED, None)) == FIRST + STEP


def test_nobody_elses_key_counts() -> None:
    """A key counts for its own reviewer alone."""
    manifests = row(ACTIVE)
    assert KEY not in manifests.signing_keys("ombuds", FIRST)
    assert SecretKey.generate().public.key not in manifests.signing_keys("ethics", FIRST)
    assert manifests.signing_keys("nobody", FIRST) == []
