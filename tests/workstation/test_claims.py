"""Who answers a case: whoever writes is seen by colleagues, and two who begin at the same time are told."""

import datetime
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.parties import DAY
from tests.workstation.carrying import World
from tests.workstation.test_app import case_of as name_in
from tests.workstation.test_app import get, post
from tests.workstation.test_ended_keys import dismissed
from tests.workstation.test_hostile import by_ethics, case_of
from whistle.protocol.case.message import Status
from whistle.protocol.code.retrieval import Reporter
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, compose
from whistle.workstation.language import t
from whistle.workstation.tray import drafts, tray

BOTH = "without knowing of the other"


@pytest.fixture
def who(world: World) -> Reporter:
    """Whoever reported the only case, which both reviewers have."""
    who = world.report(without=())
    world.round("ombuds", "ethics")
    return who


@pytest.fixture
def page(world: World, who: Reporter) -> FlaskClient:
    """The page of the ombudsperson."""
    return create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t").test_client()


def warned(world: World, who: Reporter) -> list[bool]:
    """Whether each of the two is told that both have taken the case on."""
    return [any(BOTH in fault for fault in case_of(world, who, id).faults) for id in ("ombuds", "ethics")]


def test_a_reply_opens_its_case_and_says_who_answers(world: World, who: Reporter) -> None:
    """For colleagues with the same exchange; labels and an agreed day stay, and a second reply states nothing more."""
    station, day = world.station("ombuds"), DAY + datetime.timedelta(days=30)
    compose.status(station, case_of(world, who), "triage", labels=["bribes"], deadline=day)
    tray.reply(station, case_of(world, who), "We look into it.", mark="feedback")
    assert tray.claims(station, who.case.hex()) and case_of(world, who).status == "triage"
    world.round("ombuds", "ethics")
    for id in ("ombuds", "ethics"):
        case = case_of(world, who, id)
        assert (case.status, case.claimed, case.faults) == ("open", "ombuds", [])
        assert case.standing and (case.standing.labels, case.standing.deadline) == (("bribes",), day)
    assert [row.claimed for row in case_list.rows(world.station("ethics"))[0]] == ["ombuds"]
    before = len(case_of(world, who).entries)
    tray.reply(station, case_of(world, who), "Once more.")
    tray.reply(world.station("ethics"), case_of(world, who, "ethics"), "I too.")
    world.round("ombuds", "ethics", "ombuds")
    assert len(case_of(world, who).entries) == before + 2 and case_of(world, who).claimed == "ombuds"
    compose.status(station, case_of(world, who), "closed", claimed="ombuds")
    tray.reply(station, case_of(world, who), "Good-bye.")
    world.round("ombuds")
    assert case_of(world, who).status == "closed"


def test_a_draft_is_seen_too_unless_it_is_discarded_before(world: World, who: Reporter, page: FlaskClient) -> None:
    """It stands in the tray until the exchange; a reply that is made of it says so itself."""
    station, name = world.station("ombuds"), name_in(page)
    said = post(page, f"case/{name}/reply", text="Dear", mark="", keep="draft")
    assert "colleagues see that you answer this case" in said and "You answer it" in get(page, "tray")
    post(page, f"case/{name}/reply", text="Dear reporter", mark="", keep="draft")
    assert [each.what for each in tray.items(station)] == ["claim"]
    post(page, f"case/{name}/discard/reply")
    assert tray.items(station) == []
    post(page, f"case/{name}/note", text="Hm", keep="draft")
    assert tray.items(station) == []
    post(page, f"case/{name}/reply", text="Dear reporter", mark="", keep="draft")
    post(page, f"case/{name}/reply", text="Dear reporter.", mark="")
    assert [each.what for each in tray.items(station)] == ["reply"] and t("transcript.follows") in get(page, "tray")
    assert '<option value="ombuds" selected>' in get(page, f"case/{name}")  # so that a status names no less
    tray.take_back(station, tray.items(station)[0].id)
    post(page, f"case/{name}/reply", text="Dear", mark="", keep="draft")
    world.round("ombuds", "ethics")
    assert case_of(world, who, "ethics").claimed == "ombuds" and case_of(world, who, "ethics").status == "new"
    assert drafts.of(station, who.case.hex(), "reply")["text"] == "Dear"


