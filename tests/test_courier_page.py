"""The courier's page and the sticks that it finds: one button, and no word too early."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from tests.patience import PATIENCE, until
from tests.test_courier import Place, courier, inbox, place
from whistle import sticks
from whistle.cli.courier import courier as command
from whistle.courier import run
from whistle.courier.page.app import create_app
from whistle.courier.page.errand import TAKE_OUT
from whistle.local_page import listening

__all__ = ["place"]  # a fixture
Part = namedtuple("Part", "device mountpoint fstype opts")
WHISTLE = [sys.executable, "-P", "-c", "from whistle.cli.main import main; main()"]


class Sticks:
    """Volumes that the system is made to list; each is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.there: list[Part] = [Part("/dev/disk", "/", "ext4", "rw")]

    def put_in(self, name: str, options: str = "rw,removable") -> Path:
        """Put a stick in, again if it was in before."""
        path = self._folder / name
        path.mkdir(exist_ok=True)
        self.there.append(Part(f"/dev/{name}", str(path), "exfat", options))
        return path

    def take_out(self) -> None:
        """Take all out."""
        del self.there[1:]


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sticks:
    """Where sticks are put in."""
    found = Sticks(tmp_path)
    monkeypatch.setattr(sticks.psutil, "disk_partitions", lambda: list(found.there))
    return found


