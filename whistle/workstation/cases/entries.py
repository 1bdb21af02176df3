"""A message of a case as it is stored: how it came and when, and its content once that is opened."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from whistle.protocol.case import message
from whistle.protocol.case.attachment import Attachment, block_ids
from whistle.protocol.case.message import Body, ByReviewer, Message, Signed
from whistle.protocol.errors import Malformed
from whistle.workstation.cases import ended_keys, naming, saved_files
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.workstation import Kept, Workstation

Rest = Literal["whole", "missing", "damaged"]  # the content that travels in an attachment (SPEC 4.5)
OPENED = 262_144  # bytes: the longest content that is opened for a list


@dataclass(frozen=True)
class Entry:
    """One message of a case; its `rest` is opened when `content` is read."""

    signed: Signed
    via: str
    arrived: datetime.date
    server: datetime.date | None = None  # the earliest on which it was there
    stored: datetime.date | None = None  # of a reply from this vault: when a courier reported it
    grantor: str = ""  # who handed it over
    ended: datetime.date | None = None  # the last day of the key that signed it, if it came after that
    open: Callable[[Message], tuple[Message, Rest]] = field(
        default=lambda message: (message, "whole"), repr=False, compare=False
    )

    @property
    def message(self) -> Message:
        """The message as it was signed: without its content, if that is in a `rest`."""
        return self.signed.message

    @property
    def content(self) -> Message:
        """The message with all of its content, as far as that has come."""
        return self._opened[0]

    @property
    def opened(self) -> Message | None:
        """The same for a list of cases, which strangers fill; None if it has not come, or is too long for that."""
        rest = self.message.rest if isinstance(self.message, Body) else None
        return None if rest is not None and (rest.size > OPENED or not self.complete) else self.content

    @property
    def rest(self) -> Rest:
        """Whether its content is whole, missing or damaged."""
        return self._opened[1]

    @property
    def complete(self) -> bool:
        """Whether all of its content is there and sound."""
        return self.rest == "whole"

    @property
    def is_vouched_for(self) -> bool:
        """Whether nothing but a grantor's word says on which day it was written."""
        return self.via == "grant" and self.server is None

    @property
    def _opened(self) -> tuple[Message, Rest]:
        return self.open(self.message)

    @property
    def delivered(self) -> datetime.date | None:
        """The day on which a reviewer's message was at the server, as far as known; None while it is not there.

        Others' messages were there when they came from there.  For granted ones only their own day is known.
        """
        if self.via == "grant":
            return self.claimed_day
        return self.stored if self.via == "own" else self.server or self.arrived

    @property
    def claimed_day(self) -> datetime.date:
        """The day that a reviewer's message names, but no day after its arrival."""
        assert isinstance(self.message, ByReviewer)
        return min(self.message.day, self.arrived)

    @property
    def by(self) -> str:
        """The author's id as a reviewer; empty for the reporter."""
        return self.message.sender if isinstance(self.message, ByReviewer) else ""

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attached files."""
        return self.content.attachments if isinstance(self.content, Body) else ()


def entry_of(workstation: Workstation, kept: Kept) -> Entry:
    """A stored message."""
    return Entry(
        kept.signed,
        kept.via,
        kept.arrived,
        kept.server,
        kept.stored,
        kept.grantor,
        ended_keys.of_stored(workstation, kept),
        partial(open_rest, workstation),
    )


def opened(workstation: Workstation, content: Message) -> Message:
    """A message with all of its content.  Raises Refused if that is not here and sound."""
    whole, rest = open_rest(workstation, content)
    if rest != "whole":
        raise Refused(t("entries.not_whole", message=naming.own(content)), t("entries.not_whole_hint"))
    return whole


def open_rest(workstation: Workstation, content: Message) -> tuple[Message, Rest]:
    """A message with the content of its `rest`, and whether that is here and sound.

    Only the last one is cached, since each may be large.
    """
    if not isinstance(content, Body) or content.rest is None:
        return content, "whole"
    last = workstation.last_opened
    if last and last[0] is content:
        return last[1], "whole"
    rest = content.rest
    if workstation.blocks.missing(block_ids(rest)):
        return content, "missing"
    try:
        whole = message.with_content(content, saved_files.content(rest, workstation.blocks))
    except Malformed:
        return content, "damaged"
    workstation.last_opened = content, whole
    return whole, "whole"
