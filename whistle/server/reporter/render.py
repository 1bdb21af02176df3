"""One request of a reporter: what the pages share, and rendering of templates.

There are no sessions: everything that a step needs arrives with its form and leaves with its page.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import flask
from markupsafe import Markup

from whistle.protocol.reporter.compose import channels_for
from whistle.protocol.reporter.questions import ADVICE, REPORT, in_language
from whistle.protocol.trust.manifest import RECOVERY, Channel, SignedManifest
from whistle.protocol.trust.manifest_chain import offered
from whistle.server import headers, style
from whistle.server.config import Config, Emergency
from whistle.server.errors import NoManifest
from whistle.server.instance import Instance
from whistle.server.manifests import Manifests, next_collection
from whistle.server.reporter import long_texts
from whistle.server.reporter.links import contact
from whistle.server.sealing.multipart import Arrived, Bounds
from whistle.store import Store, StoreError
from whistle.translations.translation import Translation

PAD = 262_144  # bytes: the answer to a lookup is a multiple of it (SPEC 9.1)
PAGE = 28_672  # bytes: other pages are multiples of this, whichever channel or words they show
FEW = 3  # channels at most that the first page offers, each with buttons; more have a page of their own
FILLER = (b"<!-- ", b" -->")
NOTHING = Arrived(())
LAYOUT = "base.html"
NUMBER = Markup('<bdi dir="ltr">{}</bdi>')
SENTENCE = Markup('<bdi dir="{}">{}</bdi>')
SCRIPTED = {"tell.html": "script.plain_send", "replies.html": "script.plain_look"}  # pages that load
# the script, and the text of the link to do without it


@dataclass(frozen=True)
class Visit:
    """A request: instance, language, day, and the content of its form."""

    instance: Instance
    t: Translation
    day: datetime.date
    says: datetime.date  # the clock's day, which is another one where it has leapt
    leapt: bool = False  # the clock has leapt, so no future day is shown
    away: bool = False  # the database does not answer
    arrived: Arrived = NOTHING

    @property
    def config(self) -> Config:
        """The instance's configuration."""
        return self.instance.config

    @property
    def store(self) -> Store:
        """The instance's store."""
        return self.instance.store

    @cached_property
    def published(self) -> Manifests:
        """The manifests, the same for all of this request.  StoreError if the database was away since the start."""
        return self.instance.published.now()

    @property
    def bounds(self) -> Bounds:
        """The limits for a form."""
        return Bounds(self.config.max_upload)

    @classmethod
    def now(cls, instance: Instance, t: Translation) -> "Visit":
        """A visit that begins now, without a form."""
        clock, away = instance.look_at_clock()
        return cls(instance, t, clock.day, clock.says, clock.leapt, away)

    @property
    def sealing(self) -> SignedManifest:
        """The manifest by which a report is sealed now; NoManifest when there is none.

        There is none either while the clock has leapt past the beginning of a newer one, which may have retired the
        person of whom the report speaks.
        """
        signed = self.published.sealing(self.day)
        if self.leapt and self.published.current(max(self.day, self.says)) != signed:
            raise NoManifest("a newer manifest may have begun")
        return signed

    def with_form(self, fields: Arrived) -> "Visit":
        """The same visit with its form, at the current day: the form may have taken past midnight to arrive."""
        return replace(Visit.now(self.instance, self.t), arrived=fields)

    def localized(self, texts: Mapping[str, str]) -> str:
        """A text of the organisation, in this visit's language if available."""
        return in_language(texts, self.t.code)


def page(visit: Visit, template: str, *, status: int = 200, padded: bool = False, **values: Any) -> flask.Response:
    """Render a template as a response, padded to a multiple of 28 KiB, or of 256 KiB if ``padded``."""
    parts = _parts(visit, template, values)
    length = sum(map(len, parts))
    filler = fill(length, PAD if padded else PAGE)
    answer = flask.Response(long_texts.pieces([*parts, filler]), status=status, mimetype="text/html")
    answer.content_length = length + len(filler)
    return answer


