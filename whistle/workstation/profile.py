"""What a manifest takes of a reviewer: name, role and languages."""

from collections.abc import Sequence

from whistle.protocol import schema
from whistle.protocol.errors import Malformed
from whistle.protocol.invisible_text import is_blank, strip_invisible
from whistle.workstation.errors import Refused
from whistle.workstation.language import t

LONGEST_NAME = 128  # characters, as in the manifest
MOST_LANGUAGES = 32


def check_profile(name: str, role: str, languages: Sequence[str]) -> None:
    """Raise Refused unless a manifest can list a reviewer with this name, role and languages."""
    for what, text in (
        (t("profile.name"), name),
        (t("profile.role"), role),
    ):
        hides = strip_invisible(text) != text or not text.isprintable()
        if is_blank(text) or hides or len(text) > LONGEST_NAME:
            raise Refused(what, t("profile.hint", LONGEST_NAME))
    try:
        schema.list_of(schema.identifier, MOST_LANGUAGES, unique=True)(list(languages))
    except Malformed as exc:
        raise Refused(t("profile.languages"), t("profile.languages_hint")) from exc
