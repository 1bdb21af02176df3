"""A reply across the air gap, with both pages in real browsers: what it costs a person, action by action."""

from pathlib import Path

import pytest

from tests.browser.remote import Remote, remote
from tests.browser.serving import serving
from tests.office import Office, working
from tests.server.visitor import Visitor
from tests.test_courier_page import Sticks, ports, served
from tests.workstation.test_app import HOST, ORIGIN
from whistle import sticks
from whistle.courier import Courier
from whistle.courier.exchange import Progress, quiet
from whistle.courier.page import errand
from whistle.workstation.app.app import create_app

__all__ = ["ports"]  # a fixture
pytestmark = pytest.mark.browser
MOST = 7  # actions, once the reply is written


class Person:
    """Somebody who presses keys and moves a stick, and whose actions are counted."""

    def __init__(self, ports: Sticks) -> None:
        self._ports = ports
        self.done: list[str] = []

    def put_in(self) -> None:
        """The stick; the other computer's ports are empty then, since there is one stick."""
        self._ports.put_in("usb")
        self.done.append("put it in")

    def take_out(self) -> None:
        """The stick."""
        self._ports.take_out()
        self.done.append("take it out")

    def press(self, page: Remote, button: str, then: str) -> None:
        """A button, by keyboard, until the page says something."""
        page("leads", button, "keyboard")
        page("see", then)
        self.done.append(f"press {button}")


def test_a_reply_crosses_the_gap_in_seven_actions(
    tmp_path: Path, ports: Sticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written at the workstation and read by the reporter: *reply*, stick in, *Exchange*, stick out, and the same three
    at the courier; nothing is looked for, and nobody goes back to another page.
    """
    with working(tmp_path) as office:
        monkeypatch.setattr(errand, "Courier", lambda folder, progress=quiet: at(office, folder, progress))
        words = Visitor(office.app).tell("It happened in the lift.").words
        know(office, ports)
        app = create_app(office.stations["ombuds"], None, token="t")
        ports.put_in("usb")
        office.courier.exchange(tmp_path / "usb")
        app.test_client().post("/t/exchange", base_url=HOST, headers=ORIGIN)
        office.courier.exchange(tmp_path / "usb")
        ports.take_out()
        with (
            serving(app) as (address, _),
            served(tmp_path / "courier") as page,
            remote("chrome", address, scene="desk") as desk,
            remote("chrome", page.address.rstrip("/")) as courier,
        ):
            courier("goto", page.address)
            for text in ("We look into it.", "We looked into it."):  # again, from where the first left both pages
                desk("goto", f"{address}/t/")
                desk("leads", ".queue a")
                desk("type", "#reply-text", text)
                person = Person(ports)
                person.press(desk, "#reply > button", ".said.good")
                carry(person, desk, courier)
                assert len(person.done) <= MOST, person.done
                assert text in Visitor(office.app).come_back(words).html


def at(office: Office, folder: Path, progress: Progress) -> Courier:
    """The page's courier, by the office's clock."""
    return Courier(folder, progress, lambda: office.clock().timestamp())


def know(office: Office, ports: Sticks) -> None:
    """Both programs know the one stick."""
    stick = sticks.mark(ports.put_in("usb"), "Blue")
    for own in (office.stations["ombuds"].vault.folder, office.where / "courier"):
        sticks.remember(own, stick)
    ports.take_out()


def carry(person: Person, desk: Remote, courier: Remote) -> None:
    """The stick goes to the workstation, then to the courier."""
    person.put_in()
    person.press(desk, "header form[action$=exchange] button, header form[action$=carry] button", ".exchange")
    desk("says", "You may take the stick out.")
    person.take_out()
    person.put_in()
    person.press(courier, "form[action$=exchange] button", "[role=status]")
    courier("says", "You may take the stick out.")
    person.take_out()
