"""The page of what was delivered, as far as couriers say, from which it can be sent once more."""

from dataclasses import dataclass

import flask
from werkzeug.wrappers import Response

from whistle.protocol.case.message import Message
from whistle.protocol.code.retrieval import reference
from whistle.workstation.app import pages
from whistle.workstation.app.pages import session
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import deliveries, outbox
from whistle.workstation.exchange.deliveries import Sent
from whistle.workstation.language import t

LISTED = 50  # in a page
TITLES = {
    "reply": "sent.your_reply",
    "note": "sent.your_note",
    "status": "sent.your_status",
    "grant": "sent.your_grant",
}
AGAIN = {
    "reply": "sent.again_label_reply",
    "note": "sent.again_label_note",
    "status": "sent.again_label_status",
    "grant": "sent.again_label_grant",
}

sent_pages = flask.Blueprint("sent", __name__)
sent_pages.context_processor(pages.terms)


@dataclass(frozen=True)
class Row:
    """One message in the list."""

    sent: Sent
    message: Message
    is_missed: bool

    @property
    def reference(self) -> str:
        """The case's."""
        return reference(bytes.fromhex(self.message.case))


@sent_pages.get("/sent")
def shown() -> str:
    """What was delivered: what is not confirmed first, then the newest."""
    station, number = session().workstation, max(1, flask.request.args.get("page", 1, int))
    today = station.today()
    newest = [each for each in reversed(deliveries.all_of(station).values()) if station.has(each.hash)]
    ordered = sorted(newest, key=lambda each: not each.missed(today))
    some = ordered[(number - 1) * LISTED : number * LISTED]
    return flask.render_template(
        "sent.html",
        rows=[Row(each, station.message(each.hash).message, each.missed(today)) for each in some],
        titles=TITLES,
        again=AGAIN,
        number=number,
        last=max(1, -(-len(ordered) // LISTED)),
    )


@sent_pages.post("/sent/again")
def again() -> Response:
    """Send one message once more, or all that are not confirmed."""
    return pages.done(_again, flask.url_for("sent.shown"))


def _again() -> None:
    current, hash = session(), flask.request.form.get("message", "")
    delivered, today = deliveries.all_of(current.workstation), current.workstation.today()
    hashes = [each.hash for each in delivered.values() if each.missed(today) and not each.aside]
    if hash:
        hashes = [hash] if hash in delivered else []
    if not hashes:
        raise Refused(t("sent.none_again"), t("tray_pages.look_again"))
    count = outbox.send_again(current.workstation, hashes)
    current.say(t("sent.done", count), good=count > 0)
    if count < len(hashes):
        current.say(t("sent.gone", len(hashes) - count), good=False)
