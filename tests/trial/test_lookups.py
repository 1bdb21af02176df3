"""Lookups tell nobody on the wire what they found: answers of one size, at times that are hardly told apart.

Times are compared in a trial, which has the machine for itself; sizes always.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Visitor, answer, opened, site, store_of
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL, full
from whistle.protocol.case.message import Report
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.server.config import Config, Rate

SAMPLES = full("LOOKUPS", 10_000, 4)
BEAT = 0.05  # seconds
PAGES = full("LOOKUPS_PAGES", 10_000, 4)
SLOTS = 8
OFTEN = Rate("1000000 per second", "1000000 per second")
OCTETS = "application/octet-stream"
REPLIES = 6
NEAR = 0.0005  # seconds between usual times
Ask = Callable[[], Callable[[], bytes]]  # gets all ready; what it gives asks and is timed


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation."""
    return parties.organisation()


@pytest.fixture(params=[0.0, BEAT], ids=["at once", "on the beat"])
def app(request: pytest.FixtureRequest, tmp_path: Path, org: parties.Organisation) -> Iterator[flask.Flask]:
    """A server that refuses nothing for being asked too often."""
    rates = dict.fromkeys(Config(tmp_path).rates, OFTEN)
    found = site(tmp_path, org, rates=rates, beat=request.param)
    yield found
    store_of(found).close()


def reported(app: flask.Flask, org: parties.Organisation, replies: int) -> Reporter:
    """Somebody with a report, and so many replies to it."""
    text = f"The report of {os.urandom(4).hex()}."
    who = derive(words.decode(Visitor(app).tell(text).words))
    messages = (each.message for each in opened(app, org, "ombuds"))
    report = next(each for each in messages if isinstance(each, Report) and each.text == text)
    for n in range(replies):
        answer(app, org, who, report, n=n, seq=n, prev="ab" * 32 if n else None)
    return who


def likelier(one: Sequence[float], other: Sequence[float]) -> float:
    """How probable it is that a time of the one is longer than a time of the other: 1/2 if nothing tells them apart."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(place for place, (_, which) in enumerate(ranked, 1) if which == 0)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


def chance(count: int) -> float:
    """Five standard deviations of `likelier` for that many of each (Mann and Whitney), and two in a hundred more."""
    return 5 * math.sqrt((2 * count + 1) / (12 * count * count)) + 0.02


def times(asks: Mapping[str, Ask], count: int) -> dict[str, list[float]]:
    """The seconds that each takes, asked in turn in a new order each round; all answers must be of one size."""
    found: dict[str, list[float]] = {name: [] for name in asks}
    sizes = set()
    for _ in range(count):
        for name in random.sample(list(asks), len(asks)):
            ask = asks[name]()
            begun = time.perf_counter()
            body = ask()
            found[name].append(time.perf_counter() - begun)
            sizes.add(len(body))
    assert len(sizes) == 1
    return found


def by_page(app: flask.Flask, who: Callable[[], Reporter]) -> Ask:
    """A lookup with script off."""

    def ready() -> Callable[[], bytes]:
        body = f"step=look&words={'+'.join(map(str, words.numbers(who().code)))}".encode()
        return lambda: asked(app, "/en/", body, "application/x-www-form-urlencoded")

    return ready


def by_program(app: flask.Flask, path: str, body: Callable[[], bytes]) -> Ask:
    """A question of a program's."""

    def ready() -> Callable[[], bytes]:
        given = body()
        return lambda: asked(app, f"/api/{path}", given, OCTETS)

    return ready


def asked(app: flask.Flask, path: str, body: bytes, kind: str) -> bytes:
    """The body of an answer."""
    found = app.test_client().post(path, data=body, content_type=kind)
    assert found.status_code == 200
    return bytes(found.data)


def stranger() -> Reporter:
    """Somebody under whose words nothing is stored."""
    return derive(os.urandom(16))


def usual(some: Sequence[float]) -> float:
    """The median."""
    return sorted(some)[len(some) // 2]


def shown(found: Mapping[str, Sequence[float]], against: str, measured: Measure) -> dict[str, float]:
    """Note the usual times; how likely each is to be longer than `against`."""
    for name, some in found.items():
        measured(f"{name}, usual ms", f"{1000 * usual(some):.2f}")
    told = {name: likelier(some, found[against]) for name, some in found.items() if name != against}
    for name, much in told.items():
        measured(f"{name} is slower than {against}", f"{much:.3f} (1/2 is no difference)")
    return told


def test_pages_of_lookups(app: flask.Flask, org: parties.Organisation, measured: Measure) -> None:
    """Unknown words, a case without reply and one with six: pages of one size, on the beat at the same times."""
    none, six = reported(app, org, 0), reported(app, org, REPLIES)
    asks = {"nothing": stranger, "no reply": lambda: none, "six replies": lambda: six}
    paced = bool(app.extensions["whistle"].config.beat)
    count = PAGES if paced else SAMPLES
    found = times({name: by_page(app, who) for name, who in asks.items()}, count)
    told = shown(found, "nothing", measured)
    if not TRIAL:
        return
    if paced:
        assert all(abs(usual(found[name]) - usual(found["nothing"])) < NEAR for name in asks)
    else:
        assert told["six replies"] > 0.6, "without a beat the work shows: the test can see it"


@pytest.mark.parametrize("app", [0.0], indirect=True)
def test_lookups_of_programs(app: flask.Flask, org: parties.Organisation, measured: Measure) -> None:
    """By program, up to six replies look in size like none, and cost little more."""
    none, six = reported(app, org, 0), reported(app, org, REPLIES)
    strangers = [b"".join(stranger().lookup_ids(SLOTS)) for _ in range(200)]
    asks = {
        "nothing": lambda: random.choice(strangers),
        "no reply": lambda: b"".join(none.lookup_ids(SLOTS)),
        "six replies": lambda: b"".join(six.lookup_ids(SLOTS)),
    }
    found = times({name: by_program(app, "lookup", ids) for name, ids in asks.items()}, SAMPLES)
    shown(found, "nothing", measured)
    assert not TRIAL or usual(found["six replies"]) - usual(found["nothing"]) < 10 * NEAR


@pytest.mark.parametrize("app", [0.0], indirect=True)
def test_the_first_lookup_and_the_thousandth(app: flask.Flask, measured: Measure) -> None:
    """Nothing is remembered of a lookup: words never typed before take as long as words typed a thousand times."""
    often = stranger()
    again = by_page(app, lambda: often)
    for _ in range(full("LOOKUPS_BEFORE", 1000, 4)):
        again()()
    told = shown(times({"first": by_page(app, stranger), "thousandth": again}, SAMPLES), "first", measured)
    assert not TRIAL or abs(told["thousandth"] - 0.5) < chance(SAMPLES)


@pytest.mark.parametrize("app", [0.0], indirect=True)
def test_right_and_wrong_tokens(app: flask.Flask, org: parties.Organisation, measured: Measure) -> None:
    """To withdraw with the tokens of a report that was collected, or with none that exist, is answered in one byte."""
    who = reported(app, org, 0)
    store_of(app).collect([who.report_id])
    asks = {"wrong": lambda: os.urandom(16), "right": lambda: who.report_token}
    found = times({name: by_program(app, "withdraw", tokens) for name, tokens in asks.items()}, SAMPLES)
    shown(found, "wrong", measured)
    assert not TRIAL or abs(usual(found["right"]) - usual(found["wrong"])) < NEAR
