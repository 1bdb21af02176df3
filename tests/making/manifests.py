"""Vectors of manifests and their signatures, of roots, of minisign's files and of enrolment."""

import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.making import cast
from tests.making.cast import COURIER, MANIFEST, OTHER_ROOT, ROOT, known, minisign_key, periods, reviewer
from tests.making.messages import SMALL, X25519
from tests.making.vector import Vector, told
from whistle.protocol import canonical, schema, signing
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.enrolment import Period
from whistle.protocol.trust.manifest import Channel, Recovery, Reviewer, SignedManifest, Signing
from whistle.protocol.trust.minisign import PublicKey

ONE = datetime.timedelta(days=1)
PLAIN: dict[str, Any] = canonical.loads(manifest.encode(MANIFEST))
DAYS = {
    "first_day": datetime.date(2026, 11, 1),
    "last_day": datetime.date(2027, 1, 30),
    "new_period": datetime.date(2027, 1, 1),
    "grace": datetime.date(2027, 3, 1),
}
LATE = Period(cast.IDENTITIES["ombuds"][1].recipient.text, datetime.date(2027, 3, 2), datetime.date(2027, 3, 31))
EDGE = replace(LATE, first=datetime.date(2027, 3, 1))
RECOVERY = Recovery("Recovery", cast.IDENTITIES["counsel"][0].recipient.text)
GONE = reviewer(
    "counsel", retired=True, signing=(Signing(cast.SIGNERS["counsel"].public.text, cast.DAY),), recipients=()
)
Change = Callable[[dict[str, Any]], Any]


def shown(name: str, about: str, expect: str, found: SignedManifest, **given: Any) -> Vector:
    """A vector of a manifest; `roots` and `day` have usual values unless given."""
    files = {f"manifest_{name}.manifest": found.data, f"manifest_{name}.minisig": found.signature}
    shown: dict[str, Any] = {
        "manifest": {"file": f"manifest_{name}.manifest"},
        "signature": {"file": f"manifest_{name}.minisig"},
        "roots": [ROOT.public.text],
        "day": cast.DAY.isoformat(),
        **given,
    }
    output = _output(found, datetime.date.fromisoformat(shown["day"])) if expect in ("ok", "expired", "ahead") else {}
    return Vector(f"manifest_{name}", about, expect, shown, output, dict(files))


def _output(found: SignedManifest, day: datetime.date) -> dict[str, Any]:
    begun = [each for each in found.manifest.active() if any(period.first <= day for period in each.recipients)]
    return {
        "hash": found.hash,
        "serial": found.manifest.serial,
        "standing": found.manifest.standing(day),
        "warning": found.manifest.warning(day),
        "recipients": {each.id: each.recipient(day).text for each in begun},
    }


def _good() -> Iterator[Vector]:
    yield shown("ok", "a first manifest", "ok", known())
    for name, day in DAYS.items():
        yield shown(f"ok_{name}", f"on {day}", "ok", known(), day=day.isoformat())
    yield shown("ahead", "on the day before it begins", "ahead", known(), day="2026-10-31")
    yield shown("expired", "30 days after its end, and one", "expired", known(), day="2027-03-02")
    yield shown(
        "second_root",
        "signed by the second of two roots",
        "ok",
        known(root=OTHER_ROOT),
        roots=[ROOT.public.text, OTHER_ROOT.public.text],
    )
    one_each = replace(MANIFEST.channels[0], readers=("ombuds",))
    yield shown(
        "recovery", "with a recovery identity", "ok", known(replace(MANIFEST, recovery=RECOVERY, channels=(one_each,)))
    )
    named = reviewer("ombuds", roles={"ar": "وسيط", "fr": "Médiation", "zh": "监察员"})
    others = MANIFEST.reviewers[1:]
    yield shown("roles", "with a role in more languages", "ok", known(replace(MANIFEST, reviewers=(named, *others))))
    yield shown(
        "retired", "with somebody who left", "ok", known(replace(MANIFEST, reviewers=(*MANIFEST.reviewers, GONE)))
    )
    gap = reviewer("ombuds", recipients=periods("ombuds")[:1])
    yield shown(
        "past_last_day",
        "the newest key that has begun, past its last day",
        "ok",
        known(replace(MANIFEST, reviewers=(gap, MANIFEST.reviewers[1]))),
        day="2027-01-20",
    )
    soon = reviewer("ethics", recipients=(replace(periods("ethics")[0], first=cast.DAY + datetime.timedelta(days=1)),))
    yield shown(
        "reader_not_begun",
        "a reader of whom no key has begun, who is passed over",
        "ok",
        known(replace(MANIFEST, reviewers=(MANIFEST.reviewers[0], soon))),
    )
    own = replace(MANIFEST.couriers[0], reviewer="ethics")
    yield shown("couriers_reviewer", "a reviewer's own courier", "ok", known(replace(MANIFEST, couriers=(own,))))
    edge = reviewer("ombuds", recipients=(periods("ombuds")[0], EDGE))
    yield shown(
        "key_in_grace",
        "a key that begins on the last day of grace",
        "ok",
        known(replace(MANIFEST, reviewers=(edge, MANIFEST.reviewers[1]))),
    )


