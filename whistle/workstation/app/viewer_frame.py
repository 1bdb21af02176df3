"""The frame in which a stranger's file is looked at: one document that holds all it needs and may load nothing.

Its policy names its own style and program by their hashes.  `sandbox` gives it an origin that is nobody's, so it
reaches neither the page around it nor this server, and no source is allowed but what the page hands to it.
"""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

from whistle.workstation import language

TEXTS = "viewer."  # what their keys begin with
STATIC = Path(__file__).parent / "static"
DOCUMENT = """<!doctype html>
<html lang="en" translate="no">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>File</title>
<style>{style}</style>
</head>
<body>
<main></main>
<script type="text/plain" id="pdf">{pdf}</script>
<script>{program}</script>
</body>
</html>
"""
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src {program}; style-src {style}; img-src blob: data:; "
    "media-src blob:; worker-src blob:; connect-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)


def words() -> str:
    """What the page's program and the frame's say in the language of this page, as JSON."""
    t = language.current()
    texts = {key: message for key, message in t.messages.items() if key.startswith(TEXTS)}
    return json.dumps({"language": t.code, "direction": t.direction, "texts": texts}, ensure_ascii=False)


@cache
def document() -> tuple[bytes, str]:
    """The frame's document and its policy."""
    style, program, pdf = ((STATIC / name).read_text("utf-8") for name in ("viewer.css", "viewer.js", "viewer_pdf.js"))
    page = DOCUMENT.format(style=style, program=program, pdf=pdf)
    return page.encode(), POLICY.format(program=_source(program), style=_source(style))


def _source(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"
