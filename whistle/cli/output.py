"""What a reporter sees: the twelve words, where the case stands, and the replies.  It claims only what is known, and
reviewers' text is quoted so that it cannot be mistaken for anything else.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator

from whistle.protocol.case.message import CHECK_IN
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter.reply_validation import FoundReply, MissingReply
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import RECOVERY, Manifest, Reviewer
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.untrusted_text import one_line, quoted
from whistle.reporter import CaseView
from whistle.translations.translation import Translation

Whole = Callable[[FoundReply], FoundReply]  # a reply with its content; ProtocolError if it is damaged

ABOUT_WORDS = ("words.lead", "words.by_hand", "words.number", "words.wallet", "words.opens", "command.close")


def twelve(t: Translation, who: Reporter, language: str) -> Iterator[str]:
    """The twelve words with their numbers, those first for whom there is no list of words, and the case reference."""
    shown = words.encode(who.code, words.list_for(language))
    numbers = words.numbers(who.code)
    width = max(map(len, shown))
    for place, (word, number) in enumerate(zip(shown, numbers, strict=True), 1):
        pair = f"{word:<{width}}  {number}" if t.code in words.LANGUAGES else f"{number:<4}  {word}"
        yield f"{place:>4}. {pair}"
    yield ""
    yield t.text("case.reference", reference=retrieval.reference(who.case))
    yield t.text("words.reference_text")
    yield ""
    yield from (t.text(key) for key in ABOUT_WORDS)


def reading(t: Translation, manifests: ManifestChain, readers: Iterable[str], without: Iterable[str]) -> Iterator[str]:
    """Who will read a message, and who is left out."""
    yield t.text("reading.will", names=names(t, manifests, readers))
    yield _out(t, manifests, without)


def case(
    t: Translation, view: CaseView, who: Reporter, manifests: ManifestChain, today: datetime.date, whole: Whole
) -> Iterator[str]:
    """Who can read a case, where it stands, and its replies, the newest first; each is opened `whole` in its turn."""
    current = manifests.current(today).manifest
    yield from _readers(t, view, manifests)
    yield _state(t, view)
    if view.slip and view.slip.way:
        yield f"{t.text('advice.title')}. {t.text('command.advice')}"
    if view.sent:
        yield t.text("case.sent", day=t.day(view.sent))
    if due := next_collection(current, today):
        yield t.text("case.pickup", day=t.long_day(due))
    if view.last_day:
        yield t.text("case.last_day", day=t.day(view.last_day))
    yield t.text("case.reference", reference=retrieval.reference(who.case))
    yield from _replies(t, view, whole)


def _readers(t: Translation, view: CaseView, manifests: ManifestChain) -> Iterator[str]:
    if view.slip:
        yield t.text("reading.can", names=names(t, manifests, view.slip.readers))
        yield _out(t, manifests, view.slip.without)
    else:
        yield t.text("case.no_slip")
    for new in view.brought_in:
        yield t.text("reading.later", name=person(t, new.reviewer), by=person(t, new.by), day=t.day(new.day))


def _out(t: Translation, manifests: ManifestChain, without: Iterable[str]) -> str:
    left_out = names(t, manifests, without)
    return t.text("reading.out", names=left_out) if left_out else t.text("reading.nobody_out")


def _state(t: Translation, view: CaseView) -> str:
    key = "answered" if view.state == "collected" and view.replies else view.state or "gone"
    return t.text(f"case.{key}", day=t.day(view.state_day) if view.state_day else "")


def _replies(t: Translation, view: CaseView, whole: Whole) -> Iterator[str]:
    if not view.replies:
        yield t.text("case.none")
    for reply in reversed(view.replies):
        yield ""
        yield from _reply(t, reply, whole)
    if view.late:
        yield ""
        yield t.text("case.late", view.late)
    if view.missing:
        yield ""
        yield from (_missing(t, each) for each in view.missing)
        yield t.text("case.absent_then")


def _missing(t: Translation, missing: MissingReply) -> str:
    key = "absent_own" if missing.author == missing.by else "differs" if missing.differs else "absent"
    return t.text(f"case.{key}", author=person(t, missing.author), by=person(t, missing.by))


def _reply(t: Translation, found: FoundReply, whole: Whole) -> Iterator[str]:
    yield t.text("command.from", name=person(t, found.reviewer), day=t.day(found.day))
    try:
        found = whole(found)
    except ProtocolError:
        yield f"  {t.text('command.damaged')}"
    reply = found.reply
    yield from quoted(reply.text)
    for attachment in found.attachments:
        yield f"  {t.text('command.file', name=one_line(attachment.name), size=t.size(attachment.size))}"
    if found.receipt:
        yield f"  {t.text('command.receipt')}"
        yield f"  {t.text('command.receipt_found')}"
    if reply.mark == CHECK_IN:
        yield f"  {t.text('command.check_in')}"
    yield f"  {t.text('case.arrived', reply.have.count, day=t.day(reply.have.day))}"


def person(t: Translation, reviewer: Reviewer) -> str:
    """A reviewer's name and role, in one line."""
    return one_line(reviewer.shown(t.code))


def people(t: Translation, current: Manifest, reviewers: Iterable[Reviewer]) -> dict[str, str]:
    """Names by id, with the recovery identity if there is one."""
    listed = {reviewer.id: person(t, reviewer) for reviewer in reviewers}
    return listed | _reserve(t, current)


def names(t: Translation, manifests: ManifestChain, ids: Iterable[str]) -> str:
    """Names and roles as a list; the id of somebody whom no manifest lists any more."""
    newest = manifests.newest
    fallback = _reserve(t, newest.manifest) if newest else {}
    return t.plain_list([person(t, each) if (each := manifests.reviewer(id)) else fallback.get(id, id) for id in ids])


def _reserve(t: Translation, current: Manifest) -> dict[str, str]:
    return {RECOVERY: t.text("reading.reserve", name=one_line(current.recovery.name))} if current.recovery else {}


def title(texts: dict[str, str], language: str) -> str:
    """A text of the manifest in this language, or in English, or in the first language it has."""
    return one_line(texts.get(language) or texts.get("en") or next(iter(texts.values()), ""))


def next_collection(current: Manifest, day: datetime.date) -> datetime.date | None:
    """The next day on which a courier is due; may be today."""
    days = (day + datetime.timedelta(days=ahead) for ahead in range(7))
    return next((each for each in days if manifest.WEEKDAYS[each.weekday()] in current.collection), None)
