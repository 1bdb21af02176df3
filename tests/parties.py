"""People for the tests: an organisation with a root, reviewers and a courier, and someone who reports to it."""

import datetime
import os
from dataclasses import dataclass, replace
from typing import Any

from nacl.signing import SigningKey

from whistle.protocol import age
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import envelope, message
from whistle.protocol.code import retrieval
from whistle.protocol.trust import manifest
from whistle.protocol.trust.enrolment import Period, ReviewerKeys
from whistle.protocol.trust.manifest import Channel, Courier, Manifest, Reviewer, SignedManifest, Signing
from whistle.protocol.trust.minisign import SecretKey

DAY = datetime.date(2026, 11, 22)
WEEK = datetime.timedelta(days=7)
ROLES = {"ombuds": "Ombudsperson", "ethics": "Ethics office", "counsel": "Staff counsel"}
POOL = [HybridIdentity.generate().recipient for _ in range(16)]  # people whom nobody knows


@dataclass
class Person:
    """A reviewer with all secrets."""

    id: str
    role: str
    secret: SecretKey
    identities: list[HybridIdentity]
    periods: tuple[Period, ...]

    @property
    def keys(self) -> ReviewerKeys:
        """What the reviewer hands to root."""
        return ReviewerKeys(self.role, self.role, ("en", "ar"), self.secret.public.text, self.periods)

    def listed(self, retired: bool = False) -> Reviewer:
        """How the manifest lists the reviewer."""
        signing = (Signing(self.secret.public.text, None),)
        return Reviewer(self.id, self.role, self.role, ("en", "ar"), retired, signing, self.periods)


def person(id: str, role: str, day: datetime.date = DAY) -> Person:
    """A reviewer whose first period began a week before ``day``; the second follows after 90 days."""
    identities = [HybridIdentity.generate(), HybridIdentity.generate()]
    first = day - WEEK
    second = first + datetime.timedelta(days=90)
    periods = (
        Period(identities[0].recipient.text, first, second - datetime.timedelta(days=1)),
        Period(identities[1].recipient.text, second, second + datetime.timedelta(days=89)),
    )
    return Person(id, role, SecretKey.generate(), identities, periods)


@dataclass
class Organisation:
    """Everything that belongs to one organisation, secrets included."""

    root: SecretKey
    people: dict[str, Person]
    courier: SigningKey
    known: SignedManifest

    @property
    def manifest(self) -> Manifest:
        """The manifest in force."""
        return self.known.manifest

    def sign(self, **changes: Any) -> SignedManifest:
        """The manifest with changes, signed by the root."""
        return signed(replace(self.manifest, **changes), self.root)

    def next(self, **changes: Any) -> SignedManifest:
        """The manifest that follows, with changes."""
        return self.sign(serial=self.manifest.serial + 1, previous=self.known.hash, **changes)


def signed(content: Manifest, root: SecretKey) -> SignedManifest:
    """A manifest signed by a root."""
    data = manifest.encode(content)
    return SignedManifest(data, root.sign(data, "whistle manifest"), content)


def organisation(day: datetime.date = DAY, slots: int = 8) -> Organisation:
    """Three reviewers; channel `harassment` read by two of them, `fraud` by the third."""
    root, courier = SecretKey.generate(), SigningKey.generate()
    people = {id: person(id, role, day) for id, role in ROLES.items()}
    content = Manifest(
        serial=1,
        previous=None,
        begins=day - WEEK,
        expires=day - WEEK + datetime.timedelta(days=90),
        slots=slots,
        channels=(
            Channel("harassment", {"en": "Harassment", "ar": "تحرش"}, {"en": "…"}, ("ombuds", "ethics"), "offline"),
            Channel("fraud", {"en": "Fraud", "ar": "احتيال"}, {"en": "…"}, ("counsel",), "connected"),
        ),
        reviewers=tuple(each.listed() for each in people.values()),
        recovery=None,
        couriers=(Courier("courier", "Courier", bytes(courier.verify_key).hex()),),
        collection=("monday", "thursday"),
    )
    return Organisation(root, people, courier, signed(content, root))


def reporter() -> retrieval.Reporter:
    """Someone with a fresh retrieval code."""
    return retrieval.derive(os.urandom(16))


def sender(who: retrieval.Reporter) -> message.Sender:
    """How a reporter's messages name their keys."""
    return message.Sender(who.verify_key.hex(), who.mailbox.recipient.text, who.replies.hex())


def report(who: retrieval.Reporter, org: Organisation, **changes: Any) -> message.Report:
    """A report to the readers of `harassment`."""
    fields: dict[str, Any] = {
        "case": who.case.hex(),
        "readers": ("ombuds", "ethics"),
        "without": (),
        "keys": org.known.keys,
        "sender": sender(who),
        "sealed": "device",
        "day": DAY,
        "language": "en",
        "channel": "harassment",
        "text": "Something happened on the third floor.",
    }
    return message.Report(**{**fields, **changes})


def sealed(signed: message.Signed, org: Organisation, readers: tuple[str, ...], day: datetime.date = DAY) -> bytes:
    """The envelope of a signed message for the named readers."""
    recipients = org.manifest.recipients(readers, day)
    return envelope.seal(signed, recipients, org.manifest.slots, POOL)


def recipients_of(identities: list[HybridIdentity]) -> list[age.HybridRecipient]:
    """The public halves."""
    return [identity.recipient for identity in identities]
