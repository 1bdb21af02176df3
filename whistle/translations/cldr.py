"""What CLDR knows of a language, through Babel: plurals, dates, lists, numbers and names of languages."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

ORDER = ("zero", "one", "two", "few", "many", "other")  # of plural categories, in CLDR and in gettext's msgstr[…]
COUNTS = range(200)  # among these is a number for every form that whole numbers below a million take
REGIONS = {"en": "en-GB"}  # the day comes before the month for most who read English
TOKEN = re.compile(r"'([^']*)'|(E+|d+|M+|y+)")
PARTS = {"E": "{weekday}", "d": "{day}", "M": "{month}", "y": "{year}"}


@dataclass(frozen=True)
class Conventions:
    """How a language writes things.  `date` and `long_date` have the places day, month, year and weekday.

    `comma`, `last` and `pair` stand between items of a list: in general, before the last, and between only two.
    """

    name: str
    direction: str
    forms: tuple[str, ...]  # of plurals, as far as whole numbers take them, in `ORDER`
    date: str
    long_date: str
    months: Sequence[str]
    weekdays: Sequence[str]
    comma: str
    last: str
    pair: str
    decimal: str


def is_known(code: str) -> bool:
    """Whether CLDR knows a language of that code."""
    try:
        _locale(code)
    except (UnknownLocaleError, ValueError):
        return False
    return True


@functools.cache
def conventions(code: str) -> Conventions:
    """The conventions of a language that CLDR knows."""
    locale = _locale(code)
    date, long_date = (locale.date_formats[width].pattern for width in ("long", "full"))
    months = locale.months["format"]["wide"] if "MMM" in date else {month: str(month) for month in range(1, 13)}
    between = {place: str(pattern)[3:-3] for place, pattern in locale.list_patterns["standard"].items()}
    return Conventions(
        name=_capitalized(language_name(code, code)),
        direction=locale.text_direction,
        forms=tuple(form for form in ORDER if form in {locale.plural_form(n) for n in COUNTS}),
        date=_template(date),
        long_date=_template(long_date),
        months=[months[month] for month in range(1, 13)],
        weekdays=[locale.days["format"]["wide"][day] for day in range(7)],
        comma=between["middle"],
        last=between["end"],
        pair=between["2"],
        decimal=locale.number_symbols["latn"]["decimal"],
    )


def language_name(code: str, of: str) -> str:
    """The name of the language `of` in the language `code`."""
    return str(_locale(code).languages[_locale(of).language])


def country_name(code: str, country: str) -> str:
    """The name of a country (ISO 3166, two letters) in the language `code`; KeyError if there is none."""
    return str(_locale(code).territories[country])


def plural_form(code: str, n: int) -> str:
    """The plural category of a number."""
    return str(_locale(code).plural_form(n))


def number(code: str, n: int | float) -> str:
    """A number with one decimal at most."""
    return format_decimal(n, "#,##0.#", _locale(code))


def _template(pattern: str) -> str:
    """A date pattern of CLDR with named places instead of letters."""
    return TOKEN.sub(lambda match: match[1] if match[2] is None else PARTS[match[2][0]], pattern)


def _capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]


def _locale(code: str) -> Locale:
    return Locale.parse(REGIONS.get(code, code), sep="-")
