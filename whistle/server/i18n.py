"""Translations: one TOML file for each language, plurals, dates, and language negotiation.

There is no fallback: a key missing in a translation is an error, and a test checks that all have the same keys.
"""

import datetime
import functools
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from markupsafe import Markup, escape
from werkzeug.datastructures import LanguageAccept

Entry = str | Mapping[str, str]  # a message, or one for each plural category


def _arabic(n: int) -> str:
    """CLDR's rule for Arabic cardinals."""
    if n <= 2:
        return ("zero", "one", "two")[n]
    return "few" if 3 <= n % 100 <= 10 else "many" if n % 100 >= 11 else "other"


def _slavic(n: int) -> str:
    """CLDR's rule for Russian and Ukrainian cardinals."""
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else "many"


PLURALS: Mapping[str, Callable[[int], str]] = {
    "none": lambda n: "other",
    "one": lambda n: "one" if n == 1 else "other",
    "zero_one": lambda n: "one" if n <= 1 else "other",
    "arabic": _arabic,
    "slavic": _slavic,
}
SIZES = (("gigabytes", 1 << 30), ("megabytes", 1 << 20), ("kilobytes", 1 << 10))  # bytes each


@dataclass(frozen=True)
class Translation:
    """One language: its messages by dotted keys, and how it writes days, lists and sizes."""

    code: str
    name: str
    direction: str
    plural: str
    words: str
    date: str
    months: Sequence[str]
    weekdays: Sequence[str]
    comma: str
    last: str
    decimal: str
    messages: Mapping[str, Entry]

    def text(self, key: str, n: int | None = None, **values: object) -> str:
        """A message as plain text, for attributes and messages; KeyError if there is none."""
        return self._message(key, n).format(n=n, **values)

    def __call__(self, key: str, n: int | None = None, **values: object) -> Markup:
        """A message as HTML: escaped, with each value isolated in a <bdi> so that directions do not mix.

        Values that are already HTML are left as they are.
        """
        isolated = {name: value if isinstance(value, Markup) else _isolated(value) for name, value in values.items()}
        return Markup(escape(self._message(key, n)).format(n=n, **isolated))  # noqa: S704  both parts are escaped

    def day(self, day: datetime.date) -> str:
        """A date, with the name of its month."""
        return self.date.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def weekday(self, name: str) -> str:
        """The name of a day of the week, which the manifest gives in English and lower case."""
        return self.weekdays[WEEKDAYS.index(name)]

    def listed(self, items: Sequence[str]) -> Markup:
        """A list of items as HTML, each isolated in a <bdi>."""
        parts = [_isolated(item) for item in items]
        return escape(self.last).join(filter(None, (escape(self.comma).join(parts[:-1]), *parts[-1:])))

    def size(self, size: int) -> str:
        """A size in bytes, in the largest unit that it reaches."""
        unit, whole = next((pair for pair in SIZES if size >= pair[1]), ("bytes", 1))
        shown = f"{size / whole:.1f}".removesuffix(".0").replace(".", self.decimal)
        return self.text(f"size.{unit}", size=shown)

    def _message(self, key: str, n: int | None) -> str:
        entry = self.messages[key]
        if isinstance(entry, str):
            return entry
        if n is None:
            raise KeyError(f"{key} is chosen by a number")
        return entry[PLURALS[self.plural](n)]


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CATEGORIES = frozenset(("zero", "one", "two", "few", "many", "other"))


@functools.cache
def load(code: str) -> Translation:
    """The translation for a language code; FileNotFoundError if there is none."""
    source = resources.files(__package__) / "translations" / f"{code}.toml"
    parts = tomllib.loads(source.read_text("utf-8"))
    about = parts.pop("language")
    about["last"] = about.pop("and")
    return Translation(code=code, messages=dict(_flat(parts)), **about)


@functools.cache
def available() -> tuple[str, ...]:
    """The codes of all languages that have a translation."""
    folder = resources.files(__package__) / "translations"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def negotiate(accepted: LanguageAccept, languages: Sequence[str]) -> str:
    """The language among ``languages`` that the browser prefers, or else the first of them."""
    for tag, quality in accepted:
        for code in (tag.lower(), tag.lower().split("-")[0]):
            if quality > 0 and code in languages:
                return code
    return languages[0]


def _isolated(value: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(value)


def _flat(parts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Entry]]:
    entries: list[tuple[str, Entry]] = []
    for name, value in parts.items():
        key = prefix + name
        if isinstance(value, str) or value.keys() <= CATEGORIES:
            entries.append((key, value))
        else:
            entries += _flat(value, key + ".")
    return entries
