"""The server's configuration: `whistle.toml` in its folder, parsed strictly.

Texts for people are given per language.  It contains no secrets.  An unknown name, a wrong type or a missing file is a
ConfigError that names the setting.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import limits

from whistle.protocol.case.message import MARKS, MAX_SLOTS
from whistle.protocol.reporter.questions import RESERVED, Question
from whistle.server import places, topics
from whistle.server.errors import ConfigError
from whistle.server.places import Place
from whistle.server.toml_reader import Reader, Texts
from whistle.server.topics import Topic
from whistle.translations import catalogues
from whistle.translations.errors import CatalogueError
from whistle.translations.translation import Translation

FILE = "whistle.toml"
TRANSLATIONS = "translations"  # a folder beside it, with an organisation's own .po files
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
MIB = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Emergency:
    """A number to call in danger, and whom one reaches there."""

    number: str
    label: Texts


@dataclass(frozen=True)
class Outside:
    """Another place to turn to, shown when nobody here should read it; `contact` is an address or a number."""

    name: Texts
    contact: str
    about: Texts


@dataclass(frozen=True)
class Step:
    """One step of the plan that reporters see: within `days` of a report, `text` happens.

    `done_by`: the mark of a reply that completes the step, or empty if no reply does.
    """

    days: int
    text: Texts
    done_by: str = ""


@dataclass(frozen=True)
class Rate:
    """How often an action is allowed: from one address or circuit, and by everybody together, as in `30 per minute`.

    Empty: by everybody together as often as the machine can, visitors in turn; what is stored, as the disk has room.
    """

    each: str
    all: str = ""


def _rates() -> dict[str, Rate]:
    return {
        "lookup": Rate("30 per minute"),
        "send": Rate("5 per minute"),  # only what is stored, not other forms
        "upload": Rate("5 per minute"),  # large forms without script
        "block": Rate("2400 per minute"),
        "fetch": Rate("120 per minute"),
        "withdraw": Rate("5 per minute"),
        "page": Rate("120 per minute"),
        "courier": Rate("600 per minute"),  # of each courier
    }


@dataclass(frozen=True)
class Config:
    """All of `whistle.toml`; `Config.load` reads it, tests build it."""

    folder: Path
    name: Texts = field(default_factory=lambda: {"en": "Whistle"})
    leave: str = "https://www.wikipedia.org/"  # where *Leave this page* leads: a site that raises no questions
    emergency: tuple[Emergency, ...] = ()
    questions: Mapping[str, tuple[Question, ...]] = field(default_factory=dict)  # by the channel's id
    outside: tuple[Outside, ...] = ()
    guidance: Mapping[str, tuple[Topic, ...]] = field(default_factory=dict)  # by language
    places: tuple[Place, ...] = ()  # of help, by country
    plan: tuple[Step, ...] = ()
    rates: Mapping[str, Rate] = field(default_factory=_rates)
    rates_storage: str = "memory://"  # or redis://…
    bind: str = "127.0.0.1:8080"
    threads: int = 100  # large forms that a process receives at once
    workers: int = 2
    behind_tor: bool = True
    circuits: bool = False  # tor tells which circuit a connection belongs to: HiddenServiceExportCircuitID haproxy
    proof_of_work: bool = False  # the operator says that tor asks for it: HiddenServicePoWDefensesEnabled 1
    trusted_proxies: int = 0  # how many proxies in front of the server set X-Forwarded-For
    hosts: tuple[str, ...] = ()  # names under which people reach this server, with a non-default port
    slots: int = 8  # fixed for the life of the instance
    database_url: str = ""  # empty: SQLite in the folder
    blocks_url: str = ""  # empty: `blocks` in the folder
    max_upload: int = 4096 * MIB  # bytes of one form, files included
    chaff: float = 4.0  # mean number per day
    patience: float = 30.0  # seconds that a message waits in a queue when more arrive than may be stored
    beat: float = 0.25  # seconds; pages that answer a lookup leave on it
    translations: Mapping[str, Translation] = field(default_factory=catalogues.shipped)  # by language

    @classmethod
    def load(cls, folder: Path) -> "Config":
        """The configuration of a server's folder; ConfigError names what is wrong and where."""
        try:
            with (folder / FILE).open("rb") as stream:
                table = tomllib.load(stream)
        except FileNotFoundError as error:
            raise ConfigError(f"there is no {FILE} in this folder") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{FILE}: {error}") from error
        return _read(folder, Reader(table))

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.data / 'whistle.sqlite').resolve()}"

    @property
    def blocks(self) -> Path | str:
        """Where blocks are stored: a folder, or `kind://location` as configured."""
        if "://" in self.blocks_url:
            return self.blocks_url
        return self.folder / self.blocks_url if self.blocks_url else self.data / "blocks"

    @property
    def data(self) -> Path:
        """The folder of all sealed data."""
        return self.folder / "data"

    @property
    def keys(self) -> Path:
        """The folder of the roots' public keys and the manifests."""
        return self.folder / "keys"

    @property
    def languages(self) -> list[str]:
        """The languages that have both a name here and a translation; the first is the default."""
        return [code for code in self.name if code in self.translations] or [catalogues.ENGLISH]


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in a language, or else in English, or else in the first one available, or else ""."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "")


