"""The manifest: a root's signed list of who may read (SPEC 7)."""

import datetime
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from whistle.protocol import canonical, schema
from whistle.protocol.age import HybridRecipient
from whistle.protocol.age.hybrid import MLKEM_PUBLIC
from whistle.protocol.case.envelope import MIN_SLOTS
from whistle.protocol.case.message import MAX_SLOTS, Keys, mailbox
from whistle.protocol.errors import Expired, Forged, Malformed
from whistle.protocol.trust.enrolment import Period, grouped, signing_key, verify_key
from whistle.protocol.trust.minisign import PublicKey

MAX_FILE = 2_097_152  # bytes
MAX_DAYS = 100  # of validity
GRACE = datetime.timedelta(days=30)  # after the end; sealing still works, with a notice
WARNINGS = (50, 25, 10)  # days before the end
MAX_REVIEWERS = 256  # including those who left, since nobody is ever taken off the list
MAX_ACTIVE = 64
RECOVERY = "recovery"  # the reader id of the recovery identity
NUMBERED = re.compile(r"manifest-([0-9]+)\.json")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TEXTS = schema.mapping(schema.identifier, schema.text(2000), 64)
ROLES = schema.mapping(schema.identifier, schema.text(128), 64)


@dataclass(frozen=True)
class Channel:
    """A topic that one can report on, and who reads its reports."""

    id: str = schema.field(schema.identifier)
    title: dict[str, str] = schema.field(TEXTS)
    purpose: dict[str, str] = schema.field(TEXTS)
    readers: tuple[str, ...] = schema.field(schema.list_of(schema.identifier, MAX_SLOTS, unique=True))
    workstation: str = schema.field(schema.one_of("offline", "connected"))


@dataclass(frozen=True)
class Signing:
    """A signing key of a reviewer, with its last day once it is out of use."""

    key: str = schema.field(signing_key)
    last: datetime.date | None = schema.field(schema.nullable(schema.day))

    @property
    def raw(self) -> bytes:
        """The Ed25519 key, 32 bytes."""
        return PublicKey.from_text(self.key).key


@dataclass(frozen=True)
class Reviewer:
    """Somebody who reads reports, or did until they were retired."""

    id: str = schema.field(schema.identifier)
    name: str = schema.field(schema.text(128))
    role: str = schema.field(schema.text(128))
    languages: tuple[str, ...] = schema.field(schema.list_of(schema.identifier, 32, unique=True))
    retired: bool = schema.field(schema.boolean)
    signing: tuple[Signing, ...] = schema.field(schema.list_of(schema.record(Signing), 64))
    recipients: tuple[Period, ...] = schema.field(schema.list_of(schema.record(Period), 64))
    roles: dict[str, str] = schema.field(ROLES, default_factory=dict)  # the role in other languages

    def shown(self, language: str = "") -> str:
        """Name and role for somebody who reads that language; the role alone if it is the name, as an office's is."""
        role = self.roles.get(language, self.role)
        if self.name in (self.role, ""):
            return role
        return f"{self.name} ({role})" if role else self.name

    def recipient(self, day: datetime.date) -> HybridRecipient:
        """The newest recipient that has begun by ``day``, even past its last day; Expired if none has."""
        begun = [period for period in self.recipients if period.first <= day]
        if not begun:
            raise Expired(f"no key of reviewer {self.id} has begun")
        return max(begun, key=lambda period: period.first).key


@dataclass(frozen=True)
class Recovery:
    """The recovery identity, listed openly among the readers."""

    name: str = schema.field(schema.text(128))
    recipient: str = schema.field(mailbox)

    @functools.cached_property
    def key(self) -> HybridRecipient:
        """The recipient itself."""
        return HybridRecipient.from_text(self.recipient)


@dataclass(frozen=True)
class Courier:
    """A machine that may fetch and deliver sealed things; its key opens nothing.

    `reviewer` is the id of the reviewer whose it is; empty if it is nobody's of them.
    """

    id: str = schema.field(schema.identifier)
    name: str = schema.field(schema.text(128))
    key: str = schema.field(verify_key)
    reviewer: str = schema.field(schema.identifier, default="")


