"""The server's configuration: `whistle.toml` in its folder, parsed strictly.

Texts for people are given per language.  It contains no secrets.  An unknown name, a wrong type or a missing file is a
ConfigError that names the setting.
"""

import functools
import itertools
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import limits

from whistle.protocol.case.message import MARKS, MAX_SLOTS
from whistle.protocol.reporter import questions as asked
from whistle.protocol.reporter.questions import (
    ADVICE,
    OURS,
    REPORT,
    Choice,
    Condition,
    Question,
    in_language,
)
from whistle.server import places, topics
from whistle.server.errors import ConfigError
from whistle.server.places import Place
from whistle.server.toml_reader import Reader, Texts, line_of
from whistle.server.topics import Topic
from whistle.translations import catalogues, default_questions
from whistle.translations.errors import CatalogueError
from whistle.translations.translation import Translation

FILE = "whistle.toml"
TRANSLATIONS = "translations"  # a folder beside it, with an organisation's own .po files
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
MIB = 1024 * 1024  # bytes
ROOM = 7168  # bytes that a channel's questions take in a page, in any language: so all channels' forms have one length
MARKUP, OPTION, DATES = 230, 75, 1100  # of these, about what a question takes without words, each choice, and a date


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
    questions: Mapping[str, tuple[Question, ...]] = field(default_factory=dict)  # of channels that do not ask as usual
    hours: Texts = field(default_factory=dict)  # when somebody reads what came
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
            text = (folder / FILE).read_bytes().decode()
            table = tomllib.loads(text)
        except FileNotFoundError as error:
            raise ConfigError(f"there is no {FILE} in this folder") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{FILE}: {error}") from error
        try:
            return _read(folder, Reader(table))
        except ConfigError as error:
            if line := line_of(text, error.where):
                raise ConfigError(f"{FILE}, line {line}: {error}", error.hint) from error
            raise

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

    def asked_in(self, channel: str) -> tuple[Question, ...]:
        """What a channel asks besides the text: what `whistle.toml` says, or else what comes with Whistle."""
        own = self.questions.get(channel)
        return usual_questions(channel, tuple(self.languages)) if own is None else own

    @property
    def languages(self) -> list[str]:
        """The languages that have both a name here and a translation; the first is the default."""
        return [code for code in self.name if code in self.translations] or [catalogues.ENGLISH]


