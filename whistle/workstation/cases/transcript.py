"""A case as text, for the terminal and for an export, and the phrases that the local page uses too.

Strangers' text is shown without control characters and direction marks, and in a transcript each of its lines begins
with a bar, so that nobody can imitate what this program says.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from whistle.protocol.case import continuation
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import (
    Away,
    Body,
    ByReporter,
    ByReviewer,
    Continues,
    FollowUp,
    Grant,
    Message,
    Note,
    Reply,
    Report,
    Status,
)
from whistle.protocol.code.retrieval import reference
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter.questions import CHECK_IN, EARLIER, HOW
from whistle.protocol.trust.manifest import RECOVERY, Reviewer
from whistle.protocol.untrusted_text import one_line, plain, quoted
from whistle.workstation import answers
from whistle.workstation.care import signs
from whistle.workstation.cases import conversation, naming
from whistle.workstation.cases.case_list import LATE, SOON, SOON_DAYS, UNKNOWN, Filter
from whistle.workstation.cases.entries import Entry
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import absences, fulfilled
from whistle.workstation.duties.deadlines import Deadline
from whistle.workstation.language import current, day, t
from whistle.workstation.tray import tray
from whistle.workstation.tray.tray import Item
from whistle.workstation.workstation import Workstation

# Of each word, the key of its text.
SEALED = {
    "device": "transcript.sealed_device",
    "browser": "transcript.sealed_browser",
    "arrival": "transcript.sealed_arrival",
}
VALUES = ("yes", "no", "unknown", *HOW)
QUESTIONS = {id: f"care.asked_{id.replace('-', '_')}" for id in (EARLIER, CHECK_IN, *signs.RISKS)}
STATUS = {
    "new": "transcript.new",
    "triage": "transcript.triage",
    "open": "transcript.open",
    "waiting": "transcript.status_waiting",
    "closed": "transcript.closed",
}
DUE = {
    "acknowledge": "transcript.due_acknowledge",
    "feedback": "transcript.due_feedback",
    "agreed": "transcript.due_agreed",
    "check-in": "care.due_check_in",
    "risk": "care.due_risk",
}
MARKS = {
    "acknowledgement": "transcript.acknowledgement",
    "feedback": "transcript.feedback",
    "check-in": "care.check_in",
    "": "transcript.reply",
}
MET = {"acknowledge": "met.acknowledge", "feedback": "met.feedback"}
KINDS = {
    "report": "transcript.report_by",
    "follow-up": "transcript.follow_up_by",
    "note": "transcript.note_by",
    "status": "transcript.status_by",
}
BY = {
    "acknowledgement": "transcript.acknowledgement_by",
    "feedback": "transcript.feedback_by",
    "check-in": "care.check_in_by",
    "": "transcript.reply_by",
}
INCOMPLETE = {"missing": "transcript.missing", "damaged": "transcript.damaged"}


def status(status: str) -> str:
    """What a status is called."""
    return t(STATUS[status]) if status in STATUS else one_line(status)


def mark(mark: str) -> str:
    """What a reply is called that counts as this."""
    return t(MARKS[mark])


def dues() -> dict[str, str]:
    """What a filter by deadlines can ask for, in words."""
    return {LATE: t("transcript.late"), SOON: t("transcript.soon", SOON_DAYS)}


def own(message: Message) -> str:
    """Such as *your reply of 3 May*."""
    return naming.own(message)


def incomplete(entry: Entry) -> str:
    """Why a message is not shown whole."""
    return t(INCOMPLETE[entry.rest])


def person(workstation: Workstation, id: str) -> str:
    """A reviewer's role and id, by the newest manifest."""
    newest = workstation.trust.newest().manifest
    if id == RECOVERY and newest.recovery:
        return t("transcript.person", name=newest.recovery.name, id=RECOVERY)
    listed = newest.reviewer(id)
    return t("transcript.person", name=_role(listed), id=id) if listed else t("transcript.unlisted", id=id)


