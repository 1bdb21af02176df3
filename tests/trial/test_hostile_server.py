"""The hostile server: it hides what it has, and serves what is old; what reporters, couriers and reviewers then see."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.visitor import hide
from tests.trial.stage import Stage, Told, node, staged
from whistle.courier.errors import BadServer
from whistle.protocol.code.retrieval import place_ids
from whistle.server.instance import NAME
from whistle.store import Store
from whistle.workstation.cases import compose

THEN = "Look again in some days. If this still stands here then"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One organisation for all; each test has a case of its own."""
    with node() as peer, staged(tmp_path_factory.mktemp("stage"), peer) as made:
        yield made


@pytest.fixture
def told(stage: Stage) -> Told:
    """A report that its readers have answered, one after the other."""
    found = stage.tell()
    for id, text in (("ombuds", "The first."), ("ombuds", "The second."), ("ethics", "The third.")):
        found.reply(id, text)
    return found


@pytest.mark.parametrize(
    ("hidden", "line"),
    [
        ([(0, 0)], "An earlier reply from Ombudsperson is not here."),
        ([(0, 0), (0, 1)], "Ethics office says they have read a reply from Ombudsperson that is not here."),
        ([(1, 0)], ""),
    ],
    ids=["the first of two", "all of one reader", "the newest"],
)
def test_a_reply_that_the_server_hides_shows_as_soon_as_another_names_it(
    told: Told, monkeypatch: pytest.MonkeyPatch, hidden: list[tuple[int, int]], line: str
) -> None:
    """A server hides some of the replies from the reporter.

    Page, program and browser say whose reply is not here, who has read it, and what to do.  The newest, which nobody
    has named yet, can be hidden without a trace.
    """
    for lane, n in hidden:
        hide(monkeypatch, place_ids(told.who.replies, lane)[n])
    page, program = told.page(), told.program().output
    for shown in (page, program):
        assert (line in shown, THEN in shown) == (True, bool(line)) and "could not be checked" not in shown
    if told.stage.peer:
        assert len(told.browser()["missing"]) == bool(line)


def test_a_server_that_hides_the_slip_gets_no_follow_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server hides the slip, so that a colluding reader's reply could say who reads the case.

    The reporter reads that it is damaged or missing, and can add nothing to this case.
    """
    visitor = told.come_back()
    hide(monkeypatch, told.who.slip_id)
    assert "Nobody who may read your case" in visitor.step("follow-up", {"text": "Is anybody there?"}).text
    page = told.come_back()
    assert "damaged or missing" in page.text and not [form for form in page.page.forms if "follow-up" in form.steps]
    assert len(told.case("ombuds").by_reporter) == 1


def test_a_server_that_keeps_a_follow_up_from_a_later_courier(
    stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server gives a follow-up to one courier and hides it from the next.

    The reader who lacks it reads, with a colleague's note, that a message has not come, and gets it by a grant.
    """
    told.come_back().step("follow-up", {"text": "It happened again on Monday."})
    stage.office.round("ethics")
    told.note("ethics")
    stage.office.exchange("ethics")
    stage.office.courier.push(stage.office.stick("ethics"))
    honest = Store.day_ids
    spy, bodies = told.rogue("ethics"), stage.office.app.extensions[NAME].store.body

    def hiding(self: Store, day: datetime.date, *page: Any) -> Any:
        found = honest(self, day, *page)
        left = [id for id in found.envelopes if not _is_follow_up(spy.reads(bodies(id) or b""))]
        return type(found)(left, found.blocks)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "day_ids", hiding)
        stage.office.round("ombuds")
    [line] = told.faults("ombuds")
    assert line.startswith("ethics says they have read a message in this case that has not come here")
    compose.grant_whole(stage.office.stations["ethics"], told.case("ethics"), "ombuds")
    stage.office.exchange("ethics")
    stage.office.courier.push(stage.office.stick("ethics"))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "day_ids", hiding)
        stage.office.round("ombuds")
    assert told.faults("ombuds") == [] and any("again on Monday" in each for each in told.shown("ombuds"))


def _is_follow_up(signed: Any) -> bool:
    return signed is not None and signed.message.kind == "follow-up"


def test_an_old_manifest_is_taken_by_nobody_who_saw_a_newer_one(tmp_path: Path) -> None:
    """A server serves the manifest of before, which still lists somebody who was removed.

    A courier that saw the newer one refuses the server; what a workstation has stays, and it seals by the newer one.
    """
    with staged(tmp_path, None) as stage:
        old = stage.published()
        told, office = stage.tell(), stage.office
        office.install(collection=("friday",))
        office.round()
        stage.serve(old)
        with pytest.raises(BadServer):
            office.courier.pull(office.stick("ombuds"))
        told.note("ombuds")
        assert told.case("ombuds").messages[-1].message.keys == office.org.known.keys
