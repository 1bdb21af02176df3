"""An organisation's own guidance: Markdown to HTML of a short list of plain elements; everything else is left out."""

import bleach
import markdown
from markupsafe import Markup

TAGS = frozenset(["p", "br", "h3", "h4", "h5", "ul", "ol", "li", "strong", "em", "code", "blockquote", "a", "abbr"])
ATTRIBUTES = {"a": ["href"], "abbr": ["title"]}
PROTOCOLS = frozenset(("https", "http", "mailto", "tel"))
TOP = 3  # the level of the Markdown's own first heading, below the page's


def render(text: str) -> Markup:
    """Safe HTML of a Markdown text: no image, script, style, frame, form or address of another kind."""
    html = markdown.markdown(
        text, extensions=["sane_lists", "toc"], extension_configs={"toc": {"baselevel": TOP, "marker": ""}}
    )
    clean = bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True, strip_comments=True)
    return Markup(clean)  # noqa: S704  bleach let nothing else through
