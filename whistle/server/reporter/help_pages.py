"""What to know before writing, and where to find help: steps of the form, so that no topic stands in a history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flask
from markupsafe import Markup

from whistle.server.places import PURPOSES, Place
from whistle.server.reporter.links import contact
from whistle.server.reporter.render import Visit, outside, page, plan
from whistle.server.topics import Topic
from whistle.translations import cldr


@dataclass(frozen=True)
class Shown:
    """A country as the page shows it: names and numbers by purpose, the numbers as links to dial."""

    country: str
    emergency: Markup
    lines: Mapping[str, Sequence[tuple[str, Markup]]]


def topics(visit: Visit) -> Sequence[Topic]:
    """The guidance in this visit's language, or else in English, or none."""
    every = visit.config.guidance
    return every.get(visit.t.code) or every.get("en") or ()


def offered(visit: Visit) -> list[str]:
    """The steps of this module that have something to show."""
    return ["guidance"] * bool(topics(visit)) + ["places"] * bool(visit.config.places)


def guidance(visit: Visit) -> flask.Response:
    """The topics, closed until they are opened in place."""
    return page(visit, "guidance.html", topics=topics(visit), plan=plan(visit, visit.day))


def places(visit: Visit) -> flask.Response:
    """Numbers to call, by country: all of them in one page, so that nobody learns which was looked at."""
    shown = [_shown(visit, place) for place in visit.config.places]
    return page(visit, "places.html", places=sorted(shown, key=lambda each: each.country), outside=outside(visit))


def _shown(visit: Visit, place: Place) -> Shown:
    lines = {
        purpose: [(line.name, contact(line.number)) for line in place.lines if line.purpose == purpose]
        for purpose in PURPOSES
    }
    return Shown(cldr.country_name(visit.t.code, place.country), contact(place.emergency), lines)


STEPS = {"guidance": guidance, "places": places}
