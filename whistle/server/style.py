"""The style sheet of the reporters' pages: it stands in each of them, so a page is one request, allowed by its hash."""

import base64
import hashlib
import re
from importlib import resources

from markupsafe import Markup


def _compact(sheet: str) -> str:
    """Without comments and needless blanks."""
    bare = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL))
    return re.sub(r"(?<=[{};,]) | (?=[{}])", "", bare).strip()


_FILE = resources.files("whistle.server.reporter") / "style.css"
SHEET = Markup(_compact(_FILE.read_text("utf-8")))  # noqa: S704  ours
_HASH = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
SOURCE = f"'sha256-{_HASH}'"  # in a policy: this sheet and no other