def _role(listed: Reviewer) -> str:
    """A reviewer's role in the language of the page, if the manifest has it in that."""
    return listed.roles.get(current().code, listed.role) or listed.name


def channel(workstation: Workstation, case: Case) -> str:
    """The title of the report's channel."""
    return channel_title(workstation, case.report.channel if case.report else None)


def channel_title(workstation: Workstation, id: str | None) -> str:
    """The title of a channel by its id, None for that of a report that has not come yet."""
    if id is None:
        return t("transcript.no_report")
    listed = workstation.trust.newest().manifest.channel(id)
    titles = listed.title if listed else {}
    return plain(titles.get(current().code) or titles.get("en") or next(iter(titles.values()), id))


def language(code: str) -> str:
    """A language's name, or its code if it has none."""
    return plain(current().language(code))


def choice(workstation: Workstation, name: str, value: str) -> str:
    """What a filter's value of a column is called."""
    if name == "claimed":
        return t("page.nobody_yet") if value == UNKNOWN else person(workstation, value)
    if value == UNKNOWN:
        return t("transcript.no_report")
    called = {"status": status(value), "language": language(value), "label": one_line(value)}
    if name == "answer":
        return answers.facet_words(value)
    return called[name] if name in called else channel_title(workstation, value)


def chosen(workstation: Workstation, kept: Filter) -> list[str]:
    """A filter in words."""
    named = [(name, getattr(kept, name)) for name in ("channel", "status", "label", "language", "claimed", "answer")]
    words = [choice(workstation, name, value) for name, value in named if value]
    flags = (
        (t("filter.unread"), kept.unread),
        (t("filter.files"), kept.files),
        (t("filter.muted"), kept.muted),
    )
    due = [t("filter.due_chosen", when=dues()[kept.due])] if kept.due else []
    return words + due + [name for name, is_set in flags if is_set]


def headline(workstation: Workstation, case: Case, entry: Entry) -> str:
    """The kind of a message and its author."""
    by = person(workstation, entry.by) if entry.by else t("naming.reporter")
    if isinstance(entry.message, Grant):
        whom = person(workstation, entry.message.grantee)
        if case.grants.get(entry.message.grantee) is entry.message:
            return t("transcript.let_in", whom=whom, by=by)
        return t("transcript.passed_on", whom=whom, by=by)
    if isinstance(entry.message, Reply):
        if entry.message.is_notice:
            return t("transcript.notice", by=by)
        return t(BY[entry.message.mark], by=by)
    return t(KINDS[entry.message.kind], by=by)


def provenance(entry: Entry) -> str:
    """How the message says that it was sealed, and whether it came with a grant."""
    if isinstance(entry.message, ByReporter):
        sealed = t(SEALED[entry.message.sealed])
    else:
        sealed = t("transcript.sealed_workstation")
    if entry.via != "grant":
        return sealed
    grantor = entry.grantor or t("transcript.grantor")
    if entry.by and entry.is_vouched_for:
        return t("transcript.vouched", sealed=sealed, grantor=grantor)
    return t("transcript.handed", sealed=sealed, grantor=grantor)


def lateness(entry: Entry) -> str:
    """What to know of a message that came after the key that signed it ended; empty for any other."""
    if entry.ended is None:
        return ""
    came, by, ended = entry.server or entry.arrived, entry.by, entry.ended
    if isinstance(entry.message, Reply):
        return t("transcript.late_reply", came=came, by=by, ended=ended)
    return t("transcript.late_message", came=came, by=by, ended=ended)


def repetition(case: Case, entry: Entry) -> str:
    """What to know of a reply that says that it replaces another; empty for any other message."""
    if not isinstance(entry.message, Reply) or not entry.message.replaces:
        return ""
    if case.replaced(entry):
        return t("transcript.sent_again")
    if any(each.signed.hash == entry.message.replaces for each in case.entries):
        return t("transcript.no_repetition")
    return t("transcript.replaces_unknown")


def text(entry: Entry) -> str:
    """The text of a message, safe to show; for a status, all that it states."""
    content = entry.content
    if not entry.complete:
        return f"[{incomplete(entry)}]"
    if isinstance(content, Status):
        return stated(content)
    return plain(content.text) if isinstance(content, Body) else ""


