"""Commands at a terminal: what they ask, what they show, and what stays there afterwards."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.workstation.carrying import PASSPHRASE

CODE = "from whistle.cli.main import main; main()"


class Terminal:
    """A command of the workstation at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._pid, self._ours = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.environ.update(WHISTLE_WORKSTATION=str(folder / "vault"), WHISTLE_VAULT_PROFILE="test")
            os.execv(sys.executable, [sys.executable, "-c", CODE, "workstation", *arguments])
        self.screen = ""
        self._asked = 0

    def answer(self, *typed: str | bytes) -> "Terminal":
        """Type each of these when it is asked for."""
        for each in typed:
            self._until(lambda: self.screen[self._asked :].rstrip(" ").endswith(":"))
            self._asked = len(self.screen)
            os.write(self._ours, each if isinstance(each, bytes) else each.encode())
        return self

    def end(self) -> int:
        """The exit status, once it has ended."""
        self._until(lambda: False)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self.echoes = bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)
        os.close(self._ours)
        return status

    def see(self, words: str) -> "Terminal":
        """Wait until these are on the screen."""
        self._until(lambda: words in self.screen)
        return self

    def kill(self) -> None:
        """End it at once, and wait until it has."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._ours)

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.screen
            if select.select([self._ours], [], [], 0.2)[0]:
                try:
                    seen = os.read(self._ours, 4096)
                except OSError:  # how Linux says that the other side is closed
                    return
                self.screen += seen.decode("utf-8", "replace")


def test_a_newcomer_makes_a_workstation(tmp_path: Path) -> None:
    """Everything is asked before the passphrase, which is not shown; what was typed wrong is asked again."""
    made = Terminal(tmp_path, "init").answer("\n", "R. Reviewer\n", "Ombudsperson\n", "usb\n")
    made.answer(PASSPHRASE + "\n", "another one, mistyped\n", PASSPHRASE + "\n", PASSPHRASE + "\n")
    assert made.end() == 0, made.screen
    assert PASSPHRASE not in made.screen and "mistyped" not in made.screen and made.echoes
    assert "do not match" in made.screen and "for tests only" in made.screen
    assert (tmp_path / "vault" / "vault.json").exists() and list((tmp_path / "usb").iterdir())


def test_nobody_is_asked_for_a_passphrase_that_opens_nothing(tmp_path: Path) -> None:
    """A missing vault is reported at once."""
    for command in (["cases"], ["backup", "--to", "usb"]):
        asked = Terminal(tmp_path, *command)
        assert asked.end() == 1 and "assphrase" not in asked.screen and "there is no vault" in asked.screen


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("\x03", "stopped before the end"),
        ("\x04", "stopped before the end"),
        (b"caf\xe9 au lait\n", "no text in UTF-8"),
    ],
    ids=["Ctrl-C", "Ctrl-D", "another encoding"],
)
def test_a_passphrase_that_is_not_given(tmp_path: Path, typed: str | bytes, told: str) -> None:
    """Whoever stops, or types in another encoding, gets two lines and a terminal that echoes as before."""
    asked = Terminal(tmp_path, "init", "--name", "R", "--role", "O", "--no-backup").answer(typed)
    assert asked.end() == 1 and asked.echoes
    lines = [line for line in asked.screen.splitlines() if line.startswith(("whistle: error: ", "hint: "))]
    assert len(lines) == 2 and told in lines[0] and "Traceback" not in asked.screen
    assert not (tmp_path / "vault").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")
@pytest.mark.parametrize("actor", ["workstation", "root", "reporter", "ceremony"])
def test_a_crash_leaves_no_memory_on_the_disk(actor: str) -> None:
    """No program that holds keys or texts leaves a core file or hands a core to another program."""
    get_dumpable = 3
    script = (
        "import ctypes, resource, sys\n"
        "from whistle.cli import main\n"
        f"told = lambda: print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl({get_dumpable}))\n"
        "main.cli.get_command = lambda *_: main.click.Command('any', callback=told)\n"
        f"sys.argv = ['whistle', '{actor}']\n"
        "main.main()\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("(0, 0) 0\n", "")


def may_lock() -> bool:
    """Whether this process may lock any amount of memory, and become somebody who may not."""
    status = Path("/proc/self/status")
    held = int(status.read_text().partition("CapEff:")[2].split()[0], 16) if status.exists() else 0
    return all(held >> capability & 1 for capability in (7, 14))  # CAP_SETUID, CAP_IPC_LOCK


@pytest.mark.skipif(not may_lock(), reason="needs somebody who may lock memory")
@pytest.mark.parametrize(
    ("limit", "locked"),
    [("", True), ("os.setuid(65534)", False), ("resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))", False)],
    ids=["no limit", "the usual limit", "a limit that ends amid the work"],
)
def test_memory_stays_out_of_swap_or_works_without(limit: str, locked: bool) -> None:
    """All that is mapped is locked where nothing limits that; else nothing is, and the program gets what it needs."""
    script = (
        "import os, resource\n"
        "from whistle import hardening\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (2**22, 2**22))\n"
        f"{limit}\n"
        "said = hardening.lock_memory()\n"
        "much = bytearray(700 * 1024**2)\n"
        "status = open('/proc/self/status').read()\n"
        "print(said, int(status.partition('VmLck:')[2].split()[0]) > 700 * 1024)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == (f"{locked} {locked}\n", "")
