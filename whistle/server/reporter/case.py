"""Returning: the twelve words, the state of the case, the replies and their files (SPEC 2, 4, 6).

The pages claim no more than is known, and show only replies that a reviewer signed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import flask
from markupsafe import Markup

from whistle.protocol.case.attachment import Attachment
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.code.words import WordsError
from whistle.protocol.errors import ProtocolError
from whistle.protocol.file_names import safe_name
from whistle.protocol.reporter.questions import CHECK_IN, EARLIER
from whistle.protocol.reporter.receipts import Statement
from whistle.protocol.reporter.reply_validation import PAGE, MissingReply, ReplyPlace
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.reporter import fields, readers_line
from whistle.server.reporter.fields import Problem
from whistle.server.reporter.render import Visit, due, files_hint, notice, outside, page, plan, tickable
from whistle.server.reporter.timing import on_the_beat
from whistle.server.sealing import arrival
from whistle.server.sealing.case_view import OPENED, CaseView, FoundReply
from whistle.store import State, StoreError

NOWHERE = (-1, -1)  # no reply place
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")  # a file name's extension


@dataclass(frozen=True)
class Back:
    """A visit of a returning reporter, with what the words found."""

    visit: Visit
    signed: SignedManifest
    reporter: Reporter
    view: CaseView

    @property
    def code(self) -> str:
        """The code for the hidden fields of the next page."""
        return fields.hidden_code(self.reporter.code)

    @property
    def without(self) -> tuple[str, ...]:
        """The ids of those whom the report left out."""
        return self.view.slip.without if self.view.slip else ()

    @property
    def over(self) -> bool:
        """Whether the report was removed and nothing else is left of the case."""
        left = self.view.replies or self.view.late or self.view.missing or self.view.older
        return self.view.state is State.REMOVED and not left

    @property
    def readers(self) -> tuple[str, ...]:
        """The ids of those who would read a follow-up; empty if none of them is active any more."""
        return arrival.follow_up_readers(self.view, self.signed.manifest)

    @property
    def asks_advice(self) -> bool:
        """Whether the report asks for advice; it may have been made a report since, which only its readers know."""
        return bool(self.view.slip and self.view.slip.way)

    @property
    def instead(self) -> tuple[str, ...]:
        """The channel's present readers without those left out: for a case that has no readers any more."""
        slip = self.view.slip
        return arrival.readers_of(self.signed.manifest, slip.channel, slip.without) if slip else ()

    @property
    def chosen(self) -> tuple[str, ...]:
        """Those of `instead` whom the submitted form does not leave out."""
        return tuple(id for id in self.instead if id not in self.unwanted)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """Those left out by the report and, if it has no readers any more, by the submitted form."""
        ticked = () if self.readers else fields.left_out(self.visit.arrived, self.signed.manifest)
        return tuple(dict.fromkeys((*self.without, *ticked)))


def ask(visit: Visit, *problems: Problem, padded: bool = False) -> flask.Response:
    """The form for the words."""
    return page(visit, "replies.html", typed=visit.arrived.get("words"), problems=problems, padded=padded)


def begin(visit: Visit) -> flask.Response:
    """The form for the words, without problems."""
    return ask(visit)


def with_case(
    visit: Visit, answer: Callable[[Back], flask.Response], passed: int = 0, only: ReplyPlace | None = None
) -> flask.Response:
    """Answer with the case of the form's words, or with the form again, padded alike, if they find nothing.

    `passed` and `only` say what is opened, as in `view_case`.  The response is sent on the beat, whatever the action.
    """
    return on_the_beat(visit.config.beat, lambda: _with_case(visit, answer, passed, only))


def _with_case(
    visit: Visit, answer: Callable[[Back], flask.Response], passed: int, only: ReplyPlace | None
) -> flask.Response:
    try:
        reporter = retrieval.derive(words.decode(visit.arrived.get("words")))
    except WordsError as error:
        return ask(visit, fields.words_problem(visit.t, error), padded=True)
    signed = visit.published.current(visit.day)
    view = arrival.view_case(reporter, visit.published, visit.store, visit.day, passed, only)
    if view is None:
        return ask(visit, Problem("words", visit.t("replies.nothing")), padded=True)
    return answer(Back(visit, signed, reporter, view))