def _read(folder: Path, top: Reader) -> Config:
    server = top.table("server")
    rates, storage = _read_rates(top.table("limits"))
    name = top.texts("name")
    config = Config(
        folder=folder,
        name=name,
        leave=_leave(top),
        emergency=tuple(Emergency(t.text("number"), t.texts("label", {})) for t in top.tables("emergency")),
        questions=_questions(top.table("channels")),
        outside=tuple(Outside(t.texts("name"), t.text("contact"), t.texts("about", {})) for t in top.tables("outside")),
        guidance=topics.read(folder),
        places=places.read(folder),
        plan=tuple(_step(t) for t in top.tables("plan")),
        rates=rates,
        rates_storage=storage,
        translations=_translations(folder, [*name, catalogues.ENGLISH]),
        **_server(server),
    )
    top.finish()
    if config.circuits and (not config.behind_tor or config.trusted_proxies):
        raise ConfigError(
            "server.circuits needs behind_tor = true and trusted_proxies = 0: tor itself must connect here"
        )
    return config


def _server(server: Reader) -> dict[str, Any]:
    return {
        "bind": server.text("bind", Config.bind),
        "threads": server.integer("threads", Config.threads, low=4, high=4000),
        "workers": server.integer("workers", Config.workers, low=1, high=64),
        "behind_tor": server.flag("behind_tor", Config.behind_tor),
        "circuits": server.flag("circuits", Config.circuits),
        "proof_of_work": server.flag("proof_of_work", Config.proof_of_work),
        "trusted_proxies": server.integer("trusted_proxies", 0, low=0, high=8),
        "hosts": tuple(_host(server, host) for host in server.words("hosts")),
        "slots": server.integer("slots", Config.slots, low=2, high=MAX_SLOTS),
        "database_url": server.text("database", ""),
        "blocks_url": server.text("blocks", ""),
        "max_upload": server.integer("max_upload_mib", Config.max_upload // MIB, low=1, high=1024 * 1024) * MIB,
        "chaff": server.number("chaff", Config.chaff, low=0, high=10_000),
    }


def _step(table: Reader) -> Step:
    done_by = table.text("done_by", "")
    if done_by and done_by not in MARKS:
        raise ConfigError(f"{table.path('done_by')} must be {' or '.join(MARKS)}, or left out")
    return Step(table.integer("days", low=0, high=3650), table.texts("text"), done_by)


def _host(server: Reader, host: str) -> str:
    if not HOST.fullmatch(host):
        raise ConfigError(f'{server.path("hosts")} must hold names like "report.example.org", without https://')
    return host


def _questions(channels: Reader) -> dict[str, tuple[Question, ...]]:
    by_channel = {}
    for channel in channels.names():
        questions = channels.table(channel).tables("questions")
        by_channel[channel] = tuple(Question(_id(t), t.texts("label"), t.texts("hint", {})) for t in questions)
        if len({question.id for question in by_channel[channel]}) < len(questions):
            raise ConfigError(f"{channels.path(channel)}.questions has an id twice")
        if taken := {question.id for question in by_channel[channel]} & set(RESERVED):
            raise ConfigError(f"{channels.path(channel)}.questions has the id {min(taken)}, which means something else")
    return by_channel


def _leave(top: Reader) -> str:
    url = top.text("leave", Config.leave)
    if not url.startswith(("https://", "http://")):
        raise ConfigError("leave must be an address that begins with https://")
    return url


def _id(table: Reader) -> str:
    id = table.text("id")
    if not ID.fullmatch(id):
        raise ConfigError(f"{table.path('id')} must be made of a to z, 0 to 9 and hyphens, 32 at most")
    return id


def _translations(folder: Path, wanted: Sequence[str]) -> Mapping[str, Translation]:
    try:
        return catalogues.with_own(folder / TRANSLATIONS, wanted)
    except CatalogueError as error:
        raise ConfigError(f"{TRANSLATIONS}/{error}", error.hint) from error


def _read_rates(given: Reader) -> tuple[dict[str, Rate], str]:
    rates = _rates()
    for action, usual in rates.items():
        table = given.table(action)
        rates[action] = Rate(_rate(table, "each", usual.each), _rate(table, "all", usual.all))
    return rates, given.text("storage", Config.rates_storage)


def _rate(table: Reader, name: str, usual: str) -> str:
    rate = table.text(name, usual)
    try:
        limits.parse_many(rate or usual or "1 per second")
    except ValueError as error:
        raise ConfigError(f'{table.path(name)} must be a rate like "{usual or "60 per minute"}"') from error
    return rate