def stated(status: Status) -> str:
    """All that a status says, safe to show."""
    return plain("\n".join(filter(None, [_status(status), status.text])))


def _status(status: Status) -> str:
    sentences: list[str] = [t("transcript.stands", status=t(STATUS[status.status]))]
    if status.labels:
        sentences.append(t("transcript.labels_are", labels=", ".join(status.labels)))
    if status.deadline:
        sentences.append(t("transcript.agreed_is", day=status.deadline))
    if status.check_ins:
        days = ", ".join(map(day, status.check_ins.days))
        sentences.append(t("care.planned", days=days) if days else t("care.none_planned"))
    if status.claimed:
        sentences.append(t("transcript.claimed_is", person=status.claimed))
    return " ".join(sentences)


def continues(workstation: Workstation, case: Case) -> str:
    """A sentence about the case that this report says it continues; empty if it names none."""
    continued: Continues | None = case.report.continues if case.report else None
    if continued is None:
        return ""
    name = reference(bytes.fromhex(continued.case))
    old_messages = (kept.signed.message for kept in workstation.rules(continued.case))
    old = next((each.sender for each in old_messages if isinstance(each, ByReporter)), None)
    if old is None:
        return t("transcript.continues_unknown", name=name)
    try:
        continuation.check(continued, old, case.id)
    except ProtocolError:
        return t("transcript.continues_falsely", name=name)
    return t("transcript.continues", name=name)


def answered(entry: Entry) -> list[tuple[str, str]]:
    """The questions that a message answers, with the answers, safe to show."""
    content = entry.content
    said = dict(content.answers or {}) if isinstance(content, Report | FollowUp | Note) else {}
    fixed = signs.RISKS if isinstance(content, Note) else (CHECK_IN, EARLIER)  # SPEC 4.4
    own = {id: said.pop(id) for id in fixed if id in said}
    found = ((QUESTIONS[id], f"care.value_{each}" if each in VALUES else "", each) for id, each in own.items())
    return [(t(asked), t(key) if key else plain(each)) for asked, key, each in found] + answers.lines(said)


def due(deadline: Deadline, left: int | None = None) -> str:
    """A deadline in words, with the days that are left if they are given."""
    words: str = t(DUE[deadline.what], day=deadline.day)
    if left is not None:
        words = t("transcript.due_left", due=words, left=_left(left))
    return t("transcript.written", due=words) if deadline.written else words


def _left(days: int) -> str:
    if days < 0:
        return t("transcript.days_late", -days)
    return t("transcript.days_left", days) if days else t("transcript.today")


def away(case: Case) -> Mapping[str, Away]:
    """Who is away today, as they told in this case."""
    return absences.now(case)


def absence(case: Case, id: str, me: str, person: Callable[[str], str]) -> str:
    """Until when somebody is away, and who stands in."""
    return absences.words(absences.now(case)[id], me, person)


def met(case: Case, person: Callable[[str], str]) -> list[str]:
    """Which duties are met, by whose reply, and on whose word that rests."""
    return [
        f"{t(MET[each.what], day=each.day, who=person(each.by))} {t('met.own') if each.is_own else t('met.other')}"
        for each in fulfilled.of(case)
    ]


def day_named(text: str | None) -> str:
    """A day that is written as 2026-12-31, as this page writes it; empty if none is."""
    try:
        return day(datetime.date.fromisoformat((text or "").strip()))
    except ValueError:
        return ""


def waiting(workstation: Workstation, item: Item) -> str:
    """What waits in the tray, in a phrase with its case."""
    name, what = reference(bytes.fromhex(item.case)), _waiting(workstation, item)
    return t("transcript.waiting", what=what, name=name, day=item.day)


