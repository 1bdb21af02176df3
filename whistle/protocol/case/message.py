"""Messages: the fields of each kind, in canonical JSON, and the signature (SPEC 4).

A kind is a dataclass here, an entry in KINDS and a paragraph in SPEC.md.
"""

import base64
import datetime
import functools
import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from nacl.signing import SigningKey

from whistle.protocol import canonical, schema, signing
from whistle.protocol.age import HybridRecipient
from whistle.protocol.case.attachment import MAX_BLOCKS, Attachment
from whistle.protocol.code.retrieval import ONCE, PLACES, case_of
from whistle.protocol.errors import Malformed, ProtocolError

LABEL = b"whistle/v1 "
VERSION = 1
MAX_SLOTS = 16
MAX_TEXT = 4_194_304  # characters
MAX_ATTACHMENTS = 500
MAX_REST = 16_777_216  # bytes; parsing JSON takes many times its length in memory
MAX_LINE = 65_536  # bytes
MAX_ORIGINALS = 10_000
MAX_RECEIPT = 1024  # characters of a minisign file
RECIPIENT = 1_959  # characters of a hybrid recipient's text
CONTENT = ("text", "answers", "attachments", "originals")
REST = ("", "application/json")  # name and type of a `rest`
HASH = schema.hexadecimal(32)
PEOPLE = schema.list_of(schema.identifier, 64, unique=True)
MAX_ANSWERS = 64  # of a message
ANSWERS = schema.mapping(schema.identifier, schema.text(MAX_TEXT), MAX_ANSWERS)  # by the ids of questions
MARKS = ("acknowledgement", "feedback")  # weaker first: feedback acknowledges too (SPEC 4.8)
CHECK_IN = "check-in"  # the mark of a reply that asks the reporter how they are
MOST_CHECK_INS = 16  # days that a status plans


def mailbox(value: Any) -> str:
    """The form of a hybrid recipient's text."""
    if not isinstance(value, str) or len(value) != RECIPIENT:
        raise Malformed("not a recipient")
    HybridRecipient.from_text(value)  # accepts only one spelling of a key
    return value


@dataclass(frozen=True)
class Keys:
    """The manifest that the sealer used: its serial and SHA-256."""

    serial: int = schema.field(schema.integer(1, canonical.MAX_INTEGER))
    hash: str = schema.field(HASH)


@dataclass(frozen=True)
class Sender:
    """The reporter's public keys; the name of the case commits to them."""

    sign: str = schema.field(schema.hexadecimal(32))
    mailbox: str = schema.field(schema.text(RECIPIENT))
    replies: str = schema.field(schema.hexadecimal(32))

    def __post_init__(self) -> None:
        self.case()

    def case(self) -> str:
        """The case that these keys make, in hexadecimal; Malformed unless the mailbox is a recipient."""
        return self._case

    @functools.cached_property
    def _case(self) -> str:
        raw = HybridRecipient.from_text(self.mailbox).raw
        return case_of(bytes.fromhex(self.sign), raw, bytes.fromhex(self.replies)).hex()


@dataclass(frozen=True)
class Continues:
    """The case that a report continues under new words, with the old key's signature over both cases."""

    case: str = schema.field(HASH)
    sign: str = schema.field(schema.hexadecimal(32))
    signature: str = schema.field(schema.base64_of(64))


@dataclass(frozen=True)
class Receipt:
    """The day on which a report arrived, and a reviewer's minisign file over the statement of that (SPEC 4.12)."""

    received: datetime.date = schema.field(schema.day)
    signature: str = schema.field(schema.text(MAX_RECEIPT))


@dataclass(frozen=True)
class CheckIns:
    """The days on which the reporter is to be asked how they are; none where nobody is to ask."""

    days: tuple[datetime.date, ...] = schema.field(schema.list_of(schema.day, MOST_CHECK_INS, unique=True))


@dataclass(frozen=True)
class Have:
    """How many messages of the reporter had arrived when a reply was written, and the day of the newest."""

    count: int = schema.field(schema.integer(1, canonical.MAX_INTEGER))
    day: datetime.date = schema.field(schema.day)


