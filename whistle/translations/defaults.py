"""What an organisation begins with, in every language: roles of readers, and channels with what belongs there.

Whoever types one of them as it stands here, in any language, gets it in all of them.
"""

from whistle.translations import catalogues

ORGANISATION = "organisation"  # the folder of these texts
ROLE, TITLE, PURPOSE = "role", "title", "purpose"  # the first half of a key; the second is a name or a channel's id


def texts(kind: str, name: str) -> dict[str, str]:
    """A default by language; empty if there is none of that name."""
    key = f"{kind}.{name}"
    translations = catalogues.shipped(ORGANISATION)
    return {code: t.text(key) for code, t in translations.items() if key in t.messages}


def name_of(kind: str, text: str) -> str:
    """The name of the default that has this text in some language; empty if none has."""
    wanted = text.strip().casefold()
    found = (
        key.partition(".")[2]
        for translation in catalogues.shipped(ORGANISATION).values()
        for key, message in translation.messages.items()
        if key.startswith(f"{kind}.") and isinstance(message, str) and message.casefold() == wanted
    )
    return next(found, "")


def in_languages(kind: str, text: str, language: str = "") -> dict[str, str]:
    """A text in all languages if it is a default; else only as it is, under its own language if that is known."""
    return texts(kind, name_of(kind, text)) or ({language: text} if language else {})
