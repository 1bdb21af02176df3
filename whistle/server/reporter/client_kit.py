"""The page templates and texts for the browser's script.

They are the pages without script, with marks in place of values, so that each text is translated once and looks the
same.  They contain no personal data.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flask
from markupsafe import Markup, escape

from whistle.protocol.code import words
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.manifest_chain import offered
from whistle.server import headers, static_files
from whistle.server.config import Step
from whistle.server.manifests import Manifests
from whistle.server.reporter.render import Visit, channels, files_hint, outside, pickup, plan, rendered, tickable
from whistle.server.sealing.case_view import KEPT

FIELDS = (
    *("word", "number", "reference", "state", "fact", "day", "step", "from", "text", "language", "arrived"),
    *("name", "size", "reading", "whom", "list", "why", "problem", "field", "digits", "heading"),
)
TEXTS = (
    *("case.", "error.", "replies.", "script.", "size.", "wait.", "notice.limit", "notice.busy_text"),
    *("stop.message", "advice.message", "exposed.message", "reading."),
)
BARE = "script/bare.html"
KITS = "whistle_kits"
PACKED = 8192  # bytes: a compressed kit is a multiple of this, so that its length does not tell the language


def mark(name: str) -> Markup:
    """The mark that the script replaces with a value."""
    return Markup("⟦{}⟧").format(name)


MARKS = {name: mark(name) for name in FIELDS}


@dataclass(frozen=True)
class Kit:
    """A kit as it was made, and compressed; it holds as long as manifests, day and clock are the same."""

    made_of: tuple[Manifests, datetime.date, bool]
    content: bytes
    compressed: bytes


def kit(visit: Visit) -> flask.Response:
    """All pages and texts of the script, the day, and the manifest in force with its signature, in one response.

    It is a script since those alone are loaded beside the program, and not at all where script is off.  Made anew, it
    would take as long as ten pages, so one is kept for each language.
    """
    kept: dict[str, Kit] = flask.current_app.extensions.setdefault(KITS, {})
    made_of = (visit.published, visit.day, visit.leapt)
    found = kept.get(visit.t.code)
    if found is None or found.made_of != made_of:  # manifests are the same only as the same object
        content = _content(visit)
        flask.request.environ.pop(headers.SCRIPT, None)  # set for the pages in it, and not when it is kept already
        found = kept[visit.t.code] = Kit(made_of, content, static_files.compress(content, PACKED))
    return static_files.script(found.content, found.compressed)


def _content(visit: Visit) -> bytes:
    signed = visit.published.current(visit.day)
    pages = {name: Markup(html) for name, html in _pages(visit, signed).items()}  # noqa: S704  rendered by our templates
    whole = {
        "html": rendered(visit, "script/kit.html", pages=pages, settings=escape(_settings(visit))),
        "day": visit.day.isoformat(),
        "manifest": signed.data.decode(),
        "signature": signed.signature.decode(),
    }
    return f"whistleKit={json.dumps(whole, ensure_ascii=False)}\n".encode()


def _settings(visit: Visit) -> str:
    t, how = visit.t, visit.t.conventions
    settings = {
        "date": how.date,
        "long": how.long_date,
        "months": how.months,
        "weekdays": how.weekdays,
        "comma": how.comma,
        "last": how.last,
        "pair": how.pair,
        "decimal": how.decimal,
        "words": words.list_for(t.code),
        "texts": {key: message for key, message in t.messages.items() if key.startswith(TEXTS)},
        "plan": [] if visit.leapt else [_step(visit, step) for step in visit.config.plan],
        "leapt": visit.leapt,
        "kept": KEPT.days,
        "files": visit.bounds.files,
        "upload": visit.bounds.upload,
    }
    return json.dumps(settings, ensure_ascii=False, default=dict)


def _pages(visit: Visit, signed: SignedManifest) -> Mapping[str, str]:
    t = visit.t
    waits = pickup(visit, signed, "done.pickup")
    shown = {
        "words": ("words.html", _words(t.code)),
        "keep": ("keep.html", {"places": range(1, words.COUNT + 1)}),
        "kept": ("done.html", {"kept": True, "waits": waits, "plan": plan(visit, visit.day)}),
        "left": ("done.html", {"kept": False, "waits": waits, "plan": ()}),
        "case": ("case.html", _case(visit)),
        "replies": ("replies.html", {"typed": ""}),
        "withdraw": ("confirm.html", {"what": "withdraw", "step": "withdraw-now", "parts": ("text", "follow_ups")}),
        "stop": (
            "confirm.html",
            {"what": "stop", "step": "stop-now", "parts": ("text", "may"), "message": t("stop.message")},
        ),
        "exposed": ("exposed.html", {"text": "", "advice": True, "readers": (), "outside": ()}),
        "sent": ("notice.html", _notice(visit, "follow_up.sent", code=" ", reading=MARKS["reading"])),
        "withdrawn": ("notice.html", _notice(visit, "withdraw.done")),
        "late": ("notice.html", _notice(visit, "withdraw.late", code=" ", step="stop")),
        "instead-follow-up": ("script/instead.html", _people(visit, signed, "follow_up")),
        "instead-renew": ("script/instead.html", _people(visit, signed, "tell")),
        "nobody": ("parts/follow_up.html", {"open": True, "whom": "", "readers": (), "outside": outside(visit)}),
        "closed": ("parts/follow_up.html", {"open": False, "outside": outside(visit)}),
        "outside": ("parts/outside.html", {"outside": outside(visit)}),
        "other": ("script/other.html", {"channels": channels(visit, signed)}),
        "summary": ("parts/summary.html", {"problems": ({"field": MARKS["field"], "text": MARKS["problem"]},)}),
        "cleaning": ("script/cleaning.html", {}),
        "sealed": ("script/sealed.html", {}),
        "sending": ("script/sending.html", {"title": t("script.sending"), "plain": t("script.plain_send")}),
        "looking": ("script/sending.html", {"title": t("script.looking"), "plain": t("script.plain_look")}),
        "failed-send": ("script/failed.html", {"plain": t("script.plain_send")}),
        "failed-look": ("script/failed.html", {"plain": t("script.plain_look")}),
    }
    return {name: _rendered(visit, template, values) for name, (template, values) in shown.items()}


def _rendered(visit: Visit, template: str, values: Mapping[str, Any]) -> str:
    empty = {"code": "", "attempt": "", "problems": (), "how": "", "earlier": ""}
    return rendered(visit, template, **{**MARKS, **empty, "layout": BARE, **values})


def _step(visit: Visit, step: Step) -> dict[str, Any]:
    return {"days": step.days, "text": visit.localized(step.text), "doneBy": step.done_by}


def _words(language: str) -> dict[str, Any]:
    shown = {"words": ((MARKS["word"], MARKS["number"]),), "lists": words.LANGUAGES, "wrong": True}
    return {**shown, "numbers_first": language not in words.LANGUAGES}


def _case(visit: Visit) -> dict[str, Any]:
    file = {"key": "", "name": MARKS["name"], "size": MARKS["size"]}
    return {
        "facts": (MARKS["fact"],),
        "plan": ({"day": MARKS["day"], "text": MARKS["step"]},),
        "replies": ({**MARKS, "files": (file,), "alone": " ", "receipt": {"text": "", "saved": "", "seal": ""}},),
        "late": 1,
        "older": 0,
        "missing": (MARKS["fact"],),
        "open": True,
        "readers": (),
        "text": "",
        "files_hint": files_hint(visit),
        "choices": ("withdraw", "stop", "exposed"),
        "advice": True,
    }


def _people(visit: Visit, signed: SignedManifest, about: str) -> dict[str, Any]:
    everybody = [reviewer.id for reviewer in offered(signed.manifest, visit.day)]
    return {"readers": tickable(visit, signed, everybody), "about": about}


def _notice(visit: Visit, key: str, **more: str) -> dict[str, Any]:
    return {"heading": visit.t(key), "lines": (visit.t(f"{key}_text"),), "reading": "", **more}