@dataclass(frozen=True)
class Earlier:
    """A reply that the author of a later one knows: its day, its author, its hash, and lane × 64 + n."""

    day: datetime.date = schema.field(schema.day)
    sender: str = schema.field(schema.identifier, name="from")
    hash: str = schema.field(HASH)
    place: int = schema.field(schema.integer(0, 2 * MAX_SLOTS * PLACES - 1))


@dataclass(frozen=True)
class Away:
    """From which to which day, both included, a reviewer is away, and who stands in, if anybody does (SPEC 4.4)."""

    first: datetime.date = schema.field(schema.day)
    last: datetime.date = schema.field(schema.day)
    cover: str = schema.field(schema.identifier, default="")

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise Malformed("an absence ends before it begins")


@dataclass(frozen=True)
class Original:
    """A message inside a grant, as it was signed."""

    kind: str = schema.field(schema.text(16))
    line: str = schema.field(schema.text(MAX_LINE))
    signature: str = schema.field(schema.base64_of(64))


@dataclass(frozen=True, kw_only=True)
class Message:
    """Fields of every kind."""

    kind: ClassVar[str]
    case: str = schema.field(HASH)
    readers: tuple[str, ...] = schema.field(PEOPLE)
    without: tuple[str, ...] = schema.field(PEOPLE)
    keys: Keys = schema.field(schema.record(Keys))

    def __post_init__(self) -> None:
        if set(self.readers) & set(self.without):
            raise Malformed("a message names somebody both as a reader and as left out")

    @functools.cached_property
    def line(self) -> bytes:
        """Line 1: canonical JSON, which is what gets signed."""
        return canonical.dumps({"v": VERSION, "kind": self.kind, **schema.to_json(self)})

    @functools.cached_property
    def readable(self) -> bytes:
        """Line 1, after reading it back; Malformed if a reader would refuse it, since the message would be lost."""
        parse(self.line)
        return self.line