def _signatures() -> Iterator[Vector]:
    good, other = known(), known(replace(MANIFEST, collection=("friday",)))
    yield shown("unsigned", "with an empty signature", "malformed", replace(good, signature=b""))
    yield shown(
        "altered", "altered after signing", "forged", replace(good, data=good.data.replace(b"Ombuds", b"Ambush"))
    )
    yield shown(
        "signature_of_another", "with the signature of another", "forged", replace(good, signature=other.signature)
    )
    yield shown("other_root", "signed by a root that is not pinned", "forged", known(root=OTHER_ROOT))
    yield shown("no_roots", "where no root is pinned", "forged", good, roots=[])
    lines = good.signature.split(b"\n")
    renamed = b"\n".join([lines[0], lines[1], lines[2].replace(b"manifest", b"document"), *lines[3:]])
    yield shown("comment_altered", "with another trusted comment", "forged", replace(good, signature=renamed))


def _set(**changes: Any) -> Change:
    return lambda value: value.update(changes)


def _first(listed: str, **changes: Any) -> Change:
    return lambda value: value[listed][0].update(changes)


BAD: dict[str, tuple[str, Change]] = {
    "unknown_field": ("a field that no manifest has", _set(more=1)),
    "missing_field": ("no couriers", lambda value: value.pop("couriers")),
    "version_true": ("true for the version", _set(v=True)),
    "kind": ("another kind", _set(kind="report")),
    "serial_0": ("serial 0", _set(serial=0)),
    "first_with_previous": ("a first one with one before it", _set(previous="ab" * 32)),
    "later_without_previous": ("a later one with none before it", _set(serial=2)),
    "too_long": ("valid for 101 days", _set(expires="2027-02-10")),
    "backwards": ("ends before it begins", _set(expires="2026-10-31")),
    "day_9999": ("a day with which nobody can reckon", _set(**{"from": "9999-12-31", "expires": "9999-12-31"})),
    "slots_1": ("one slot", _set(slots=1)),
    "slots_17": ("17 slots", _set(slots=17)),
    "weekday": ("a day that no week has", _set(collection=["someday"])),
    "weekday_twice": ("a day of collection twice", _set(collection=["monday", "monday"])),
    "reviewer_twice": ("a reviewer's id twice", lambda value: value["reviewers"].append(value["reviewers"][0])),
    "reviewer_named_recovery": ("a reviewer whose id is `recovery`", _first("reviewers", id="recovery")),
    "reviewer_without_keys": ("an active reviewer without recipients", _first("reviewers", recipients=[])),
    "reviewer_without_signing": ("an active reviewer without a signing key", _first("reviewers", signing=[])),
    "channel_twice": ("a channel's id twice", lambda value: value["channels"].append(value["channels"][0])),
    "channel_without_readers": ("a channel that nobody reads", _first("channels", readers=[])),
    "channel_unknown_reader": ("a channel read by somebody unknown", _first("channels", readers=["nobody"])),
    "channel_workstation": ("a workstation of a kind that there is not", _first("channels", workstation="cloud")),
    "reader_retired": ("a channel read by somebody who left", _first("reviewers", retired=True)),
    "recovery_too_many": (
        "more readers than slots, the recovery identity among them",
        _set(recovery=schema.to_json(RECOVERY)),
    ),
    "recovery_x25519": (
        "a recovery identity that is not post-quantum",
        _set(recovery={"name": "x", "recipient": X25519}),
    ),
    "courier_small_order": ("a courier's key of small order", _first("couriers", key=SMALL["eight"].hex())),
    "courier_not_on_curve": ("a courier's key that is no point", _first("couriers", key="02" + "00" * 31)),
    "courier_twice": ("a courier's id twice", lambda value: value["couriers"].append(value["couriers"][0])),
    "courier_unknown_reviewer": ("a courier of nobody who is listed", _first("couriers", reviewer="nobody")),
    "courier_reviewer_empty": ("an empty id of a courier's reviewer", _first("couriers", reviewer="")),
    "courier_reviewer_retired": (
        "a courier of somebody who left",
        lambda value: (
            value["reviewers"].append(schema.to_json(GONE)),
            value["couriers"][0].update(reviewer="counsel"),
        ),
    ),
    "recipient_too_late": (
        "a key that begins after the end and 30 days",
        lambda value: value["reviewers"][0]["recipients"].append(schema.to_json(LATE)),
    ),
    "recipients_same_day": (
        "two keys that begin on one day",
        lambda value: value["reviewers"][0]["recipients"].append(value["reviewers"][0]["recipients"][0]),
    ),
    "recipient_backwards": (
        "a key whose last day is before its first",
        lambda value: value["reviewers"][0]["recipients"][0].update(last="2026-09-30"),
    ),
    "signing_small_order": (
        "a signing key of small order",
        lambda value: value["reviewers"][0]["signing"][0].update(key=cast.base64_of(b"Ed" + bytes(8) + SMALL["one"])),
    ),
    "roles_empty": ("roles in no language", _first("reviewers", roles={})),
    "roles_number": ("a number for a role", _first("reviewers", roles={"fr": 1})),
    "roles_long": ("a role of 129 characters", _first("reviewers", roles={"fr": "x" * 129})),
    "roles_language": ("a role in a language that is no id", _first("reviewers", roles={"FR": "Médiation"})),
    "title_number": ("a number for a title", _first("channels", title={"en": 1})),
}


