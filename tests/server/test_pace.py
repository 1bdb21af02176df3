"""The beat on which lookups are answered."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parties import Organisation
from tests.server.visitor import Clock, Visitor, site, store_of
from whistle.server.reporter.timing import on_the_beat


@pytest.mark.parametrize(("work", "wait"), [(0.0, 0.0), (0.01, 0.24), (0.2, 0.05), (0.26, 0.24)])
def test_what_is_left_of_the_beat_is_waited(work: float, wait: float) -> None:
    """However long the work takes, the answer comes a whole number of beats after its beginning."""
    times, slept = iter([100.0, 100.0 + work]), []
    assert on_the_beat(0.25, lambda: "found", lambda: next(times), slept.append) == "found"
    assert slept == [pytest.approx(wait)]


def test_without_a_beat_nothing_is_waited() -> None:
    """A beat of 0 is none."""
    assert on_the_beat(0, lambda: "found", sleep=lambda _: pytest.fail("it waited")) == "found"


@pytest.mark.parametrize("words", ["", "1 2 3", " ".join(["1"] * 12)], ids=["none", "three", "twelve"])
def test_a_lookup_keeps_the_beat(tmp_path: Path, org: Organisation, words: str) -> None:
    """The page that answers a lookup comes no sooner than the beat, whatever was typed."""
    app = site(tmp_path, org, Clock(), beat=0.3)
    visitor = Visitor(app).step("replies")
    begun = time.monotonic()
    visitor.step("look", {"words": words})
    assert time.monotonic() - begun >= 0.3
    store_of(app).close()


def test_whoever_waits_for_the_beat_leaves_their_turn(tmp_path: Path, org: Organisation) -> None:
    """Else a few wrong words a second would close lookups and reporting: a lane has few turns."""
    noted: list[str] = []

    class Socket:
        @contextlib.contextmanager
        def waiting(self) -> Iterator[None]:
            noted.append("leaves")
            yield
            noted.append("takes it again")

    app = site(tmp_path, org, Clock(), beat=0.01)
    for step in ("look", "follow-up"):
        sent = {"step": step, "words": "none of these"}
        app.test_client().post("/en/", data=sent, environ_overrides={"gunicorn.socket": Socket()})
    assert noted == ["leaves", "takes it again"] * 2