def _read(folder: Path, top: Reader) -> Config:
    server = top.table("server")
    rates, storage = _read_rates(top.table("limits"))
    name = top.texts("name")
    config = Config(
        folder=folder,
        name=name,
        leave=_leave(top),
        emergency=tuple(Emergency(t.text("number"), t.texts("label", {})) for t in top.tables("emergency")),
        questions=_questions(top.table("channels"), tuple(name)),
        hours=top.texts("hours", {}),
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
        table.refuse("done_by", f"must be {' or '.join(MARKS)}, or left out")
    return Step(table.integer("days", low=0, high=3650), table.texts("text"), done_by)


def _host(server: Reader, host: str) -> str:
    if not HOST.fullmatch(host):
        server.refuse("hosts", 'must hold names like "report.example.org", without https://')
    return host


@functools.lru_cache(64)
def usual_questions(channel: str, languages: tuple[str, ...]) -> tuple[Question, ...]:
    """What comes with Whistle for a channel of that id, and for those who ask for advice."""
    sets = default_questions.sets()
    advice = sets[default_questions.ADVICE]
    report = sets.get(channel, sets[default_questions.GENERAL])
    ways = dict.fromkeys(report, REPORT) | {name: "" if name in report else ADVICE for name in advice}
    return tuple(_ours(name, languages, "" if report is advice else way) for name, way in ways.items())


def _ours(name: str, languages: Sequence[str], way: str = "") -> Question:
    """A question that comes with Whistle."""
    known = default_questions.all_of_them()[name]
    said = functools.partial(default_questions.in_languages, name, languages=(catalogues.ENGLISH, *languages))
    choices = tuple(Choice(id, said(part=id)) for id in known.choices)
    condition = Condition(OURS + known.after[0], known.after[1]) if known.after else None
    return Question(OURS + name, said(part="label"), said(part="hint"), known.type, choices, condition, way)


def _questions(channels: Reader, languages: Sequence[str]) -> dict[str, tuple[Question, ...]]:
    """The questions of the channels of which the file says what they ask."""
    tables = {channel: channels.table(channel) for channel in channels.names()}
    return {channel: _asked(table, languages) for channel, table in tables.items() if table.names()}


def _asked(table: Reader, languages: Sequence[str]) -> tuple[Question, ...]:
    ours = [_ours(name, languages) for name in _named(table, "ask", default_questions.all_of_them())]
    for name in _named(table, "like", default_questions.sets()):
        ours += [each for each in usual_questions(name, tuple(languages)) if each not in ours]
    asks = (*ours, *(_question(each, ours) for each in table.tables("questions")))

    def place(number: int) -> str:
        return f"questions[{number - len(ours) + 1}]" if number >= len(ours) else "ask"

    if len(asks) > (most := asked.MAX_QUESTIONS):
        table.refuse(place(most), f"is beyond the {most} questions that a report can answer", "ask less")
    try:
        asked.check(asks)
    except asked.Wrong as error:
        table.refuse(f"{place(error.number)}.{error.field}", error.why, "mend this question")
    for language, way in itertools.product(languages, (REPORT, ADVICE)):
        rooms = (_room(each, language) if each.way in ("", way) else 0 for each in asks)
        for number, room in enumerate(itertools.accumulate(rooms)):
            if room > ROOM:
                table.refuse(place(number), f"ends {room} bytes of a page in {language}; {ROOM} are free", "ask less")
    return asks


def _named(table: Reader, name: str, known: Collection[str]) -> tuple[str, ...]:
    """What comes with Whistle and is named by one text, or by a list of them."""
    names = table.words(name) if name == "ask" else tuple(filter(None, [table.text(name, "")]))
    if unknown := [each for each in names if each not in known]:
        table.refuse(name, f"names {unknown[0]}, which there is not", f"there are: {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _question(table: Reader, ours: Sequence[Question]) -> Question:
    """An organisation's own question; `if` may name one of ours by its short name."""
    id, type_ = _id(table), table.text("type", "long")
    if id.startswith(OURS):
        table.refuse("id", f"must not begin with {OURS}, as those that come with Whistle do", "take another id")
    if type_ not in asked.TYPES:
        table.refuse("type", f"must be one of {', '.join(asked.TYPES)}", "mend this question")
    if (way := table.text("for", "")) not in ("", REPORT, ADVICE):
        table.refuse("for", f"must be {REPORT} or {ADVICE}, or left out", "mend this question")
    choices = tuple(Choice(_id(each), each.texts("label")) for each in table.tables("choices"))
    if len(choices) > asked.MAX_CHOICES:
        table.refuse("choices", f"are {len(choices)}, and {asked.MAX_CHOICES} at most", "offer fewer")
    condition = None
    if "if" in table.names():
        on = table.table("if")
        named = on.text("question")
        prefix = OURS if OURS + named in [each.id for each in ours] else ""
        condition = Condition(prefix + named, on.words("is"))
    return Question(id, table.texts("label"), table.texts("hint", {}), type_, choices, condition, way)


def _room(question: Question, language: str) -> int:
    """About how many bytes a question takes in a page."""
    said = [in_language(each, language) for each in (question.label, question.hint)]
    said += [in_language(each.label, language) for each in question.choices]
    markup = MARKUP + OPTION * len(question.options) + (DATES if question.type == "date" else 0)
    return markup + sum(len(each.encode()) for each in said)


def _leave(top: Reader) -> str:
    url = top.text("leave", Config.leave)
    if not url.startswith(("https://", "http://")):
        top.refuse("leave", "must be an address that begins with https://")
    return url


def _id(table: Reader) -> str:
    id = table.text("id")
    if not ID.fullmatch(id):
        table.refuse("id", "must be made of a to z, 0 to 9 and hyphens, 32 at most")
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
        table.refuse(name, f'must be a rate like "{usual or "60 per minute"}"', cause=error)
    return rate
