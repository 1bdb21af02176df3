"""The people in the vectors: a root, three reviewers, a courier, a reporter.  All their secret keys are public."""

import base64
import datetime
from typing import Any

from nacl.signing import SigningKey

from tests.making.vector import secret, unsurprising
from whistle.protocol import canonical
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import attachment, message
from whistle.protocol.case.attachment import Attachment, Block
from whistle.protocol.case.message import Keys, Message, Sender, Signed
from whistle.protocol.code import retrieval
from whistle.protocol.trust import manifest
from whistle.protocol.trust.enrolment import Period, ReviewerKeys
from whistle.protocol.trust.manifest import Channel, Courier, Manifest, Reviewer, SignedManifest, Signing
from whistle.protocol.trust.minisign import SecretKey

DAY = datetime.date(2026, 11, 22)
SLOTS = 2
IDS = ("ombuds", "ethics", "counsel")

REPORTER = retrieval.derive(bytes(range(16)))
STRANGER = retrieval.derive(bytes(range(16, 32)))
COURIER = SigningKey(secret("courier"))


def minisign_key(label: str) -> SecretKey:
    """A minisign key that is the same every time."""
    return SecretKey(secret(f"{label}/id", 8), secret(label))


ROOT, OTHER_ROOT = minisign_key("root"), minisign_key("other root")
SIGNERS = {id: minisign_key(id) for id in IDS}
IDENTITIES = {id: [HybridIdentity(secret(f"{id}/{period}")) for period in range(2)] for id in IDS}


def periods(id: str) -> tuple[Period, ...]:
    """A period that began on 1 October 2026, and for `ombuds` one from 1 January 2027."""
    first, second = (identity.recipient.text for identity in IDENTITIES[id])
    begun = Period(first, datetime.date(2026, 10, 1), datetime.date(2026, 12, 31))
    later = Period(second, datetime.date(2027, 1, 1), datetime.date(2027, 3, 31))
    return (begun, later) if id == "ombuds" else (begun,)


def reviewer(id: str, **changes: Any) -> Reviewer:
    """A reviewer as the manifest lists them."""
    fields: dict[str, Any] = {
        "id": id,
        "name": id.title(),
        "role": f"Office of {id}",
        "languages": ("en", "fr"),
        "retired": False,
        "signing": (Signing(SIGNERS[id].public.text, None),),
        "recipients": periods(id),
    }
    return Reviewer(**{**fields, **changes})


def reviewer_keys(id: str) -> ReviewerKeys:
    """A reviewer's public keys, as for an enrolment file."""
    return ReviewerKeys(id.title(), f"Office of {id}", ("en",), SIGNERS[id].public.text, periods(id))


MANIFEST = Manifest(
    serial=1,
    previous=None,
    begins=datetime.date(2026, 11, 1),
    expires=datetime.date(2027, 1, 30),
    slots=SLOTS,
    channels=(
        Channel("harassment", {"en": "Harassment", "fr": "Harcèlement"}, {"en": "…"}, ("ombuds", "ethics"), "offline"),
    ),
    reviewers=(reviewer("ombuds"), reviewer("ethics")),
    recovery=None,
    couriers=(Courier("van", "Courier", bytes(COURIER.verify_key).hex()),),
    collection=("monday", "thursday"),
)


def known(content: Manifest | dict[str, Any] = MANIFEST, root: SecretKey = ROOT) -> SignedManifest:
    """A signed manifest; a plain object is signed whether it is valid or not."""
    data = canonical.dumps(content) if isinstance(content, dict) else manifest.encode(content)
    return SignedManifest(data, root.sign(data, "whistle manifest"), MANIFEST if isinstance(content, dict) else content)


KEYS: Keys = known().keys


def sender(who: retrieval.Reporter = REPORTER) -> Sender:
    """How a reporter's messages name their keys."""
    return Sender(who.verify_key.hex(), who.mailbox.recipient.text, who.replies.hex())


def stored(label: str, content: bytes, name: str = "photo.jpg", kind: str = "file") -> tuple[list[Block], Attachment]:
    """An attachment that is sealed in the same way every time."""
    with unsurprising(f"attachment {label}"):
        sealer = attachment.Sealer()
        blocks = sealer.update(content)
        last, record = sealer.finish(name, "image/jpeg" if kind == "file" else "application/json", kind)
    return blocks + last, record


PHOTO = stored("photo", b"a photograph")[1]
REST = stored("rest", b'{"text":"hello"}', "", "rest")[1]
SHARED: dict[str, Any] = {
    "case": REPORTER.case.hex(),
    "readers": ("ombuds", "ethics"),
    "without": (),
    "keys": KEYS,
}
REPORTED = {**SHARED, "sender": sender(), "sealed": "device", "day": DAY, "language": "en"}
REVIEWED = {**SHARED, "sender": "ombuds", "day": DAY, "seq": 0, "prev": None, "seen": ()}


def report(**changes: Any) -> message.Report:
    """A report of a few words."""
    return message.Report(**{**REPORTED, "channel": "harassment", "text": "It happened on the third floor.", **changes})


def follow_up(**changes: Any) -> message.FollowUp:
    """A later message of the same reporter."""
    return message.FollowUp(**{**REPORTED, "text": "It happened again.", **changes})


def slip(**changes: Any) -> message.Slip:
    """The report's slip."""
    return message.Slip(**{**REPORTED, "channel": "harassment", **changes})


def signed_by_reporter(content: Message, who: retrieval.Reporter = REPORTER) -> Signed:
    """A message signed by a reporter."""
    return message.sign(content, who.signing)


REPORT = signed_by_reporter(report())


def reply(**changes: Any) -> message.Reply:
    """A reply to the report."""
    fields: dict[str, Any] = {
        **REVIEWED,
        "seen": (REPORT.hash,),
        "to": REPORTER.mailbox.recipient.text,
        "lane": 0,
        "n": 0,
        "have": message.Have(1, DAY),
        "language": "en",
        "text": "Thank you. Are you safe?",
    }
    return message.Reply(**{**fields, **changes})


def note(**changes: Any) -> message.Note:
    """A note between reviewers."""
    return message.Note(**{**REVIEWED, "text": "Seen before?", **changes})


def status(**changes: Any) -> message.Status:
    """A status of the case."""
    return message.Status(**{**REVIEWED, "status": "open", **changes})


def grant(**changes: Any) -> message.Grant:
    """A grant for `counsel`, in the lane of the report's second reader."""
    fields = {
        **REVIEWED,
        "readers": ("ombuds", "counsel"),
        "grantee": "counsel",
        "lane": SLOTS + 1,
        "originals": (message.original(REPORT),),
    }
    return message.Grant(**{**fields, **changes})


def signed_by(content: Message, id: str = "ombuds") -> Signed:
    """A message signed by a reviewer."""
    return message.sign(content, SIGNERS[id].signing)


def base64_of(data: bytes) -> str:
    """Standard base64, padded."""
    return base64.b64encode(data).decode("ascii")