@dataclass(frozen=True, kw_only=True)
class Body(Message):
    """Fields of messages with content; `rest` replaces all of it when line 1 would be too long."""

    text: str = schema.field(schema.text(MAX_TEXT), default="")
    attachments: tuple[Attachment, ...] = schema.field(
        schema.list_of(schema.record(Attachment), MAX_ATTACHMENTS), default=()
    )
    rest: Attachment | None = schema.field(schema.record(Attachment), default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rest and any(getattr(self, name, None) for name in CONTENT):
            raise Malformed("a message has both a rest and other content")
        if self.rest and (self.rest.kind != "rest" or self.rest.size > MAX_REST):
            raise Malformed("a message's rest is of another kind or too long")
        if self.rest and (self.rest.name, self.rest.type) != REST:
            raise Malformed("a message's rest has a name, or another type")
        if any(each.kind != "file" for each in self.attachments):
            raise Malformed("a message has an attachment that is not a file")
        if sum(each.blocks for each in self.attachments) > MAX_BLOCKS:
            raise Malformed("a message's attachments are too large together")


@dataclass(frozen=True, kw_only=True)
class ByReporter(Message):
    """Fields of the reporter's messages."""

    sender: Sender = schema.field(schema.record(Sender), name="from")
    sealed: str = schema.field(schema.one_of("device", "browser", "arrival"))
    day: datetime.date = schema.field(schema.day)
    language: str = schema.field(schema.identifier)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sender.case() != self.case:
            raise Malformed("a message's case is not that of its sender's keys")


@dataclass(frozen=True, kw_only=True)
class Report(Body, ByReporter):
    """The first message of a case."""

    kind = "report"
    channel: str = schema.field(schema.identifier)
    answers: dict[str, str] | None = schema.field(ANSWERS, default=None)
    continues: Continues | None = schema.field(schema.record(Continues), default=None)


@dataclass(frozen=True, kw_only=True)
class FollowUp(Body, ByReporter):
    """A later message of the reporter; `answers`: how they are, or which other case it is about (SPEC 4.4).

    `once` makes two of the same words on one day two messages; it is empty in those of 0.1.0.
    """

    kind = "follow-up"
    answers: dict[str, str] | None = schema.field(ANSWERS, default=None)
    once: str = schema.field(schema.hexadecimal(ONCE), default="")


@dataclass(frozen=True, kw_only=True)
class Slip(ByReporter):
    """Tells a returning reporter who reads the case and who was left out; sealed to the mailbox alone.

    `way`: `advice` if the report asks for advice.
    """

    kind = "slip"
    channel: str = schema.field(schema.identifier)
    way: str = schema.field(schema.one_of("advice"), default="")


@dataclass(frozen=True, kw_only=True)
class ByReviewer(Message):
    """Fields of the reviewers' messages: their chain in the case, and what they had seen."""

    sender: str = schema.field(schema.identifier, name="from")
    day: datetime.date = schema.field(schema.day)
    seq: int = schema.field(schema.integer(0, canonical.MAX_INTEGER))
    prev: str | None = schema.field(schema.nullable(HASH))
    seen: tuple[str, ...] = schema.field(schema.list_of(HASH, 64, unique=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.seq == 0) != (self.prev is None):
            raise Malformed("the first message of a chain has number 0 and no previous one, and no other does")


@dataclass(frozen=True, kw_only=True)
class Reply(Body, ByReviewer):
    """A reviewer's answer to the reporter; without content it is a notice, which only tells who reads the case."""

    kind = "reply"
    to: str = schema.field(mailbox)
    lane: int = schema.field(schema.integer(0, 2 * MAX_SLOTS - 1))
    n: int = schema.field(schema.integer(0, PLACES - 1))
    have: Have = schema.field(schema.record(Have))
    language: str = schema.field(schema.identifier)
    mark: str = schema.field(schema.one_of(*MARKS, CHECK_IN), default="")
    receipt: Receipt | None = schema.field(schema.record(Receipt), default=None)
    replaces: str = schema.field(HASH, default="")
    earlier: tuple[Earlier, ...] = schema.field(schema.list_of(schema.record(Earlier), 64), default=())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mark and self.is_notice:
            raise Malformed("a reply without content has a mark")
        if self.receipt and not self.mark:
            raise Malformed("a reply without a mark has a receipt")

    @property
    def is_notice(self) -> bool:
        """Whether it has no content."""
        return not (self.text or self.attachments or self.rest)

    def repeats(self, other: "Reply") -> bool:
        """Whether it is the other one by the same author, for another place and perhaps in new blocks (SPEC 4.8).

        Content in a `rest` that was not opened is compared by its hash.
        """
        return self._said == other._said

    @property
    def _said(self) -> tuple[object, ...]:
        files = tuple((each.name, each.type, each.size, each.sha256) for each in self.attachments)
        return self.sender, self.text, files, self.rest and self.rest.sha256, self.mark, self.receipt, self.language


@dataclass(frozen=True, kw_only=True)
class Note(Body, ByReviewer):
    """A message between reviewers; it may check the risk, to be looked at `again`, or tell of an absence (SPEC 4.4)."""

    kind = "note"
    answers: dict[str, str] | None = schema.field(ANSWERS, default=None)
    again: datetime.date | None = schema.field(schema.day, default=None)
    away: Away | None = schema.field(schema.record(Away), default=None)


@dataclass(frozen=True, kw_only=True)
class Status(ByReviewer):
    """The state of a case, as a reviewer sets it."""

    kind = "status"
    status: str = schema.field(schema.one_of("new", "triage", "open", "waiting", "closed"))
    labels: tuple[str, ...] = schema.field(schema.list_of(schema.text(64), 16, unique=True), default=())
    deadline: datetime.date | None = schema.field(schema.day, default=None)
    claimed: str = schema.field(schema.identifier, default="")
    check_ins: CheckIns | None = schema.field(schema.record(CheckIns), default=None)
    text: str = schema.field(schema.text(4096), default="")


@dataclass(frozen=True, kw_only=True)
class Grant(Body, ByReviewer):
    """Lets one more reviewer into a case; `originals` are the earlier messages that the grantee lacks."""

    kind = "grant"
    grantee: str = schema.field(schema.identifier)
    lane: int = schema.field(schema.integer(0, 2 * MAX_SLOTS - 1))
    originals: tuple[Original, ...] = schema.field(schema.list_of(schema.record(Original), MAX_ORIGINALS), default=())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grantee not in self.readers:
            raise Malformed("a grant is not sealed to its grantee")


KINDS: dict[str, type[Message]] = {kind.kind: kind for kind in (Report, FollowUp, Slip, Reply, Note, Status, Grant)}


@dataclass(frozen=True)
class Signed:
    """A message with the exact bytes that were signed."""

    line: bytes
    signature: bytes
    message: Message

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of line 1, in hexadecimal: the message's name in chains."""
        return hashlib.sha256(self.line).hexdigest()

    @functools.cached_property
    def is_by_reporter(self) -> bool:
        """Whether it is a reporter's and signed by the key that it names; checked once."""
        try:
            check_reporter(self)
        except ProtocolError:
            return False
        return True


def encode(message: Message) -> bytes:
    """Line 1 of a message."""
    return message.line


def parse(line: bytes) -> Message:
    """The message of a line 1; Malformed unless it is canonical and has exactly the fields of its kind."""
    kind, value = schema.parse_object(line, VERSION)
    if kind not in KINDS:
        raise Malformed("a message of an unknown kind")
    return schema.parse(KINDS[kind], value)


def sign(message: Message, key: SigningKey) -> Signed:
    """Sign a message; Malformed if a reader would refuse it, since it would be lost."""
    line = message.readable
    return Signed(line, signing.sign(key, _signed(message, line)), message)


def check(signed: Signed, verify_key: bytes) -> None:
    """Raise Forged unless the signature is by ``verify_key``."""
    signing.verify(verify_key, _signed(signed.message, signed.line), signed.signature)


def check_reporter(signed: Signed) -> None:
    """Raise Forged unless a reporter's message is signed by the key that it names."""
    if not isinstance(signed.message, ByReporter):
        raise Malformed("not a message of a reporter")
    check(signed, bytes.fromhex(signed.message.sender.sign))


def original(signed: Signed) -> Original:
    """A signed message in the form that grants carry."""
    return Original(signed.message.kind, signed.line.decode(), base64.b64encode(signed.signature).decode())


def from_original(inside: Original) -> Signed:
    """The signed message in a grant's original; its signature is not checked yet."""
    line = inside.line.encode()
    message = parse(line)
    if message.kind != inside.kind:
        raise Malformed("an original is not of the kind that it claims")
    return Signed(line, schema.unbase64(inside.signature), message)


def content_of(message: Body) -> bytes:
    """What `rest` holds: the message's text, answers, attachments and originals as canonical JSON."""
    names = {each.name for each in fields(message)} & set(CONTENT)
    content = {name: schema.to_json(getattr(message, name)) for name in names if getattr(message, name)}
    return canonical.dumps(content)


def with_rest(message: Body, rest: Attachment) -> Body:
    """The message with its content moved into ``rest``."""
    empty: dict[str, Any] = {each.name: each.default for each in fields(message) if each.name in CONTENT}
    return replace(message, **empty, rest=rest)


def with_content(message: Body, content: bytes) -> Body:
    """The message with the content that its `rest` held, for reading only: this is not what was signed."""
    value = canonical.loads(content)
    forms = {each.name: each.metadata["form"] for each in fields(message) if each.name in CONTENT}
    if not isinstance(value, dict) or not set(value) <= set(forms):
        raise Malformed("a message's rest holds an unknown field")
    if not value or not all(value.values()):
        raise Malformed("a message's rest is empty, or holds an empty field")
    parsed = {name: forms[name](item) for name, item in value.items()}
    return replace(message, rest=None, **parsed)


def _signed(message: Message, line: bytes) -> bytes:
    return LABEL + message.kind.encode() + b"\n" + line
