"""The vault's tables, each a typed model.

Signed messages are stored as the bytes that were signed.  What is marked *derived* is computed from them and can be
computed anew: the columns of a case that the list shows, and a message's searchable text.
"""

import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

REVISION = "v0004"  # the newest migration, which results in these tables
NAMES = {"ix": "%(table_name)s_%(column_0_N_name)s", "fk": "%(table_name)s_%(column_0_name)s"}

LABELLED = "labels != '[]' OR stated != '[]'"  # of cases
ANSWERED = "answers != '[]'"
NAMED = "named != '[]'"  # of cases


class Base(DeclarativeBase):
    """What all models have in common."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 (as the library documents it)
        bytes: LargeBinary,
        list[str]: JSON,
        list[int]: JSON,
        list[Any]: JSON,
        dict[str, int]: JSON,
        dict[str, Any]: JSON,
    }


class Station(Base):
    """One row: whose workstation it is, and what it notes about itself.  `terms`: the version of the index's terms."""

    __tablename__ = "station"
    __table_args__ = (CheckConstraint("id = 1", name="station_is_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    languages: Mapped[list[str]]
    station: Mapped[str]  # a random name for files on a stick
    signing: Mapped[str]  # the reviewer's secret key
    clock: Mapped[datetime.date]  # the latest day on which the vault was used
    restored: Mapped[datetime.date | None]  # the day of a restore, until the next exchange
    unfinished: Mapped[bool]  # a backup is being restored into it
    listed_on: Mapped[datetime.date | None]  # the day of the newest derived columns
    listed_serial: Mapped[int | None]  # the newest manifest by which they were computed
    terms: Mapped[int]


class Root(Base):
    """A pinned root key."""

    __tablename__ = "roots"

    key: Mapped[str] = mapped_column(primary_key=True)


class IdentityPeriod(Base):
    """A secret identity with its first and last day; destroying it is deleting its row."""

    __tablename__ = "identities"

    first: Mapped[datetime.date] = mapped_column(primary_key=True)
    last: Mapped[datetime.date]
    identity: Mapped[str]


class KnownManifest(Base):
    """A manifest that was accepted, as its bytes."""

    __tablename__ = "manifests"

    serial: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]
    signature: Mapped[bytes]


class CaseRow(Base):
    """A case; `id` is its place in the order of arrival."""

    __tablename__ = "cases"

    DIGITS = 12

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    digits: Mapped[str] = mapped_column(String(DIGITS), index=True)  # of its reference
    opened: Mapped[int] = mapped_column(default=0)  # how many of its messages were read
    recorded: Mapped[list[Any]] = mapped_column(default=list)  # remarks
    waits: Mapped[dict[str, int]] = mapped_column(default=dict)  # by sender, how many messages wait for it
    title: Mapped[str] = mapped_column(default="")  # this and the next two are of this workstation alone
    labels: Mapped[list[str]] = mapped_column(default=list)
    muted_at: Mapped[int | None]  # how many messages it had when it was muted
    pressing: Mapped[bool | None]  # derived: whether a report too long for its envelope says so; None if none came
    stale: Mapped[bool] = mapped_column(default=True)  # what follows must be computed again
    # derived
    rank: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime.date] = mapped_column(default=datetime.date.max)
    status: Mapped[str] = mapped_column(default="new")
    urgent: Mapped[bool] = mapped_column(default=False)
    reopened: Mapped[bool] = mapped_column(default=False)
    unread: Mapped[int] = mapped_column(default=0)
    deadlines: Mapped[list[Any]] = mapped_column(default=list)
    faulty: Mapped[bool] = mapped_column(default=False)
    claimed: Mapped[str] = mapped_column(default="")
    channel: Mapped[str | None]
    language: Mapped[str | None]
    stated: Mapped[list[str]] = mapped_column(default=list)  # the labels of its newest status
    answers: Mapped[list[str]] = mapped_column(default=list, server_default="[]")  # what was chosen: question=choice
    named: Mapped[list[str]] = mapped_column(default=list)  # the cases that its reporter names, by digits; and a proof
    files: Mapped[bool] = mapped_column(default=False)
    muted: Mapped[bool] = mapped_column(default=False)
    start: Mapped[str | None]  # the beginning of its first message; None while that is not at hand
    away: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # who told that they are away

    __table_args__ = (
        Index("cases_queue", "muted", "rank", "due", "hash"),
        Index("cases_counted", "muted", "status", "channel", "language", "claimed", "unread", "files", "due"),
        Index("cases_labelled", "id", sqlite_where=text(LABELLED)),
        Index("cases_answered", "id", sqlite_where=text(ANSWERED)),
        Index("cases_stale", "id", sqlite_where=text("stale = 1")),
        Index("cases_named", "id", sqlite_where=text(NAMED)),
        Index("cases_faulty", "id", sqlite_where=text("faulty = 1")),
    )


class MessageRow(Base):
    """A message; `id` is its place in the order of arrival.

    `kept_text` is derived: exactly what the index was given, None while it was given nothing.  `indexed`: NEW, WHOLE,
    or INCOMPLETE while content that travels in blocks has not come.
    """

    __tablename__ = "messages"

    NEW, WHOLE, INCOMPLETE = 0, 1, 2

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    via: Mapped[str]
    arrived: Mapped[datetime.date]
    server: Mapped[datetime.date | None]
    stored: Mapped[datetime.date | None]
    grantor: Mapped[str]
    rules: Mapped[bool]  # it says who may read and write in the case
    indexed: Mapped[int] = mapped_column(default=NEW)
    kept_text: Mapped[str | None]
    line: Mapped[bytes]
    signature: Mapped[bytes]

    __table_args__ = (
        Index("messages_case", "case_id", "id"),
        Index("messages_lacking", "indexed", "id", sqlite_where=text("indexed != 1")),
    )


