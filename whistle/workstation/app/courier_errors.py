"""What the courier says goes wrong, in the reviewer's language.

The courier's own program speaks English, and its errors are known here by their words; what it quotes of a server or of
a manifest stays as it is.
"""

import functools
import re
from collections.abc import Mapping

from whistle.translations.catalogues import ENGLISH
from whistle.workstation.language import t, translation

VALUES = {name: f"<{name}>" for name in ("code", "number", "name")}  # in what it says
KEYS = (  # of its lines; their English is what it says
    "courier_errors.broke",
    "courier_errors.again",
    "courier_errors.certificate",
    "courier_errors.nothing_sent",
    "courier_errors.away",
    "courier_errors.away_hint",
    "courier_errors.refused",
    "courier_errors.ask",
    "courier_errors.endless",
    "courier_errors.right_server",
    "courier_errors.form",
    "courier_errors.version",
    "courier_errors.unlisted",
    "courier_errors.unlisted_hint",
    "courier_errors.no_courier",
    "courier_errors.no_courier_hint",
    "courier_errors.settings",
    "courier_errors.settings_hint",
    "courier_errors.key",
    "courier_errors.key_hint",
    "courier_errors.exchanging",
    "courier_errors.exchanging_hint",
    "courier_errors.no_manifest",
    "courier_errors.no_manifest_hint",
    "courier_errors.other_manifest",
    "courier_errors.older_manifest",
    "courier_errors.suspect",
    "courier_errors.manifest_refused",
    "courier_errors.manifest_unreadable",
    "courier_errors.manifest_damaged",
    "courier_errors.size",
    "courier_errors.no_stick",
    "courier_errors.no_stick_hint",
    "courier_errors.part_hint",
    "courier_errors.stick",
    "courier_errors.folder",
    "courier_errors.full",
    "courier_errors.full_hint",
    "courier_errors.read_only",
    "courier_errors.read_only_hint",
    "courier_errors.denied",
    "courier_errors.denied_hint",
    "courier_errors.too_large",
    "courier_errors.too_large_hint",
    "courier_errors.failing",
    "courier_errors.failing_hint",
    "courier_errors.unknown_hint",
    "courier_errors.answered",
    "courier_errors.hidden",
    "courier_errors.part",
)


@functools.cache
def known() -> Mapping[str, re.Pattern[str]]:
    """What it says, by key, with the values in it as groups."""
    texts = {key: re.escape(translation(ENGLISH).text(key, None, **VALUES)) for key in KEYS}
    return {key: re.compile(re.sub("<([a-z]+)>", r"(?P<\1>.+)", text)) for key, text in texts.items()}


def told(words: str) -> str:
    """A line of an error, as far as it is known."""
    for key, form in known().items():
        if match := form.fullmatch(words):
            return t(key, None, **match.groupdict())
    what, colon, detail = words.partition(": ")
    is_known = colon and any(form.fullmatch(what) for form in known().values())
    return t("courier_errors.detail", what=told(what), detail=told(detail)) if is_known else words
