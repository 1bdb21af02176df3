"""The reviewer's, the courier's and the reporter's programs on systems that lack what only Linux has.

Windows and macOS themselves are not tried: `tests.without_unix` takes away the modules and folders of Linux.
"""

import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import TRIAL
from whistle import durable
from whistle.local_page import listening

SOME = ["test_sticks.py", "test_folder.py"]
HERE = Path(__file__).parent
IMPORTS = """
import importlib, pkgutil, sys
import tests.without_unix as without
without.hide()
import whistle
for found in pkgutil.walk_packages(whistle.__path__, "whistle."):
    parts = found.name.split(".")
    if parts[1] in without.PORTABLE and parts[-1] not in ("server", "demo", "ceremony", "env"):  # alembic runs env
        importlib.import_module(found.name)
assert not {"fcntl", "resource"} & sys.modules.keys()
"""
COMMAND = """
import sys
import tests.without_unix as without
without.hide()
sys.argv = ["whistle", {0!r}]
from whistle.cli import main
main.main()
"""


def run(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in a process of its own."""
    return subprocess.run([sys.executable, "-c", script], cwd=HERE.parent, capture_output=True, text=True, check=False)


def test_every_portable_module_imports() -> None:
    """Without the modules of Unix, each module of the portable programs imports."""
    done = run(IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("actor", ["server", "demo", "ceremony"])
def test_what_runs_a_server_says_where_it_runs(actor: str) -> None:
    """Where no server can run, its commands say so."""
    done = run(COMMAND.format(actor))
    assert done.returncode == 1
    assert done.stderr.startswith(f"whistle: error: whistle {actor} needs Linux")
    assert "\nhint: " in done.stderr and "Traceback" not in done.stderr


def test_the_workstations_tests_pass_without_the_modules_of_linux(tmp_path: Path) -> None:
    """Some of them; in a trial, all."""
    parts = [str(HERE / "workstation")] if TRIAL else [str(HERE / "workstation" / name) for name in SOME]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.without_unix", "-p", "no:cacheprovider"]
    command += ["-k", "not another_user"]  # only Linux tells whose a connection is
    command += ["--basetemp", str(tmp_path / "inner"), *parts]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=HERE.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_full_sync_where_the_system_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS each file, and its folder, is asked onto the medium; where that is refused, fsync must do."""
    asked: list[int] = []
    refusals = [0]

    def full(handle: int, command: int) -> None:
        asked.append(command)
        if refusals[0]:
            raise OSError(refusals[0], "refused")

    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(durable, "TO_THE_MEDIUM", 51)
    durable.write(tmp_path / "one", b"1")
    assert asked == [51, 51]
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    durable.write(tmp_path / "one", b"2")
    assert synced == []
    refusals[0] = errno.ENOTSUP
    durable.write(tmp_path / "one", b"3")
    assert len(synced) == 2
    refusals[0] = errno.EIO
    with pytest.raises(OSError, match="refused"):
        durable.write(tmp_path / "one", b"4")
    assert (tmp_path / "one").read_bytes() == b"3"


def test_a_file_is_closed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows renames no open file."""
    monkeypatch.setattr(durable, "NAMELESS", None)
    replace = Path.replace

    def checked(path: Path, target: Path) -> Path:
        assert path.resolve() not in [handle.resolve() for handle in Path("/proc/self/fd").iterdir()]
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", checked)
    with durable.new_file(tmp_path) as (file, name_it):
        file.write(b"whole")
        assert name_it(lambda count: f"name {count}").read_bytes() == b"whole"
    durable.write(tmp_path / "two", b"2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["name 1", "two"]


def test_the_ports_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can listen where the workstation's page does."""
    monkeypatch.setattr(listening, "PORT_OPTION", socket.SO_KEEPALIVE)  # stands for the one that Windows has
    with listening.listen(0) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
