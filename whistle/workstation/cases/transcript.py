"""A case as text, for the terminal and for an export, and the phrases that the local page uses too.

Strangers' text is shown without control characters and direction marks, and in a transcript each of its lines begins
with a bar, so that nobody can imitate what this program says.
"""

from collections.abc import Callable

from whistle.protocol.case import continuation
from whistle.protocol.case.message import Body, ByReporter, ByReviewer, Continues, Grant, Reply, Report, Status
from whistle.protocol.code.retrieval import reference
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust.manifest import RECOVERY
from whistle.protocol.untrusted_text import one_line, plain, quoted
from whistle.translations import cldr
from whistle.workstation.cases import conversation
from whistle.workstation.cases.case_list import LATE, SOON, SOON_DAYS, UNKNOWN, Filter
from whistle.workstation.cases.entries import Entry
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties.deadlines import Deadline
from whistle.workstation.tray import tray
from whistle.workstation.tray.tray import Item
from whistle.workstation.workstation import Workstation

SEALED = {
    "device": "says it was sealed on the reporter's own device",
    "browser": "says it was sealed in the reporter's browser, by a program that our server sent",
    "arrival": "says it was sealed by our server as it arrived: for that moment it could be read there",
}
STATUS = {"new": "new", "triage": "in triage", "open": "open", "waiting": "waiting", "closed": "closed"}
DUE = {"acknowledge": "acknowledge receipt", "feedback": "tell what was done", "agreed": "as agreed"}
MARKS = {"acknowledgement": "Acknowledgement of receipt", "feedback": "Feedback", "": "Reply"}
DUES = {LATE: "late", SOON: f"today or within {SOON_DAYS} days"}
FOLLOWS = "Colleagues are told with it that the case is open and that you answer it, unless they were told already."
WRITTEN = "answered; not delivered yet"
REOPENED = "the reporter wrote after it was closed"
OPEN_IT = "[open the case to read its first message: it is long, or parts of it have not come yet]"
FOLDED = "    [too long to be shown with the others: `whistle workstation export` writes it to a file]"
INCOMPLETE = {
    "missing": "Parts of this message have not come yet. They come with a later stick.",
    "damaged": "Parts of this message came damaged. Ask the courier to bring them again, or its author to repeat it.",
}
NOT_SEEN = "the reporter does not see it; answer yourself if needed"


def person(workstation: Workstation, id: str) -> str:
    """A reviewer's role and id, by the newest manifest."""
    newest = workstation.trust.newest().manifest
    if id == RECOVERY and newest.recovery:
        return f"{plain(newest.recovery.name)} ({RECOVERY})"
    listed = newest.reviewer(id)
    return f"{plain(listed.role or listed.name)} ({id})" if listed else f"{id}, no longer listed"


def channel(workstation: Workstation, case: Case) -> str:
    """The title of the report's channel."""
    return channel_title(workstation, case.report.channel if case.report else None)


def channel_title(workstation: Workstation, id: str | None) -> str:
    """The title of a channel by its id, None for that of a report that has not come yet."""
    if id is None:
        return "the report has not come yet"
    listed = workstation.trust.newest().manifest.channel(id)
    titles = listed.title if listed else {}
    return plain(titles.get("en") or next(iter(titles.values()), id))


def language(code: str) -> str:
    """A language's name, or its code if it has none."""
    return plain(cldr.language_name("en", code))


def choice(workstation: Workstation, name: str, value: str) -> str:
    """What a filter's value of a column is called."""
    if name == "claimed":
        return "nobody yet" if value == UNKNOWN else person(workstation, value)
    if value == UNKNOWN:
        return "the report has not come yet"
    called = {"status": STATUS.get(value, value), "language": language(value), "label": one_line(value)}
    return called[name] if name in called else channel_title(workstation, value)


