"""The local page, for the reviewer at this computer and nobody else.

Its address has a random path.  Other users' connections, other host names, other pages' forms and all scripts are
refused.  There are no cookies, no log and nothing from other hosts; uploads stay in memory until they are sealed.
"""

import re
import secrets
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import flask
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, RequestEntityTooLarge

from whistle.workstation.app import pages, peer_owner, viewing
from whistle.workstation.app.session import Session
from whistle.workstation.app.uploads import Request
from whistle.workstation.errors import WorkstationError
from whistle.workstation.workstation import Workstation

MAX_UPLOAD = 64 * 1024 * 1024  # bytes of the files of one form; larger files go by the command line
MAX_TEXT = 8 * 1024 * 1024  # bytes of the fields of one form
HOSTS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
PLAIN: dict[type[HTTPException], str] = {
    NotFound: "There is no such page.",
    Forbidden: "Refused. This page is for the user who opened it, at the address that was shown.",
    BadRequest: "The form was not complete.",
    RequestEntityTooLarge: "That was too much text at once.",
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the browser send forms with the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), display-capture=(), payment=(), usb=()",
}

# What the page of a file and its frame set themselves.
OWN = ("Content-Security-Policy", "X-Frame-Options", "Cross-Origin-Embedder-Policy")


class App(flask.Flask):
    """Flask with requests that keep uploads in memory."""

    request_class = Request


def create_app(
    workstation: Workstation,
    stick: Path | None,
    courier: Callable[[], Iterable[str]] | None = None,
    *,
    saved: Path | None = None,
    token: str | None = None,
) -> flask.Flask:
    """The page for an open workstation; its path is `app.config["WHISTLE_PATH"]`.

    `stick` is where the stick is mounted; `courier` exchanges its content with the server and returns lines to show;
    `saved` is where files are saved, by default `~/Whistle`.
    """
    app = App(__name__, static_folder=None)
    path = f"/{token or secrets.token_urlsafe(24)}/"
    app.config.update(
        WHISTLE_PATH=path,
        WHISTLE_SESSION=Session(workstation, stick, courier, saved or Path.home() / "Whistle"),
        WHISTLE_MOST=MAX_UPLOAD,
        MAX_FORM_MEMORY_SIZE=MAX_TEXT,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    _one_at_a_time(app)
    app.before_request(_refuse_strangers)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _plain)
    app.register_error_handler(WorkstationError, _refused)
    app.register_error_handler(Exception, _broken)
    for blueprint in (pages.pages, viewing.viewing):
        app.register_blueprint(blueprint, url_prefix=path.rstrip("/"))
    return app


def _one_at_a_time(app: flask.Flask) -> None:
    lock = threading.Lock()

    @app.before_request
    def enter() -> None:
        lock.acquire()
        flask.g.inside = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if flask.g.pop("inside", False):
            lock.release()


def _refuse_strangers() -> None:
    # Against DNS rebinding, forms sent by other pages, and other users of this computer.
    request = flask.request
    theirs = request.environ.get("REMOTE_PORT")
    if theirs and not peer_owner.is_same_user(int(theirs), int(request.environ["SERVER_PORT"])):
        raise Forbidden
    if not HOSTS.fullmatch(request.host):
        raise Forbidden
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden
    if request.method == "POST" and request.headers.get("Origin") != request.host_url.rstrip("/"):
        raise Forbidden


def _finish(response: flask.Response) -> flask.Response:
    response.headers.remove("Server")
    for name, value in HEADERS.items():
        if name not in OWN or name not in response.headers:
            response.headers[name] = value
    return response


def _plain(error: HTTPException) -> flask.Response:
    text = PLAIN.get(type(error), error.name)
    return flask.Response(f"{text}\n", status=error.code or 500, mimetype="text/plain")


def _refused(error: WorkstationError) -> flask.Response:
    return flask.Response(f"{error.message}\n{error.hint}\n", status=409, mimetype="text/plain")


def _broken(error: Exception) -> flask.Response:
    # An exception's text may quote a message, so only its type is shown.
    return flask.Response(f"Something went wrong here: {type(error).__name__}.\n", status=500, mimetype="text/plain")
