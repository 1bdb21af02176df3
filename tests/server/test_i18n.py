"""The pages' words in every language."""

import datetime
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.datastructures import LanguageAccept

import whistle.server
from whistle.server import i18n
from whistle.server.i18n import PLURALS, WEEKDAYS, Translation

LANGUAGES = i18n.available()
SERVER = Path(whistle.server.__file__).parent
DAY = datetime.date(2026, 5, 3)


def messages(translation: Translation) -> Iterator[tuple[str, str]]:
    """Every message under its key; the forms of a plural under the same key."""
    for key, entry in translation.messages.items():
        for text in [entry] if isinstance(entry, str) else entry.values():
            yield key, text


def placeholders(text: str) -> set[str]:
    """The names of the places of a message that are filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def asked_for() -> set[str]:
    """Every literal key of a message that the templates and the server's own code name."""
    files = [*SERVER.glob("*.py"), *SERVER.rglob("*.html")]
    return {key for file in files for key in re.findall(r'"([a-z_]+\.[a-z_]+)"', file.read_text("utf-8"))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys(language: str) -> None:
    """A translation lacks no message and has none that English has not."""
    assert i18n.load(language).messages.keys() == i18n.load("en").messages.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_placeholders(language: str) -> None:
    """A message is filled in with the same values in each language; a plural may spell its number out."""
    english: dict[str, set[str]] = {}
    for key, text in messages(i18n.load("en")):
        english.setdefault(key, set()).update(placeholders(text))
    for key, text in messages(i18n.load(language)):
        assert placeholders(text) | {"n"} == english[key] | {"n"}, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_have_a_form_for_every_number(language: str) -> None:
    """Each plural has every form that the language's rule can ask for."""
    translation = i18n.load(language)
    forms = {PLURALS[translation.plural](n) for n in range(1000)}
    for key, entry in translation.messages.items():
        assert isinstance(entry, str) or forms <= entry.keys(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_calendar(language: str) -> None:
    """Twelve months, seven days, and a direction."""
    translation = i18n.load(language)
    assert (len(set(translation.months)), len(set(translation.weekdays))) == (12, len(WEEKDAYS))
    assert translation.direction in {"ltr", "rtl"}


def test_messages_that_pages_name_exist() -> None:
    """No template and no module names a message that there is not."""
    sections = {key.split(".")[0] for key in i18n.load("en").messages}
    named = {key for key in asked_for() if key.split(".")[0] in sections and not key.endswith("_")}
    missing = {key for key in named - set(i18n.load("en").messages) if not key.endswith((".html", ".css"))}
    prefixes = {"words.lists", "tell.text_hint"}
    assert missing <= prefixes


@pytest.mark.parametrize(
    ("n", "category"),
    [(0, "zero"), (1, "one"), (2, "two"), (3, "few"), (10, "few"), (11, "many"), (99, "many"), (100, "other"),
     (102, "other"), (103, "few"), (111, "many")],
)  # fmt: skip
def test_arabic_counts(n: int, category: str) -> None:
    """Arabic has six forms, by the last two digits."""
    assert PLURALS["arabic"](n) == category


def test_values_are_escaped_and_kept_apart() -> None:
    """A value can bring no markup, and its direction does not disturb the sentence around it."""
    said = i18n.load("en")("reading.will", names="<b>A & B</b>")
    assert said == "Will read it: <bdi>&lt;b&gt;A &amp; B&lt;/b&gt;</bdi>."


def test_lists_keep_each_item_apart() -> None:
    """Names in a row stand apart, so that Arabic and Latin names keep their order."""
    arabic = i18n.load("ar")
    assert arabic.listed(["A", "B", "<C>"]) == "<bdi>A</bdi>، <bdi>B</bdi> و<bdi>&lt;C&gt;</bdi>"
    assert arabic.listed(["A"]) == "<bdi>A</bdi>"
    assert arabic.listed([]) == ""


def test_days_and_sizes_are_said_as_people_say_them() -> None:
    """A day has its month by name, a size its largest unit."""
    english = i18n.load("en")
    assert english.day(DAY) == "3 May 2026"
    assert [english.size(size) for size in (9, 2048, 1_572_864, 4 << 30)] == ["9 bytes", "2 KB", "1.5 MB", "4 GB"]
    assert i18n.load("ar").day(DAY) == "3 أيار/مايو 2026"


@pytest.mark.parametrize(
    ("asked", "given"),
    [([("ar", 1.0)], "ar"), ([("ar-EG", 1.0), ("en", 0.5)], "ar"), ([("de", 1.0)], "en"), ([], "en")],
    ids=["asked for", "a country's", "not there", "nothing"],
)
def test_negotiates_the_language(asked: list[tuple[str, float]], given: str) -> None:
    """A browser gets a language that it asks for, or else the first that the organisation has."""
    assert i18n.negotiate(LanguageAccept(asked), ["en", "ar"]) == given
