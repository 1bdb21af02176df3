"""The page of the texts for replies: one for each occasion and language, to be changed, added or emptied."""

import flask
from werkzeug.wrappers import Response

from whistle.workstation.app import pages
from whistle.workstation.app.pages import session
from whistle.workstation.duties import templates
from whistle.workstation.language import t
from whistle.workstation.vault.models import TemplateRow

template_pages = flask.Blueprint("templates", __name__)
template_pages.context_processor(pages.terms)


@template_pages.get("/templates")
def shown() -> str:
    """All texts by occasion, one of them open to be changed."""
    current, asked = session(), flask.request.args
    texts = {**templates.shipped(), **templates.all_of(current.workstation)}
    key = asked.get("occasion", ""), asked.get("language", "")
    if any(key):
        current.typed_template = {}
    typed = current.typed_template
    own = current.workstation.vault.session.get(TemplateRow, key)
    return flask.render_template(
        "templates.html",
        occasions=_by_occasion(templates.all_of(current.workstation)),
        title=templates.title,
        fields=templates.FIELDS,
        occasion=typed.get("occasion", key[0]),
        language=typed.get("language", key[1]),
        text=typed.get("text", own.text if own else texts.get(key, "")),
        is_own=own is not None,
        comes=key in templates.shipped(),
        known=[templates.title(each) for each in templates.OCCASIONS],
    )


@template_pages.post("/templates")
def save() -> Response:
    """Keep a text."""
    form, current = flask.request.form, session()
    names = ("occasion", "language", "text")
    current.typed_template = {name: form.get(name, "").replace("\r\n", "\n") for name in names}

    def do() -> None:
        occasion, language = templates.save(current.workstation, **current.typed_template)
        current.typed_template = {}
        current.say(t("texts.kept", occasion=templates.title(occasion), language=language))

    return pages.done(do, flask.url_for("templates.shown"))


@template_pages.post("/templates/reset")
def reset() -> Response:
    """Go back to the text that came with this program, or to none."""
    current = session()
    templates.reset(current.workstation, *(flask.request.form.get(name, "") for name in ("occasion", "language")))
    current.typed_template = {}
    current.say(t("texts.gone"))
    return flask.redirect(flask.url_for("templates.shown"), 303)


def _by_occasion(texts: dict[templates.Key, str]) -> dict[str, list[str]]:
    by: dict[str, list[str]] = {}
    for occasion, language in texts:
        by.setdefault(occasion, []).append(language)
    return by
