"""What a reporter sees: the twelve words, where the case stands, and the replies.  It claims only what is known, and
reviewers' text is quoted so that it cannot be mistaken for anything else.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator

from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter.reply_validation import FoundReply, MissingReply
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import RECOVERY, Manifest, Reviewer
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.untrusted_text import one_line, quoted
from whistle.reporter import CaseView

Whole = Callable[[FoundReply], FoundReply]  # a reply with its content; ProtocolError if it is damaged

STATES = {
    "waiting": "Waiting. Nobody has picked it up yet.",
    "collected": "Picked up on {day}. We do not know yet whether it was read.",
    "answered": "Picked up on {day}. There is a reply.",
    "removed": "Removed on {day}. Either it was withdrawn with your words, or nobody picked it up in time.",
    "gone": "The report itself is no longer listed here. What is left is shown below.",
}


def twelve(who: Reporter, language: str) -> Iterator[str]:
    """The twelve words with their numbers, and the case reference."""
    shown = words.encode(who.code, language if language in words.LANGUAGES else "en")
    width = max(map(len, shown))
    for place, (word, number) in enumerate(zip(shown, words.numbers(who.code), strict=True), 1):
        yield f"{place:>4}. {word:<{width}}  {number}"
    yield ""
    yield f"Case reference: {retrieval.reference(who.case)}"
    yield "It opens nothing. Lost your words? Quote it in a new report and we can connect the two."


ABOUT_WORDS = (
    "They are the only way to read our replies. We cannot find them for you.",
    "Write them by hand, on paper: printers and photographs keep copies.",
    "The numbers in the same order open the same thing. None of it has to do with a crypto wallet.",
    "Whoever has the words can read our replies, and write to us or withdraw in your place.",
    "Nobody can use them to read what you wrote.",
    "Then close this window: a terminal keeps what it showed.",
)


def reading(manifests: ManifestChain, readers: Iterable[str], without: Iterable[str]) -> Iterator[str]:
    """Who will read a message, and who is left out."""
    yield f"Will read it: {names(manifests, readers)}."
    yield _out(manifests, without)


def case(view: CaseView, who: Reporter, manifests: ManifestChain, today: datetime.date, whole: Whole) -> Iterator[str]:
    """Who can read a case, where it stands, and its replies, the newest first; each is opened `whole` in its turn."""
    current = manifests.current(today).manifest
    yield from _readers(view, manifests)
    yield _state(view)
    if view.sent:
        yield f"You sent it on {view.sent}."
    if due := next_collection(current, today):
        yield f"Next pick-up: {due:%A}, {due}."
    if view.last_day:
        yield f"Replies stay there until {view.last_day}."
    yield f"Case reference: {retrieval.reference(who.case)}"
    yield from _replies(view, whole)


def _readers(view: CaseView, manifests: ManifestChain) -> Iterator[str]:
    if view.slip:
        yield f"Can read your report: {names(manifests, view.slip.readers)}."
        yield _out(manifests, view.slip.without)
    else:
        yield "We cannot show who reads this case, or whom you left out: that part is damaged or missing on the server."
    for new in view.brought_in:
        yield f"Let in later: {person(new.reviewer)}. {person(new.by)} says so in a signed message of {new.day}."


def _out(manifests: ManifestChain, without: Iterable[str]) -> str:
    return f"Left out: {names(manifests, without) or 'nobody'}."


def _state(view: CaseView) -> str:
    key = "answered" if view.state == "collected" and view.replies else view.state or "gone"
    return STATES[key].format(day=view.state_day)


def _replies(view: CaseView, whole: Whole) -> Iterator[str]:
    if not view.replies:
        yield "No reply yet."
    for reply in reversed(view.replies):
        yield ""
        yield from _reply(reply, whole)
    if view.late:
        yield ""
        yield f"{view.late} more thing(s) stored under your words could not be checked, and are not shown."
    if view.missing:
        yield ""
        yield from map(_missing, view.missing)
        yield "Look again in some days. If this still stands here then, say so in a follow-up: all readers get it."


def _missing(missing: MissingReply) -> str:
    author, by = person(missing.author), person(missing.by)
    if missing.author == missing.by:
        return f"An earlier reply from {author} is not here."
    if missing.differs:
        return f"{by} says they have read another reply from {author} than the one here."
    return f"{by} says they have read a reply from {author} that is not here."


def _reply(found: FoundReply, whole: Whole) -> Iterator[str]:
    yield f"From {person(found.reviewer)}, {found.day}; signature checked:"
    try:
        found = whole(found)
    except ProtocolError:
        yield "  (a part of it is damaged or has not arrived: look again in some days)"
    reply = found.reply
    yield from quoted(reply.text)
    for attachment in found.attachments:
        yield f"  With a file: {one_line(attachment.name)} ({attachment.size} bytes)"
    if found.receipt:
        yield "  With a signed receipt, which `--save` keeps: it says that your report was received, not what is in it."
        yield "  Whoever finds it with you knows that you wrote."
    yield f"  When they wrote this they had {reply.have.count} message(s) from you, the newest of {reply.have.day}."


def person(reviewer: Reviewer) -> str:
    """A reviewer's name and role, or only the name if they are the same."""
    name, role = one_line(reviewer.name), one_line(reviewer.role)
    return name if role in ("", name) else f"{name} ({role})"


def people(current: Manifest, reviewers: Iterable[Reviewer]) -> dict[str, str]:
    """Names by id, with the recovery identity if there is one."""
    listed = {reviewer.id: person(reviewer) for reviewer in reviewers}
    reserve = f"{one_line(current.recovery.name)} (in reserve)" if current.recovery else ""
    return listed | ({RECOVERY: reserve} if reserve else {})


def names(manifests: ManifestChain, ids: Iterable[str]) -> str:
    """Names and roles, joined with commas; the id of somebody whom no manifest lists any more."""
    newest = manifests.newest
    reserve = newest and newest.manifest.recovery
    fallback = {RECOVERY: f"{one_line(reserve.name)} (in reserve)"} if reserve else {}
    return ", ".join(person(each) if (each := manifests.reviewer(id)) else fallback.get(id, id) for id in ids)


def title(texts: dict[str, str], language: str) -> str:
    """A text of the manifest in this language, or in English, or in the first language it has."""
    return one_line(texts.get(language) or texts.get("en") or next(iter(texts.values()), ""))


def next_collection(current: Manifest, day: datetime.date) -> datetime.date | None:
    """The next day on which a courier is due; may be today."""
    days = (day + datetime.timedelta(days=ahead) for ahead in range(7))
    return next((each for each in days if manifest.WEEKDAYS[each.weekday()] in current.collection), None)
