"""The page of backups: making one on a stick or in a folder, and trying whether it would bring everything back."""

from pathlib import Path

import flask
from werkzeug.wrappers import Response

from whistle import sticks
from whistle.workstation import backup, files
from whistle.workstation.app import pages
from whistle.workstation.app.desk import LONGEST
from whistle.workstation.app.pages import session
from whistle.workstation.app.session import Backup
from whistle.workstation.errors import Refused, WrongPassphrase
from whistle.workstation.language import t
from whistle.workstation.vault import backups, keyfile

backup_pages = flask.Blueprint("backup", __name__)
backup_pages.context_processor(pages.terms)


@backup_pages.get("/backup")
def shown() -> str:
    """Where backups are, how old they are, and the forms."""
    current = session()
    places, fresh = backup.places(current.workstation)
    return flask.render_template("backup.html", places=places, new=fresh, asked=current.backup, ago=backups.ago)


@backup_pages.post("/backup/make")
def make() -> Response:
    """Make a backup; the passphrase is asked for if the keys must be sealed into it."""
    current = session()
    asked = Backup(_field("place").strip(), _field("fresh") == "yes")
    typed, current.backup = _field("passphrase"), None

    def do() -> None:
        place = _folder(asked.place)
        try:
            if typed:
                current.workstation.vault.check_passphrase(_bounded(typed))
            saved = backup.save(current.workstation, place, typed or None, keyfile.LOG_N, asked.fresh)
        except backup.PassphraseNeeded:
            current.backup = asked
            return
        except WrongPassphrase:
            current.backup = asked  # to be asked for again
            raise
        _flush(saved.folder)
        current.say(*saved.lines(), t("backup.written"))

    return pages.done(do, flask.url_for("backup.shown"))


@backup_pages.post("/backup/try")
def try_it() -> Response:
    """Restore a backup into nothing, and say what came of it."""
    current = session()

    def do() -> None:
        tried = backup.try_backup(current.workstation, _folder(_field("place").strip()), _bounded(_field("passphrase")))
        current.say(*tried.lines(), good=tried.works)

    return pages.done(do, flask.url_for("backup.shown"))


@backup_pages.post("/backup/forget")
def forget() -> Response:
    """List a backup no longer, one on a stick that was lost for example."""
    backups.forget(session().workstation.vault, _field("id"))
    return flask.redirect(flask.url_for("backup.shown"), 303)


@backup_pages.post("/backup/stick")
def stick() -> Response:
    """Use a new stick from now on."""
    return pages.done(lambda: session().adopt(_field("folder"), _field("name")), flask.url_for("backup.shown"))


def _folder(typed: str) -> Path:
    place = Path(typed).expanduser()
    if not typed or not place.is_absolute():
        raise Refused(t("backup.not_whole"), t("backup.not_whole_hint"))
    if not place.is_dir():
        raise Refused(t("backup.no_folder"), t("backup.no_folder_hint"))
    if session().workstation.vault.folder.resolve() in (place.resolve(), *place.resolve().parents):
        raise Refused(
            t("backup.own_folder"),
            t("backup.own_folder_hint"),
        )
    return place


def _bounded(typed: str) -> str:
    if not 0 < len(typed.encode("utf-8", "surrogatepass")) <= LONGEST:
        raise Refused(t("lock.no_passphrase"), t("lock.no_passphrase_hint", LONGEST))
    return typed


def _flush(folder: Path) -> None:
    try:
        sticks.flush(folder)
    except OSError as exc:
        raise files.cannot_write(folder, exc) from exc


def _field(name: str) -> str:
    return flask.request.form.get(name, "")
