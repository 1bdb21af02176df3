"""A connected workstation looks for messages by itself and tells whoever is on duty; nobody else can know."""

import gc
import re
import weakref
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.workstation.carrying import World
from tests.workstation.test_app import HOST, case_of, get, post
from whistle.courier import ServerAway
from whistle.workstation.app.app import create_app
from whistle.workstation.app.desk import Desk
from whistle.workstation.care.rounds import Rounds
from whistle.workstation.cases import case_list
from whistle.workstation.tray import tray


class Line:
    """The line to the server, as an observer sees it: how often somebody goes."""

    def __init__(self, world: World) -> None:
        self.world, self.errands, self.away, self.broken = world, 0, False, False
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self) -> list[str]:
        """One errand."""
        self.errands += 1
        self.meanwhile()
        if self.broken:
            raise RuntimeError
        if self.away:
            raise ServerAway("the server cannot be reached", "try again later")
        self.world.carrier.push(self.world.stick)
        self.world.carrier.inbox(self.world.stick)
        return []


class Duty:
    """A connected workstation with its page, and the hand of its clock."""

    def __init__(self, world: World) -> None:
        self.world, self.line, self.now = world, Line(world), 0.0
        self.app = create_app(world.station("ombuds"), world.stick, self.line, token="t")
        self.page: FlaskClient = self.app.test_client()
        self.desk: Desk = self.app.config["WHISTLE_DESK"]
        self.desk.rest()
        self.rounds = Rounds(self.desk, 300, lambda: self.now)

    def frame(self) -> str:
        """What the frame shows."""
        return get(self.page, "on-duty")

    def wait(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(0, seconds, 10):
            self.now += 10
            self.rounds.step()


@pytest.fixture
def duty(world: World) -> Duty:
    """The ombudsperson's."""
    return Duty(world)


def test_what_is_urgent_is_told_at_once_and_what_is_not_changes_nothing_on_the_line(world: World, duty: Duty) -> None:
    """The beat is the same whatever comes; the frame rings once for each that is new, until the case is read."""
    duty.rounds.step()
    assert duty.line.errands == 1 and "urgent" not in duty.frame() and "Last looked" in duty.frame()
    world.report(text="Next month.")
    duty.wait(290)
    assert duty.line.errands == 1
    duty.wait(10)
    assert duty.line.errands == 2 and "urgent" not in duty.frame()
    who = world.report(text="Tonight.", answers={"urgent": "yes"})
    duty.wait(300)
    assert duty.line.errands == 3
    first, second = duty.frame(), duty.frame()
    assert all("An urgent case has something that nobody has read here." in each for each in (first, second))
    assert ("<audio" in first, "<audio" in second) == (True, False)
    world.follow_up(who, text="They are coming.")
    duty.wait(300)
    assert "<audio" in duty.frame() and duty.line.errands == 4
    station = world.station("ombuds")
    station.resume()
    [urgent] = [each.id for each in case_list.rows(station)[0] if each.urgent]
    assert urgent == who.case.hex()
    names = re.findall(r"/t/case/([0-9a-f]{32})\"", get(duty.page))
    get(duty.page, f"case/{names[0]}")
    get(duty.page)
    assert "urgent" not in duty.frame()


def test_a_reporter_who_was_harmed_is_told_too(world: World, duty: Duty) -> None:
    """What comes first at the desk is told by the desk."""
    who = world.report()
    duty.rounds.step()
    assert "<audio" not in duty.frame()
    world.follow_up(who, text="", answers={"check-in": "happened"})
    duty.wait(300)
    assert "<audio" in duty.frame()


def test_what_comes_after_a_case_was_read_rings_again(world: World, duty: Duty) -> None:
    """However much of it was new before."""
    who = world.report(answers={"urgent": "yes"})
    world.follow_up(who)
    duty.rounds.step()
    assert "<audio" in duty.frame()
    get(duty.page, f"case/{case_of(duty.page)}")
    world.follow_up(who, text="They are at the door.")
    duty.wait(300)
    assert "<audio" in duty.frame()


def test_a_look_signs_nothing_and_is_no_use_of_the_page(world: World, duty: Duty) -> None:
    """The tray stays as it is; a page that nobody uses locks itself, and then nobody goes and nothing is shown."""
    who = world.report(answers={"urgent": "yes"})
    duty.rounds.step()
    get(duty.page)
    post(duty.page, f"case/{case_of(duty.page)}/reply", text="We look into it.", mark="")
    duty.wait(600)
    station = world.station("ombuds")
    station.resume()
    assert [each.what for each in tray.items(station)] == ["reply"] and world.replies(who) == []
    station.rest()
    now = [0.0]
    duty.desk.clocks = (lambda: now[0],)
    duty.desk.touch()
    errands, now[0] = duty.line.errands, duty.desk.idle - 1.0
    duty.wait(300)
    duty.frame()
    now[0] += 2
    duty.desk.tick()
    assert duty.desk.is_locked and duty.line.errands == errands + 1
    duty.wait(600)
    assert duty.line.errands == errands + 1 and "<p" not in duty.frame()


def test_a_server_that_does_not_answer_is_told(duty: Duty) -> None:
    """Silence is not taken for calm; once it answers, the line is gone."""
    duty.line.away = True
    duty.rounds.step()
    assert "The server cannot be reached." in duty.frame() and "Last looked" not in duty.frame()
    duty.line.away = False
    duty.wait(300)
    assert "cannot be reached" not in duty.frame() and "Last looked" in duty.frame()


def test_what_breaks_is_told_and_the_next_round_comes(duty: Duty) -> None:
    """Whatever goes wrong in a round: without the next one nobody would be told of anything again."""
    duty.line.broken = True
    duty.rounds.step()
    assert "Something went wrong here: RuntimeError." in duty.frame()
    duty.line.broken = False
    duty.wait(300)
    assert "went wrong" not in duty.frame() and "Last looked" in duty.frame()


def test_a_page_that_locks_during_a_round_leaves_nothing(duty: Duty) -> None:
    """A server that takes its time would hold what was read in this program's memory."""
    session = weakref.ref(duty.desk.session)

    def lock() -> None:
        duty.world.stations.clear()
        duty.desk.lock()
        gc.collect()
        assert session() is None

    duty.line.meanwhile = lock
    duty.rounds.step()
    assert duty.line.errands == 1 and duty.desk.is_locked and "<p" not in duty.frame()


def test_the_frame_reaches_nothing_and_stands_in_no_page_of_another(world: World, duty: Duty) -> None:
    """It may play our sound and no more; a page that goes by stick has none."""
    frame = duty.page.get("/t/on-duty", base_url=HOST)
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "frame-ancestors 'self'" in policy
    assert (frame.headers["X-Frame-Options"], int(frame.headers["Refresh"]) <= 20) == ("SAMEORIGIN", True)
    page = duty.page.get("/t/", base_url=HOST)
    assert "media-src" not in page.headers["Content-Security-Policy"] and "/t/on-duty" in page.text
    assert page.headers["X-Frame-Options"] == "DENY"
    assert duty.page.get("/t/bell.wav", base_url=HOST).data[:4] == b"RIFF"
    offline = create_app(world.station("ethics"), world.stick, token="t").test_client()
    shown = offline.get("/t/", base_url=HOST)
    assert "on-duty" not in shown.text
