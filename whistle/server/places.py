"""Where people find help, by country: one small file, replaced by `places.toml` beside whistle.toml."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from whistle.server.errors import ConfigError
from whistle.server.toml_reader import Reader
from whistle.translations import cldr

FILE = "places.toml"
FOLDER = "guidance"  # beside this module
PURPOSES = ("violence", "talk", "rights")


@dataclass(frozen=True)
class Line:
    """A telephone number to call, whose it is, and what it is for: one of `PURPOSES`."""

    number: str
    name: str
    purpose: str


@dataclass(frozen=True)
class Place:
    """A country by its ISO 3166 code, its number for emergencies, and its lines."""

    country: str
    emergency: str
    lines: tuple[Line, ...]


def read(folder: Path) -> tuple[Place, ...]:
    """The places that reporters are shown; `folder` is a server's.  ConfigError says what is wrong and where."""
    own, usual = folder / FILE, resources.files(__package__).joinpath(FOLDER, FILE)
    try:
        text = own.read_text("utf-8") if own.exists() else usual.read_text("utf-8")
        top = Reader(tomllib.loads(text), f"{FILE}: ")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE} cannot be read", "save it in UTF-8, and let the server's user read it") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE}: {error}", f"mend that line of {FILE}") from error
    places = tuple(_place(top, country) for country in top.names())
    top.finish()
    return places


def _place(top: Reader, country: str) -> Place:
    try:
        cldr.country_name("en", country)
    except KeyError as error:
        raise ConfigError(f"{FILE}: [{country}] is no country", "name it by its two letters, such as FR") from error
    table = top.table(country)
    return Place(country, table.text("emergency"), tuple(_line(each) for each in table.tables("lines")))


def _line(table: Reader) -> Line:
    line = Line(table.text("number"), table.text("name"), table.text("for"))
    if line.purpose not in PURPOSES:
        raise ConfigError(f"{table.path('for')} must be one of {', '.join(PURPOSES)}", f"mend {FILE}")
    return line
