"""The demo: made once, reused, with a report through all of it, and hints for newcomers."""

import datetime
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.patience import PATIENCE
from whistle.ceremony import demo, first_report, server_process
from whistle.ceremony.demo import Addresses, Ports
from whistle.ceremony.root import Keys, RootError
from whistle.ceremony.server_process import ServingError
from whistle.protocol.code import retrieval
from whistle.protocol.trust.manifest import SignedManifest
from whistle.translations import defaults


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def ports() -> Ports:
    """Two free ports."""
    return Ports(free_port(), free_port())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Path:
    """A demo's folder, made with cheap vaults."""
    made = tmp_path_factory.mktemp("demo") / "demo"
    assert demo.prepare(made, ports, profile="test", log_n=10)
    return made


@pytest.fixture(scope="module")
def pages(folder: Path, ports: Ports) -> Iterator[Addresses]:
    """The demo, running."""
    with demo.running(folder, ports) as addresses:
        yield addresses


def newest(folder: Path) -> SignedManifest:
    """The demo's manifest."""
    found = Keys.read(folder / "keys").newest
    assert found
    return found


def press(pages: Addresses, button: str) -> str:
    """Send one of the workstation's forms; the page that follows."""
    origin = re.match(r"http://[^/]+", pages.workstation)
    assert origin
    answer = requests.post(pages.workstation + button, headers={"Origin": origin[0]}, timeout=PATIENCE)
    assert answer.status_code == 200
    return answer.text


def test_a_report_reaches_the_queue_with_one_button(folder: Path, pages: Addresses) -> None:
    """A report to a channel is in the ombudsperson's queue after the courier has run."""
    today = datetime.datetime.now(datetime.UTC).date()
    case = first_report.report(pages.reporter.rstrip("/"), newest(folder), "fraud", today)
    reference = retrieval.reference(bytes.fromhex(case))
    assert reference not in requests.get(pages.workstation, timeout=PATIENCE).text
    assert reference in press(pages, "carry")


@pytest.mark.parametrize("language", demo.LANGUAGES)
def test_the_reporters_page_shows_every_channel(pages: Addresses, language: str) -> None:
    """The channels, and the roles of those who read, stand on the reporter's first page in its language."""
    text = requests.get(f"{pages.reporter}{language}/", timeout=PATIENCE).text
    roles = [defaults.in_languages(defaults.ROLE, person.role)[language] for person in demo.REVIEWERS.values()]
    assert [shown for shown in (*roles, *(each.title[language] for each in demo.CHANNELS)) if shown not in text] == []
    assert language == "en" or "Ethics office" not in text


def test_a_busy_port_gets_a_hint(folder: Path, ports: Ports, pages: Addresses) -> None:
    """A second demo beside the first is told which option to use."""
    with pytest.raises(ServingError, match=str(ports.server)) as error, demo.running(folder, ports):
        pass
    assert "--port" in error.value.hint


def test_it_goes_on_with_its_folder(folder: Path, ports: Ports) -> None:
    """A second start makes nothing anew, and follows when another port is chosen."""
    before = newest(folder).data
    assert not demo.prepare(folder, Ports(4711, ports.workstation))
    assert newest(folder).data == before
    assert 'bind = "127.0.0.1:4711"' in (folder / "server" / "whistle.toml").read_text()
    assert ":4711" in (folder / "courier" / "courier.json").read_text()


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path: Path, ports: Ports) -> None:
    """Somebody else's folder of that name is not touched."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RootError, match="no demo"):
        demo.prepare(tmp_path, ports)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_manifest_that_is_about_to_end_is_followed_by_the_next(
    tmp_path: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three months later a start signs the next manifest and installs it."""
    demo.prepare(tmp_path / "demo", ports, profile="test", log_n=10)
    later = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=90)
    monkeypatch.setattr(demo, "_today", lambda: later)
    demo.prepare(tmp_path / "demo", ports)
    assert newest(tmp_path / "demo").manifest.serial == 2
    assert (tmp_path / "demo" / "server" / "keys" / "manifest-2.json").exists()


def test_what_was_broken_off_is_made_anew(tmp_path: Path, ports: Ports) -> None:
    """A demo that was stopped while its keys were made does not block the next."""
    (tmp_path / "demo.making" / "keys").mkdir(parents=True)
    assert demo.prepare(tmp_path / "demo", ports, profile="test", log_n=10)
    assert not (tmp_path / "demo.making").exists()


def test_the_command_says_what_is_wrong_in_two_lines(tmp_path: Path) -> None:
    """On a busy port the command ends with an error and a hint, without a traceback."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        command = [sys.executable, "-c", "from whistle.cli.main import main; main()", "demo", "--port", port]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["whistle", "hint"]
    assert not (tmp_path / "demo").exists()


def test_ctrl_c_stops_everything(tmp_path: Path, ports: Ports) -> None:
    """One Ctrl-C, sent to all processes as a terminal does, ends the command with 0, and both ports are free."""
    mine = Ports(free_port(), free_port())
    demo.prepare(tmp_path / "demo", mine, profile="test", log_n=10)
    options = ["--port", str(mine.server), "--workstation-port", str(mine.workstation)]
    command = [sys.executable, "-c", "from whistle.cli.main import main; main()", "demo", *options]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    while "Ctrl-C stops both" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert process.stdout.read().endswith("Stopped.\n")
    process.stdout.close()
    for port in (mine.server, mine.workstation):
        server_process.check_free(port, "--port")