def _bad() -> Iterator[Vector]:
    for name, (about, change) in BAD.items():
        value = canonical.loads(canonical.dumps(PLAIN))
        change(value)
        yield shown(f"bad_{name}", about, "malformed", known(value))
    spaced = manifest.encode(MANIFEST).replace(b'":', b'": ', 1)
    found = SignedManifest(spaced, ROOT.sign(spaced, "whistle manifest"), MANIFEST)
    yield shown("bad_not_canonical", "a space", "malformed", found)
    three = Channel("all", {}, {}, cast.IDS, "offline")
    people = tuple(map(reviewer, cast.IDS))
    crowded = {**PLAIN, "channels": [schema.to_json(three)], "reviewers": schema.to_json(people)}
    yield shown("bad_too_many_readers", "a channel with more readers than slots", "malformed", known(crowded))


def _following() -> Iterator[Vector]:
    """Manifests that may or may not follow one that was seen before."""
    old = known()
    later = replace(MANIFEST, serial=2, previous=old.hash)
    third = known(replace(MANIFEST, serial=3, previous="ab" * 32))
    cases = [
        ("ok", "the next one", "ok", old, known(later)),
        ("older", "an older one", "expired", known(later), old),
        ("same_serial", "another of the same serial", "forged", old, known(replace(MANIFEST, collection=()))),
        ("gap", "one that does not follow directly", "malformed", old, third),
        ("previous_wrong", "one that follows another", "malformed", old, known(replace(later, previous="ab" * 32))),
        ("slots_changed", "other slots", "malformed", old, known(replace(later, slots=8))),
        ("same_day", "one that begins on the same day", "ok", old, known(replace(later, expires=later.expires - ONE))),
        ("from_back", "one that begins before it", "malformed", old, known(replace(later, begins=later.begins - ONE))),
    ]
    for name, about, expect, seen, new in cases:
        yield chain(name, about, expect, seen, new)