def _waiting(workstation: Workstation, item: Item) -> str:
    whom = person(workstation, item.fields["grantee"]) if "grantee" in item.fields else ""
    match item.what:
        case "reply":
            return t("transcript.tray_reply", mark=mark(item.fields["mark"]))
        case "note":
            return t("transcript.tray_note")
        case "status":
            return t("transcript.tray_status", status=status(item.fields["status"]))
        case "grant":
            return t("transcript.tray_grant", whom=whom)
        case "claim":
            return t("transcript.tray_claim")
    return t("transcript.tray_again", whom=whom)


def tray_lines(workstation: Workstation, item: Item) -> list[str]:
    """What waits in the tray, with all that it says."""
    files = [_file(each) for each in item.files]
    said: list[str] = []
    if item.fields.get("labels"):
        said.append(t("transcript.labels", labels=", ".join(item.fields["labels"])))
    if item.fields.get("deadline"):
        said.append(t("transcript.agreed", day=datetime.date.fromisoformat(item.fields["deadline"])))
    if item.fields.get("claimed"):
        said.append(t("transcript.claimed", person=item.fields["claimed"]))
    words = "\n".join(filter(None, [*said, item.text]))
    why = [f"    {item.reason}"] if item.reason else []
    why += [f"    {t('transcript.follows')}"] if item.fields.get("follow") else []
    where = t("case.aside") if item.aside else t("case.waits")
    heading = f"--- {item.id}: {waiting(workstation, item)}: {where}"
    return [heading, *why, *(quoted(plain(words)) if words else []), *files]


def _file(attached: Attachment, place: str = "") -> str:
    name, size = one_line(attached.name), attached.size
    if place:
        return "| " + t("transcript.file_saved", size, name=name, place=place)
    return "| " + t("transcript.file", size, name=name)


def lines(workstation: Workstation, case: Case, saved: Callable[[Entry, int], str] | None = None) -> list[str]:
    """The lines of a whole case; `saved` returns the name under which an attachment was exported."""
    lines: list[str] = [
        t("page.case", reference=case.reference),
        t("transcript.channel", channel=channel(workstation, case)),
        t("transcript.status", status=status(case.status)),
        t("transcript.readers", names=_names(workstation, case.allowed)),
    ]
    if case.without:
        lines.append(t("transcript.left_out", names=_names(workstation, case.without)))
    if case.reopened:
        lines.append(t("transcript.reopened_line", what=t("transcript.reopened")))
    lines += [t("transcript.due", due=due(each)) for each in case.deadlines]
    named = partial(person, workstation)
    lines += [t("transcript.away", who=named(id), how=absence(case, id, "", named)) for id in away(case)]
    lines += [t("transcript.done", what=line) for line in met(case, named)]
    if continues(workstation, case):
        lines.append(continues(workstation, case))
    lines += [t("transcript.fault", fault=fault) for fault in case.faults]
    folded = frozenset() if saved else conversation.folded(case.entries)
    for entry in case.entries:
        lines += ["", *_heading(workstation, case, entry)]
        if entry.signed.hash in folded:
            lines.append(f"    {t('transcript.folded')}")
        else:
            lines += _entry(entry, saved)
    for item in (*tray.items(workstation, case.id), *tray.items(workstation, case.id, aside=True)):
        lines += ["", *tray_lines(workstation, item)]
    return lines


def _names(workstation: Workstation, ids: Iterable[str]) -> str:
    return ", ".join(person(workstation, id) for id in ids)


def _heading(workstation: Workstation, case: Case, entry: Entry) -> list[str]:
    content = entry.message
    assert isinstance(content, ByReporter | ByReviewer)
    notes = filter(None, (provenance(entry), lateness(entry), repetition(case, entry)))
    return [f"--- {headline(workstation, case, entry)}, {day(content.day)}", *(f"    ({note})" for note in notes)]


def _entry(entry: Entry, saved: Callable[[Entry, int], str] | None) -> list[str]:
    lines: list[str] = []
    if given := answered(entry):
        lines += quoted("\n".join(f"{question}: {answer}" for question, answer in given))
    lines += quoted(text(entry))
    for number, attached in enumerate(entry.attachments):
        lines.append(_file(attached, saved(entry, number) if saved else ""))
    return lines
