"""The local page, for the reviewer at this computer and nobody else.

Its address has a random path.  Other users' connections, other host names, other pages' forms and all scripts are
refused.  There are no cookies, no log and nothing from other hosts; uploads stay in memory until they are sealed.
"""

import datetime
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import flask
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.local import LocalProxy

from whistle.local_page import guard
from whistle.workstation import language
from whistle.workstation.app import (
    backup_pages,
    duty_pages,
    listing,
    locking,
    pages,
    template_pages,
    tray_pages,
    viewing,
)
from whistle.workstation.app.desk import IDLE, Desk
from whistle.workstation.app.session import Session
from whistle.workstation.app.uploads import Request
from whistle.workstation.care import care_pages, on_duty
from whistle.workstation.errors import WorkstationError
from whistle.workstation.language import t
from whistle.workstation.upkeep import beginning, records, sent_pages, stick_panel, this_workstation
from whistle.workstation.workstation import Workstation, utc_today

MAX_UPLOAD = 64 * 1024 * 1024  # bytes of the files of one form; larger files go by the command line
MAX_TEXT = 8 * 1024 * 1024  # bytes of the fields of one form


PLAIN: dict[type[HTTPException], str] = {  # keys of what is said of each error
    NotFound: "app.not_found",
    Forbidden: "app.forbidden",
    BadRequest: "app.incomplete",
    RequestEntityTooLarge: "app.too_much",
}


class App(flask.Flask):
    """Flask with requests that keep uploads in memory."""

    request_class = Request


def create_app(
    workstation: Workstation | Path,
    stick: Path | None,
    courier: Callable[[], Iterable[str]] | None = None,
    *,
    saved: Path | None = None,
    token: str | None = None,
    idle: int = IDLE,
    profile: str = "standard",
) -> flask.Flask:
    """The page for an open workstation, or for the folder of a locked one; its path is `app.config["WHISTLE_PATH"]`.

    `stick` is where the stick is mounted; `courier` exchanges its content with the server and returns lines to show;
    `saved` is where files are saved, by default `~/Whistle`; it locks after `idle` seconds without use.
    """
    app = App(__name__, static_folder=None)
    path = f"/{token}/" if token else guard.path()
    app.config.update(
        WHISTLE_PATH=path,
        WHISTLE_DESK=_desk(workstation, partial(_begin, stick, courier, saved or Path.home() / "Whistle"), idle),
        WHISTLE_MOST=MAX_UPLOAD,
        WHISTLE_PROFILE=profile,
        MAX_FORM_MEMORY_SIZE=MAX_TEXT,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(t=LocalProxy(language.current), languages=language.offered, line=language.shown)
    app.jinja_env.globals.update(time=language.time, days=language.days, sentence=language.sentence, size=language.size)
    app.jinja_env.globals.update(date=datetime.date.fromisoformat)
    _in_language(app)
    _one_at_a_time(app)
    guard.protect(app)
    locking.protect(app)
    app.register_error_handler(WorkstationError, _refused)
    app.register_error_handler(HTTPException, _plain)
    app.register_error_handler(Exception, _broken)
    for blueprint in (
        locking.locking,
        pages.pages,
        listing.listing,
        viewing.viewing,
        tray_pages.tray_pages,
        duty_pages.duty_pages,
        template_pages.template_pages,
        care_pages.care_pages,
        on_duty.on_duty,
        backup_pages.backup_pages,
        beginning.beginning,
        records.records,
        sent_pages.sent_pages,
        this_workstation.this_workstation,
        stick_panel.stick_panel,
    ):
        app.register_blueprint(blueprint, url_prefix=path.rstrip("/"))
    return app


def _begin(
    stick: Path | None, courier: Callable[[], Iterable[str]] | None, saved: Path, workstation: Workstation
) -> Session:
    return Session(workstation, stick, courier, saved)


def _desk(workstation: Workstation | Path, begin: Callable[[Workstation], Session], idle: int) -> Desk:
    if isinstance(workstation, Path):
        return Desk(workstation, begin, utc_today, idle)
    desk = Desk(workstation.vault.folder, begin, workstation.today, idle)
    desk.take(workstation)
    return desk


def _in_language(app: flask.Flask) -> None:
    """Answer each request in the language that was chosen here, else in the one that the browser asks for."""
    desk: Desk = app.config["WHISTLE_DESK"]

    @app.before_request
    def begin() -> None:
        code = desk.language or language.wanted(flask.request.accept_languages)
        flask.g.speaking = ExitStack()
        flask.g.speaking.enter_context(language.on_page(code))

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if "speaking" in flask.g:
            flask.g.pop("speaking").close()


def _one_at_a_time(app: flask.Flask) -> None:
    desk: Desk = app.config["WHISTLE_DESK"]

    @app.before_request
    def enter() -> None:
        if not locking.is_apart():
            desk.turn.acquire()
            flask.g.inside = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if flask.g.pop("counts", False):
            desk.touch()
        if flask.g.pop("inside", False):
            try:
                desk.rest()
            finally:
                desk.turn.release()


def _plain(error: HTTPException) -> flask.Response:
    text = t(PLAIN[type(error)]) if type(error) in PLAIN else error.name
    return flask.Response(f"{text}\n", status=error.code or 500, mimetype="text/plain")


def _broken(error: Exception) -> flask.Response:
    # An exception's text may quote a message, so only its type is shown.
    text = t("app.broken", kind=type(error).__name__)
    return flask.Response(f"{text}\n", status=500, mimetype="text/plain")


def _refused(error: WorkstationError) -> flask.Response:
    return flask.Response(f"{error.message}\n{error.hint}\n", status=409, mimetype="text/plain")
