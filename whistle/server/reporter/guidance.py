"""Renders an organisation's guidance: Markdown to HTML with a short list of plain elements; the rest is removed."""

import bleach
import markdown
from markupsafe import Markup

TAGS = frozenset(["p", "br", "h3", "h4", "h5", "ul", "ol", "li", "strong", "em", "code", "blockquote", "a", "abbr"])
ATTRIBUTES = {"a": ["href"], "abbr": ["title"]}
PROTOCOLS = frozenset(("https", "http", "mailto", "tel"))
TOP = 3  # the level of the Markdown's top heading, below the page's own


def render(text: str) -> Markup:
    """Safe HTML of a Markdown text: no images, scripts, styles, frames, forms or URLs of other schemes."""
    html = markdown.markdown(
        text, extensions=["sane_lists", "toc"], extension_configs={"toc": {"baselevel": TOP, "marker": ""}}
    )
    clean = bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True, strip_comments=True)
    return Markup(clean)  # noqa: S704  sanitized by bleach
