"""Manifests, signed by the root, that give somebody a second id: by mistake, or because somebody was talked into it."""

from collections.abc import Callable
from typing import Any

from tests import parties
from tests.parties import Organisation, Person
from whistle.protocol import canonical, schema
from whistle.protocol.trust.manifest import SignedManifest

Value = dict[str, Any]
OUT, NEW = "ethics", "morals"  # the id that a reporter left out, and the second one


def following(org: Organisation, before: SignedManifest, change: Callable[[Value], Any]) -> SignedManifest:
    """The manifest after one, with a change to its JSON; nothing checks what it says."""
    value = canonical.loads(before.data)
    value.update(serial=before.manifest.serial + 1, previous=before.hash)
    change(value)
    data = canonical.dumps(value)
    return SignedManifest(data, org.root.sign(data, "whistle manifest"), before.manifest)


def listed(who: Person, **changes: Any) -> Value:
    """How the JSON lists somebody."""
    return {**schema.to_json(who.listed()), **changes}


def _of(value: Value, id_: str) -> Value:
    found: Value = next(each for each in value["reviewers"] if each["id"] == id_)
    return found


def _renamed(value: Value) -> None:
    _of(value, OUT)["id"] = NEW
    for channel in value["channels"]:
        channel["readers"] = [NEW if each == OUT else each for each in channel["readers"]]


def _again(value: Value, **changes: Any) -> None:
    fresh = parties.person(NEW, "Morals")
    value["reviewers"].append({**listed(fresh), **{name: _of(value, OUT)[name] for name in changes if changes[name]}})


def _reused(value: Value) -> None:
    _renamed(value)
    value["reviewers"].append(listed(parties.person(OUT, "Newcomer")))


def _given_away(value: Value) -> None:
    value["reviewers"] = [each for each in value["reviewers"] if each["id"] != OUT]
    value["reviewers"].append(listed(parties.person(OUT, "Newcomer")))


def _swapped(value: Value) -> None:
    one, other = _of(value, OUT), _of(value, "counsel")
    one["id"], other["id"] = other["id"], one["id"]


def _dropped(value: Value) -> None:
    value["reviewers"] = [each for each in value["reviewers"] if each["id"] != OUT]
    for channel in value["channels"]:
        channel["readers"] = [each for each in channel["readers"] if each != OUT]


def _in_reserve(value: Value) -> None:
    value["recovery"] = {"name": "In reserve", "recipient": _of(value, OUT)["recipients"][1]["recipient"]}


def _in_another_role(value: Value) -> None:
    _of(value, OUT).update(retired=True, languages=["fr"])
    for channel in value["channels"]:
        channel["readers"] = [NEW if each == OUT else each for each in channel["readers"]]
    _again(value, signing=True)


def _after_a_while(org: Organisation) -> list[SignedManifest]:
    """Once other recipients are listed, the old ones come back under another id, with a fresh signing key."""
    others = listed(parties.person(OUT, "Ethics"))["recipients"]
    old = listed(org.people[OUT])["recipients"]
    first = following(org, org.known, lambda value: _of(value, OUT).update(recipients=others))
    fresh = listed(parties.person(NEW, "Morals"), recipients=old)
    return [first, following(org, first, lambda value: value["reviewers"].append(fresh))]


ALONE: dict[str, Callable[[Value], Any]] = {
    "all keys twice": lambda value: _again(value, signing=True, recipients=True),
    "the signing key twice": lambda value: _again(value, signing=True),
    "the recipients twice": lambda value: _again(value, recipients=True),
    "retired, and listed in another role": _in_another_role,
    "in reserve too": _in_reserve,
}
AFTER: dict[str, Callable[[Value], Any]] = {
    "renamed": _renamed,
    "renamed, and the id reused": _reused,
    "the id given away": _given_away,
    "two ids swapped": _swapped,
    "listed no more": _dropped,
}
SECOND_IDS: dict[str, Callable[[Organisation], list[SignedManifest]]] = {
    name: lambda org, change=change: [following(org, org.known, change)]  # type: ignore[misc]
    for name, change in {**ALONE, **AFTER}.items()
} | {"recipients of long ago under another id": _after_a_while}