def rendered(visit: Visit, template: str, **values: Any) -> str:
    """Render a template to HTML, without padding."""
    return b"".join(long_texts.pieces(_parts(visit, template, values))).decode()


def _parts(visit: Visit, template: str, values: Mapping[str, Any]) -> list[bytes | long_texts.Text]:
    """A rendered template, with long texts apart."""
    script = _script(visit, SCRIPTED[template]) if template in SCRIPTED else None
    shared = {**_shared(visit), "layout": LAYOUT, "script": script}
    apart = {name: long_texts.set_apart(value) for name, value in values.items()}  # Jinja would keep them until gc
    return long_texts.split(flask.render_template(template, **{**shared, **apart}))


def fill(length: int, whole: int) -> bytes:
    """A comment for the end of a page of so many bytes, so that its length hides what it shows."""
    opening, closing = FILLER
    return opening + b"." * (-(length + len(opening) + len(closing)) % whole) + closing


def notice(visit: Visit, key: str, *lines: str, status: int = 200, **values: Any) -> flask.Response:
    """A page with one message: ``key`` as heading, and ``key``_text or the given lines."""
    texts = lines or (visit.t(f"{key}_text"),)
    return page(visit, "notice.html", status=status, heading=visit.t(key), lines=texts, **values)


def pickup(visit: Visit, signed: SignedManifest, key: str) -> Markup:
    """When messages are picked up next, by the message ``key``.

    ``key``_none if there are no fixed days, ``key``_leapt if the clock has leapt.
    """
    if visit.leapt:
        return visit.t(f"{key}_leapt")
    day = due(visit, signed)
    return visit.t(key, day=day) if day else visit.t(f"{key}_none")


def due(visit: Visit, signed: SignedManifest) -> str:
    """The day of the next planned pick-up, or "".  On such a day also the one after: today's may be over."""
    day, t = None if visit.leapt else next_collection(signed.manifest, visit.day), visit.t
    if day is None or day != visit.day:
        return t.long_day(day) if day else ""
    after = next_collection(signed.manifest, day + datetime.timedelta(days=1))
    assert after  # in a week at the latest
    return t("case.today", today=t.weekday(day), day=t.long_day(after))


def collection_days(visit: Visit, signed: SignedManifest) -> Markup:
    """A sentence with the weekdays of pick-ups."""
    days = [visit.t.weekday(name) for name in signed.manifest.collection]
    return visit.t("land.pickup", days=visit.t.listed(days)) if days else visit.t("land.pickup_none")


def plan(visit: Visit, since: datetime.date, done: Mapping[str, datetime.date] | None = None) -> list[dict[str, str]]:
    """The organisation's plan: each step with its last day, and the day on which it was ``done``, if it was.

    ``done`` maps the marks of replies to days.  Empty if the clock has leapt, since no future day is known.
    """
    if visit.leapt:
        return []
    on = {mark: visit.t.day(day) for mark, day in (done or {}).items()}
    return [
        {
            "day": visit.t.day(since + datetime.timedelta(days=step.days)),
            "text": visit.localized(step.text),
            "done": on.get(step.done_by, ""),
        }
        for step in visit.config.plan
    ]


def outside(visit: Visit) -> list[dict[str, str | Markup]]:
    """Other places to turn to, as pages show them."""
    places = visit.config.outside
    return [
        {"name": visit.localized(place.name), "contact": contact(place.contact), "about": visit.localized(place.about)}
        for place in places
    ]


def names(visit: Visit, signed: SignedManifest, ids: Iterable[str]) -> Markup:
    """A list of people with their names and roles in the manifest."""
    return visit.t.listed([person(visit, signed, id) for id in ids])


def person(visit: Visit, signed: SignedManifest, id: str) -> str:
    """A person's name and role, or the id of somebody whom no manifest lists any more."""
    if id == RECOVERY and signed.manifest.recovery:
        return visit.t("reading.reserve", name=signed.manifest.recovery.name)
    reviewer = signed.manifest.reviewer(id) or visit.published.reviewer(id)
    return reviewer.shown(visit.t.code) if reviewer else id