class Page:
    """The page of a courier, served."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host, self.path = address.removeprefix("http://").split("/", 1)

    def ask(self, where: str = "", fields: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of an answer; with fields a form is sent, as this page sends it."""
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        with contextlib.closing(connection):
            own = {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
            body = None if fields is None else urlencode(fields)
            method = "GET" if body is None else "POST"
            connection.request(method, f"/{self.path}{where}", body, {**(own if body is not None else {}), **headers})
            answer = connection.getresponse()
            self.headers = answer.headers
            return answer.status, re.sub(r"<[^>]*>|\s+", " ", answer.read().decode())

    def says(self, where: str = "", fields: dict[str, str] | None = None) -> str:
        """The text of a page that is there."""
        status, text = self.ask(where, fields)
        assert status in (200, 303), text
        return " ".join(text.split())


@contextlib.contextmanager
def served(folder: Path, stick: Path | None = None) -> Iterator[Page]:
    """The page, while it is served."""
    app = create_app(folder, stick)
    server, address = listening.serve(app, 0, app.config["WHISTLE_PATH"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Page(address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page(place: Place, tmp_path: Path, ports: Sticks) -> Iterator[Page]:
    """The page of the organisation's courier."""
    import datetime

    place.now = datetime.datetime.now(datetime.UTC)
    courier(place, tmp_path / "courier")
    with served(tmp_path / "courier") as found:
        yield found


def test_a_stick_is_asked_about_once_and_then_used(place: Place, page: Page, ports: Sticks) -> None:
    """Nothing is written on a new stick before it has a name; then one button does it all, also the next time."""
    assert "There is no stick." in page.says("stick")
    stick = ports.put_in("usb")
    assert "A stick that is new here" in page.says() and list(stick.iterdir()) == []
    assert "There is no stick." in page.says("exchange", {}) and list(stick.iterdir()) == []
    assert "one line of 1 to 40" in page.says("name", {"folder": str(stick), "name": " "})
    assert list(stick.iterdir()) == []
    page.says("name", {"folder": str(stick), "name": "Blue"})
    assert "The stick Blue is in." in page.says("stick")
    name = place.envelope(place.now.date())
    said = page.says("exchange", {})
    assert said.index("Leave the stick in.") < said.index("gave 1 new thing(s)") < said.index(TAKE_OUT)
    assert name in inbox(stick)
    mark = json.loads((stick / sticks.MARK).read_text())
    assert set(mark) == {"id", "name"} and mark["name"] == "Blue"
    ports.take_out()
    assert "There is no stick." in page.says("stick")
    ports.put_in("usb")
    assert TAKE_OUT in page.says("exchange", {})


def test_only_a_stick_that_is_listed_gets_a_mark(page: Page, ports: Sticks, tmp_path: Path) -> None:
    """A folder that somebody puts into the form is no stick."""
    (tmp_path / "elsewhere").mkdir()
    assert "no longer there" in page.says("name", {"folder": str(tmp_path / "elsewhere"), "name": "x"})
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_not_before_it_is_true(page: Page, ports: Sticks, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the stick cannot be flushed, or goes away, nobody is told to take it out."""
    stick = ports.put_in("usb")
    page.says("name", {"folder": str(stick), "name": "Blue"})
    flushed: list[Path] = []

    def fails(folder: Path) -> None:
        assert next((folder / "inbox").glob("*.tar"))
        flushed.append(folder)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sticks, "flush", fails)
    said = page.says("exchange", {})
    assert flushed == [stick] and TAKE_OUT not in said and "Not finished: the stick: it cannot be read" in said
    monkeypatch.undo()


def test_a_stick_is_noticed_while_the_page_is_open(page: Page, ports: Sticks) -> None:
    """A small page inside asks for itself: no other page can show it, and nothing that somebody types is lost."""
    assert page.ask()[0] == 200 and page.headers["Refresh"] is None
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "There is no stick." in page.says("stick")
    assert int(page.headers["Refresh"]) <= 5 and page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    stick = ports.put_in("usb")
    assert "A stick that is new here is in" in page.says("stick") and list(stick.iterdir()) == []
    page.says("name", {"folder": str(stick), "name": "Blue"})
    assert "The stick Blue is in." in page.says("stick")
    sticks.mark(ports.put_in("other"), "Green")
    both = page.says("stick")
    assert "The stick Blue is in." in both and "A stick that is new here is in" in both


def test_letting_go_is_claimed_only_if_it_is_so(
    page: Page, ports: Sticks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of the system that fails, is missing or lies changes nothing: what counts is what is mounted."""
    stick = ports.put_in("usb")
    page.says("name", {"folder": str(stick), "name": "Blue"})
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    assert "did not let go" in page.says("unmount", {})
    (tmp_path / "programs").mkdir()
    program = tmp_path / "programs" / "udisksctl"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    assert "did not let go" in page.says("unmount", {})
    real = subprocess.run

    def goes(*given: Any, **more: Any) -> Any:
        ports.take_out()
        return real(*given, **more)

    monkeypatch.setattr(sticks.subprocess, "run", goes)
    assert "has let go of the stick" in page.says("unmount", {})


def test_strangers_are_refused(page: Page) -> None:
    """Other paths, other names of this host, other pages' forms, and every script and frame."""
    assert page.ask(Host="evil.example")[0] == 403
    assert page.ask("exchange", {}, Origin="http://evil.example")[0] == 403
    assert page.ask(**{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert page.ask()[0] == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert page.headers["Cache-Control"] == "no-store" and "Werkzeug" not in page.headers["Server"]
    page.path = "other/"
    assert page.ask()[0] == 404


def test_another_exchange_is_under_way(place: Place, page: Page, ports: Sticks) -> None:
    """Who presses twice is told to wait, and the first goes on although its page was closed."""
    stick = ports.put_in("usb")
    page.says("name", {"folder": str(stick), "name": "Blue"})
    goes_on, asked = threading.Event(), threading.Event()

    def waits(application: Any, environ: dict[str, Any], start: Any) -> Any:
        asked.set()
        assert goes_on.wait(PATIENCE)
        return application(environ, start)

    place.between = waits
    connection = http.client.HTTPConnection(page.host, timeout=PATIENCE)
    connection.request("POST", f"/{page.path}exchange", "", {"Origin": f"http://{page.host}"})
    assert asked.wait(PATIENCE)
    answer, shown = connection.getresponse(), b""
    while b"Leave the stick in." not in shown:  # before anything is done
        shown += (more := answer.read1())
        assert more
    connection.close()
    assert "An exchange is under way." in page.says("exchange", {})
    assert "did not let go" in page.says("unmount", {})
    goes_on.set()
    until(lambda: any((stick / "inbox").glob("*.tar")), "the first exchange")


def test_what_is_no_stick_and_no_mark(ports: Sticks, tmp_path: Path) -> None:
    """Disks, discs and read-only sticks are not listed; a mark that is too long, a link or of another form is none."""
    ports.put_in("locked", "ro,removable")
    ports.put_in("disc", "rw,cdrom")
    ports.put_in("disk", "rw")
    assert sticks.mounted() == []
    stick = ports.put_in("usb")
    good = json.dumps({"id": "0" * 32, "name": "Blue"})
    (tmp_path / "good").write_text(good)
    wrong = [good + " " * sticks.MAX_MARK + "x", "[" * 1000, good.replace("0", "x"), good.replace("Blue", "a\\u202eb")]
    for text in [*wrong, "{}", good.replace('"Blue"', "7")]:
        (stick / sticks.MARK).write_text(text)
        assert sticks.marked(stick).id == "", text
    (stick / sticks.MARK).unlink()
    (stick / sticks.MARK).symlink_to(tmp_path / "good")
    assert sticks.marked(stick).id == ""
    (stick / sticks.MARK).unlink()
    os.mkfifo(stick / sticks.MARK)
    assert sticks.marked(stick).id == ""
    (stick / sticks.MARK).unlink()
    (stick / sticks.MARK).write_text(good)
    assert sticks.mounted() == [sticks.Stick(stick, "0" * 32, "Blue")]
    copy = ports.put_in("copy")
    (copy / sticks.MARK).write_text(good)
    assert sticks.usable(sticks.mounted(), {"0" * 32}) == []


def test_the_systems_own_list_is_read() -> None:
    """Without root, on whatever machine this is."""
    assert all(stick.folder.is_dir() for stick in sticks.mounted())


def test_a_flush_reaches_the_file_system(tmp_path: Path) -> None:
    """Where there is no such folder, that is an error and no promise."""
    sticks.flush(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        sticks.flush(tmp_path / "gone")


def test_commands_without_the_sticks_folder(place: Place, page: Page, ports: Sticks, tmp_path: Path) -> None:
    """`exchange` takes the known stick, asks about none without a terminal, and takes neither of two; so does `run`."""
    where = ["--folder", str(tmp_path / "courier")]
    there = run.known(tmp_path / "courier")
    stick = ports.put_in("usb")
    refused = CliRunner().invoke(command, ["exchange", *where])
    assert refused.exit_code == 1 and "no known stick is in" in refused.stderr and there() is None
    assert list(stick.iterdir()) == []
    page.says("name", {"folder": str(stick), "name": "Blue"})
    done = CliRunner().invoke(command, ["exchange", *where])
    assert done.output.splitlines()[-1] == "You may remove the stick." and there() == stick
    page.says("name", {"folder": str(ports.put_in("two")), "name": "Red"})
    assert "more than one known stick" in CliRunner().invoke(command, ["exchange", *where]).stderr and there() is None
    both = CliRunner().invoke(command, ["run", *where, "--stick", str(stick), "--known-stick"])
    assert both.exit_code == 2


def test_the_command_ends_well(place: Place, tmp_path: Path) -> None:
    """`whistle courier open` says where its page is, and Ctrl-C ends it with status 0."""
    courier(place, tmp_path / "courier")
    options = ["--folder", str(tmp_path / "courier"), "--no-browser"]
    with subprocess.Popen([*WHISTLE, "courier", "open", *options], stdout=-1, stderr=-1, text=True) as going:
        assert going.stdout
        address = going.stdout.readline().removeprefix("The courier's page: ").strip()
        assert "Exchange" in Page(address).says()
        going.send_signal(signal.SIGINT)
        said, wrong = going.communicate(timeout=PATIENCE)
    assert (going.returncode, wrong) == (0, "") and said.endswith("Ended.\n")