def chain(name: str, about: str, expect: str, seen: SignedManifest, new: SignedManifest) -> Vector:
    """A vector of a manifest that was seen, and one that claims to follow it."""
    given = {part: {"text": value.data.decode()} for part, value in (("seen", seen), ("new", new))}
    return Vector(f"chain_{name}", about, expect, given)


def signers() -> Iterator[Vector]:
    """Which signatures count in a chain of manifests of 60 days each."""
    old, new = cast.SIGNERS["ethics"].public, cast.SIGNERS["counsel"].public
    both = (Signing(old.text, DAYS["first_day"]), Signing(new.text, None))
    active, retired = reviewer("ethics"), reviewer("ethics", retired=True, recipients=())
    rolled = replace(active, signing=both)
    ended = {days: replace(retired, signing=(Signing(old.text, MANIFEST.begins + days * ONE),)) for days in (59, 300)}
    first, second = MANIFEST.begins, MANIFEST.begins + 60 * ONE
    cases: list[tuple[str, str, list[Reviewer | None], datetime.date, list[PublicKey]]] = [
        ("active", "of an active reviewer", [active, active], second + 500 * ONE, [old]),
        ("retired", "on the day on which the reviewer is first retired", [active, retired, retired], second, [old]),
        (
            "retired_later",
            "a day later, though by the newest still before",
            [active, retired, retired],
            second + ONE,
            [],
        ),
        ("retired_last", "on the last day of a retired reviewer's key", [active, ended[59]], second - ONE, [old]),
        ("retired_last_later", "a day later, though the reviewer was active still", [active, ended[59]], second, []),
        ("retired_later_last", "after the retirement, with a later last day", [active, ended[300]], second + ONE, []),
        (
            "retired_then_last",
            "with a last day that only a later list gives",
            [active, retired, ended[300]],
            second + ONE,
            [],
        ),
        (
            "retired_again",
            "of somebody who came back and left again, before the second time",
            [active, retired, active, retired],
            second + 120 * ONE,
            [old],
        ),
        ("returned", "of somebody who came back", [active, retired, active], second + 10 * ONE, [old]),
        ("unlisted", "on the last day of the last list", [active, None], MANIFEST.begins + 59 * ONE, [old]),
        ("unlisted_later", "a day later", [active, None], second, []),
        ("replaced", "on the last day of the older of two keys", [active, rolled], first, [old, new]),
        ("replaced_later", "a day later", [active, rolled], first + ONE, [new]),
        ("unknown", "of nobody", [None], first, []),
    ]
    for name, about, listed, day, keys in cases:
        given = {"manifests": _row(listed), "reviewer": "ethics", "day": day.isoformat()}
        yield Vector(f"signers_{name}", about, "ok", given, {"keys": sorted(key.key.hex() for key in keys)})


def _row(listed: list[Reviewer | None]) -> list[dict[str, str]]:
    """Manifests without channels, of which each lists one reviewer or none."""
    texts: list[dict[str, str]] = []
    previous = None
    for place, found in enumerate(listed):
        begins = MANIFEST.begins + place * 60 * ONE
        people = (found,) if found else ()
        following = replace(
            MANIFEST,
            serial=place + 1,
            previous=previous,
            begins=begins,
            expires=begins + 59 * ONE,
            channels=(),
            couriers=(),
            reviewers=people,
        )
        data = manifest.encode(following)
        previous = hashlib.sha256(data).hexdigest()
        texts.append({"text": data.decode()})
    return texts


def roots() -> Iterator[Vector]:
    """Fingerprints of the roots."""
    third = minisign_key("third root")
    for name, keys in {
        "one": [ROOT],
        "three": [ROOT, OTHER_ROOT, third],
        "other_order": [third, ROOT, OTHER_ROOT],
    }.items():
        public = [key.public for key in keys]
        given = {"roots": [key.text for key in public]}
        yield Vector(
            f"fingerprint_{name}", "the digits of all roots", "ok", given, {"digits": manifest.fingerprint(public)}
        )


