"""Keeps a local page to the user who opened it: other users, other host names and other pages' forms are refused.

Answers forbid scripts, frames that are not ours and everything from elsewhere, and no error quotes anything.
"""

import re
import secrets

import flask
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, RequestEntityTooLarge

from whistle.local_page import peer_owner

HOSTS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
PLAIN: dict[type[HTTPException], str] = {
    NotFound: "There is no such page.",
    Forbidden: "Refused. This page is for the user who opened it, at the address that was shown.",
    BadRequest: "The form was not complete.",
    RequestEntityTooLarge: "That was too much text at once.",
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {by}"
)
EVERY = 4  # seconds until a panel asks again
HEADERS = {
    "Content-Security-Policy": POLICY.format(by="'none'"),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the browser send forms with the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), display-capture=(), payment=(), usb=()",
}

# What panels, the page of a file and its frame set themselves.
OWN = ("Content-Security-Policy", "X-Frame-Options", "Cross-Origin-Embedder-Policy")


def path() -> str:
    """A random path, which nobody guesses: the page lies under it."""
    return f"/{secrets.token_urlsafe(24)}/"


def protect(app: flask.Flask) -> None:
    """Refuse strangers, set the headers of every answer, and let errors say no more than their kind."""
    app.before_request(_refuse_strangers)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _plain)
    app.register_error_handler(Exception, _broken)


def panel(html: str) -> flask.Response:
    """A small page inside another one of ours, which asks for itself every few seconds, without a script."""
    answer = flask.Response(html, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = POLICY.format(by="'self'")
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    answer.headers["Refresh"] = str(EVERY)
    return answer


def _refuse_strangers() -> None:
    # Against DNS rebinding, forms sent by other pages, and other users of this computer.
    request = flask.request
    theirs = request.environ.get("REMOTE_PORT")
    if theirs and not peer_owner.is_same_user(int(theirs), int(request.environ["SERVER_PORT"])):
        raise Forbidden
    if not HOSTS.fullmatch(request.host):
        raise Forbidden
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden
    if request.method == "POST" and request.headers.get("Origin") != request.host_url.rstrip("/"):
        raise Forbidden


def _finish(response: flask.Response) -> flask.Response:
    response.headers.remove("Server")
    for name, value in HEADERS.items():
        if name not in OWN or name not in response.headers:
            response.headers[name] = value
    return response


def _plain(error: HTTPException) -> flask.Response:
    text = PLAIN.get(type(error), error.name)
    return flask.Response(f"{text}\n", status=error.code or 500, mimetype="text/plain")


def _broken(error: Exception) -> flask.Response:
    # An exception's text may quote a message, so only its type is shown.
    return flask.Response(f"Something went wrong here: {type(error).__name__}.\n", status=500, mimetype="text/plain")
