"""A check-in, from the desk's text to the reporter's one choice; and retaliation that is reported to others."""

import re
from pathlib import Path

from tests.office import working
from tests.parties import DAY
from tests.server.visitor import Visitor, turn
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive, reference
from whistle.protocol.reporter.questions import HOW
from whistle.server.instance import here
from whistle.workstation.care import check_ins, links
from whistle.workstation.cases import compose, overview
from whistle.workstation.duties import plan


def test_a_reporter_is_asked_and_answers_by_one_choice(tmp_path: Path) -> None:
    """The desk asks in their language after a month; the choice alone, without script, brings the case up first."""
    with working(tmp_path) as office:
        reporter = Visitor(office.app, "ar").tell("حدث ذلك في المصعد.")
        typed, who = reporter.words, derive(words.decode(reporter.words))
        office.round("ombuds")
        station = office.stations["ombuds"]
        compose.reply(station, office.case("ombuds", who.case.hex()), "شكرًا.", mark="acknowledgement")
        office.round("ombuds", "ombuds")
        office.clock.day = day = DAY.replace(month=12)
        with office.app.app_context():
            turn(here(), day)
        due = plan.to_check_in(plan.due(station), day)
        assert due == [who.case.hex()] and check_ins.prepare(station, due).done == 1
        office.round("ombuds", "ombuds")
        reporter.come_back(typed)
        assert "نودّ أن نعرف كيف حالك." in reporter.text and "هل حدث لك شيء بسبب البلاغ؟" in reporter.text
        sent = re.findall(r'name="answer-check-in" value="([^"]+)"', reporter.html)
        assert [each.strip() for each in sent] == [*HOW]
        assert len(set(map(len, sent))) == 1  # a tap sees how much is sent
        reporter.step("follow-up", {"text": "", "answer-check-in": sent[-1]})
        assert reporter.answer.status_code == 200
        office.round("ombuds")
        case = office.case("ombuds", who.case.hex())
        assert case.harmed and [each.what for each in case.deadlines] == ["check-in", "feedback"]
        assert overview.queue(station)[0].id == case.id
        for _ in range(2):  # nobody says so who does not choose one of the three
            reporter.come_back(typed).step("follow-up", {"text": "", "answer-check-in": "other   "})
        assert reporter.answer.status_code == 422


def test_it_happens_again_on_the_day_of_the_answer(tmp_path: Path) -> None:
    """The same choice is another message, which brings the case up first again; the same form again is none."""
    with working(tmp_path) as office:
        reporter = Visitor(office.app).tell("He took the money.")
        typed, name = reporter.words, derive(words.decode(reporter.words)).case.hex()
        Visitor(office.app).tell("The lift is broken.")
        station = office.stations["ombuds"]
        office.round("ombuds")
        for times in (1, 2, 3):
            form = reporter.come_back(typed).page
            for _ in range(2):
                reporter.page = form
                reporter.step("follow-up", {"text": "", "answer-check-in": "happened"})
                assert reporter.answer.status_code == 200
            office.round("ombuds")
            case = office.case("ombuds", name)
            assert len(case.by_reporter) == 1 + times and case.harmed
            assert overview.queue(station)[0].id == name
            compose.reply(station, case, "We are with you.")
            office.round("ombuds", "ombuds")
            assert not office.case("ombuds", name).harmed


def test_retaliation_is_reported_to_others_and_linked_where_both_are_read(tmp_path: Path) -> None:
    """It names the earlier case; a desk that reads one of the two learns nothing of the other."""
    with working(tmp_path) as office:
        first = Visitor(office.app).tell("He took the money.")
        old = derive(words.decode(first.words))
        second = Visitor(office.app).tell("He moved me to the cellar.", **{"answer-earlier": reference(old.case)})
        new = derive(words.decode(second.words))
        third = Visitor(office.app).tell("And again.", channel="fraud", **{"answer-earlier": reference(old.case)})
        other = derive(words.decode(third.words))
        office.round("ombuds", "counsel")
        both = links.of(office.stations["ombuds"], office.case("ombuds", old.case.hex()))
        assert [each.case for each in both] == [new.case.hex()] and "Somebody says in case" in both[0].text
        [elsewhere] = links.of(office.stations["counsel"], office.case("counsel", other.case.hex()))
        assert elsewhere.case == "" and "not on this computer" in elsewhere.text
        first.come_back(first.words).step("follow-up", {"text": "", "answer-earlier": reference(new.case)})
        assert first.answer.status_code == 422  # a reference alone says nothing
        first.step("follow-up", {"text": "I wrote again.", "answer-earlier": reference(new.case)})
        office.round("ombuds")
        [link] = links.of(office.stations["ombuds"], office.case("ombuds", new.case.hex()))
        assert "name each other" in link.text and link.case == old.case.hex()