def chosen(workstation: Workstation, kept: Filter) -> list[str]:
    """A filter in words."""
    named = [(name, getattr(kept, name)) for name in ("channel", "status", "label", "language", "claimed")]
    words = [choice(workstation, name, value) for name, value in named if value]
    flags = {"unread": kept.unread, "with files": kept.files, "muted": kept.muted}
    return words + ([f"due: {DUES[kept.due]}"] if kept.due else []) + [name for name, is_set in flags.items() if is_set]


def headline(workstation: Workstation, case: Case, entry: Entry) -> str:
    """The kind of a message and its author."""
    what = {"report": "Report", "follow-up": "Follow-up", "note": "Note", "status": "Status"}
    by = person(workstation, entry.by) if entry.by else "the reporter"
    if isinstance(entry.message, Grant):
        whom = person(workstation, entry.message.grantee)
        first = case.grants.get(entry.message.grantee) is entry.message
        return f"{whom} was let in by {by}" if first else f"{by} passed messages of this case on to {whom}"
    if isinstance(entry.message, Reply):
        kind = "The reporter is told who reads the case" if entry.message.is_notice else MARKS[entry.message.mark]
        return f"{kind}, by {by}" if entry.message.is_notice else f"{kind} by {by}"
    return f"{what.get(entry.message.kind, entry.message.kind)} by {by}"


def provenance(entry: Entry) -> str:
    """How the message says that it was sealed, and whether it came with a grant."""
    if isinstance(entry.message, ByReporter):
        sealed = SEALED[entry.message.sealed]
    else:
        sealed = "sealed and signed at a reviewer's workstation"
    if entry.via != "grant":
        return sealed
    grantor = entry.grantor or "the colleague who granted it"
    vouched = f": for its day, {grantor} vouches" if entry.by and entry.is_vouched_for else ""
    return f"{sealed}, handed over with the case by {grantor}{vouched}"


def lateness(entry: Entry) -> str:
    """What to know of a message that came after the key that signed it ended; empty for any other."""
    if entry.ended is None:
        return ""
    effect = NOT_SEEN if isinstance(entry.message, Reply) else "it has no effect"
    return f"came on {entry.server or entry.arrived}, after {entry.by}'s key ended on {entry.ended}: {effect}"


def repetition(case: Case, entry: Entry) -> str:
    """What to know of a reply that says that it replaces another; empty for any other message."""
    if not isinstance(entry.message, Reply) or not entry.message.replaces:
        return ""
    if case.replaced(entry):
        return "sent again, since the place of the one before was taken"
    if any(each.signed.hash == entry.message.replaces for each in case.entries):
        return "says that it replaces another message, which it does not repeat: both count"
    return "says that it replaces another reply, which is not here"


def text(entry: Entry) -> str:
    """The text of a message, safe to show; for a status, all that it states."""
    content = entry.content
    if not entry.complete:
        return f"[{INCOMPLETE[entry.rest]}]"
    if isinstance(content, Status):
        return stated(content)
    return plain(content.text) if isinstance(content, Body) else ""


def stated(status: Status) -> str:
    """All that a status says, safe to show."""
    return plain("\n".join(filter(None, [_status(status), status.text])))


def _status(status: Status) -> str:
    sentences = [f"The case is {STATUS[status.status]}."]
    if status.labels:
        sentences.append("Labels: " + ", ".join(status.labels) + ".")
    if status.deadline:
        sentences.append(f"Agreed day: {status.deadline}.")
    if status.claimed:
        sentences.append(f"Answered by {status.claimed}.")
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
        return f"It says that it continues the case {name}, which is not here."
    try:
        continuation.check(continued, old, case.id)
    except ProtocolError:
        return f"It says that it continues the case {name}, but that is not signed by the reporter of that case."
    return f"It continues the case {name}; the reporter of that case signed this."


def due(deadline: Deadline) -> str:
    """A deadline in words."""
    written = f", {WRITTEN}" if deadline.written else ""
    return f"{DUE[deadline.what]} by {deadline.day}{written}"


