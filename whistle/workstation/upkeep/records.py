"""What leaves the vault of a case: its record and its files, in clear; and the case itself, deleted for good."""

from collections.abc import Callable
from pathlib import Path

import flask
from werkzeug.wrappers import Response

from whistle.workstation import language
from whistle.workstation.app import pages
from whistle.workstation.app.pages import case_named, session
from whistle.workstation.cases import case_export
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault import removal

records = flask.Blueprint("records", __name__)
records.context_processor(pages.terms)


@records.post("/case/<name>/export")
def export(name: str) -> Response:
    """Write the case as a text with its files."""

    def write(case: Case, to: Path) -> None:
        folder, failed = case_export.export(session().workstation, case, to)
        session().say(t("records.exported", folder=str(folder)))
        _say_failed(failed)

    return _taken_out(name, write)


@records.post("/case/<name>/files")
def save_all(name: str) -> Response:
    """Save all files of the case."""

    def write(case: Case, to: Path) -> None:
        saved, failed = case_export.save_all(session().workstation, case, to / case.reference)
        session().say(t("records.saved", len(saved), folder=str(to / case.reference)))
        _say_failed(failed)

    return _taken_out(name, write)


@records.get("/case/<name>/delete")
def confirm(name: str) -> Response | str:
    """Ask before a case is deleted, or say why it cannot be."""
    case = case_named(name)
    try:
        removal.check(session().workstation, case)
    except Refused as exc:
        session().say(language.sentence(exc.message), language.sentence(exc.hint), good=False)
        return flask.redirect(flask.url_for("pages.case", name=name), 303)
    return flask.render_template("delete.html", case=case, name=name)


@records.post("/case/<name>/delete")
def delete(name: str) -> Response:
    """Delete a closed case."""

    def do() -> None:
        case = case_named(name)
        removal.remove(session().workstation, case)
        session().typed.pop(case.id, None)
        session().say(t("delete.done", reference=case.reference))

    return pages.done(do)


def _taken_out(name: str, write: Callable[[Case, Path], None]) -> Response:
    typed = flask.request.form.get("to", "").strip()

    def do() -> None:
        to = Path(typed) if typed else session().saved
        if typed and not (to.is_absolute() and to.is_dir()):
            raise Refused(t("backup.no_folder"), t("records.no_folder_hint"))
        write(case_named(name), to)

    return pages.done(do, flask.url_for("pages.case", name=name))


def _say_failed(failed: list[str]) -> None:
    if failed:
        session().say(t("records.failed", len(failed), first=failed[0]), t("records.later"), good=False)
