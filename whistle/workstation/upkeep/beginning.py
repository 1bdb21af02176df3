"""Where there is no vault yet: a new workstation, or one that comes back from a backup."""

from collections.abc import Callable, Sequence
from pathlib import Path

import flask
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from whistle.workstation import backup
from whistle.workstation.app.desk import LONGEST
from whistle.workstation.app.pages import desk
from whistle.workstation.errors import Refused, VaultError
from whistle.workstation.language import t
from whistle.workstation.profile import check_profile
from whistle.workstation.vault.storage import Vault
from whistle.workstation.workstation import Workstation

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
            raise Refused(t("begin.no_language"), t("begin.no_language_hint"))
        secret = _secret("passphrase")
        if secret != form.get("again", ""):
            raise Refused(t("begin.no_match"), t("begin.no_match_hint"))
        return Workstation.create(
            desk().folder, secret, name=name, role=role, languages=languages, profile=_profile(), today=desk().today
        )

    return _begin(make, t("begin.made"))


@beginning.post("/restore")
def restore() -> Response:
    """Bring a workstation back from a backup; of a damaged one the rest, if that is asked for."""
    lacks: list[str] = []
    partly = (lambda lacking: lacks.extend(lacking.lines())) if flask.request.form.get("partly") == "yes" else None

    def make() -> Workstation:
        place = Path(flask.request.form.get("backup", "").strip())
        if not (place.is_absolute() and place.is_dir()):
            raise Refused(t("backup.no_folder"), t("begin.no_folder_hint"))
        secret = _secret("passphrase")
        try:
            return backup.restore(place, desk().folder, secret, secret, _profile(), partly=partly)
        except backup.NotWhole as exc:
            raise backup.NotWhole(exc.message, t("begin.rest")) from None

    return _begin(make, t("begin.restored"), lacks)


def _begin(make: Callable[[], Workstation], said: str, lacks: Sequence[str] = ()) -> Response:
    current = desk()
    try:
        Vault.free(current.folder)
    except VaultError as exc:  # nothing that is there is ever made anew
        raise Forbidden from exc
    current.begin(make)
    if current.is_locked:
        fields = {name: text for name, text in flask.request.form.items() if name not in ("passphrase", "again")}
        rest = {"rest": "yes"} if current.problem and current.problem.hint == t("begin.rest") else {}
        current.typed_first = fields | rest  # is offered
        return flask.redirect(flask.url_for("locking.locked"), 303)
    current.typed_first = {}
    current.session.say(said)
    if lacks:
        current.session.say(*lacks, good=False)
    return flask.redirect(flask.url_for("own.shown"), 303)


def _secret(name: str) -> str:
    secret = flask.request.form.get(name, "")
    if not 0 < len(secret.encode("utf-8", "surrogatepass")) <= LONGEST:
        raise Refused(t("lock.no_passphrase"), t("lock.no_passphrase_hint", LONGEST))
    return secret


def _profile() -> str:
    return str(flask.current_app.config["WHISTLE_PROFILE"])
