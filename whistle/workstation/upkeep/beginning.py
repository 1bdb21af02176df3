"""Where there is no vault yet: a new workstation, or one that comes back from a backup."""

from collections.abc import Callable
from pathlib import Path

import flask
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from whistle.workstation import backup
from whistle.workstation.app.desk import LONGEST
from whistle.workstation.app.pages import desk
from whistle.workstation.errors import Refused, VaultError
from whistle.workstation.profile import check_profile
from whistle.workstation.vault.storage import Vault
from whistle.workstation.workstation import Workstation

MADE = "The workstation is made. Now write your public file for the root keeper, trust the root, and make a backup."
RESTORED = "Restored. Exchange a stick that the courier fills from today on: before that, nothing can be written."

beginning = flask.Blueprint("beginning", __name__)


@beginning.post("/new")
def new() -> Response:
    """Make a workstation with fresh keys."""
    form = flask.request.form
    name, role = form.get("name", "").strip(), form.get("role", "").strip()
    languages = tuple(dict.fromkeys(form.get("languages", "").lower().replace(",", " ").split()))

    def make() -> Workstation:
        check_profile(name, role, languages)
        if not languages:
            raise Refused("no language was given", "codes like en or ar, with commas between them")
        secret = _secret("passphrase")
        if secret != form.get("again", ""):
            raise Refused("the two passphrases do not match", "type the same one twice")
        return Workstation.create(
            desk().folder, secret, name=name, role=role, languages=languages, profile=_profile(), today=desk().today
        )

    return _begin(make, MADE)


@beginning.post("/restore")
def restore() -> Response:
    """Bring a workstation back from a backup."""

    def make() -> Workstation:
        place = Path(flask.request.form.get("backup", "").strip())
        if not (place.is_absolute() and place.is_dir()):
            raise Refused("there is no such folder", "type the whole path of the backup's folder")
        secret = _secret("passphrase")
        return backup.restore(place, desk().folder, secret, secret, _profile())

    return _begin(make, RESTORED)


def _begin(make: Callable[[], Workstation], said: str) -> Response:
    current = desk()
    try:
        Vault.free(current.folder)
    except VaultError as exc:  # nothing that is there is ever made anew
        raise Forbidden from exc
    current.begin(make)
    if current.is_locked:
        fields = {name: text for name, text in flask.request.form.items() if name not in ("passphrase", "again")}
        current.typed_first = fields
        return flask.redirect(flask.url_for("locking.locked"), 303)
    current.typed_first = {}
    current.session.say(said)
    return flask.redirect(flask.url_for("own.shown"), 303)


def _secret(name: str) -> str:
    secret = flask.request.form.get(name, "")
    if not 0 < len(secret.encode("utf-8", "surrogatepass")) <= LONGEST:
        raise Refused("no passphrase was typed, or one that is too long", f"at most {LONGEST} bytes")
    return secret


def _profile() -> str:
    return str(flask.current_app.config["WHISTLE_PROFILE"])
