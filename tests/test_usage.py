"""What somebody reads who mistypes a command: one line of what is wrong, one of what to do."""

import subprocess
import sys

import pytest

MISTYPED = {
    "whistle": ["nonsense"],
    "whistle workstation import": ["workstation", "import"],
    "whistle workstation reply": ["workstation", "reply", "--nonsense"],
    "whistle root": ["root", "sing"],
}


@pytest.mark.parametrize("command", MISTYPED)
def test_a_mistyped_command_says_where_to_look(command: str) -> None:
    """Two lines on stderr, nothing on stdout, exit status 2."""
    script = "from whistle.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script, *MISTYPED[command]], capture_output=True, text=True)
    error, hint = done.stderr.splitlines()
    assert error.startswith("whistle: error: ") and hint == f"hint: see what it takes: {command} --help"
    assert (done.returncode, done.stdout) == (2, "")


def test_a_group_alone_shows_what_it_has() -> None:
    """Who types a group's name is shown its commands."""
    script = "from whistle.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "courier"], capture_output=True, text=True)
    assert "exchange" in done.stderr + done.stdout and "whistle: error" not in done.stderr
