"""The page of the tray: what waits for the next exchange, to be changed or taken back, and drafts to be discarded."""

from typing import Any

import flask
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from whistle.protocol.code.retrieval import reference
from whistle.workstation.app import pages
from whistle.workstation.cases import compose, transcript
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.language import t
from whistle.workstation.tray import drafts, tray
from whistle.workstation.tray.tray import Item

tray_pages = flask.Blueprint("tray", __name__)
tray_pages.context_processor(pages.terms)


@tray_pages.get("/tray")
def shown() -> str:
    """All that waits, in the order in which it was written."""
    current = pages.session()
    found = tray.items(current.workstation)
    return flask.render_template(
        "tray.html",
        items=found,
        aside=tray.items(current.workstation, aside=True),
        stuck=_messages(outbox.stuck(current.workstation)),
        torn=_messages(outbox.torn(current.workstation)),
        given_up=_messages(outbox.set_aside(current.workstation)),
        waiting_words=words,
        typed=current.typed_tray,
        reference=_reference,
    )


@tray_pages.post("/tray/<int:number>/back")
def take_back(number: int) -> Response:
    """Take something back."""

    def do() -> None:
        old = tray.take_back(pages.session().workstation, number)
        pages.session().typed_tray.pop(number, None)
        pages.session().say(t("tray_pages.taken_back", what=words(old)))

    return pages.done(do, flask.url_for("tray.shown"))


@tray_pages.post("/tray/<int:number>/go")
def go(number: int) -> Response:
    """Have something that waits for its author's word go as it is."""
    return pages.done(lambda: tray.release(pages.session().workstation, number), flask.url_for("tray.shown"))


@tray_pages.post("/tray/<int:number>/aside")
def set_aside(number: int) -> Response:
    """Have no exchange try something any more, or have it wait for the next one again."""

    def do() -> None:
        current, back = pages.session(), flask.request.form.get("back") == "yes"
        (tray.put_back if back else tray.set_aside)(current.workstation, number)
        current.say(t("tray_pages.back") if back else t("tray_pages.aside"))

    return pages.done(do, flask.url_for("tray.shown"))


@tray_pages.post("/tray/<int:number>/change")
def change(number: int) -> Response:
    """Change what a reply or note says."""
    current, typed = pages.session(), flask.request.form.to_dict()
    mark = typed.get("mark")
    if mark is not None and mark not in transcript.MARKS:
        raise BadRequest

    def do() -> None:
        current.typed_tray[number] = typed  # shown again if it is refused
        tray.change(current.workstation, number, typed.get("text", "").replace("\r\n", "\n"), mark)
        current.typed_tray.pop(number, None)
        current.say(t("tray_pages.changed"))

    return pages.done(do, flask.url_for("tray.shown"))


@tray_pages.post("/stuck")
def send_again() -> Response:
    """Sign a message that is stuck or set aside again, for the next place; or set it aside."""
    return pages.done(_give_up if flask.request.form.get("do") == "aside" else _send_again, flask.url_for("tray.shown"))


def _send_again() -> None:
    current, hash = pages.session(), flask.request.form.get("message", "")
    if hash not in (*outbox.stuck(current.workstation), *outbox.set_aside(current.workstation)):
        raise Refused(t("outbox.not_stuck"), t("tray_pages.look_again"))
    compose.send_again(current.workstation, hash, insist=True)
    current.say(t("tray_pages.signed_again"))


def _give_up() -> None:
    outbox.put_aside(pages.session().workstation, flask.request.form.get("message", ""))
    pages.session().say(t("tray_pages.given_up"))


def _messages(hashes: list[str]) -> list[tuple[str, Any]]:
    return [(hash, pages.session().workstation.message(hash).message) for hash in hashes]


@tray_pages.post("/case/<name>/discard/<form>")
def discard(name: str, form: str) -> Response:
    """Discard the draft of a form."""
    case = pages.case_named(name)
    drafts.discard(pages.session().workstation, case.id, form)
    if form == "reply":
        tray.drop_claim(pages.session().workstation, case.id)
    return flask.redirect(flask.url_for("pages.case", name=name), 303)


def words(item: Item) -> str:
    """What waits, in a phrase."""
    return transcript.waiting(pages.session().workstation, item)


def _reference(case: str) -> str:
    return reference(bytes.fromhex(case))
