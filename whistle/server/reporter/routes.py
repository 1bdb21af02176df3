"""The URLs of the reporters' pages: one for each language; the form says which step it is.

No cookies, no sessions, and no personal data in URLs.
"""

import contextlib
from collections.abc import Callable, Mapping

import flask
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable, TooManyRequests

from whistle.protocol.trust.manifest import GRACE, SignedManifest
from whistle.server import limits, origin
from whistle.server.errors import FormError, NoManifest, NoTurn, TooBig
from whistle.server.instance import here
from whistle.server.logs import LOG, log_error
from whistle.server.reporter import case, case_actions, client_kit, fields, help_pages, long_texts, report
from whistle.server.reporter.fields import Busy, Problem
from whistle.server.reporter.render import (
    FEW,
    Visit,
    channels,
    collection_days,
    files_hint,
    notice,
    outside,
    page,
    plan,
)
from whistle.server.sealing.body import Body
from whistle.server.sealing.multipart import Arrived, Bounds, Share, discard, receive
from whistle.store import Away, StoreError
from whistle.translations.negotiation import negotiate

blueprint = flask.Blueprint("pages", __name__)

Step = Callable[[Visit], flask.Response]
STEPS: Mapping[str, Step] = {**report.STEPS, **case.STEPS, **case_actions.STEPS, **help_pages.STEPS}
AGAIN: Mapping[str, Callable[[Visit, Problem], flask.Response]] = {  # steps whose form is shown again with a problem
    "send": report.again,
    "follow-up": case_actions.follow_up_again,
}
STORING = ("send", "follow-up", "stop-now", "make-report", "renew")
LOOKING = ("look", "withdraw", "stop", "exposed", "follow-up", "stop-now", "make-report", "renew")
COUNTED = dict.fromkeys(LOOKING, "lookup")  # as actions of Config.rates; what is stored counts as `send` beside it
COUNTED |= {"withdraw-now": "withdraw", "download": "fetch"}  # others count as `page`
SMALL = 256 * 1024  # bytes; larger bodies need an upload slot, for they may arrive while they are read
LARGE = 2 * 1024 * 1024  # bytes; larger bodies count as uploads
DRAINED = 64 * 1024 * 1024  # bytes; up to here a body is read even if no slot is free, to show its texts again
PROXY_WARNING = (  # logged once by each process: more often would log the times of visits
    "a proxy in front of this server changes the host that visitors ask for, so forms from old browsers are refused; "
    "let it pass on Host, or name the host in whistle.toml: hosts"
)
_warned: list[bool] = []
FAULTS = {404: "notice.missing", 405: "notice.missing", 503: "notice.unavailable"}


@blueprint.get("/")
def start() -> flask.Response:
    """The first page in the browser's language."""
    return show(_preferred())


@blueprint.get("/<language>/")
def show(language: str) -> flask.Response:
    """The first page."""
    visit = _visit(language)
    limits.count("page")
    return land(visit)


@blueprint.get("/<language>/kit.js")
def kit(language: str) -> flask.Response:
    """What the program shows and seals by in this language; it names nobody who visits."""
    visit = _visit(language)
    limits.count("page")
    return client_kit.kit(visit)


@blueprint.post("/<language>/")
def act(language: str) -> flask.Response:
    """Run the form's step; a form from another site is ignored and gets the first page."""
    visit, problem = _visit(language), None
    if not origin.is_ours(flask.request.environ, visit.config.hosts):
        return _from_elsewhere(visit)
    _warn_about_proxy(visit)
    with contextlib.ExitStack() as held:
        share = held.enter_context(limits.holding())
        try:
            visit = visit.with_form(_receive(visit, share))
        except NoTurn:
            return _no_turn(visit)
        except FormError as error:
            visit = visit.with_form(Arrived(error.texts))
            problem = fields.problem(visit.t, error, visit.bounds)
        try:
            answer = _answer(visit, problem)
        finally:
            discard(visit.store, visit.arrived.blocks)  # committed blocks stay
        answer.call_on_close(held.pop_all().close)  # it may hold the text
        return answer


def _answer(visit: Visit, problem: Problem | None) -> flask.Response:
    name = visit.arrived.get("step")
    if name == "away":  # leaving is never refused
        return away(visit)
    action = COUNTED.get(name, "page")
    try:
        limits.count(action)
    except TooManyRequests as error:
        return _refused(visit, fields.limited(visit.t, limits.wait(error)), again=action == "page")
    try:
        return _refused(visit, problem) if problem else STEPS.get(name, land)(visit)
    except TooManyRequests as error:
        return _refused(visit, fields.limited(visit.t, limits.wait(error)))
    except NoManifest:
        return closed(visit)
    except StoreError as error:
        is_away = isinstance(error, Away)
        if name not in STORING:
            if is_away:
                return _notice_with_form(visit, "notice.away", visit.t("notice.away_text"), 503)
            raise
        log_error(error)
        return _refused(visit, Problem("", visit.t("error.unsure")), 503 if is_away else 500)


def land(visit: Visit, elsewhere: bool = False) -> flask.Response:
    """The first page, or `closed`.  `elsewhere`: a form was taken for another site's."""
    try:
        signed = visit.sealing
    except NoManifest:
        return closed(visit)
    shown = channels(visit, signed)
    return page(
        visit,
        "land.html",
        elsewhere=elsewhere,
        away=visit.away,
        channels=shown,
        choices=shown if 1 < len(shown) <= FEW else (),  # a page between would cost a round trip on a slow line
        recovery=signed.manifest.recovery.name if signed.manifest.recovery else "",
        days=collection_days(visit, signed),
        plan=plan(visit, visit.day),
        outdated=_outdated(visit, signed),
        pages=help_pages.offered(visit),
        outside=outside(visit),
    )


