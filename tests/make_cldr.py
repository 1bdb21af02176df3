"""Write cldr.json and countries.json in whistle/translations anew, from CLDR through Babel: `make cldr`.

Babel with all its data is 34 MB; of it, Whistle needs how each language counts, writes days, lists and numbers, and
is called.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babel import Locale
from babel.localedata import locale_identifiers

import whistle
from whistle.translations.cldr import COUNTS, LETTERS, ORDER, PARTS, TOKEN

FOLDER = Path(whistle.__file__).parent / "translations"
FEW = 200  # a language with fewer names of countries has them in English
PLACES = {"en": "en_GB"}  # the day comes before the month for most who read English
MORE = {"pt-pt": "pt_PT", "sr-latn": "sr_Latn", "zh-hant": "zh_Hant"}  # beside the languages as such
NAMED = ("ar", "en", "es", "fr", "ru", "zh")  # languages that name all others; the others name these


def languages() -> dict[str, Locale]:
    """The locale for each code."""
    plain = {code: PLACES.get(code, code) for code in locale_identifiers() if "_" not in code and code != "root"}
    return {code: Locale.parse(name) for code, name in sorted((plain | MORE).items())}


def conventions(code: str, locale: Locale, all_codes: list[str]) -> dict[str, Any]:
    """What Whistle needs of a language."""
    date, long_date = (locale.date_formats[width].pattern for width in ("long", "full"))
    names = locale.months["format"]["wide"] if "MMM" in date else {month: str(month) for month in range(1, 13)}
    month = locale.datetime_skeletons["yMMMM"].pattern
    alone = locale.months["stand-alone"]["wide"] if "LLLL" in month else names
    between = {place: str(pattern)[3:-3] for place, pattern in locale.list_patterns["standard"].items()}
    symbols = locale.number_symbols.get("latn") or Locale.parse("en").number_symbols["latn"]
    wanted = all_codes if code in NAMED else [*NAMED, code]
    return {
        "direction": locale.text_direction,
        "counts": "".join(LETTERS[ORDER.index(str(locale.plural_form(n)))] for n in COUNTS),
        "date": template(date),
        "long_date": template(long_date),
        "month": template(month),
        "months": [names[month] for month in range(1, 13)],
        "months_alone": [alone[month] for month in range(1, 13)] if alone != names else [],
        "weekdays": [locale.days["format"]["wide"][day] for day in range(7)],
        "comma": between["middle"],
        "last": between["end"],
        "pair": between["2"],
        "decimal": symbols["decimal"],
        "group": symbols["group"],
        "languages": {each: locale.languages[each] for each in wanted if each in locale.languages},
    }


def template(pattern: str) -> str:
    """A date pattern of CLDR with named places instead of letters."""
    return TOKEN.sub(lambda match: match[1] if match[2] is None else PARTS[match[2][0]], pattern)


def table() -> dict[str, dict[str, Any]]:
    """All languages of which CLDR has enough."""
    found = languages()
    return {
        code: conventions(code, locale, [each for each in found if "-" not in each])
        for code, locale in found.items()
        if locale.months["format"]["wide"][1] != "M01" or code == "en"
    }


def countries() -> dict[str, dict[str, str]]:
    """By language, the names of countries by their two letters."""
    found = {
        code: {letters: name for letters, name in sorted(locale.territories.items()) if letters.isalpha()}
        for code, locale in languages().items()
    }
    return {code: names for code, names in found.items() if len(names) > FEW}


def write(name: str, content: Mapping[str, object]) -> None:
    """Write a file with a line for each language."""
    lines = (f"{json.dumps(code)}: {json.dumps(each, ensure_ascii=False)}" for code, each in content.items())
    (FOLDER / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def main() -> None:
    """Write both files."""
    write("cldr.json", table())
    write("countries.json", countries())


if __name__ == "__main__":
    main()