def test_two_who_take_a_case_on_at_once_are_both_told(world: World, who: Reporter) -> None:
    """In whatever order that comes, until somebody who knows of both states who answers."""
    for id in ("ombuds", "ethics"):
        tray.reply(world.station(id), case_of(world, who, id), "I answer.", mark="acknowledgement")
        assert tray.sign(world.station(id)).signed == 1  # before anything of the other has come
    assert warned(world, who) == [False, False]
    world.round("ombuds", "ethics", "ombuds")
    assert warned(world, who) == [True, True]
    assert [row.faults for row in case_list.rows(world.station("ombuds"))[0]] == [True]
    case = case_of(world, who)
    for order in (case.entries, case.entries[::-1]):
        assert replace(case, entries=order).taken_on == ("ethics", "ombuds")
    compose.status(world.station("ombuds"), case, "open", claimed="ethics")
    world.round("ombuds", "ethics")
    assert warned(world, who) == [False, False] and case_of(world, who).claimed == "ethics"


def test_a_claim_waits_if_a_colleagues_has_come(world: World, who: Reporter, page: FlaskClient) -> None:
    """It says so, and goes when its author says so; the page warns before anything is written."""
    name = name_in(page)
    assert "I answer it" in get(page, f"case/{name}")
    post(page, f"case/{name}/claim")
    assert "waits in the tray" in get(page, f"case/{name}") and not tray.claim(
        world.station("ombuds"), case_of(world, who)
    )
    tray.claim(world.station("ethics"), case_of(world, who, "ethics"))
    world.round("ethics")
    said = "\n".join(world.round("ombuds")[0].lines())
    assert "Stays in the tray: You answer it" in said and "Meanwhile ethics has taken this case on." in said
    shown = get(page, f"case/{name}")
    assert "(ethics) answers this case." in shown and "does not get two answers" in shown
    [held] = tray.items(world.station("ombuds"))
    tray.release(world.station("ombuds"), held.id)
    world.round("ombuds", "ethics")
    assert case_of(world, who, "ethics").claimed == "ombuds" and warned(world, who) == [False, False]
    assert "answers this case." not in get(page, f"case/{name}") and "(you)" in get(page, f"case/{name}")


def test_nobody_is_named_who_does_not_read_the_case(world: World, who: Reporter) -> None:
    """A colleague's own program can claim for anybody; strangers' ids are passed over."""
    compose.status(world.station("ombuds"), case_of(world, who), "open", claimed="ombuds")
    world.send(by_ethics(world, who, Status, status="open", claimed="x" * 32, text=""), ("ombuds",))
    world.round("ombuds")
    assert warned(world, who)[0] is False and case_of(world, who).taken_on == ("ombuds",)


def test_somebody_who_has_left_answers_nothing(world: World, who: Reporter) -> None:
    """The next who replies takes their case on."""
    compose.status(world.station("ethics"), case_of(world, who, "ethics"), "open", claimed="ethics")
    world.round("ethics", "ombuds")
    station = world.station("ombuds")
    assert tray.answered_by(station, case_of(world, who)) == "ethics"
    world.carrier.manifests = [world.org.known, dismissed(world)]
    world.round("ombuds")
    assert tray.answered_by(station, case_of(world, who)) == ""
    tray.reply(station, case_of(world, who), "I answer now.")
    world.round("ombuds")
    assert tray.answered_by(station, case_of(world, who)) == "ombuds"


def test_a_reply_in_a_closed_case_does_not_hide_what_came_meanwhile(world: World, who: Reporter) -> None:
    """Nothing states once more that it is closed, as if its author had read what the same exchange brings."""
    station = world.station("ombuds")
    compose.status(station, case_of(world, who), "closed")
    world.round("ombuds", "ombuds")
    assert not tray.claim(station, case_of(world, who))
    tray.reply(station, case_of(world, who), "Good-bye.")
    world.follow_up(who)
    world.round("ombuds")
    case = case_of(world, who)
    assert len(case.replies) == 1 and case.status == "closed" and case.reopened
    assert sum(each.message.kind == "status" for each in case.entries) == 1