@dataclass(frozen=True)
class Manifest:
    """A manifest's content, checked against the rules of SPEC 7.2; made by ``parse`` and ``verify``."""

    serial: int = schema.field(schema.integer(1, canonical.MAX_INTEGER))
    previous: str | None = schema.field(schema.nullable(schema.hexadecimal(32)))
    begins: datetime.date = schema.field(schema.day, name="from")
    expires: datetime.date = schema.field(schema.day)
    slots: int = schema.field(schema.integer(MIN_SLOTS, MAX_SLOTS))
    channels: tuple[Channel, ...] = schema.field(schema.list_of(schema.record(Channel), 32))
    reviewers: tuple[Reviewer, ...] = schema.field(schema.list_of(schema.record(Reviewer), MAX_REVIEWERS))
    recovery: Recovery | None = schema.field(schema.nullable(schema.record(Recovery)))
    couriers: tuple[Courier, ...] = schema.field(schema.list_of(schema.record(Courier), 16))
    collection: tuple[str, ...] = schema.field(schema.list_of(schema.one_of(*WEEKDAYS), 7, unique=True))

    def __post_init__(self) -> None:
        _check_dates(self)
        _check_people(self)
        owners(self)

    def reviewer(self, id: str) -> Reviewer | None:
        """The reviewer of that id, retired or not."""
        return next((reviewer for reviewer in self.reviewers if reviewer.id == id), None)

    def channel(self, id: str) -> Channel | None:
        """The channel of that id."""
        return next((channel for channel in self.channels if channel.id == id), None)

    def courier(self, id: str) -> Courier | None:
        """The courier of that id."""
        return next((courier for courier in self.couriers if courier.id == id), None)

    def active(self) -> tuple[Reviewer, ...]:
        """Every reviewer who is not retired."""
        return tuple(reviewer for reviewer in self.reviewers if not reviewer.retired)

    def recipients(self, readers: Iterable[str], day: datetime.date) -> list[HybridRecipient]:
        """The recipients of active readers, in the order given; Malformed for one who is unknown or retired."""
        recipients = []
        for id in readers:
            reviewer = self.reviewer(id)
            if id == RECOVERY and self.recovery:
                recipients.append(self.recovery.key)
            elif reviewer is None or reviewer.retired:
                raise Malformed(f"the manifest has no active reviewer {id}")
            else:
                recipients.append(reviewer.recipient(day))
        return recipients

    def standing(self, day: datetime.date) -> str:
        """``ahead`` of its first day, ``current``, in ``grace`` after its end, or ``closed``."""
        if day < self.begins:
            return "ahead"
        if day <= self.expires:
            return "current"
        return "grace" if day <= self.expires + GRACE else "closed"

    def warning(self, day: datetime.date) -> int | None:
        """How many days are left, if 50 or fewer; negative past the end."""
        left = (self.expires - day).days
        return left if left <= WARNINGS[0] else None


@dataclass(frozen=True)
class SignedManifest:
    """A manifest with the exact bytes that were signed and their signature file."""

    data: bytes
    signature: bytes
    manifest: Manifest

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def keys(self) -> Keys:
        """How messages refer to it."""
        return Keys(self.manifest.serial, self.hash)


def encode(manifest: Manifest) -> bytes:
    """The bytes of a manifest, to be signed."""
    return canonical.dumps({"v": 1, "kind": "manifest", **schema.to_json(manifest)})


def parse(data: bytes) -> Manifest:
    """The manifest in these bytes; no signature is checked."""
    if len(data) > MAX_FILE:
        raise Malformed("a manifest is too large")
    kind, value = schema.parse_object(data)
    if kind != "manifest":
        raise Malformed("not a manifest")
    return schema.parse(Manifest, value)


class Altered(Malformed):
    """A file was changed on its way, as by an editor or a transfer; this is no sign of forgery."""


def verify(data: bytes, signature: bytes, roots: Sequence[PublicKey]) -> SignedManifest:
    """The manifest, if one of ``roots`` signed it; Forged otherwise, Malformed if it breaks a rule.

    Altered if the bytes do not begin and end like a manifest, or the signature file cannot be read.
    """
    if not (data.startswith(b"{") and data.endswith(b"}")):
        raise Altered("the manifest's bytes were changed on the way, perhaps by an editor: copy it again as it was")
    for root in roots:
        try:
            root.verify(data, signature)
        except Forged:
            continue
        except Malformed as exc:
            raise Altered(str(exc)) from exc
        return SignedManifest(data, signature, parse(data))
    raise Forged("the manifest is not signed by a root that is pinned here")


def check_name(name: str, signed: SignedManifest) -> None:
    """Raise Malformed if a file's name says another serial than the manifest in it."""
    match = NUMBERED.fullmatch(name)
    if match and match[1] != str(signed.manifest.serial):
        raise Malformed("a manifest has another serial than its name says")


