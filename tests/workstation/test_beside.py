"""Commands while the page is open and unlocked, and the page while a command is at work: all of them as programs."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parties import organisation, report, reporter, sealed
from tests.patience import PATIENCE
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.test_app import case_of, get, post
from tests.workstation.test_commands import Desk, two_lines
from tests.workstation.test_terminal import Terminal
from whistle.protocol.case import message
from whistle.workstation.app.app import create_app
from whistle.workstation.workstation import utc_today

CODE = "from whistle.cli.main import main; main()"


class Page:
    """The page of a workstation, served by a program of its own and unlocked."""

    def __init__(self, desk: Desk) -> None:
        reading, writing = os.pipe()
        os.write(writing, PASSPHRASE.encode() + b"\n")
        os.close(writing)
        command = [sys.executable, "-uc", CODE, "workstation", "open", str(desk.stick)]
        command += ["--passphrase-fd", str(reading), "--saved", str(desk.folder / "saved")]
        environment = {**os.environ, "WHISTLE_WORKSTATION": str(desk.folder / "vault")}
        self.program = subprocess.Popen(command, pass_fds=[reading], env=environment, text=True, stdout=subprocess.PIPE)
        os.close(reading)
        assert self.program.stdout
        self.address = self.program.stdout.readline().split()[-1]

    def __call__(self, path: str = "", **fields: str) -> str:
        """A page, or what comes of a form."""
        origin = {"Origin": "/".join(self.address.split("/")[:3])}
        body = urllib.parse.urlencode(fields).encode() if fields else None
        request = urllib.request.Request(self.address + path, body, origin if fields else {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return str(refused.read().decode())

    def case(self) -> str:
        """The only case's name in addresses."""
        [name] = re.findall(r'case/([0-9a-f]{32})"', self())
        return str(name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The ombudsperson's workstation, with one report and its file, and nothing else running."""
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world", organisation(utc_today()), day=utc_today())
    world.carrier.today = utc_today()
    blocks, record = attach(b"a photograph")
    world.carrier.put_blocks(blocks)
    who = reporter()
    found = report(who, world.org, text="The third floor, in May.", attachments=(record,), day=utc_today())
    world.carrier.put(sealed(message.sign(found, who.signing), world.org, ("ombuds", "ethics"), utc_today()))
    world.round("ombuds")
    world.close()
    desk = Desk(tmp_path)
    (tmp_path / "world" / "ombuds").rename(tmp_path / "vault")
    world.carrier.inbox(desk.stick)
    return desk


@contextlib.contextmanager
def opened(desk: Desk) -> Iterator[Page]:
    """Its page, until the end."""
    page = Page(desk)
    with page.program:
        try:
            yield page
        finally:
            page.program.send_signal(signal.SIGINT)
            page.program.wait(PATIENCE)


def test_every_command_works_beside_the_page(desk: Desk) -> None:
    """Each does what it does without a page, for whoever has the passphrase; the page shows what came of it at once,
    and commands see what the page did."""
    with opened(desk) as page:
        assert "third floor" in page()
        reference = desk.run("cases").stdout.split()[0]
        for arguments, said in [
            (("show", reference), ""),
            (("import", desk.stick), ""),
            (("exchange", desk.stick), ""),
            (("reply", reference), "We look into it."),
            (("note", reference), "Between us."),
            (("status", reference, "--set", "open", "--label", "plausible", "--yes"), ""),
            (("grant", reference, "counsel", "--yes"), ""),
            (("tray", "1", "--text-file", "-"), "We looked into it."),
            (("sent",), ""),
            (("attachments", "save", reference, "--to", desk.folder / "files"), ""),
            (("export", reference, "--to", desk.folder / "out"), ""),
            (("public", "--to", desk.folder / "me.reviewer"), ""),
            (("backup", "--to", desk.folder / "usb"), ""),
            (("check",), ""),
            (("clock",), ""),
        ]:
            done = desk.run(*arguments, said=said)
            assert done.exit_code == 0 and "error" not in done.stderr, (arguments, done.stderr)
        shown = page(f"case/{page.case()}")
        assert "We looked into it." in shown and "Between us." in shown and "Tray: 4" in shown
        page(f"case/{page.case()}/note", text="From the page.")
        assert "From the page." in desk.run("show", reference).stdout
        two_lines(desk.run("cases", secret="seven quiet otters swam"), "does not open the vault")
        assert "Tray: 5" in page()


def test_a_command_that_asks_holds_the_page_up(desk: Desk) -> None:
    """While a command waits for an answer the page says so and does nothing, but keeps what was typed; it goes on once
    the command has ended, however that was.  A second command is refused meanwhile."""
    with opened(desk) as page:
        reference, name = desk.run("cases").stdout.split()[0], page.case()
        asking = Terminal(desk.folder, "note", reference).answer(f"{PASSPHRASE}\n").see("Write, then end")
        assert "Another command is at work" in page()
        kept = page(f"case/{name}/note", text="Typed meanwhile.")
        assert "Another command is at work" in kept and "It is kept" in kept
        two_lines(desk.run("cases"), "in use by another program")
        asking.kill()
        back = page("busy")
        assert "Typed meanwhile." in back and "third floor" in back
        assert desk.run("cases").stdout.startswith(reference)


def test_two_pages_take_turns(desk: Desk) -> None:
    """Each shows what the other has done, and a lock of the one leaves the other open."""
    other = create_app(desk.folder / "vault", None, saved=desk.folder / "saved", token="t").test_client()
    assert "third floor" in post(other, "unlock", passphrase=PASSPHRASE)
    with opened(desk) as page:
        page(f"case/{page.case()}/note", text="From the first.")
        assert "From the first." in get(other, f"case/{case_of(other)}")
        post(other, f"case/{case_of(other)}/note", text="From the second.")
        assert "From the second." in page(f"case/{page.case()}")
        page("lock", now="yes")
        assert "Unlock the workstation" in page() and "From the first." in get(other, f"case/{case_of(other)}")
    post(other, "lock")
