"""The pages of the workstation: the queue, one case, and what a reviewer does there.

Every form is answered by a redirect, so that a reload repeats nothing and no browser stores what was sent; a refused
form is shown again with what was typed.
"""

import datetime
import hashlib
import mimetypes
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import flask
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from whistle.courier.errors import CourierError
from whistle.workstation.app import courier_errors
from whistle.workstation.app.desk import Desk
from whistle.workstation.app.refused_forms import Asked, Form
from whistle.workstation.app.session import Session
from whistle.workstation.app.uploads import Request
from whistle.workstation.care import on_case
from whistle.workstation.cases import case_list, clear_files, compose, conversation, saved_files, transcript
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.duties import office, plan, templates
from whistle.workstation.errors import Refused, Untrusted, WorkstationError
from whistle.workstation.exchange import deliveries, outbox
from whistle.workstation.language import sentence, size, t
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import index
from whistle.workstation.vault import search as searches
from whistle.workstation.vault.terms import LONGEST

LISTED = 50  # cases in a page of the queue

pages = flask.Blueprint("pages", __name__, template_folder="templates", static_folder="static")


def desk() -> Desk:
    """What stands behind the page, unlocked or not."""
    return cast(Desk, flask.current_app.config["WHISTLE_DESK"])


def session() -> Session:
    """The session of the unlocked page."""
    return desk().session


@pages.context_processor
def terms() -> dict[str, Any]:
    current = session()
    if current.courier is not None:
        current.watch.look(current.workstation)
    return {
        "connected": current.courier is not None,
        "offered": current.offered,
        "saved": current.saved,
        "record": transcript,
        "profile": current.workstation.profile,
        "notices": current.workstation.notices(),
        "today": current.workstation.today(),
        "waiting": len(outbox.pending(current.workstation)),
        "alarm": plan.alarm(current.workstation),
        "in_tray": tray.count(current.workstation),
        "missed": len(deliveries.missed(current.workstation)),
        "said": current.take_notices(),
        "name_of": name_of,
        "most": size(flask.current_app.config["WHISTLE_MOST"]),
    }