def check_next(old: SignedManifest, new: SignedManifest) -> None:
    """Raise unless ``new`` follows ``old`` directly: the next serial, `previous`, the same slots and ids (SPEC 7.3)."""
    if new.manifest.serial < old.manifest.serial:
        raise Expired("the manifest is older than one that was seen before")
    if new.manifest.serial == old.manifest.serial:
        raise Forged("another manifest has the same serial")
    if new.manifest.serial != old.manifest.serial + 1 or new.manifest.previous != old.hash:
        raise Malformed("the manifest does not follow the one before it")
    if new.manifest.slots != old.manifest.slots:
        raise Malformed("the number of slots is fixed for the life of an instance")
    if new.manifest.begins < old.manifest.begins:
        raise Malformed(f"the manifest begins before the one before it, which begins on {old.manifest.begins}")
    _check_ids(old.manifest, new.manifest)


def check_after(before: Sequence[SignedManifest], new: SignedManifest) -> None:
    """Raise unless ``new`` follows the last of ``before`` and lists none of their keys under another id.

    The newest need not list old recipients, so it alone does not tell whose they were.
    """
    check_next(before[-1], new)
    earlier: dict[bytes, str] = {}
    for signed in before:
        earlier = {**owners(signed.manifest), **earlier}
    owners(new.manifest, earlier)


def owners(manifest: Manifest, earlier: Mapping[bytes, str] | None = None) -> dict[bytes, str]:
    """The owner's id of each key, including ``earlier`` ones; Malformed for a key under two ids (SPEC 7.2, 7.3).

    Signing keys are compared by their 32 bytes, recipients by their ML-KEM half, which has only one encoding.
    """
    ids = dict(earlier or {})
    for id, key in _keys(manifest):
        if ids.setdefault(key, id) != id:
            raise Malformed(f"a key of {ids[key]} is also listed under {id}: nobody can have two ids")
    return ids


def fingerprint(roots: Sequence[PublicKey]) -> str:
    """The common fingerprint of the roots: 10 groups of 4 digits."""
    halves = sorted(root.key for root in roots)
    return grouped(hashlib.blake2b(b"".join(halves), digest_size=16).digest())


def _keys(manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    for reviewer in manifest.reviewers:
        yield from ((reviewer.id, key.raw) for key in reviewer.signing)
        yield from ((reviewer.id, period.key.raw[:MLKEM_PUBLIC]) for period in reviewer.recipients)
    if manifest.recovery:
        yield RECOVERY, manifest.recovery.key.raw[:MLKEM_PUBLIC]


def _check_ids(old: Manifest, new: Manifest) -> None:
    """Reporters leave out ids, so an id must stand for one person for ever."""
    owners(new, owners(old))
    for reviewer in old.reviewers:
        now = new.reviewer(reviewer.id)
        if now is None:
            raise Malformed(f"the manifest no longer lists {reviewer.id}: somebody who leaves stays listed as retired")
        if not {key.raw for key in reviewer.signing} <= {key.raw for key in now.signing}:
            raise Malformed(
                f"the manifest drops a signing key of {reviewer.id}: one out of use gets a last day instead"
            )


def _check_dates(manifest: Manifest) -> None:
    if not 0 <= (manifest.expires - manifest.begins).days <= MAX_DAYS:
        raise Malformed(f"a manifest is valid for at most {MAX_DAYS} days")
    if (manifest.serial == 1) != (manifest.previous is None):
        raise Malformed("the first manifest, and no other, has no previous one")
    for reviewer in manifest.reviewers:
        if len({period.first for period in reviewer.recipients}) != len(reviewer.recipients):
            raise Malformed(f"two keys of reviewer {reviewer.id} begin on the same day")
        if any(period.first > manifest.expires + GRACE for period in reviewer.recipients):
            raise Malformed(f"a key of reviewer {reviewer.id} begins too late to be listed")


def _check_people(manifest: Manifest) -> None:
    for listed in (manifest.reviewers, manifest.channels, manifest.couriers):
        if len({each.id for each in listed}) != len(listed):
            raise Malformed("an id is listed twice in the manifest")
    if manifest.reviewer(RECOVERY):
        raise Malformed(f"no reviewer may have the id {RECOVERY}")
    active = {reviewer.id: reviewer for reviewer in manifest.active()}
    if len(active) > MAX_ACTIVE:
        raise Malformed(f"more than {MAX_ACTIVE} reviewers are active")
    if any(not (reviewer.recipients and reviewer.signing) for reviewer in active.values()):
        raise Malformed("an active reviewer has no keys")
    for courier in manifest.couriers:
        if courier.reviewer and courier.reviewer not in active:
            raise Malformed(f"courier {courier.id} belongs to {courier.reviewer}, who is not an active reviewer")
    for channel in manifest.channels:
        if not channel.readers or not set(channel.readers) <= set(active):
            raise Malformed(f"channel {channel.id} needs readers who are active")
        if len(channel.readers) + bool(manifest.recovery) > manifest.slots:
            raise Malformed(f"channel {channel.id} has more readers than slots")
