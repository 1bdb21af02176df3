"""Looking at strangers' files: a page with one program, and a frame that can reach nothing.

This program opens and verifies a file's pieces and never parses what they hold; nor does the page.  Both are here: the
page fetches the bytes and hands them to the frame, and takes nothing but pixels from it.
"""

import flask
from werkzeug.exceptions import BadRequest, Forbidden, NotFound
from werkzeug.wrappers import Response

from whistle.protocol.case.attachment import Attachment
from whistle.protocol.errors import Malformed
from whistle.workstation import language
from whistle.workstation.app import pages, viewer_frame
from whistle.workstation.app.pages import name_of, session
from whistle.workstation.cases import clear_files, saved_files
from whistle.workstation.cases.entries import Entry
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.language import t

MAX_VIEWED = 128 * 1024 * 1024  # bytes of a file that is shown; it is in memory three times meanwhile
MAX_PICTURE = 80 * 1024 * 1024  # bytes of a picture of a clean copy: more than its most pixels take
MAX_PAGES = 50  # pictures of a clean copy
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src {static}look.js; connect-src {here}/; "
    "frame-src {frame}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

viewing = flask.Blueprint("viewing", __name__)
viewing.context_processor(pages.terms)


@viewing.get("/case/<name>/file/<message>/<int:number>/")
def look(name: str, message: str, number: int) -> flask.Response:
    """The page of one file: looking at it, and saving it."""
    case, entry, record = _file(name, message, number)
    files = [(each, place) for each in case.entries for place in range(len(each.attachments))]
    at = next(place for place, (each, i) in enumerate(files) if each is entry and i == number)
    answer = flask.make_response(
        flask.render_template(
            "look.html",
            case=case,
            entry=entry,
            file=record,
            message=message,
            number=number,
            earlier=files[at - 1] if at else None,
            later=files[at + 1] if at + 1 < len(files) else None,
            is_here=session().workstation.blocks.complete(record),
            is_shown=record.size <= MAX_VIEWED,
            largest=language.size(MAX_VIEWED),
            words=viewer_frame.words(),
            unsafe=clear_files.harmless(record.name) != clear_files.own(record.name),
        )
    )
    root = flask.request.host_url.rstrip("/")
    answer.headers["Content-Security-Policy"] = POLICY.format(
        static=root + flask.url_for("pages.static", filename=""),
        here=root + flask.request.path.rstrip("/"),
        frame=root + flask.url_for("viewing.frame"),
    )
    # Page and frame that demanded more of each other would get memory to share and exact clocks in return.
    answer.headers["Cross-Origin-Embedder-Policy"] = "unsafe-none"
    return answer


@viewing.get("/viewer")
def frame() -> flask.Response:
    """The frame, the same for every file."""
    page, policy = viewer_frame.document()
    answer = flask.Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    answer.headers["Cross-Origin-Embedder-Policy"] = "unsafe-none"
    answer.headers["Connection-Allowlist"] = "()"
    answer.headers["X-DNS-Prefetch-Control"] = "off"
    return answer


@viewing.post("/case/<name>/file/<message>/<int:number>/bytes")
def content(name: str, message: str, number: int) -> flask.Response:
    """A file's verified bytes, for the page's program alone: as bytes, which no browser shows."""
    if flask.request.headers.get("Sec-Fetch-Dest", "empty") != "empty":
        raise Forbidden
    _, _, record = _file(name, message, number)
    if record.size > MAX_VIEWED:
        raise Refused(t("look.too_large"), t("look.too_large_hint"))
    try:
        body = saved_files.content(record, session().workstation.blocks)
    except (Malformed, FileNotFoundError) as exc:
        raise Refused(t("look.damaged"), t("saved_files.damaged_hint")) from exc
    return flask.Response(body, mimetype="application/octet-stream")


@viewing.post("/case/<name>/file/<message>/<int:number>/clean")
def clean(name: str, message: str, number: int) -> str:
    """Save a picture that the page made of pixels; it is not parsed here."""
    case, _, record = _file(name, message, number)
    page = flask.request.args.get("page", 0, int)
    if not 1 <= page <= MAX_PAGES or not 0 < (flask.request.content_length or 0) <= MAX_PICTURE:
        raise BadRequest
    picture = flask.request.get_data(cache=False)
    path = clear_files.save_clean(record.name, picture, page, session().saved / case.reference)
    return f"{path.name}\n"


@viewing.get("/saved")
def saved() -> str:
    """What was saved in clear, and is still where it was saved."""
    return flask.render_template("saved.html", files=clear_files.listed(session().saved), folder=session().saved)


@viewing.post("/saved/remove")
def remove() -> Response:
    """Remove saved files: those that were ticked."""
    ticked = set(flask.request.form.getlist("file"))
    paths = [each.path for each in clear_files.listed(session().saved) if name_of(str(each.path)) in ticked]
    gone = clear_files.remove(paths)
    session().say(t("saved.removed", len(ticked), removed=gone), good=gone == len(ticked))
    return flask.redirect(flask.url_for("viewing.saved"), 303)


def _file(name: str, message: str, number: int) -> tuple[Case, Entry, Attachment]:
    case = pages.case_named(name)
    entry = next((each for each in case.entries if name_of(each.signed.hash) == message), None)
    if entry is None or number >= len(entry.attachments):
        raise NotFound
    return case, entry, entry.attachments[number]
