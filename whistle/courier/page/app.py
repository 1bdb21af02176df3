"""The courier's page, for the user at this computer and nobody else.

It has no script: the words of an exchange arrive while the page is being loaded.
"""

from pathlib import Path

import flask
from werkzeug.wrappers import Response

from whistle.courier.errors import CourierError
from whistle.courier.page.errand import Errand
from whistle.local_page import guard

MAX_FORM = 16_384  # bytes
page = flask.Blueprint("page", __name__, template_folder="templates", static_folder="static")


def create_app(folder: Path, stick: Path | None = None) -> flask.Flask:
    """The page of a courier's folder; its path is `app.config["WHISTLE_PATH"]`. Raises CourierError.

    `stick` is a folder that is used without asking; without one, sticks are looked for.
    """
    app = flask.Flask(__name__, static_folder=None)
    path = guard.path()
    app.config.update(WHISTLE_PATH=path, WHISTLE_ERRAND=Errand(folder, stick), MAX_CONTENT_LENGTH=MAX_FORM)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard.protect(app)
    app.register_blueprint(page, url_prefix=path.rstrip("/"))
    return app


def _errand() -> Errand:
    errand = flask.current_app.config["WHISTLE_ERRAND"]
    assert isinstance(errand, Errand)
    return errand


@page.get("/")
def start() -> str:
    """What stick is in, and the button."""
    return _start()


def _start(problem: str = "", said: str = "") -> str:
    usable, fresh = _errand().found()
    return flask.render_template("start.html", usable=usable, fresh=fresh, problem=problem, said=said)


@page.get("/stick")
def stick() -> flask.Response:
    """Which stick is in now, inside the other pages."""
    usable, fresh = _errand().found()
    return guard.panel(flask.render_template("stick.html", usable=usable, fresh=fresh))


@page.post("/name")
def name() -> Response | str:
    """Use a new stick from now on."""
    try:
        _errand().name(flask.request.form.get("folder", ""), flask.request.form.get("name", ""))
    except (CourierError, ValueError) as exc:
        return _start(problem=f"{str(exc)[:1].upper()}{str(exc)[1:]}.")
    return flask.redirect(flask.url_for("page.start"), 303)


@page.post("/exchange")
def exchange() -> flask.Response:
    """Exchange, word by word as it goes on."""
    return flask.Response(flask.stream_template("exchange.html", words=_errand().exchange()))


@page.post("/unmount")
def unmount() -> str:
    """Ask the system to let go of the stick."""
    if _errand().unmount():
        return _start(said="The system has let go of the stick. Take it out.")
    return _start(problem="The system did not let go of the stick. Close what uses it, then try again.")
