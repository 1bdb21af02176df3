"""Responses to programs: records as canonical JSON, and errors as a record with an error and a hint.

Errors contain nothing of the request.
"""

from collections.abc import Mapping
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from whistle.protocol import canonical
from whistle.server import limits
from whistle.server.errors import Refusal
from whistle.store import Away

HINTS = {
    404: "not found on this server",
    411: "send a Content-Length",
    413: "send less at a time",
    415: "send application/octet-stream",
    503: "nothing of this was stored; try again in a few minutes",
}


def init(blueprint: flask.Blueprint) -> None:
    """Format all errors of a blueprint as records."""
    blueprint.register_error_handler(HTTPException, _by_status)
    blueprint.register_error_handler(Refusal, _refused)
    blueprint.register_error_handler(Away, _away)


def record(answer: Mapping[str, Any], status: int = 200) -> flask.Response:
    """A record as canonical JSON."""
    return flask.Response(canonical.dumps(dict(answer)), status=status, mimetype="application/json")


def _refused(error: Refusal) -> flask.Response:
    return record({"error": str(error), "hint": error.hint}, error.status)


def _away(_: Away) -> flask.Response:
    hint = "try again in a few minutes: nothing is stored twice"
    return record({"error": "the database does not answer", "hint": hint}, 503)


def _by_status(error: HTTPException) -> flask.Response:
    status, wait = error.code or 500, limits.wait(error)
    hint = (
        f"nothing of this was stored; try again in {duration(wait)}" if wait else HINTS.get(status, "tell the operator")
    )
    answer = record({"error": error.name.lower(), "hint": hint}, status)
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


def duration(seconds: int) -> str:
    """A duration in words, rounded up to minutes from 60 seconds on."""
    count, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
