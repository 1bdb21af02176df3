"""What stands around every answer."""

import logging

import flask
import pytest
from flask.testing import FlaskClient

from whistle.server import headers, logs

PATHS = ("/en/", "/", "/nowhere", "/static/pictures.js", "/manifest.json", "/api/lookup", "/courier/days")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(client: FlaskClient, path: str) -> None:
    """Pages, files, errors and programs' answers alike: nothing from elsewhere, nothing kept, nothing told."""
    answered = client.get(path)
    policy = answered.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "style-src 'sha256-"):
        assert part in policy
    assert "unsafe" not in policy and "http" not in policy and "script" not in policy
    expected = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    assert {name: answered.headers.get(name) for name in expected} == expected
    assert "camera=()" in answered.headers["Permissions-Policy"]
    for name in ("Set-Cookie", "Server", "ETag", "Last-Modified", "Strict-Transport-Security"):
        assert name not in answered.headers


def test_a_cookie_that_some_code_would_set_never_leaves(app: flask.Flask) -> None:
    """No cookie is ever set, whatever a view does."""

    @app.get("/cookie")
    def cookie() -> flask.Response:
        answered = flask.Response("x")
        answered.set_cookie("id", "1")
        return answered

    assert "Set-Cookie" not in app.test_client().get("/cookie").headers


def test_script_only_where_it_is_served(app: flask.Flask) -> None:
    """A page that serves a script allows this host's, and nothing inline."""

    @app.get("/script")
    def script() -> str:
        headers.allow_script()
        return "x"

    policy = app.test_client().get("/script").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "connect-src 'self'" in policy and "unsafe" not in policy


def test_a_chunked_body_is_refused(client: FlaskClient) -> None:
    """A body of no stated length gets 411, and a page that says that nothing was stored."""
    for path in ("/api/lookup", "/en/"):
        chunked = client.post(path, data=b"x", headers={"Transfer-Encoding": "chunked"})
        assert chunked.status_code == 411
    assert "Nothing was stored" in chunked.get_data(as_text=True)


def test_a_fault_tells_nothing(app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Of an exception, the page tells nothing, and the log its type and place: no message, no text, no address."""

    @app.get("/fault")
    def fault() -> str:
        secret = "SECRET-WORDS"
        raise ValueError(secret)

    with caplog.at_level(logging.DEBUG):
        answered = app.test_client().get("/fault?q=SECRET-QUERY", headers={"User-Agent": "SECRET-AGENT"})
    assert answered.status_code == 500
    said = answered.get_data(as_text=True) + caplog.text
    assert "SECRET" not in said and "Traceback" not in said and "/fault" not in said
    assert "ValueError at " in caplog.text


def test_the_log_reduces_any_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of another library that carries an exception is written without its message."""
    try:
        raise RuntimeError("SECRET")
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "Error at %s SECRET", ("SECRET",), info)
    assert logs.Formatter().format(record).startswith("whistle: ERROR: RuntimeError at ")
    assert "SECRET" not in logs.Formatter().format(record)
