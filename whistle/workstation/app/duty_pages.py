"""The page of what is due, the office's clocks, and the calendar file."""

import datetime
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from whistle.protocol.case.message import Away
from whistle.workstation import files, language
from whistle.workstation.app import pages, refused_forms
from whistle.workstation.app.pages import session
from whistle.workstation.cases import case_list, overview, transcript
from whistle.workstation.duties import absences, calendar_file, clocks, office, plan
from whistle.workstation.duties.clocks import DIRECTIVE
from whistle.workstation.duties.plan import Due
from whistle.workstation.errors import Refused
from whistle.workstation.language import Text, t
from whistle.workstation.tray import tray

LISTED = 50  # in a page
MOST_WEEKS = 60
CALENDAR = Path("calendar", "whistle.ics")  # in the folder for what is saved, whose page lists and removes it
CLOCKS = {
    "acknowledge": ("office.acknowledge", "office.acknowledge_hint"),
    "feedback": ("office.feedback", "office.feedback_hint"),
    "agreed": ("office.agreed", "office.agreed_hint"),
}
UNITS = {"days": "office.unit_days", "working days": "office.unit_working_days", "months": "office.unit_months"}

duty_pages = flask.Blueprint("duties", __name__)
duty_pages.context_processor(pages.terms)


@duty_pages.get("/duties")
def shown() -> str:
    """What is due, late first, by the days on which to do it."""
    current, asked = session(), flask.request.args
    weeks = min(max(asked.get("weeks", plan.WEEKS, int), 1), MOST_WEEKS)
    number = max(1, asked.get("page", 1, int))
    everything, today = current.due(), current.workstation.today()
    chosen = plan.until(everything, today, weeks)
    listed, set_ = chosen[(number - 1) * LISTED : number * LISTED], office.of(current.workstation)
    return flask.render_template(
        "duties.html",
        groups=_groups(listed, today),
        total=len(chosen),
        later=len(everything) - len(chosen),
        late=sum(each.day < today for each in everything),
        unacknowledged=len(plan.to_acknowledge(everything)),
        check_ins=len(plan.to_check_in(everything, today)),
        muted=plan.muted(current.workstation),
        weeks=weeks,
        number=number,
        last=max(1, -(-len(chosen) // LISTED)),
        plan=plan,
        office=set_,
        reason=partial(office.reason, set_),
        person=partial(transcript.person, current.workstation),
        me=_me(),
        absence=partial(absences.words, me=_me(), person=partial(transcript.person, current.workstation)),
        calendar=current.saved / CALENDAR,
    )


@duty_pages.post("/duties/acknowledge")
def acknowledge() -> Response:
    """Choose all cases that have no acknowledgement yet; which, and in which words, is confirmed next."""
    cases = plan.to_acknowledge(session().due())
    if not cases:
        session().say(t("duties.all_acknowledged"))
        return _back()
    session().ticked = [pages.name_of(case) for case in cases]
    return flask.redirect(flask.url_for("listing.confirm"), 303)


@duty_pages.post("/duties/calendar")
def calendar() -> Response:
    """Write the calendar file where the form says."""
    current, named = session(), "named" in flask.request.form

    def do() -> None:
        typed = flask.request.form.get("where", "").strip()
        path = Path(typed).expanduser()
        if not path.is_absolute():
            raise Refused(t("calendar.no_place"), t("calendar.no_place_hint", path=str(current.saved / CALENDAR)))
        if path == current.saved / CALENDAR:
            files.private_folder(path.parent)
        count = calendar_file.write(path, current.due(), current.workstation.today(), named)
        current.say(t("calendar.written_named" if named else "calendar.written", count, path=str(path)))

    return pages.done(do, flask.url_for("duties.shown"))


@duty_pages.get("/office")
def clocks_shown() -> str:
    """The office's clocks, to be set."""
    current = session()
    case_list.refresh(current.workstation)
    return flask.render_template(
        "office.html",
        office=office.of(current.workstation),
        refused=current.typed_office,
        clocks=CLOCKS,
        units=UNITS,
        colleagues=office.colleagues(current.workstation),
        person=partial(transcript.person, current.workstation),
        mine=len(office.answered_by_me(current.workstation)),
        directive=DIRECTIVE,
    )


@duty_pages.post("/office")
def set_clocks() -> Response:
    """Set the office's clocks; shown again with what was typed if something is wrong with it."""
    form, current = flask.request.form, session()
    if any(f"{name}-{part}" not in form for name in CLOCKS for part in ("count", "unit")):
        raise BadRequest
    weekend = form.getlist("weekend")
    current.typed_office = {"weekend": "", **refused_forms.fields(form)}  # shown again if it is refused

    def do() -> None:
        before, new = office.of(current.workstation), office.typed(current.workstation, form, weekend)
        office.save(current.workstation, new)
        current.typed_office = {}
        current.say(t("office.done"))
        today = current.workstation.today()
        if "tell" in form and new.away:
            _tell(new.away, str(_note(new.away)))
        elif "tell" in form and before.away and before.away.last >= today:
            ended = today - clocks.DAY
            _tell(Away(min(before.away.first, ended), ended), str(t("away.note_back")))

    return pages.done(do, flask.url_for("duties.clocks_shown"))


def _note(away: Away) -> str:
    cover = transcript.person(session().workstation, away.cover) if away.cover else ""
    if not cover:
        return t("away.note_alone", first=away.first, last=away.last)
    return t("office.note", first=away.first, last=away.last, cover=cover)


def _tell(away: Away, text: str) -> None:
    """Put a note into the tray for each open case of this reviewer's, and say which its cover does not read."""
    current, told, strange = session(), 0, []
    cover = transcript.person(current.workstation, away.cover)
    case_list.refresh(current.workstation)
    for id in office.answered_by_me(current.workstation):
        case = overview.load(current.workstation, id)
        if away.cover and away.cover not in case.allowed:
            strange.append(case.title or case.reference)
            continue
        tray.note(current.workstation, case, text, away=away)
        told += 1
    current.say(t("office.told", told))
    if strange:
        current.say(t("office.not_told", cover=cover, cases=Text(language.listed(strange))), good=False)


def _groups(listed: Sequence[Due], today: datetime.date) -> list[tuple[str, bool, list[Due]]]:
    """The duties under their headings, each with whether what stands there is late."""
    groups = ((heading, list(things)) for heading, things in groupby(listed, lambda each: plan.heading(each, today)))
    return [(heading, things[0].day < today, things) for heading, things in groups]


def _me() -> str:
    station = session().workstation
    return station.me if station.trust.serials() else ""


def _back() -> Response:
    return flask.redirect(flask.url_for("duties.shown"), 303)