def away(visit: Visit) -> flask.Response:
    """A blank page that leads on to a harmless site."""
    return page(visit, "away.html")


def closed(visit: Visit) -> flask.Response:
    """The page when nothing can be sealed: other places to turn to, and the text that was typed, if any."""
    text = visit.arrived.get("text")
    ever = bool(visit.published.manifests)
    return page(visit, "closed.html", status=503, ever=ever, text=text, outside=outside(visit))


@blueprint.errorhandler(HTTPException)
def fault(error: HTTPException) -> flask.Response:
    """The page for unknown URLs, rate limits and internal errors."""
    status, visit = error.code or 500, _visit_anywhere()
    if isinstance(error, TooManyRequests):
        return _refusal_notice(visit, fields.limited(visit.t, limits.wait(error)), 429)
    if status < 500 and status not in FAULTS:  # before any step
        return notice(visit, "notice.refused", visit.t("error.not_stored"), status=status)
    return notice(visit, FAULTS.get(status, "notice.fault"), status=status)


@blueprint.errorhandler(Away)
def database_away(_: Away) -> flask.Response:
    """The page while the database does not answer."""
    return notice(_visit_anywhere(), "notice.away", status=503)


def _visit_anywhere() -> Visit:
    """A visit in the URL's language or, if it has none, the browser's."""
    language = flask.request.path.strip("/")
    return _visit(language if language in here().config.languages else _preferred())


def _from_elsewhere(visit: Visit) -> flask.Response:
    """The first page; for old browsers, whose forms may be our own, it says why."""
    limits.count("page")
    environ = flask.request.environ
    body = Body(flask.request.stream, flask.request.content_length or 0)
    if body.length <= SMALL:
        body.drain()
    else:
        with contextlib.suppress(ServiceUnavailable), limits.giving_back():
            body.drain()
    return land(visit, elsewhere=not origin.has_fetch_site(environ))


def _warn_about_proxy(visit: Visit) -> None:
    if origin.is_host_rewritten(flask.request.environ, visit.config.hosts) and not _warned:
        _warned.append(True)
        LOG.warning(PROXY_WARNING)


def _visit(language: str) -> Visit:
    instance = here()
    if language not in instance.config.languages:
        raise NotFound
    return Visit.now(instance, instance.config.translations[language])


def _preferred() -> str:
    """The language that the browser prefers, or else the first that the instance has."""
    return negotiate(flask.request.accept_languages, here().config.languages)


def _receive(visit: Visit, share: Share) -> Arrived:
    length = flask.request.content_length or 0
    if length <= SMALL:
        return _read(visit, visit.bounds, share)
    try:
        with limits.uploading():
            if length <= LARGE:
                return _read(visit, visit.bounds, share)
            limits.check("upload")
            arrived = _read(visit, visit.bounds, share)
            with contextlib.suppress(TooManyRequests):
                limits.count("upload")  # when it has arrived completely
            return arrived
    except (ServiceUnavailable, TooManyRequests) as error:
        if length > DRAINED:
            raise
        wait = limits.wait(error)
    try:
        with limits.giving_back():
            return _read(visit, Bounds(upload=0), share)
    except TooBig as error:
        raise Busy("too many files arrive at once", error.texts, wait) from error


def _read(visit: Visit, bounds: Bounds, share: Share) -> Arrived:
    request = flask.request
    kind = request.headers.get("Content-Type", "")
    return receive(request.stream, kind, request.content_length, visit.store, bounds, share)


def _refused(visit: Visit, problem: Problem, status: int = 422, again: bool = True) -> flask.Response:
    """The form with what was typed, or just the text if the step has no form or it cannot be shown now."""
    name = visit.arrived.get("step")
    if again and name in AGAIN:
        try:
            answer = AGAIN[name](visit, problem)
            answer.status_code = status
            return _with_retry_after(answer, problem)
        except NoManifest:
            return closed(visit)
        except StoreError as error:
            log_error(error)
    return _refusal_notice(visit, problem, status)


def _no_turn(visit: Visit) -> flask.Response:
    """The page for a long text that was not kept: the browser still has it, and sends it again by a reload."""
    line = visit.t("notice.reload_text", wait=fields.duration(visit.t, limits.AGAIN))
    return _with_retry_after(notice(visit, "notice.limit", line, status=503), Problem("", line, wait=limits.AGAIN))


def _refusal_notice(visit: Visit, problem: Problem, status: int) -> flask.Response:
    key = "notice.refused" if problem.heading == "page.problem" else problem.heading
    return _with_retry_after(_notice_with_form(visit, key, problem.text, status), problem)


def _notice_with_form(visit: Visit, key: str, line: Markup | str, status: int) -> flask.Response:
    """A notice, and below it the form as it came, to be sent again: nobody types anything twice."""
    name = visit.arrived.get("step")
    return notice(
        visit,
        key,
        line,
        status=status,
        again=long_texts.fields_apart(visit.arrived.fields) if name in STEPS else (),
        files_hint=files_hint(visit) if name in AGAIN else "",
    )


def _with_retry_after(answer: flask.Response, problem: Problem) -> flask.Response:
    """Set the status and Retry-After for programs, if only a rate limit is the problem."""
    if problem.heading == "notice.limit":
        answer.status_code = 429
    if problem.wait:
        answer.headers["Retry-After"] = str(problem.wait)
    return answer


def _outdated(visit: Visit, signed: SignedManifest) -> str:
    if visit.leapt or signed.manifest.standing(visit.day) != "grace":
        return ""
    t, ends = visit.t, signed.manifest.expires
    return t("land.outdated", day=t.day(ends), last=t.day(ends + GRACE))
