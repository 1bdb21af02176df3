"""What a poster says in one language: nothing but the organisation's own settings and our texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whistle.protocol.reporter.questions import in_language
from whistle.protocol.trust.manifest import fingerprint
from whistle.protocol.trust.minisign import PublicKey
from whistle.server.config import Config
from whistle.server.errors import CannotPrint
from whistle.server.places import PURPOSES, Place
from whistle.server.reporter.links import ONION, web_address
from whistle.translations import cldr
from whistle.translations.translation import Translation

GROUPS = 5  # of digits in a line
HALF = 28  # letters of an onion address, which has 56, in its first line


@dataclass(frozen=True)
class Address:
    """Where reporters go: as it is printed, and as a code says it, which leads to the page in this language."""

    shown: str
    coded: str
    is_onion: bool


@dataclass(frozen=True)
class Turn:
    """Another place to turn to: whose it is, how it is reached, and more about it or nothing."""

    name: str
    contact: str
    about: str = ""


@dataclass(frozen=True)
class Content:
    """Everything that stands on a poster and on cards."""

    t: Translation
    name: str
    addresses: tuple[Address, ...]
    digits: str  # of the roots, in lines
    emergency: tuple[Turn, ...]
    outside: tuple[Turn, ...]
    numbers: tuple[Turn, ...]  # of countries

    @property
    def texts(self) -> str:
        """Every letter that may be printed."""
        every = (*self.emergency, *self.outside, *self.numbers)
        turns = (part for each in every for part in (each.name, each.contact, each.about))
        keys = ("poster.", "page.", "land.", "places.")
        said = (str(text) for key, text in self.t.messages.items() if key.startswith(keys))
        return "".join([self.name, self.digits, *(each.shown for each in self.addresses), *turns, *said])


def gather(
    config: Config, language: str, addresses: Sequence[str], roots: Sequence[PublicKey], countries: Sequence[str]
) -> Content:
    """What is printed in a language.  CannotPrint if an address or a country is none."""
    t = config.translations[language]
    places = {place.country: place for place in config.places}
    if unknown := [country for country in countries if country not in places]:
        raise CannotPrint(
            f"there are no numbers for the country {unknown[0]}", "name one of places.toml by its two letters, as FR"
        )
    called = (Turn(in_language(each.label, language), each.number) for each in config.emergency)
    asked = (Turn(in_language(p.name, language), p.contact, in_language(p.about, language)) for p in config.outside)
    groups = fingerprint(roots).split()
    return Content(
        t=t,
        name=in_language(config.name, language),
        addresses=tuple(_address(each, language) for each in addresses),
        digits="\n".join(" ".join(groups[at : at + GROUPS]) for at in range(0, len(groups), GROUPS)),
        emergency=tuple(called) or tuple(Turn(cldr.country_name(language, c), places[c].emergency) for c in countries),
        outside=tuple(asked),
        numbers=tuple(turn for country in countries for turn in _numbers(t, places[country])),
    )


def _numbers(t: Translation, place: Place) -> Iterator[Turn]:
    """The lines of a country, in the order of what they are for."""
    for purpose in PURPOSES:
        for line in place.lines:
            if line.purpose == purpose:
                yield Turn(line.name, line.number, t.text(f"places.{purpose}"))


def _address(given: str, language: str) -> Address:
    url = web_address(given.strip())
    if not url:
        raise CannotPrint("this is no address to print", "give one that begins with https://, or an onion address")
    bare = url.removeprefix("http://").removeprefix("https://").strip("/")
    is_onion = bool(ONION.fullmatch(bare.partition("/")[0]))
    shown = f"{bare[:HALF]}\n{bare[HALF:]}" if is_onion else f"https://{bare}"
    return Address(shown, f"{url.rstrip('/')}/{language}/", is_onion)