def channels(visit: Visit, signed: SignedManifest) -> list[dict[str, Any]]:
    """The channels as pages show them."""
    return [channel(visit, signed, each) for each in signed.manifest.channels]


def channel(visit: Visit, signed: SignedManifest, entry: Channel) -> dict[str, Any]:
    """One channel as pages show it; ``sent`` is its id, as long as every other channel's, for forms that send no text.

    The length of what is sent then does not tell a tap which one was chosen.
    """
    longest = max(len(each.id) for each in signed.manifest.channels)
    return {
        "id": entry.id,
        "sent": entry.id.ljust(longest),
        "ways": [way for way in (ADVICE, REPORT) if entry in channels_for(signed.manifest, way)],
        "title": visit.localized(entry.title),
        "purpose": visit.localized(entry.purpose),
        "names": names(visit, signed, entry.readers),
        "workstation": entry.workstation,
    }


def tickable(
    visit: Visit, signed: SignedManifest, readers: Sequence[str], only: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Everybody who could read, with a checkbox each to leave them out, in groups: readers, people who could be let in
    later, and the reserve key.  ``only`` restricts it to some ids.
    """
    people = [(reviewer.id, reviewer.shown(visit.t.code)) for reviewer in offered(signed.manifest, visit.day)]
    if signed.manifest.recovery:
        people.append((RECOVERY, signed.manifest.recovery.name))
    ticked = visit.arrived.all("without")
    groups: dict[str, list[dict[str, object]]] = {"reads": [], "could": [], "reserve": []}
    for id, name in people:
        if not only or id in only:
            kind = "reserve" if id == RECOVERY else "reads" if id in readers else "could"
            groups[kind].append({"id": id, "shown": name, "ticked": id in ticked})
    for number, choice in enumerate((choice for group in groups.values() for choice in group), 1):
        choice["control"] = "without" if number == 1 else f"without-{number}"  # problems link to the first
    return [{"kind": kind, "people": group} for kind, group in groups.items() if group]


def files_hint(visit: Visit) -> Markup:
    """How many files, and of what total size, one form accepts."""
    bounds = visit.bounds
    count = visit.t.text("tell.count", bounds.files)
    return visit.t("tell.files_hint", count=count, size=visit.t.size(bounds.upload))


def _shared(visit: Visit) -> dict[str, Any]:
    return {
        "t": visit.t,
        "style": style.SHEET,
        "name": visit.localized(visit.config.name),
        "leave": visit.config.leave,
        "here": flask.url_for("pages.show", language=visit.t.code),
        "comes": _comes(visit),
        "danger": _danger(visit),
        "leapt": visit.leapt,
        "languages": [visit.config.translations[code] for code in visit.config.languages],
    }


def _script(visit: Visit, plain: str) -> dict[str, str]:
    """What the script must know before anything else has come: the pinned roots, and what it says if nothing comes."""
    headers.allow_script()
    roots = " ".join(root.text for root in visit.instance.published.roots)
    texts = {"checking": visit.t.text("script.checking"), "failed": visit.t.text("script.failed")}
    texts["plain"] = visit.t.text(plain)
    return {"roots": roots, **texts}


def _comes(visit: Visit) -> Markup:
    """When messages are picked up next and when somebody reads them, or that reporting is closed; empty if unknown."""
    try:
        comes, hours = pickup(visit, visit.sealing, "page.pickup"), visit.localized(visit.config.hours)
        return Markup("{} {}").format(comes, visit.t("page.hours", hours=hours)) if hours else comes
    except NoManifest:
        return visit.t("page.closed")
    except StoreError:
        return Markup()


def _danger(visit: Visit) -> Markup:
    numbers = [_number(visit, emergency) for emergency in visit.config.emergency]
    return visit.t("page.danger_call", numbers=visit.t.listed(numbers)) if numbers else visit.t("page.danger_local")


def _number(visit: Visit, emergency: Emergency) -> Markup:
    label = visit.localized(emergency.label)
    number = NUMBER.format(emergency.number)
    shown = visit.t("page.danger_number", number=number, label=label) if label else number
    return contact(emergency.number, SENTENCE.format(visit.t.direction, shown))
