"""A window of its own for the page: what opens it, what it is given, and what its end means.

Most tests put a module `webview` before the real one; the last drives the real one on a screen of its own, where the
system has it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.patience import PATIENCE, until
from tests.stock.programs import need

WINDOW = [sys.executable, "-c", "import sys; from whistle.cli.main import workstation; workstation()"]
FAKE = '''
"""Says what it is asked for, and opens nothing; a file `close` beside the log is the person who closes the window."""
import json, os, pathlib, threading, time

LOG = pathlib.Path(os.environ["TOLD"])
RENDERER = os.environ.get("RENDERER", "qtwebengine")
settings = {}
shown = {}
ended = threading.Event()

class Event:
    def __init__(self):
        self.done = []
    def __iadd__(self, do):
        self.done.append(do)
        return self

class Events:
    initialized, loaded = Event(), Event()

class Window:
    events = Events()
    def destroy(self):
        ended.set()

def create_window(title, url, **more):
    shown.update(title=title, url=url, **more)
    return Window()

def start(**more):
    import os
    told = dict(shown=shown, start=more, settings=settings, argv=list(__import__("sys").argv), pid=os.getpid())
    allowed = all(do(RENDERER) for do in Events.initialized.done)
    told["flags"] = os.environ.get("QTWEBENGINE_CHROMIUM_FLAGS")
    told["cache"] = os.environ.get("XDG_CACHE_HOME")
    half = LOG.with_name("half")
    half.write_text(json.dumps(told))
    half.rename(LOG)
    if not allowed:
        return
    for do in Events.loaded.done:
        do()
    while not ended.wait(0.02):
        if LOG.with_name("close").exists():
            return
'''


@pytest.fixture
def screen(tmp_path: Path) -> dict[str, str]:
    """The environment of a computer with a window, and no workstation yet; its browser notes what it is given."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "webview.py").write_text(FAKE)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/browsed\n')
    browser.chmod(0o755)
    (tmp_path / "xdg-open").symlink_to(browser)
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path / "modules"), "HOME": str(tmp_path)}
    flags = {"QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox --mute-audio"}
    told = {"TOLD": str(tmp_path / "told"), "DISPLAY": ":0", "WHISTLE_WORKSTATION": str(tmp_path / "vault")}
    return {**os.environ, **paths, **told, **flags, "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def started(environment: dict[str, str], *before: str) -> Iterator["subprocess.Popen[str]"]:
    """The program that a double click starts."""
    with subprocess.Popen([*before, *WINDOW], env=environment, text=True, stdin=-3, stdout=-1, stderr=-1) as program:
        try:
            yield program
        finally:
            program.kill()


def told(folder: Path) -> dict[str, Any]:
    """What the window was asked for."""
    until((folder / "told").exists, "a window")
    found = json.loads((folder / "told").read_text())
    assert isinstance(found, dict)
    return found


def read(address: str) -> str:
    """A page."""
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def test_a_double_click_opens_a_window_and_closing_it_ends_all(tmp_path: Path, screen: dict[str, str]) -> None:
    """It is private, in a program of its own, with a sandbox; what is wrong stands in it; its end is the program's."""
    with started(screen) as program:
        given = told(tmp_path)
        address = given["shown"]["url"]
        assert "There is no workstation in" in read(address)
        assert given["start"]["private_mode"] is True and given["start"]["gui"] == "qt" and not given["start"]["debug"]
        assert given["settings"] == {"ALLOW_DOWNLOADS": False, "OPEN_EXTERNAL_LINKS_IN_BROWSER": False}
        assert given["flags"] == "--mute-audio" and given["cache"].startswith(given["start"]["storage_path"])
        assert Path(given["start"]["storage_path"]).is_dir() and given["pid"] != program.pid
        assert address not in " ".join(given["argv"]) and not (tmp_path / "browsed").exists()
        (tmp_path / "close").touch()
        assert program.wait(PATIENCE) == 0 and program.stdout and "Locked." in program.stdout.read()
        assert not Path(given["start"]["storage_path"]).exists()


def test_the_window_ends_with_its_program(tmp_path: Path, screen: dict[str, str]) -> None:
    """However that ends: no window is left that shows what nobody locks."""
    with started(screen) as program:
        window = told(tmp_path)["pid"]
        program.send_signal(signal.SIGKILL)
        until(lambda: not Path(f"/proc/{window}").exists(), "the window's end")


@pytest.mark.parametrize("lacks", ["module", "screen", "sandbox"])
def test_where_there_is_no_window_there_is_the_browser(tmp_path: Path, screen: dict[str, str], lacks: str) -> None:
    """Without the module, a screen, or an engine that keeps pages in a sandbox, the page is shown in the browser."""
    if lacks == "module":
        (tmp_path / "modules" / "webview.py").write_text("raise ImportError")
    changes = {"screen": {"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "sandbox": {"RENDERER": "gtkwebkit2"}}
    with started({**screen, **changes.get(lacks, {})}):
        until(lambda: (tmp_path / "browsed").exists() and bool((tmp_path / "browsed").read_text()), "a browser")
        assert "There is no workstation in" in read((tmp_path / "browsed").read_text().strip())


def test_what_cannot_be_started_is_told_in_the_window(tmp_path: Path, screen: dict[str, str]) -> None:
    """An error that would stand in a terminal stands in a page, with what to do."""
    (tmp_path / "vault").write_text("a file")
    with started(screen) as program:
        shown = read(told(tmp_path)["shown"]["url"])
        assert "Whistle could not be started" in shown and "is a file" in shown and "Check the name." in shown
        (tmp_path / "close").touch()
        assert program.wait(PATIENCE) == 1


@pytest.mark.browser
def test_a_real_window(tmp_path: Path, screen: dict[str, str]) -> None:
    """With `pywebview` itself: a page in a sandbox, at an address that is in no argument, and nothing left behind."""
    for module in ("PySide6", "webview"):
        pytest.importorskip(module)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    # Chromium's sandbox takes nobody whom it takes for root.
    as_somebody = [need("unshare"), "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    screen_of_its_own = [need("Xvfb"), "-displayfd", "1", "-nolisten", "tcp"]
    with subprocess.Popen(screen_of_its_own, text=True, stdout=-1, stderr=-3) as xvfb:
        assert xvfb.stdout
        display = {"DISPLAY": f":{xvfb.stdout.readline().strip()}", "XDG_RUNTIME_DIR": str(runtime)}
        paths = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        try:
            with started({**screen, **display, **paths}, *as_somebody) as program:
                assert program.stdout
                address = program.stdout.readline().split()[-1]
                assert program.stdout.readline() and "in a window" in program.stdout.readline()
                assert any(map(is_sandboxed, below(program)))
                assert not any(address.split("/")[-2] in " ".join(each.cmdline()) for each in below(program))
                [window] = [each for each in below(program) if "whistle.local_page.window" in each.cmdline()]
                window.terminate()
                assert program.wait(PATIENCE) == 0 and not list(runtime.glob("whistle*"))
        finally:
            xvfb.terminate()
    left = [each.name for each in tmp_path.iterdir()]
    assert sorted(left) == ["browser", "modules", "runtime", "xdg-open"]  # no profile in what is its home


def below(program: "subprocess.Popen[str]") -> list[psutil.Process]:
    """All that a program has started."""
    return psutil.Process(program.pid).children(recursive=True)


def is_sandboxed(process: psutil.Process) -> bool:
    """Whether it is one of the engine's, and the system filters what it may call."""
    try:
        return "QtWebEngine" in process.name() and "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text()
    except (OSError, psutil.Error):
        return False