def waiting(workstation: Workstation, item: Item) -> str:
    """What waits in the tray, in a phrase with its case."""
    whom = person(workstation, item.fields["grantee"]) if "grantee" in item.fields else ""
    state, mark = item.fields.get("status", ""), item.fields.get("mark", "")
    what = {
        "reply": f"{MARKS[mark]} to the reporter",
        "note": "Note to those who read the case",
        "status": f"Status: {STATUS.get(state, state)}",
        "grant": f"{whom} is let in",
        "claim": "You answer it",
        "again": f"All of the case once more, to {whom}",
    }
    return f"{what[item.what]}, case {reference(bytes.fromhex(item.case))}, written on {item.day}"


def tray_lines(workstation: Workstation, item: Item) -> list[str]:
    """What waits in the tray, with all that it says."""
    files = [f"| [file: {one_line(each.name)}, {each.size} bytes]" for each in item.files]
    said = [f"Labels: {', '.join(item.fields['labels'])}"] if item.fields.get("labels") else []
    said += [f"Agreed day: {item.fields['deadline']}"] if item.fields.get("deadline") else []
    said += [f"Answered by: {item.fields['claimed']}"] if item.fields.get("claimed") else []
    words = "\n".join(filter(None, [*said, item.text]))
    why = [f"    {item.reason}"] if item.reason else []
    why += [f"    {FOLLOWS}"] if item.fields.get("follow") else []
    where = "set aside" if item.aside else "waits for the next exchange"
    heading = f"--- {item.id}: {waiting(workstation, item)}: {where}"
    return [heading, *why, *(quoted(plain(words)) if words else []), *files]


def lines(workstation: Workstation, case: Case, saved: Callable[[Entry, int], str] | None = None) -> list[str]:
    """The lines of a whole case; `saved` returns the name under which an attachment was exported."""
    lines = [f"Case {case.reference}", f"Channel: {channel(workstation, case)}", f"Status: {STATUS[case.status]}"]
    lines.append("Readers: " + ", ".join(person(workstation, id) for id in case.allowed))
    if case.without:
        left_out = ", ".join(person(workstation, id) for id in case.without)
        lines.append(f"Left out by the reporter: {left_out}")
    if case.reopened:
        lines.append(f"New: {REOPENED}")
    lines += [f"Due: {due(each)}" for each in case.deadlines]
    if continues(workstation, case):
        lines.append(continues(workstation, case))
    lines += [f"Look into this: {fault}" for fault in case.faults]
    folded = frozenset() if saved else conversation.folded(case.entries)
    for entry in case.entries:
        lines += ["", *_heading(workstation, case, entry)]
        if entry.signed.hash in folded:
            lines.append(FOLDED)
        else:
            lines += _entry(entry, saved)
    for item in (*tray.items(workstation, case.id), *tray.items(workstation, case.id, aside=True)):
        lines += ["", *tray_lines(workstation, item)]
    return lines


def _heading(workstation: Workstation, case: Case, entry: Entry) -> list[str]:
    content = entry.message
    assert isinstance(content, ByReporter | ByReviewer)
    notes = filter(None, (provenance(entry), lateness(entry), repetition(case, entry)))
    return [f"--- {headline(workstation, case, entry)}, {content.day}", *(f"    ({note})" for note in notes)]


def _entry(entry: Entry, saved: Callable[[Entry, int], str] | None) -> list[str]:
    content, lines = entry.content, []
    if isinstance(content, Report) and content.answers:
        lines += quoted("\n".join(f"{question}: {answer}" for question, answer in sorted(content.answers.items())))
    lines += quoted(text(entry))
    for number, attached in enumerate(entry.attachments):
        where = f" -> {saved(entry, number)}" if saved else ""
        lines.append(f"| [file: {one_line(attached.name)}, {attached.size} bytes{where}]")
    return lines
