"""Unlocking and locking in the page, and what a locked page answers, or one whose vault a command uses just now.

While it is locked every request leads to the one form that asks for the passphrase.  A page that is left alone puts
itself away when the lock falls: most ask for the locked page by then; one with forms for long texts stays, and hides
what it shows.
"""

from collections.abc import Mapping
from typing import Any

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from whistle.workstation import language
from whistle.workstation.app import pages, refused_forms
from whistle.workstation.app.desk import OFFICE, TEXTS, TRAY
from whistle.workstation.app.pages import desk
from whistle.workstation.app.refused_forms import Form
from whistle.workstation.errors import VaultLocked, VaultMissing, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.vault.storage import Vault

# Pages whose forms hold what somebody writes, and what they send.
WRITING = ("pages.case", "pages.confirm", "tray.shown", "templates.shown", "duties.clocks_shown")
WRITTEN = (
    "care.risk",
    "pages.reply",
    "pages.note",
    "pages.status",
    "tray.change",
    "templates.save",
)  # if there is a text
CLOCKS = "duties.set_clocks"
FRAME = "viewing.frame"
# What needs no vault: where there is none, or it is locked; and frames that ask by themselves.
APART = ("sticks", "on_duty")
FREE = ("locking", "beginning", *APART)
STATIC = "pages.static"
GRACE = 2  # seconds after the lock until a page asks, since it began to wait a little later
AGAIN = 3  # seconds until a page asks again whether the command has ended

locking = flask.Blueprint("locking", __name__)


def protect(app: flask.Flask) -> None:
    """Let nothing but the form in while it is locked, and let pages put themselves away."""
    app.before_request(_enter)
    app.after_request(_put_away)


def is_apart() -> bool:
    """Whether what is asked for takes no turn: no person asked, and the vault is not needed."""
    return flask.request.blueprint in APART or flask.request.endpoint == STATIC


def _enter() -> Response | None:
    if is_apart():
        return None
    current = desk()
    current.lock_if_idle()
    if _is_free():
        return None
    if current.is_locked:
        return _refused("locking.locked")
    try:
        current.resume()
    except VaultLocked:
        return _wait() if flask.request.method == "GET" and _is_page() else _refused("locking.busy")
    current.touch()
    flask.g.counts = True  # to its end
    return None


def _is_free() -> bool:
    """Whether what is asked for needs no vault."""
    return flask.request.endpoint is None or is_apart() or flask.request.blueprint in FREE


def _refused(to: str) -> Response:
    if flask.request.method == "POST":
        current, fields = desk(), refused_forms.fields(flask.request.form)
        asked = flask.request.endpoint
        current.not_done = not (asked == CLOCKS or (asked in WRITTEN and fields.get("text")))
        if not current.not_done:
            current.keep(
                *_place(flask.request.view_args or {}), Form(t("lock.interrupted"), t("lock.interrupted_hint"), fields)
            )
    if not _is_page():
        return flask.Response(t("lock.refused") + "\n", status=409, mimetype="text/plain")
    return flask.redirect(flask.url_for(to), 303)


def _place(at: Mapping[str, Any]) -> tuple[str, str]:
    """Where a form belongs: its case and name, or what stands in their place."""
    if "name" in at:
        return str(at["name"]), flask.request.path.rpartition("/")[2]
    if flask.request.endpoint == CLOCKS:
        return OFFICE, ""
    return (TRAY, str(at["number"])) if "number" in at else (TEXTS, "")


def _is_page() -> bool:
    return flask.request.headers.get("Sec-Fetch-Dest", "document") == "document"


def _wait() -> flask.Response:
    """What is shown while a command uses the vault; it asks for the same page again."""
    page = flask.current_app.jinja_env.get_template("busy.html")  # without what other pages show, which the vault holds
    answer = flask.Response(page.render(here=desk()), 503, mimetype="text/html")
    asked = {**(flask.request.view_args or {}), **flask.request.args}
    answer.headers["Refresh"] = f"{AGAIN}; url={flask.url_for(str(flask.request.endpoint), **asked)}"
    return answer


def _put_away(response: flask.Response) -> flask.Response:
    is_page = response.status_code == 200 and response.mimetype == "text/html"
    if is_page and flask.request.endpoint not in (*WRITING, FRAME) and not _is_free():
        response.headers["Refresh"] = f"{desk().idle + GRACE}; url={flask.url_for('locking.locked')}"
    return response


@locking.get("/locked")
def locked() -> str:
    """The form, or why there is nothing to unlock; somebody who is let wait here does nothing."""
    current, problem = desk(), None
    if current.is_locked:
        try:
            Vault.check(current.folder)
        except WorkstationError as exc:
            problem = exc
    return flask.render_template(
        "locked.html",
        here=current,
        problem=problem,
        missing=isinstance(problem, VaultMissing),
        wrong=current.problem,
        minutes=-(-current.idle // 60),
        can_end="WHISTLE_END" in flask.current_app.config,
    )


@locking.post("/unlock")
def unlock() -> Response:
    """Open the vault with what was typed, at the price of one attempt."""
    current = desk()
    if current.is_locked:
        current.unlock(flask.request.form.get("passphrase", ""))
        if current.is_locked:
            return flask.redirect(flask.url_for("locking.locked"), 303)
    return flask.redirect(_given_back() or flask.url_for("pages.queue"), 303)


@locking.get("/busy")
def busy() -> Response:
    """What a page shows while a command uses the vault; once that has ended, what was typed, or the cases."""
    current = desk()
    if current.is_locked:
        return flask.redirect(flask.url_for("locking.locked"), 303)
    try:
        current.resume()
    except VaultLocked:
        return _wait()
    if current.not_done:
        current.session.say(t("busy.was_not_done"), good=False)
        current.not_done = False
    return flask.redirect(_given_back() or flask.url_for("pages.queue"), 303)


@locking.post("/lock")
def lock() -> Response:
    """Close the vault."""
    desk().lock()
    return flask.redirect(flask.url_for("locking.locked"), 303)


@locking.post("/language")
def choose() -> Response:
    """Show pages in another language."""
    code = flask.request.form.get("language", "")
    if code not in {each.code for each in language.offered()}:
        raise BadRequest
    desk().speak(code)
    return flask.redirect(flask.url_for("locking.locked" if desk().is_locked else "own.shown"), 303)


@locking.post("/end")
def end() -> str:
    """Lock, and end the program that serves the page."""
    desk().lock()
    flask.current_app.config["WHISTLE_END"]()
    return flask.render_template("ended.html")


@locking.get("/away.css")
def away() -> flask.Response:
    """After how long pages hide what they show."""
    return flask.Response(f":root {{ --idle: {desk().idle}s; }}\n", mimetype="text/css")


def _given_back() -> str:
    """Put what was kept into its forms again; the address of a case that has one, or nothing."""
    current, to = desk().session, ""
    kept = desk().given_back()
    cases = current.workstation.case_ids() if kept else []
    for case, name, form in kept:
        if case == TRAY:
            current.typed_tray[int(name)] = dict(form.fields)
            to = flask.url_for("tray.shown")
            continue
        if case == OFFICE:
            current.typed_office = {"weekend": "", **form.fields}  # which is not sent if no day is ticked
            to = flask.url_for("duties.clocks_shown")
            continue
        if case == TEXTS:
            current.typed_template = dict(form.fields)
            to = flask.url_for("templates.shown")
            continue
        id = next((each for each in cases if case in (each, pages.name_of(each))), None)
        if id is not None:
            current.typed[id].forms[name] = form
            to = flask.url_for("pages.case", name=pages.name_of(id))
    return to