def look(visit: Visit) -> flask.Response:
    """Look up the case and show it, or what is older than the first page shows, or one reply."""
    passed, only = fields.passed(visit.arrived), fields.reply_key(visit.arrived.get("reply"))
    if only:
        return with_case(visit, lambda back: more(back, visit.t("case.replies")), only=only)
    if passed:
        return with_case(visit, lambda back: more(back, visit.t("case.older_title")), passed)
    return with_case(visit, case)


def case(back: Back, *problems: Problem) -> flask.Response:
    """The page of a case, padded; with the problems of a follow-up, if there are any."""
    visit, view = back.visit, back.view
    typed = fields.attempt(visit.arrived) if problems else None
    return page(
        visit,
        "case.html",
        status=422 if problems else 200,
        padded=True,
        problems=problems,
        reading="" if back.over and not view.slip else readers_line.case(visit, back.signed, view),
        state=_state(back),
        facts=list(_facts(back)),
        plan=_plan(back),
        replies=[_reply(visit, found) for found in reversed(view.replies)],
        late=view.late,
        older=view.older,
        passed=OPENED,
        missing=[_missing(visit, each) for each in view.missing],
        code=back.code,
        attempt=typed.hex() if typed else fields.new_attempt(),
        text=visit.arrived.get("text"),
        how=fields.added(visit.arrived).get(CHECK_IN, ""),
        earlier=fields.earlier(visit.arrived).get(EARLIER, ""),
        choices=_choices(back),
        advice=back.asks_advice and bool(back.readers),
        over=back.over,
        files_hint=files_hint(visit),
        **_follow_up(back, problems),
    )


def more(back: Back, heading: Markup) -> flask.Response:
    """A page of replies alone, padded; what can be done with the case is on its first page."""
    visit, view = back.visit, back.view
    return page(
        visit,
        "older.html",
        padded=True,
        heading=heading,
        replies=[_reply(visit, found) for found in reversed(view.replies)],
        late=view.late,
        older=view.older,
        passed=view.passed + OPENED,
        code=back.code,
    )


def download(visit: Visit) -> flask.Response:
    """A file of a reply; up to 8 MiB, it is verified completely before any of it is sent."""

    key = fields.file_key(visit.arrived.get("file"))

    def send(back: Back) -> flask.Response:
        attachment = _find(back.view.replies, key)
        try:
            if attachment is not None:
                record, index = attachment
                return _file(record, index, flask.Response(arrival.open_attachment(visit.store, record)))
        except (ProtocolError, StoreError):
            pass
        return notice(visit, "notice.removed_file", status=404, code=back.code)

    return with_case(visit, send, only=key[:2] if key else NOWHERE)


STEPS: Mapping[str, Callable[[Visit], flask.Response]] = {"replies": begin, "look": look, "download": download}


def saved_as(name: str, index: int) -> str:
    """A name that reveals only the type: browsers list downloads with their time and our address."""
    extension = EXTENSION.search(name)
    return f"file-{index + 1}{extension[0] if extension else ''}"


def _file(record: Attachment, index: int, response: flask.Response) -> flask.Response:
    """Send as a download: the browser must never display or run it in our origin."""
    response.mimetype = "application/octet-stream"
    response.content_length = record.size
    response.headers.set("Content-Disposition", "attachment", filename=saved_as(safe_name(record.name), index))
    return response


def _find(replies: Sequence[FoundReply], key: tuple[int, int, int] | None) -> tuple[Attachment, int] | None:
    for found in replies:
        if key and (found.reply.lane, found.reply.n) == key[:2] and key[2] < len(found.attachments):
            return found.attachments[key[2]], key[2]
    return None


def _state(back: Back) -> Markup:
    t, view = back.visit.t, back.view
    day = t.day(view.state_day or view.day) if view.day else ""
    if view.state is State.WAITING:
        return t("case.waiting")
    if view.state is State.COLLECTED:
        return t("case.answered" if view.replies else "case.collected", day=day)
    return t("case.removed", day=day) if view.state is State.REMOVED else t("case.gone")


