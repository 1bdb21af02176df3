"""What is done on the list of cases: filtering it, muting and labelling what is ticked, and acknowledging many at once.

Which filter is chosen is noted here, so that it stands in no address.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from whistle.protocol.untrusted_text import one_line
from whistle.workstation import answers
from whistle.workstation.app.pages import case_named, done, session, terms
from whistle.workstation.cases import case_list
from whistle.workstation.cases.case_list import LATE, SOON, Filter
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import templates
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.tray import tray
from whistle.workstation.vault import filing

CHOICES = ("channel", "status", "language", "label", "claimed", "answer")  # of a filter, with any value
AT_ONCE = 500  # cases acknowledged by one press

listing = flask.Blueprint("listing", __name__, template_folder="templates")
listing.context_processor(terms)


@dataclass(frozen=True)
class Ticked:
    """Cases to acknowledge by the language of the text that they get, and those that get none, with the reason."""

    by_language: dict[str, list[Case]]
    left: list[tuple[Case, str]]


@listing.post("/filter")
def choose() -> Response:
    """Note which cases to list; without any field, all."""
    form = flask.request.form
    due = form.get("due", "")
    chosen = {name: form.get(name, "")[: answers.LONGEST] for name in CHOICES}
    flags = {name: name in form for name in ("unread", "files", "muted")}
    session().filter = Filter(**chosen, due=due if due in (LATE, SOON) else "", **flags)  # type: ignore[arg-type]
    return _back()


@listing.post("/filter/keep")
def keep() -> Response:
    """Keep the filter that is chosen under a name."""
    name = flask.request.form.get("name", "")
    return done(lambda: case_list.keep(session().workstation, name, session().filter))


@listing.post("/filter/kept")
def kept() -> Response:
    """List what a kept filter says, or forget it."""
    form, current = flask.request.form, session()
    name = form.get("name", "")
    if form.get("do") == "forget":
        case_list.forget(current.workstation, name)
    else:
        current.filter = case_list.kept_filters(current.workstation).get(name, current.filter)
    return _back()


@listing.post("/ticked")
def ticked() -> Response:
    """Do what was pressed with the cases that are ticked."""
    names, current = flask.request.form.getlist("case"), session()
    act = flask.request.form.get("do", "")
    if not names:
        current.say(t("listing.tick"), good=False)
        return _back()
    if act == "acknowledge":
        current.ticked = names
        return flask.redirect(flask.url_for("listing.confirm"), 303)
    if act in ("label", "unlabel"):
        return done(lambda: _label(names, act == "label"))
    if act not in ("mute", "unmute"):
        raise BadRequest
    for name in dict.fromkeys(names):
        filing.mute(current.workstation, case_named(name), act == "mute")
    count = len(set(names))
    if act == "mute":
        current.say(t("listing.muted", count))
    else:
        current.say(t("listing.unmuted", count))
    return _back()


def _label(names: Sequence[str], on: bool) -> None:
    current, label = session(), one_line(flask.request.form.get("label", ""))
    cases = [case_named(name).id for name in dict.fromkeys(names)]
    changed = filing.label(current.workstation, cases, label, on)
    if on:
        current.say(t("listing.labelled", changed, label=label))
    else:
        current.say(t("listing.unlabelled", changed, label=label))


@listing.get("/acknowledge")
def confirm() -> str:
    """Ask before anything is written: to whom, and in which words."""
    chosen, texts = _chosen(session().ticked), templates.all_of(session().workstation)
    known = {language: texts.get((templates.ACKNOWLEDGEMENT, language), "") for language in chosen.by_language}
    more = max(0, len(set(session().ticked)) - AT_ONCE)
    return flask.render_template("acknowledge.html", chosen=chosen, texts=known, fields=templates.FIELDS, more=more)


@listing.post("/acknowledge")
def acknowledge() -> Response:
    """Put into the tray the acknowledgements whose text and cases were confirmed."""
    form, current, done = flask.request.form, session(), 0
    chosen = _chosen(form.getlist("case"))
    refused: list[str] = [_refused(case, why) for case, why in chosen.left]
    for language, cases in chosen.by_language.items():
        text = form.get(f"text-{language}", "").replace("\r\n", "\n")
        for case in cases:
            try:
                filled = templates.fill(current.workstation, case, text, language)
                tray.reply(current.workstation, case, filled, (), templates.ACKNOWLEDGEMENT, follow=False)
                done += 1
            except WorkstationError as exc:
                refused.append(_refused(case, exc.message))
    current.ticked = []
    if done:
        current.say(t("listing.acknowledged", done))
    if refused:
        current.say(t("listing.not_acknowledged"), *refused, good=False)
    return _back()


@listing.post("/case/<name>/own")
def name_case(name: str) -> Response:
    """Give a case a title and labels."""
    form = flask.request.form
    labels = form.get("labels", "").split(",")
    return _on_case(name, lambda case: filing.name(session().workstation, case.id, form.get("title", ""), labels))


@listing.post("/case/<name>/mute")
def mute_case(name: str) -> Response:
    """Mute a case, or bring it back."""
    return _on_case(name, lambda case: filing.mute(session().workstation, case, flask.request.form.get("on") == "yes"))


def _on_case(name: str, do: Callable[[Case], None]) -> Response:
    try:
        do(case_named(name))
        session().say(t("listing.noted"))
    except Refused as exc:
        session().say(t("listing.not_done", why=exc.message, hint=exc.hint), good=False)
    return flask.redirect(flask.url_for("pages.case", name=name), 303)


def _chosen(names: Sequence[str]) -> Ticked:
    chosen = Ticked({}, [])
    for name in list(dict.fromkeys(names))[:AT_ONCE]:
        case = case_named(name)
        if case.report is None:
            chosen.left.append((case, t("transcript.no_report")))
        elif case.answers:
            chosen.left.append((case, t("listing.answered")))
        else:
            language = templates.language_for(session().workstation, case.report.language)
            chosen.by_language.setdefault(language, []).append(case)
    return chosen


def _refused(case: Case, why: str) -> str:
    return t("listing.refused", case=case.reference, why=why)


def _back() -> Response:
    return flask.redirect(flask.url_for("pages.queue"), 303)