class WaitingMessage(Base):
    """A message that waits for a dependency, `lacks`; `sender` is empty for those that no known key proves."""

    __tablename__ = "waiting"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    case: Mapped[str] = mapped_column(String(64))
    sender: Mapped[str]
    size: Mapped[int]  # bytes that it counts for
    since: Mapped[datetime.date]
    lacks: Mapped[str]
    server: Mapped[datetime.date | None]
    line: Mapped[bytes]
    signature: Mapped[bytes]


class OfficeRow(Base):
    """One row, if anything was set: the office's clocks, holidays and this reviewer's absence."""

    __tablename__ = "office"
    __table_args__ = (CheckConstraint("id = 1", name="office_is_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]


class TemplateRow(Base):
    """A text for an occasion in a language, instead of the one that comes with this program; empty for none."""

    __tablename__ = "templates"

    occasion: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]


class TrayItem(Base):
    """Something of this reviewer's, still unsigned, that waits for the next exchange; `id` is its place in the order.

    `what`: reply, note, status, grant, claim or again.  `known`: how many of the reporter's messages were here when it
    was written.  `reason`: why it could not be signed, or waits for its author's word if it is `held`.  What is set
    `aside` goes with no exchange.
    """

    __tablename__ = "tray"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (no number is ever another thing's)

    id: Mapped[int] = mapped_column(primary_key=True)
    case: Mapped[str] = mapped_column(String(64), index=True)
    what: Mapped[str]
    fields: Mapped[dict[str, Any]]
    files: Mapped[list[Any]]  # records of attachments, whose blocks are sealed already
    known: Mapped[int]
    day: Mapped[datetime.date]
    held: Mapped[bool] = mapped_column(default=False)
    aside: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(default="")


class Draft(Base):
    """What was typed into a form of a case, and is neither sent nor in the tray."""

    __tablename__ = "drafts"

    case: Mapped[str] = mapped_column(String(64), primary_key=True)
    form: Mapped[str] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]


class KeptFilter(Base):
    """A filter of the list that was kept under a name."""

    __tablename__ = "filters"

    name: Mapped[str] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]


class Outgoing(Base):
    """A message of this vault on its way to the server or, once a courier `said` so, delivered.

    Of what was set `aside`, only the copy for the reviewers goes on.
    """

    __tablename__ = "outgoing"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    day: Mapped[datetime.date]
    attempt: Mapped[int]
    again: Mapped[bool] = mapped_column(default=False)  # it was signed again, or given up
    aside: Mapped[bool] = mapped_column(default=False)
    back: Mapped[datetime.date | None]  # the day on which its copy came back
    said: Mapped[datetime.date | None]
    envelopes: Mapped[list["OutgoingEnvelope"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OutgoingEnvelope.number"
    )
    blocks: Mapped[list["OutgoingBlock"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="OutgoingBlock.number"
    )


class OutgoingEnvelope(Base):
    """An envelope of an outgoing message; `body` is None after a restore, if the server had it at the backup."""

    __tablename__ = "outgoing_envelopes"

    number: Mapped[int] = mapped_column(primary_key=True)
    outgoing_id: Mapped[int] = mapped_column(ForeignKey("outgoing.id", ondelete="CASCADE"), index=True)
    id: Mapped[bytes]
    heap: Mapped[str]
    arrived: Mapped[bool] = mapped_column(default=False)
    sha256: Mapped[bytes]
    body: Mapped[bytes | None]


class OutgoingBlock(Base):
    """A block of an outgoing message, as it was sealed here."""

    __tablename__ = "outgoing_blocks"

    number: Mapped[int] = mapped_column(primary_key=True)
    outgoing_id: Mapped[int] = mapped_column(ForeignKey("outgoing.id", ondelete="CASCADE"), index=True)
    id: Mapped[bytes]
    heap: Mapped[str]
    sha256: Mapped[bytes]


class ServerDay(Base):
    """A server day of which something came, and the parts of the newest bundle that brought it."""

    __tablename__ = "days"

    day: Mapped[datetime.date] = mapped_column(primary_key=True)
    written: Mapped[datetime.date]
    of: Mapped[int]
    parts: Mapped[list[int]]


class Came(Base):
    """An envelope or block that came, by its name in the bundle; `absent` from the newest list of its day."""

    __tablename__ = "came"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    day: Mapped[datetime.date] = mapped_column(ForeignKey("days.day"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[bytes]
    absent: Mapped[bool] = mapped_column(default=False)


class Part(Base):
    """A part that was imported, by its list's digest."""

    __tablename__ = "parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)


class Undone(Base):
    """What must be signed because of an import, and could not be yet: a reply again, or a grant."""

    __tablename__ = "undone"
    __table_args__ = (UniqueConstraint("what", "hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    hash: Mapped[str] = mapped_column(String(64))


class BackupRow(Base):
    """A backup that this vault writes, by its random id; it is not part of any backup.

    `made` is the random number of the newest one that was finished, `tried` that of the newest that was begun.  `keys`:
    a hash of its key file and what is sealed in it.  `place`: the folder that was named last; `name`: of the stick.
    """

    __tablename__ = "backups"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    place: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    made: Mapped[str] = mapped_column(String(32), default="")
    tried: Mapped[str] = mapped_column(String(32), default="")
    keys: Mapped[str] = mapped_column(String(64), default="")
    day: Mapped[datetime.date | None]
    stale: Mapped[int] = mapped_column(default=0)  # bytes in its parts that no longer count
