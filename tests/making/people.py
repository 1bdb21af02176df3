"""Vectors of the people in manifests: nobody has two ids, and nobody who was listed is dropped."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.making import cast
from tests.making.cast import MANIFEST, SIGNERS, known, minisign_key, periods, reviewer
from tests.making.manifests import PLAIN, RECOVERY, chain, shown
from tests.making.vector import Vector, secret
from whistle.protocol import canonical, schema
from whistle.protocol.age import HybridIdentity
from whistle.protocol.trust.manifest import Manifest, Reviewer, Signing

OMBUDS, ETHICS = MANIFEST.reviewers
COUNSEL = reviewer("counsel")
Change = Callable[[dict[str, Any]], Any]


def _more(who: Reviewer, **changes: Any) -> Change:
    """One more reviewer, with changes."""
    return lambda value: value["reviewers"].append({**schema.to_json(who), **changes})


def _crowd(number: int, active: int) -> Change:
    """Reviewers with keys of their own, the first of whom are active."""
    names = [f"reviewer-{place}" for place in range(number - len(MANIFEST.reviewers))]
    crowd = [
        replace(
            COUNSEL,
            id=name,
            signing=(Signing(minisign_key(name).public.text, None),),
            recipients=(replace(COUNSEL.recipients[0], recipient=HybridIdentity(secret(name)).recipient.text),),
        )
        for name in names
    ]
    away = active - len(MANIFEST.reviewers)
    crowd[away:] = [replace(each, retired=True, recipients=()) for each in crowd[away:]]
    return lambda value: value["reviewers"].extend(schema.to_json(crowd))


LATER = schema.to_json(periods("ombuds")[1])
OTHER_KEY_ID = cast.base64_of(b"Ed" + bytes(8) + SIGNERS["ombuds"].public.key)
BAD: dict[str, tuple[str, Change]] = {
    "signing_under_two_ids": ("a signing key under two ids", _more(COUNSEL, signing=schema.to_json(OMBUDS.signing))),
    "signing_under_two_ids_retired": (
        "a signing key under two ids, one of somebody who left",
        _more(COUNSEL, signing=schema.to_json(OMBUDS.signing), retired=True, recipients=[]),
    ),
    "signing_under_two_key_ids": (
        "a signing key under two ids, once with another key id of minisign's",
        _more(COUNSEL, signing=[{"key": OTHER_KEY_ID, "last": None}]),
    ),
    "recipient_under_two_ids": ("a recipient under two ids, once as a later one", _more(COUNSEL, recipients=[LATER])),
    "recipient_in_capitals": (
        "a recipient under two ids, once in capitals",
        _more(COUNSEL, recipients=[{**LATER, "recipient": LATER["recipient"].upper()}]),
    ),
    "recipient_of_recovery": (
        "the recovery identity, which is a reviewer's recipient",
        lambda value: value.update(slots=3, recovery={"name": "x", "recipient": ETHICS.recipients[0].recipient}),
    ),
    "reviewers_65": ("65 reviewers who are active", _crowd(65, 65)),
    "reviewers_257": ("257 reviewers, of whom 64 are active", _crowd(257, 64)),
}


def _bad() -> Iterator[Vector]:
    for name, (about, change) in BAD.items():
        value = canonical.loads(canonical.dumps(PLAIN))
        change(value)
        yield shown(f"bad_{name}", about, "malformed", known(value))


Row = tuple[str, str, tuple[Reviewer, ...], tuple[Reviewer, ...]]
LEFT = replace(ETHICS, retired=True)
BOTH = (Signing(SIGNERS["ethics"].public.text, cast.DAY), *COUNSEL.signing)
ROLLED = replace(ETHICS, signing=BOTH)
ONWARD: list[Row] = [
    ("rolled", "a second signing key and other recipients", (ETHICS,), (replace(COUNSEL, id="ethics", signing=BOTH),)),
    ("retired", "somebody left", (ETHICS,), (LEFT,)),
    ("returned", "somebody came back", (LEFT,), (ETHICS,)),
    ("newcomer", "somebody new", (ETHICS,), (ETHICS, COUNSEL)),
]
ASTRAY: list[Row] = [
    ("dropped", "somebody is listed no more", (ETHICS,), ()),
    ("dropped_retired", "somebody who left is listed no more", (LEFT,), ()),
    ("renamed", "somebody gets another id", (ETHICS,), (replace(ETHICS, id="morals"),)),
    ("id_given_away", "an id gets other keys", (ETHICS,), (replace(COUNSEL, id="ethics"),)),
    ("signing_dropped", "a signing key is listed no more", (ROLLED,), (replace(ROLLED, signing=COUNSEL.signing),)),
    ("signing_moved", "a signing key gets another id", (ROLLED,), (ETHICS, COUNSEL)),
    (
        "recipient_moved",
        "a recipient gets another id",
        (ETHICS,),
        (replace(ETHICS, recipients=COUNSEL.recipients), replace(COUNSEL, recipients=ETHICS.recipients)),
    ),
]


def _following() -> Iterator[Vector]:
    """Whom the next manifest may and may not list after one that listed `ethics`."""
    for rows, expect in ((ONWARD, "ok"), (ASTRAY, "malformed")):
        for name, about, before, after in rows:
            seen = _listing(*before)
            yield _next(name, about, expect, seen, _listing(*after))
    seen = replace(_listing(ETHICS), slots=3, recovery=RECOVERY)
    after = replace(_listing(ETHICS, COUNSEL), slots=3)
    yield _next("recovery_moved", "the recovery identity becomes a reviewer's", "malformed", seen, after)


def _listing(*people: Reviewer) -> Manifest:
    """The manifest with these reviewers beside `ombuds`, who alone reads the channel."""
    alone = replace(MANIFEST.channels[0], readers=("ombuds",))
    return replace(MANIFEST, channels=(alone,), reviewers=(OMBUDS, *people))


def _next(name: str, about: str, expect: str, before: Manifest, after: Manifest) -> Vector:
    seen = known(before)
    return chain(f"people_{name}", about, expect, seen, known(replace(after, serial=2, previous=seen.hash)))


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for group in (_bad, _following):
        yield from group()