def _plan(back: Back) -> list[dict[str, str]]:
    """The plan of a report that was not removed; none if marks of older replies are unknown, or for advice.

    Of advice that was made a report since, only its readers know from which day it holds.
    """
    visit, view = back.visit, back.view
    is_known = view.day and view.state is not State.REMOVED and not view.older and not back.asks_advice
    return plan(visit, view.day, view.done) if view.day and is_known else []


def _missing(visit: Visit, missing: MissingReply) -> Markup:
    key = "absent_own" if missing.author == missing.by else "differs" if missing.differs else "absent"
    return visit.t(f"case.{key}", author=missing.author.shown(visit.t.code), by=missing.by.shown(visit.t.code))


def _facts(back: Back) -> Sequence[Markup]:
    """What is known besides the state, one line each."""
    visit, view, t = back.visit, back.view, back.visit.t
    planned = "" if back.over else due(visit, back.signed)
    lines: dict[str, dict[str, Any] | None] = {
        "sent": {"day": t.day(view.day)} if view.day else None,
        "pickup": {"day": planned} if planned else None,
        "last_day": {"day": t.day(view.last_day)} if view.last_day and not (back.over or visit.leapt) else None,
        "reference": {"reference": retrieval.reference(back.reporter.case)},
    }
    return [t(f"case.{key}", **values) for key, values in lines.items() if values]


def _choices(back: Back) -> list[str]:
    view = back.view
    stop = ["stop"] if back.readers else []  # only to those who had the case
    first = {State.WAITING: ["withdraw"], State.COLLECTED: stop}
    return [*(first.get(view.state, []) if view.state else []), *(["exposed"] if view.slip else [])]


def _follow_up(back: Back, problems: Sequence[Problem]) -> dict[str, Any]:
    """Who would get a follow-up, or who is offered instead, or where else to turn."""
    visit = back.visit
    nobody = any(problem.nobody for problem in problems)
    return {
        "open": back.signed.manifest.standing(visit.day) != "closed",
        "nobody": nobody,
        "outside": () if back.readers and not nobody else outside(visit),
        **whom(back, "follow_up"),
    }


def whom(back: Back, about: str) -> dict[str, Any]:
    """Who will read the next message; or who is offered instead, with checkboxes and the texts `about` it."""
    visit, signed = back.visit, back.signed
    if back.readers or not back.instead:
        return {
            "whom": readers_line.line(visit, signed, back.readers, back.without) if back.readers else "",
            "readers": (),
        }
    return {
        "readers": tickable(visit, signed, back.instead, only=back.instead),
        "about": about,
        "choosing": readers_line.offered(visit, signed, back.chosen, back.unwanted),
    }


def _reply(visit: Visit, found: FoundReply) -> dict[str, object]:
    reply, t = found.reply, visit.t
    files = [
        {"key": f"{reply.lane}-{reply.n}-{index}", "name": safe_name(each.name), "size": t.size(each.size)}
        for index, each in enumerate(found.attachments)
    ]
    rest = reply.rest  # left closed: it and its author's other long replies are too much for one page
    may_open = rest is not None and rest.size <= PAGE
    return {
        "from": found.reviewer.shown(visit.t.code),
        "day": t.day(found.day),
        "text": t("case.long" if may_open else "case.too_long") if found.is_too_long else reply.text,
        "alone": f"{reply.lane}-{reply.n}" if may_open else "",
        "language": visit.t.code if found.is_too_long else reply.language,
        "arrived": t("case.arrived", reply.have.count, day=t.day(reply.have.day)),
        "files": files,
        "receipt": found.receipt and _receipt(found.receipt),
    }


def _receipt(receipt: Statement) -> dict[str, str]:
    """What is stated, and addresses that hold the two files themselves: saving them asks the server for nothing."""
    return {"text": receipt.text, "saved": _held(receipt.text), "seal": _held(receipt.signature)}


def _held(text: str) -> str:
    return "data:text/plain;charset=utf-8," + quote(text)
