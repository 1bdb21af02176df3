"""The page about this workstation: its keys, the readers whom it trusts, its date, and whether all of it is whole."""

from collections.abc import Callable
from pathlib import Path

import flask
from werkzeug.wrappers import Response

from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.minisign import PublicKey
from whistle.workstation import files
from whistle.workstation.app import pages
from whistle.workstation.app.pages import session
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import exchange as exchanges
from whistle.workstation.exchange.imports import import_files
from whistle.workstation.language import t
from whistle.workstation.vault import check as checks

LARGEST_KEY = 1024  # bytes of a root's published key

this_workstation = flask.Blueprint("own", __name__)
this_workstation.context_processor(pages.terms)


@this_workstation.get("/workstation")
def shown() -> str:
    """Whose it is, whom it trusts, and what day it believes."""
    station = session().workstation
    return flask.render_template(
        "workstation.html",
        station=station,
        digits=enrolment.digits(station.public_file()),
        last=max(period.last for period in station.periods()),
        roots=station.trust.fingerprint() if station.trust.roots() else "",
        manifest=station.trust.newest().manifest if station.trust.serials() else None,
        seen=station.trust.seen_day(),
    )


@this_workstation.post("/workstation/public")
def public() -> Response:
    """Write the public file for root, with new keys where they are missing."""
    return _done(_public)


def _public() -> None:
    current = session()
    new = current.workstation.renew()
    data = current.workstation.public_file()
    path = current.saved / f"{current.workstation.signing.public.key_id.hex()}.reviewer"
    files.write(files.private_folder(current.saved) / path.name, data, 0o644)
    current.say(t("own.hand_over", path=str(path), digits=enrolment.digits(data)))
    if new:
        current.say(t("own.new_keys"))


@this_workstation.post("/workstation/roots")
def roots() -> Response:
    """Trust the roots of the organisation, once."""

    def do() -> None:
        given = [each.stream.read(LARGEST_KEY + 1) for each in flask.request.files.getlist("files") if each.filename]
        try:
            keys = [PublicKey.from_file(data) for data in given]
        except ProtocolError as exc:
            raise Untrusted(t("trust.no_root_key"), t("trust.no_root_key_hint")) from exc
        session().say(t("own.compare", digits=session().workstation.trust.pin(keys)))

    return _done(do)


@this_workstation.post("/workstation/import")
def take_in() -> Response:
    """Take in bundles that came in another way than on a stick."""

    def do() -> None:
        place = Path(flask.request.form.get("place", "").strip())
        if not place.is_absolute():
            raise Refused(t("own.no_place"), t("own.no_place_hint"))
        done = import_files(session().workstation, exchanges.parts(place))
        session().say(*done.lines(), good=not (done.altered or done.findings))

    return _done(do)


@this_workstation.post("/workstation/date")
def accept() -> Response:
    """Believe today's date, after a day on which the clock was wrong."""

    def do() -> None:
        session().workstation.trust.accept_clock()
        session().say(t("own.accepted"))

    return _done(do)


@this_workstation.post("/workstation/check")
def check() -> Response:
    """Look whether everything is there and whole."""

    def do() -> None:
        found = checks.faults(session().workstation)
        if found:
            session().say(t("own.not_whole"), *found, good=False)
        else:
            session().say(t("own.whole"))

    return _done(do)


def _done(do: Callable[[], None]) -> Response:
    return pages.done(do, flask.url_for("own.shown"))
