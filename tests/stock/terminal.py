"""A terminal with someone at it, for programs that ask for a passphrase nowhere else."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.patience import PATIENCE
from tests.stock.programs import need

PROMPT = b"assphrase"  # what every question of age holds


def answer(program: str, *arguments: str | Path, answers: list[str]) -> tuple[int, bytes]:
    """Exit status and screen of a program whose every question is answered in turn."""
    ours, theirs = pty.openpty()
    command = [need("setsid"), "--ctty", "--wait", need(program), *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        try:
            screen = _talk(ours, list(answers))
            return process.wait(PATIENCE), screen
        finally:
            process.kill()
            os.close(ours)


def _talk(terminal: int, answers: list[str]) -> bytes:
    """Everything on the screen until the program lets go of the terminal."""
    screen, asked = b"", 0
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            seen = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side is closed
            return screen
        if not seen:
            return screen
        screen += seen
        if screen.count(PROMPT) > asked and answers and screen.rstrip(b" ").endswith(b":"):
            asked = screen.count(PROMPT)
            os.write(terminal, answers.pop(0).encode() + b"\n")
    raise TimeoutError(screen.decode(errors="replace"))
