"""Response headers (content from this host only, no caching, no tracking) and checks of every request.

No cookie is ever set, no response is cached by a browser, no exception's text is shown or logged.
"""

from collections.abc import Callable, Iterable
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, LengthRequired

from whistle.server import style
from whistle.server.logs import log_error

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

POLICY = {
    "default-src": "'none'",
    "style-src": style.SOURCE,
    "img-src": "data:",  # the icon alone, which stands in the page
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
SCRIPT_POLICY = {
    "script-src": "'self'",
    "worker-src": "'self' blob:",  # the program starts itself anew as its worker, which its page's policy binds too
    "connect-src": "'self'",
}
SCRIPT = "whistle.script"  # set in a request's environment: the response may load scripts
OFF = (
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "accelerometer",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "serial",
    "usb",
    "hid",
    "local-fonts",
    "idle-detection",
)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in OFF),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
NEVER = ("Set-Cookie", "Server", "ETag", "Last-Modified", "Expires", "X-Powered-By", "Date", "Accept-Ranges")
POLICIES = tuple(  # without scripts and with them
    "; ".join(f"{name} {value}" for name, value in policy.items()) for policy in (POLICY, POLICY | SCRIPT_POLICY)
)
OURS = tuple([("Content-Security-Policy", policy), *HEADERS.items()] for policy in POLICIES)
REPLACED = frozenset(name.lower() for name in (*NEVER, *(name for name, _ in OURS[0])))
CONDITIONS = ("IF_MATCH", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_UNMODIFIED_SINCE", "IF_RANGE", "RANGE")


def init(app: flask.Flask) -> None:
    """Set the headers on every response, reject chunked bodies, and hide exceptions' texts."""
    app.before_request(_forget_conditions)
    app.before_request(_refuse_chunked)
    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign,assignment]
    app.register_error_handler(HTTPException, _plain)
    app.log_exception = _log_exception  # type: ignore[method-assign,assignment]


def allow_script() -> None:
    """Let this response load scripts from this host, and let them send requests to it; nothing else changes."""
    flask.request.environ[SCRIPT] = True


def _forget_conditions() -> None:
    # Conditional headers tell of an earlier visit.  They change no response, so nobody can be tracked by them.
    environ = flask.request.environ
    for name in CONDITIONS:
        environ.pop(f"HTTP_{name}", None)


def _refuse_chunked() -> None:
    # A chunked body has no length to check, and browsers never send one.
    if "HTTP_TRANSFER_ENCODING" in flask.request.environ:
        raise LengthRequired


def _with_headers(app: Wsgi) -> Wsgi:
    """Wrap the application so that every response has our headers and none of those in `NEVER`."""

    def wrapped(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        def begin(status: str, given: list[tuple[str, str]], *exc: Any) -> Any:
            kept = [(name, value) for name, value in given if name.lower() not in REPLACED]
            return start(status, [*kept, *OURS[SCRIPT in environ]], *exc)

        return app(environ, begin)

    return wrapped


def _plain(error: HTTPException) -> flask.Response:
    return flask.Response(f"{error.code} {error.name}\n", status=error.code, mimetype="text/plain")


def _log_exception(exc_info: tuple[type[BaseException], BaseException, object]) -> None:
    log_error(exc_info[1])
