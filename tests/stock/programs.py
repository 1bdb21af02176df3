"""Programs that nobody here wrote, run as anyone would run them; a test is skipped, with the reason, without them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE

CLIENT = Path(__file__).parents[2] / "client"


def need(program: str) -> str:
    """Where a program is, or else a skipped test."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def need_package(name: str) -> Path:
    """The folder of an npm package, with Node.js to run it, or else a skipped test."""
    need("node")
    folder = CLIENT / "node_modules" / name
    if not folder.is_dir():
        pytest.skip(f"client/node_modules/{name} is not installed (npm ci in client/)")
    return folder


def run(program: str, *arguments: str | Path, given: bytes = b"") -> bytes:
    """What a program that must succeed prints when given these bytes."""
    done = attempt(program, *arguments, given=given)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def attempt(program: str, *arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A program run to its end, whatever that is."""
    return subprocess.run([need(program), *arguments], input=given, capture_output=True, timeout=PATIENCE, check=False)