def minisign() -> Iterator[Vector]:
    """Signature files over one text."""
    data, key = b"what is signed", ROOT.public
    good = ROOT.sign(data, "a comment")
    first, signature, comment, seal, end = good.split(b"\n")
    raw = bytearray(schema.unbase64(signature.decode()))
    old = cast.base64_of(b"Ed" + key.key_id + signing.sign(ROOT.signing, data)).encode()
    old_seal = cast.base64_of(signing.sign(ROOT.signing, schema.unbase64(old.decode())[10:] + b"a comment")).encode()
    cases: dict[str, tuple[str, str, bytes]] = {
        "ok": ("a good one", "ok", good),
        "ok_untrusted_comment": ("another untrusted comment", "ok", good.replace(first, b"untrusted comment: x")),
        "other_key_id": ("by a key of another id", "forged", OTHER_ROOT.sign(data, "a comment")),
        "other_data": ("over other data", "forged", ROOT.sign(b"something else", "a comment")),
        "comment_altered": ("another trusted comment", "forged", good.replace(b"a comment", b"b comment")),
        "not_prehashed": (
            "the older kind, not prehashed",
            "malformed",
            b"\n".join([first, old, comment, old_seal, end]),
        ),
        "ok_carriage_returns": ("lines that end in CR LF", "ok", good.replace(b"\n", b"\r\n")),
        "ok_one_carriage_return": ("one line that ends in CR LF", "ok", good.replace(b"\n", b"\r\n", 1)),
        "ok_no_line_end": ("no end of the last line", "ok", good[:-1]),
        "ok_carriage_returns_no_line_end": ("both", "ok", good.replace(b"\n", b"\r\n")[:-2]),
        "two_carriage_returns": ("lines that end in CR CR LF", "malformed", good.replace(b"\n", b"\r\r\n")),
        "carriage_returns_alone": ("lines that end in CR", "malformed", good.replace(b"\n", b"\r")),
        "byte_order_mark": ("a byte order mark", "malformed", b"\xef\xbb\xbf" + good),
        "spaces": ("lines that end in a space", "malformed", good.replace(b"\n", b" \n")),
        "comment_space": ("a space behind the trusted comment", "forged", good.replace(b"a comment", b"a comment ")),
        "fifth_line": ("a fifth line", "malformed", good + b"more\n"),
        "cut_off": ("two lines only", "malformed", b"\n".join([first, signature, b""])),
        "no_comment": ("no first line", "malformed", good.split(b"\n", 1)[1]),
        "signature_short": (
            "a short signature",
            "malformed",
            good.replace(signature, cast.base64_of(bytes(raw[:-1])).encode()),
        ),
        "spare_bits": (
            "base64 with spare bits",
            "malformed",
            good.replace(seal, seal[:-3] + _next(seal[-3:-2]) + b"=="),
        ),
        "not_utf8": ("bytes that are no UTF-8", "malformed", good.replace(b"a comment", b"\xff comment")),
    }
    for name, (about, expect, file) in cases.items():
        given = {"data": told(data), "signature": told(file), "key": key.text}
        yield Vector(f"minisign_{name}", about, expect, given, {"comment": "a comment"} if expect == "ok" else {})


def _next(character: bytes) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return bytes([alphabet[alphabet.index(character) ^ 1]])


