"""Which stick is in, inside the other pages, so that one is noticed while a page is open.

It asks for itself every few seconds.  That is no use by a person, touches no vault, and waits for nothing that does.
"""

import flask

from whistle.local_page import guard
from whistle.sticks import Stick
from whistle.workstation.app.pages import desk
from whistle.workstation.errors import VaultLocked

stick_panel = flask.Blueprint("sticks", __name__)


@stick_panel.get("/sticks")
def shown() -> flask.Response:
    """The sticks that are in; nothing while it is locked."""
    found: tuple[list[Stick], list[Stick]] | None = None
    try:
        found = desk().session.offered()
    except VaultLocked:
        pass
    return guard.panel(flask.render_template("stick.html", found=found))
