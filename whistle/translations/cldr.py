"""What CLDR knows of each language: plurals, dates, lists, numbers and names of languages.

`cldr.json` and `countries.json` hold what is needed of CLDR.
`make cldr` takes it from Babel, which installs 34 MB.
"""

import datetime
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

ORDER = ("zero", "one", "two", "few", "many", "other")  # of plural categories, in CLDR and in gettext's msgstr[…]
LETTERS = "zotfmx"  # one for each of them
COUNTS = range(200)  # how a language counts below a million depends on the last two digits, or is seen among these
TOKEN = re.compile(r"'([^']*)'|(E+|d+|M+|L+|y+)")
PARTS = {"E": "{weekday}", "d": "{day}", "M": "{month}", "L": "{month}", "y": "{year}"}
GROUPED = 10_000  # numbers from here on have a mark for thousands


@dataclass(frozen=True)
class Conventions:
    """How a language writes things.  `date` and `long_date` have the places day, month, year and weekday.

    `month`: a month of a year, with its name as it stands alone: of `months_alone`, or of `months` if that is empty.

    `comma`, `last` and `pair` stand between items of a list: in general, before the last, and between only two.
    `counts` has the letter of a plural category for each number of `COUNTS`.  `languages` are names by code.
    """

    direction: str
    counts: str
    date: str
    long_date: str
    month: str
    months: Sequence[str]
    months_alone: Sequence[str]
    weekdays: Sequence[str]
    comma: str
    last: str
    pair: str
    decimal: str
    group: str
    languages: Mapping[str, str]

    @functools.cached_property
    def forms(self) -> tuple[str, ...]:
        """The plural categories that whole numbers take, in `ORDER`."""
        return tuple(form for form, letter in zip(ORDER, LETTERS, strict=True) if letter in self.counts)


@functools.cache
def _read(name: str, code: str) -> Mapping[str, Any]:
    """What a file of this folder has of a language; empty if nothing.

    Each language stands on a line, and only that is read: all of them take 10 MB of memory.
    """
    opening = f'"{code}": '
    with (resources.files(__package__) / name).open(encoding="utf-8") as file:
        line = next((each for each in file if each.startswith(opening)), opening + "{}")
    read: Mapping[str, Any] = json.loads(line.removeprefix(opening).rstrip(",\n"))
    return read


def _nearest(code: str) -> str:
    """The code itself, or the language's alone."""
    return code if _read("cldr.json", code) else code.split("-")[0]


def is_known(code: str) -> bool:
    """Whether CLDR knows a language of that code."""
    return bool(_read("cldr.json", _nearest(code)))


@functools.cache
def conventions(code: str) -> Conventions:
    """The conventions of a language that CLDR knows."""
    return Conventions(**_read("cldr.json", _nearest(code)))


def language_name(code: str, of: str) -> str:
    """The name of the language `of` in the language `code`; its code if that has none."""
    return conventions(code).languages.get(of.split("-")[0], of)


def own_name(code: str) -> str:
    """The name of a language in itself, as it stands alone."""
    name = language_name(code, code)
    return name[:1].upper() + name[1:]


def country_name(code: str, country: str) -> str:
    """The name of a country (ISO 3166, two letters) in the language `code`, else in English; KeyError if none."""
    name = "countries.json"
    return str((_read(name, _nearest(code)) or _read(name, "en"))[country])


def plural_form(code: str, n: int) -> str:
    """The plural category of a number."""
    seen = n if n in COUNTS else 100 + n % 100
    return ORDER[LETTERS.index(conventions(code).counts[seen])]


def number(code: str, n: int | float) -> str:
    """A number with one decimal at most."""
    marks = {".": conventions(code).decimal, ",": conventions(code).group}
    text = f"{n:,.1f}" if n >= GROUPED else f"{n:.1f}"
    return re.sub("[.,]", lambda match: marks[match[0]], text.removesuffix(".0"))


def day(code: str, day: datetime.date) -> str:
    """A date, with the name of its month."""
    return _dated(code, conventions(code).date, day)


def long_day(code: str, day: datetime.date) -> str:
    """A date with its day of the week."""
    return _dated(code, conventions(code).long_date, day)


def month(code: str, year: int, month: int) -> str:
    """A month of a year, with its name as it stands alone."""
    how = conventions(code)
    return how.month.format(year=year, month=(how.months_alone or how.months)[month - 1])


def _dated(code: str, template: str, day: datetime.date) -> str:
    how = conventions(code)
    names = {"month": how.months[day.month - 1], "weekday": how.weekdays[day.weekday()]}
    return template.format(day=day.day, year=day.year, **names)