def public_keys() -> Iterator[Vector]:
    """Public keys of minisign, as a line or as a file."""
    key = ROOT.public
    cases: dict[str, tuple[str, str, str]] = {
        "ok_line": ("the line alone", "ok", key.text),
        "ok_file": ("the whole file", "ok", key.file().decode()),
        "ok_file_carriage_returns": ("lines that end in CR LF", "ok", key.file().decode().replace("\n", "\r\n")),
        "ok_file_no_line_end": ("no end of the last line", "ok", key.file().decode()[:-1]),
        "ok_file_byte_order_mark": ("a byte order mark before the file", "ok", "\ufeff" + key.file().decode()),
        "byte_order_mark": ("a byte order mark before the line", "malformed", "\ufeff" + key.text),
        "third_line": ("a third line", "malformed", key.file().decode() + "more\n"),
        "space": ("a space behind the line", "malformed", key.file().decode()[:-1] + " \n"),
        "line_end": ("the line with an end", "malformed", key.text + "\n"),
        "short": ("a key of 31 bytes", "malformed", cast.base64_of(schema.unbase64(key.text)[:-1])),
        "algorithm": ("another algorithm", "malformed", cast.base64_of(b"ED" + schema.unbase64(key.text)[2:])),
        "small_order": ("a key of small order", "malformed", cast.base64_of(b"Ed" + key.key_id + SMALL["one"])),
        "empty": ("nothing", "malformed", ""),
    }
    for name, (about, expect, text) in cases.items():
        output = {"id": key.key_id.hex(), "key": key.key.hex()} if expect == "ok" else {}
        yield Vector(f"publickey_{name}", about, expect, {"text": text}, output)


def enrolments() -> Iterator[Vector]:
    """Enrolment files."""
    signer = cast.SIGNERS["ombuds"]
    good = enrolment.reviewer_file(cast.reviewer_keys("ombuds"), signer)
    courier = enrolment.courier_file("Courier", COURIER)
    line = good.split(b"\n")[0]
    small = {"v": 1, "kind": "courier-key", "name": "x", "key": SMALL["one"].hex()}
    late = canonical.loads(line)
    late["recipients"][0]["last"] = "2020-01-01"
    cases: dict[str, tuple[str, str, bytes]] = {
        "reviewer": ("a reviewer's", "ok", good),
        "courier": ("a courier's", "ok", courier),
        "altered": ("a name altered after signing", "forged", good.replace(b"Ombuds", b"Ambush")),
        "by_another": (
            "signed by another key than it names",
            "forged",
            _enrolled(line, cast.SIGNERS["ethics"].signing),
        ),
        "label": ("signed as a file of the other kind", "forged", _enrolled(line, signer.signing, "courier-key")),
        "small_order": ("a courier's key of small order", "malformed", _trivial(canonical.dumps(small))),
        "version_true": ("true for the version", "malformed", _changed(line, v=True)),
        "kind": ("another kind", "malformed", _changed(line, kind="reviewer")),
        "unknown_field": ("a field that it does not have", "malformed", _changed(line, id="ombuds")),
        "period_backwards": (
            "a period that ends before it begins",
            "malformed",
            _enrolled(canonical.dumps(late), signer.signing),
        ),
        "three_lines": ("a third line", "malformed", good + b"\n"),
        "no_line_end": ("no end of the second line", "malformed", good[:-1]),
        "carriage_returns": ("lines that end in CR LF", "malformed", good.replace(b"\n", b"\r\n")),
        "one_line": ("no signature", "malformed", line + b"\n"),
        "nothing": ("nothing", "malformed", b""),
    }
    for name, (about, expect, data) in cases.items():
        output = {"kind": enrolment.read(data).kind, "digits": enrolment.digits(data)} if expect == "ok" else {}
        yield Vector(f"enrolment_{name}", about, expect, {"file": told(data)}, output)


def _enrolled(line: bytes, key: Any, kind: str = "reviewer-keys") -> bytes:
    return line + b"\n" + cast.base64_of(signing.sign(key, f"whistle/v1 {kind}\n".encode() + line)).encode() + b"\n"


def _changed(line: bytes, **changes: Any) -> bytes:
    value = {**canonical.loads(line), **changes}
    return _enrolled(canonical.dumps(value), cast.SIGNERS["ombuds"].signing, value["kind"])


def _trivial(line: bytes) -> bytes:
    """A signature that a lax verifier would accept for the key of order one."""
    return line + b"\n" + cast.base64_of(SMALL["one"] + bytes(32)).encode() + b"\n"


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for group in (_good, _signatures, _bad, _following, signers, roots, minisign, public_keys, enrolments):
        yield from group()