@pages.get("/")
def queue() -> str:
    """The queue of cases, the most pressing first, LISTED a page."""
    current = session()
    current.news.clear()
    number = max(1, flask.request.args.get("page", 1, int))
    rows, total = case_list.rows(current.workstation, (number - 1) * LISTED, LISTED, current.filter)
    last = max(1, -(-total // LISTED))
    clear = len(clear_files.listed(current.saved))
    return flask.render_template(
        "queue.html",
        queue=rows,
        total=total,
        here=current.workstation,
        number=number,
        last=last,
        clear=clear,
        kept=current.filter,
        everything=current.filter == case_list.EVERYTHING,
        counts=current.counts(current.filter.muted),
        muted=current.counts(muted=True),
        shown=partial(transcript.choice, current.workstation),
        dues=transcript.dues(),
        chosen=transcript.chosen(current.workstation, current.filter),
        kept_filters=case_list.kept_filters(current.workstation),
    )


@pages.post("/search")
def search() -> Response:
    """Note what is searched for, so that the words are in no address, and show what is found."""
    session().typed_words = _text("words")[:LONGEST]
    return flask.redirect(flask.url_for("pages.found"), 303)


@pages.get("/found")
def found() -> str:
    """The newest messages that hold the words that were searched for last."""
    current = session()
    hits = searches.find(current.workstation, current.typed_words)
    return flask.render_template("found.html", words=current.typed_words, hits=hits, most=index.MOST)


@pages.post("/exchange")
def exchange() -> Response:
    """Exchange with the stick."""
    return done(session().exchange)


@pages.post("/stick")
def stick() -> Response:
    """Use a new stick from now on."""
    return done(lambda: session().adopt(_text("folder"), _text("name")))


@pages.post("/carry")
def carry() -> Response:
    """Exchange with the server, through the courier."""
    return done(session().carry)


@pages.get("/case/<name>")
def case(name: str) -> str:
    """One case: its newest messages, those before one, or one alone."""
    case = case_named(name)
    asked = flask.request.args
    if case.unread:
        session().news[case.id] = case.first_unread
    shown = _show(case, asked.get("before", len(case.entries), int), asked.get("message", None, int))
    session().read(case)
    return shown


@pages.post("/case/<name>/reply")
def reply(name: str) -> Response:
    """Answer the reporter."""
    mark = _text("mark")
    if mark not in transcript.MARKS:
        raise BadRequest
    station = session().workstation
    return _written(name, "reply", lambda case: tray.reply(station, case, _text("text"), _uploads(), mark))


@pages.post("/case/<name>/note")
def note(name: str) -> Response:
    """Write to the other readers."""
    return _written(name, "note", lambda case: tray.note(session().workstation, case, _text("text"), _uploads()))


@pages.post("/case/<name>/grant")
def grant(name: str) -> Response:
    """Let one more reviewer in, once that is confirmed."""
    station, grantee = session().workstation, _text("grantee")
    if asked := _asked(name, "grant", lambda case: compose.check_grant(station, case, grantee)):
        return asked
    return _written(name, "grant", lambda case: tray.grant(session().workstation, case, _text("grantee")))


@pages.post("/case/<name>/claim")
def claim(name: str) -> Response:
    """Take the case on."""
    return _written(name, "claim", lambda case: tray.claim(session().workstation, case))


@pages.post("/case/<name>/again")
def grant_again(name: str) -> Response:
    """Send the whole case again to a colleague to whom something of it has not come."""
    return _written(name, "again", lambda case: tray.grant(session().workstation, case, _text("grantee"), again=True))


@pages.post("/case/<name>/status")
def status(name: str) -> Response:
    """Set the status of the case, once that is confirmed."""
    if asked := _asked(name, "status", partial(_state, compose.unsigned_status)):
        return asked
    return _written(name, "status", partial(_state, tray.status))


@pages.get("/case/<name>/confirm")
def confirm(name: str) -> Response | str:
    """What a grant or a status does, in words, before it goes into the tray."""
    case, current = case_named(name), session()
    if current.asked is None or current.asked.case != case.id:
        return flask.redirect(flask.url_for("pages.case", name=name))
    return flask.render_template("confirm.html", case=case, name=name, asked=current.asked, **_people())


@pages.post("/case/<name>/save")
def save(name: str) -> Response:
    """Save one file of the case."""
    case, current = case_named(name), session()
    entry = next((each for each in case.entries if each.signed.hash == _text("message")), None)
    number = _text("number")
    if entry is None or not number.isdecimal() or int(number) >= len(entry.attachments):
        raise NotFound
    attached = entry.attachments[int(number)]

    def do() -> None:
        insists = _text("insist") == "yes"
        path = saved_files.save(attached, current.workstation.blocks, current.saved / case.reference, insists)
        current.say(t("pages.saved", path=str(path)))

    return done(do, flask.url_for("pages.case", name=name))


def name_of(case: str) -> str:
    """A case's name in addresses, for this session only, so that a browser's history does not reveal cases."""
    key = str(flask.current_app.config["WHISTLE_PATH"]).encode()[: hashlib.blake2b.MAX_KEY_SIZE]
    return hashlib.blake2b(case.encode(), key=key, digest_size=16).hexdigest()


def _state(write: Callable[..., object], case: Case) -> object:
    state, day = _text("status"), _text("deadline").strip()
    if state not in transcript.STATUS:
        raise BadRequest
    try:
        deadline = datetime.date.fromisoformat(day) if day else None
    except ValueError as exc:
        raise Refused(t("pages.no_day"), t("pages.no_day_hint", example="2026-12-31")) from exc
    return write(
        session().workstation,
        case,
        state,
        labels=_text("labels").split(","),
        deadline=deadline,
        claimed=_text("claimed"),
        text=_text("text"),
    )


def case_named(name: str) -> Case:
    """The case of a name in an address.  Raises NotFound."""
    current = session()
    id = current.names.get(name)
    if id is None:
        current.names = {name_of(case): case for case in current.workstation.case_ids()}
        id = current.names.get(name)
    if id is None:
        raise NotFound
    case = current.case(id)
    if not case.entries:  # deleted meanwhile
        raise NotFound
    return case


def _show(case: Case, before: int, alone: int | None) -> str:
    station = session().workstation
    shown = conversation.page(case, before) if alone is None else conversation.alone(case, alone)
    if not shown.entries and case.entries:
        raise NotFound
    active = station.trust.newest().manifest.active()
    others = [each.id for each in active if each.id not in {*case.allowed, *case.without}]
    colleagues = [each.id for each in active if each.id in case.allowed and each.id != station.me]
    return flask.render_template(
        "case.html",
        case=case,
        shown=shown,
        typed=session().typed[case.id],
        **_people(),
        headline=partial(transcript.headline, station, case),
        channel=transcript.channel(station, case),
        continues=transcript.continues(station, case),
        care=on_case.of(station, case),
        incomplete=conversation.incomplete(station.blocks),
        pending=set(outbox.pending(station)),
        aside=set(outbox.set_aside(station)),
        sent=deliveries.all_of(station),
        usual=compose.usual_mark(case),
        new_from=session().news.get(case.id),
        answers=tray.answered_by(station, case),
        claims=tray.claims(station, case.id),
        reason=partial(office.reason, case.office),
        texts=templates.offered(station, case),
        tray_items=[*tray.items(station, case.id), *tray.items(station, case.id, aside=True)],
        waiting_words=partial(transcript.waiting, station),
        drafts={form: drafts.of(station, case.id, form) for form in ("reply", "note")},
        others=others,
        colleagues=colleagues,
        me=station.me,
    )


def _people() -> dict[str, Callable[..., object]]:
    """How templates name people by their ids."""
    person = partial(transcript.person, session().workstation)
    return {"person": person, "people": lambda ids: [person(id) for id in ids]}


def _asked(name: str, form: str, check: Callable[[Case], object]) -> Response | None:
    """Show what a form does and have it confirmed, or what is wrong with it; None once it is confirmed."""
    if _text("confirmed") == "yes":
        session().asked = None
        return None
    case, fields = case_named(name), flask.request.form.to_dict()
    refused = session().typed[case.id].forms
    try:
        check(case)
    except WorkstationError as exc:
        refused[form] = Form(exc.message, exc.hint, fields)
        return flask.redirect(flask.url_for("pages.case", name=name), 303)
    refused.pop(form, None)
    session().asked = Asked(case.id, form, fields)
    return flask.redirect(flask.url_for("pages.confirm", name=name), 303)


def _written(name: str, form: str, write: Callable[[Case], object]) -> Response:
    case = case_named(name)
    refused, station = session().typed[case.id].forms, session().workstation
    if _text("keep"):
        kept = {field: _text(field) for field in ("text", "mark") if field in flask.request.form}
        if _text("keep") == "template":
            kept |= templates.begun(station, case, _text("template"), kept)
        drafts.keep(station, case.id, form, kept)
        refused.pop(form, None)
        session().say(t("pages.draft_kept"))
        if _has_files():
            session().say(t("pages.files_again"))
        if form == "reply":
            _claim_draft(case)
        return flask.redirect(flask.url_for("pages.case", name=name) + f"#{form}", 303)
    try:
        with station.change():
            write(case)
            drafts.discard(station, case.id, form)
            if form == "reply":
                tray.drop_claim(station, case.id)  # the reply says so itself
        refused.pop(form, None)
        session().say(t("pages.in_tray"))
    except WorkstationError as exc:
        refused[form] = Form(exc.message, exc.hint, flask.request.form.to_dict())
    return flask.redirect(flask.url_for("pages.case", name=name), 303)


def _claim_draft(case: Case) -> None:
    with suppress(Refused, Untrusted):  # the draft is kept all the same
        if tray.claim(session().workstation, case, draft=True):
            session().say(t("pages.claimed"))


def done(do: Callable[[], None], to: str = "") -> Response:
    """Do what a form asks for, and show the page at `to` (the queue otherwise) with what was said or went wrong."""
    try:
        do()
    except WorkstationError as exc:
        session().say(sentence(exc.message), sentence(exc.hint), good=False)
    except CourierError as exc:
        session().say(*(sentence(courier_errors.told(each)) for each in (str(exc), exc.hint)), good=False)
    return flask.redirect(to or flask.url_for("pages.queue"), 303)


def _text(name: str) -> str:
    return flask.request.form.get(name, "").replace("\r\n", "\n")


def _has_files() -> bool:
    return any(each.filename for each in flask.request.files.getlist("files"))


def _uploads() -> list[Upload]:
    if cast(Request, flask.request).too_much:
        raise Refused(t("pages.too_much"), t("pages.too_much_hint"))
    files: list[FileStorage] = [each for each in flask.request.files.getlist("files") if each.filename]
    return [Upload(Path(each.filename or "").name, _type(each), cast(BinaryIO, each.stream)) for each in files]


def _type(file: FileStorage) -> str:
    return mimetypes.guess_type(file.filename or "")[0] or "application/octet-stream"
