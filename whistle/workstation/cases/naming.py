"""Phrases that name a message, for sentences about it."""

import datetime

from whistle.protocol.case.message import Message
from whistle.workstation.language import t

OWN = {
    "reply": "naming.own_reply",
    "note": "naming.own_note",
    "status": "naming.own_status",
    "grant": "naming.own_grant",
}
OF_DAY = {
    "report": "naming.report_of_day",
    "follow-up": "naming.follow_up_of_day",
    "reply": "naming.reply_of_day",
    "note": "naming.note_of_day",
    "status": "naming.status_of_day",
    "grant": "naming.grant_of_day",
}
BY = {
    "report": "naming.report_by",
    "follow-up": "naming.follow_up_by",
    "reply": "naming.reply_by",
    "note": "naming.note_by",
    "status": "naming.status_by",
    "grant": "naming.grant_by",
}
BY_OF_DAY = {
    "reply": "naming.reply_by_of_day",
    "note": "naming.note_by_of_day",
    "status": "naming.status_by_of_day",
    "grant": "naming.grant_by_of_day",
}


def own(message: Message) -> str:
    """Such as *your reply of 3 May*."""
    return t(OWN[message.kind], day=_day(message))


def of_day(message: Message) -> str:
    """Such as *a report of 3 May*."""
    return t(OF_DAY[message.kind], day=_day(message))


def by(message: Message, author: str) -> str:
    """Such as *a note of ethics*; `author` may be a phrase for the reporter."""
    return t(BY[message.kind], by=author or t("naming.reporter"))


def by_of_day(message: Message, author: str) -> str:
    """Such as *a note of ethics of 3 May*."""
    return t(BY_OF_DAY[message.kind], by=author, day=_day(message))


def _day(message: Message) -> datetime.date:
    return message.day  # type: ignore[attr-defined, no-any-return]
