"""What is done for a reporter's safety on the page of a case and on that of the duties."""

import datetime
import re
from collections.abc import Callable

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from whistle.workstation.app import pages
from whistle.workstation.app.pages import case_named, session
from whistle.workstation.app.refused_forms import Form
from whistle.workstation.care import check_ins, on_case, signs
from whistle.workstation.care.on_case import VALUES
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import clocks, plan
from whistle.workstation.duties.clocks import DAY
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.tray import tray

AT_ONCE = 500  # check-ins by one press
LONGEST = 2000  # characters of what is to be done about a risk, so that no part of a check travels apart
PLANS = ("usual", "days", "none")

care_pages = flask.Blueprint("care", __name__)


@care_pages.post("/duties/check-in")
def check_in() -> Response:
    """Put all check-ins into the tray that are to be made by today."""
    current = session()
    due = plan.to_check_in(current.due(), current.workstation.today())
    prepared = check_ins.prepare(current.workstation, due[:AT_ONCE])
    if prepared.done or not prepared.left:
        current.say(t("care.prepared", prepared.done))
    if prepared.left:
        current.say(t("care.not_prepared"), *prepared.left, good=False)
    return flask.redirect(flask.url_for("duties.shown"), 303)


@care_pages.post("/case/<name>/check-in")
def ask(name: str) -> Response:
    """Put a check-in of one case into the tray."""
    case = case_named(name)

    def do() -> None:
        check_ins.put(session().workstation, case)
        session().say(t("care.prepared", 1))

    return pages.done(do, flask.url_for("pages.case", name=name))


@care_pages.post("/case/<name>/check-ins")
def plan_check_ins(name: str) -> Response:
    """State on which days the reporter is to be asked how they are."""
    form, station = flask.request.form, session().workstation
    if form.get("plan") not in PLANS:
        raise BadRequest

    def do(case: Case) -> None:
        days = {"usual": on_case.usual(case), "none": []}.get(form["plan"])
        if days is None:
            days = _days(form.get("days", ""))
        tray.plan(station, case, days)

    return _written(name, "check-ins", do)


@care_pages.post("/case/<name>/risk")
def risk(name: str) -> Response:
    """Put a check of the risk into the tray: a note, and the day on which to look again."""
    form, station = flask.request.form, session().workstation
    answers = {each: form.get(each, "") for each in signs.RISKS}
    if not set(answers.values()) <= {*VALUES, ""}:
        raise BadRequest

    def do(case: Case) -> None:
        given = {each: answer for each, answer in answers.items() if answer}
        if not given:
            raise Refused(t("care.no_answer"), t("care.no_answer_hint"))
        text = form.get("text", "").replace("\r\n", "\n")
        if len(text) > LONGEST:
            raise Refused(t("care.too_long", most=LONGEST), t("care.too_long_hint"))
        tray.note(station, case, text, (), given, _again(form.get("again", ""), station.today()))

    return _written(name, "risk", do)


def _days(text: str) -> list[datetime.date]:
    typed = [each for each in re.split(r"[\s,،;、，]+", text) if each]
    try:
        return [clocks.parse_day(each) for each in typed]
    except ValueError as exc:
        raise Refused(t("care.no_day"), t("care.no_day_hint")) from exc


def _again(text: str, today: datetime.date) -> datetime.date | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()) or not int(text):
        raise Refused(t("care.no_number"), t("care.no_number_hint"))
    return today + DAY * int(text)


def _written(name: str, form: str, do: Callable[[Case], None]) -> Response:
    case = case_named(name)
    refused = session().typed[case.id].forms
    try:
        do(case)
        refused.pop(form, None)
        session().say(t("care.in_tray"))
    except WorkstationError as exc:
        refused[form] = Form(exc.message, exc.hint, flask.request.form.to_dict())
    return flask.redirect(flask.url_for("pages.case", name=name), 303)
