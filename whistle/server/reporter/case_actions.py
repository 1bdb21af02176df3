"""Actions of a returning reporter: add, withdraw, ask to stop, move to new words (SPEC 2, 4).

Each is a message from the reporter to the case's readers, never to anybody who was left out.
"""

from collections.abc import Callable, Mapping

import flask

from whistle.protocol.code import retrieval
from whistle.protocol.reporter.compose import Continued, Refused
from whistle.protocol.reporter.questions import ADVICE, REPORT, WAY
from whistle.server import limits
from whistle.server.errors import NotStored
from whistle.server.reporter import fields, readers_line
from whistle.server.reporter.case import Back, case, whom, with_case
from whistle.server.reporter.fields import Problem
from whistle.server.reporter.render import Visit, notice, outside, page
from whistle.server.reporter.report import problems_of, stored
from whistle.server.sealing import arrival
from whistle.server.sealing.arrival import Draft

NO_ANSWERS: Mapping[str, str] = {}


def follow_up(visit: Visit) -> flask.Response:
    """Store a follow-up, or show the page again with the problem."""

    def add(back: Back) -> flask.Response:
        text = fields.text(visit.arrived)
        try:
            _store(back, text, () if back.readers else back.chosen, fields.added(visit.arrived))
        except (NotStored, Refused) as error:
            return case(back, *problems_of(visit, fields.problem(visit.t, error, visit.bounds)))
        return _sent(back, back.readers or back.chosen)

    return with_case(visit, add)


def follow_up_again(visit: Visit, problem: Problem) -> flask.Response:
    """The page with what was typed, and why the follow-up was rejected."""
    return with_case(visit, lambda back: case(back, *problems_of(visit, problem)))


def withdraw(visit: Visit) -> flask.Response:
    """Ask to confirm withdrawing the report."""
    return _confirm(visit, "withdraw", "withdraw-now", ("text", "follow_ups"))


def withdraw_now(visit: Visit) -> flask.Response:
    """Withdraw the report, unless it was picked up."""

    def attempt_withdrawal(back: Back) -> flask.Response:
        outcome = arrival.withdraw(back.reporter, visit.store)
        if outcome == "withdrawn":
            return notice(visit, "withdraw.done")
        if outcome == "collected":
            return notice(visit, "withdraw.late", code=back.code, step="stop" if back.readers else "")
        return case(back)

    return with_case(visit, attempt_withdrawal)


def stop(visit: Visit) -> flask.Response:
    """Ask to confirm asking the readers to stop."""
    return _confirm(visit, "stop", "stop-now", ("text", "may"), visit.t.text("stop.message"))


def stop_now(visit: Visit) -> flask.Response:
    """Store a follow-up that asks the readers to stop."""
    return with_case(visit, lambda back: _say(back, "stop.message"))


def make_report(visit: Visit) -> flask.Response:
    """Store a follow-up that makes a request for advice a report."""
    return with_case(
        visit, lambda back: _say(back, "advice.message", {WAY: REPORT}) if back.asks_advice else case(back)
    )


def _say(back: Back, key: str, answers: Mapping[str, str] = NO_ANSWERS) -> flask.Response:
    try:
        _store(back, back.visit.t.text(key), (), answers)
    except (NotStored, Refused) as error:
        return case(back, fields.problem(back.visit.t, error, back.visit.bounds))
    return _sent(back, back.readers)


def exposed(visit: Visit) -> flask.Response:
    """Offer new words."""
    return with_case(visit, lambda back: _exposed(back))


def renew(visit: Visit) -> flask.Response:
    """Store a report to the same readers that continues the case under new words; show the words."""

    def move(back: Back) -> flask.Response:
        attempt, slip = fields.attempt(visit.arrived), back.view.slip
        if attempt is None or slip is None:
            return _exposed(back, Problem("", visit.t("error.old_form")))
        reporter = retrieval.derive(retrieval.code_for(attempt, visit.arrived.digest))
        draft = Draft(
            channel=slip.channel,
            language=visit.t.code,
            text="\n\n".join(filter(None, (visit.t.text("exposed.message"), fields.text(visit.arrived)))),
            answers={WAY: ADVICE} if back.asks_advice and not _is_made_report(visit) else NO_ANSWERS,
            readers=back.readers or back.chosen,
            without=back.unwanted,
            continues=Continued(back.reporter, slip),
        )
        try:
            with limits.storing(again=arrival.is_stored(reporter, visit.store)):
                arrival.report(draft, reporter, visit.published, visit.store, visit.day)
        except (NotStored, Refused) as error:
            return _exposed(back, fields.problem(visit.t, error, visit.bounds))
        return stored(visit, reporter)

    return with_case(visit, move)


def _is_made_report(visit: Visit) -> bool:
    """Whether a request for advice is to be a report under the new words; whether it was one, only its readers know."""
    return visit.arrived.get(WAY) == REPORT


STEPS: Mapping[str, Callable[[Visit], flask.Response]] = {
    "follow-up": follow_up,
    "withdraw": withdraw,
    "withdraw-now": withdraw_now,
    "stop": stop,
    "stop-now": stop_now,
    "make-report": make_report,
    "exposed": exposed,
    "renew": renew,
}


def _store(back: Back, text: str, readers: tuple[str, ...], answers: Mapping[str, str] = NO_ANSWERS) -> None:
    visit, attempt = back.visit, fields.attempt(back.visit.arrived)
    if attempt is None:
        raise Refused("the form carries no attempt")
    slip = back.view.slip
    draft = Draft(
        channel=slip.channel if slip else "",
        language=visit.t.code,
        text=text,
        answers=answers,
        readers=readers,
        without=back.without,
        attachments=visit.arrived.attachments,
        blocks=visit.arrived.blocks,
    )
    who, digest = back.reporter, visit.arrived.digest
    with limits.storing(again=arrival.is_added(who, attempt, digest, visit.store)):
        arrival.follow_up(draft, who, back.view, attempt, digest, visit.published, visit.store, visit.day)


def _sent(back: Back, readers: tuple[str, ...]) -> flask.Response:
    who = readers_line.line(back.visit, back.signed, readers, back.unwanted)
    return notice(back.visit, "follow_up.sent", code=back.code, reading=who)


def _confirm(visit: Visit, what: str, step: str, parts: tuple[str, ...], message: str = "") -> flask.Response:
    def confirm(back: Back) -> flask.Response:
        return page(
            visit,
            "confirm.html",
            what=what,
            step=step,
            parts=parts,
            message=message,
            reading=readers_line.line(visit, back.signed, back.readers, back.without),
            code=back.code,
            attempt=fields.new_attempt(),
        )

    return with_case(visit, confirm)


def _exposed(back: Back, *problems: Problem) -> flask.Response:
    visit = back.visit
    return page(
        visit,
        "exposed.html",
        status=422 if problems else 200,
        code=back.code,
        attempt=fields.new_attempt(),
        text=visit.arrived.get("text"),
        advice=back.asks_advice,
        made_report=_is_made_report(visit),
        problems=problems,
        outside=outside(visit) if any(problem.nobody for problem in problems) else (),
        **whom(back, "tell"),
    )
