"""A window of its own for a local page, where `pywebview` and the system have one.

The window is a program of its own, which learns an address and nothing else: what shows pages runs beside the program
that holds the keys, and not in it.  It keeps no profile: what its engine writes goes to a folder that is removed with
it.  A window whose engine would run without a sandbox is not opened, since strangers' files are looked at in it.
"""

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

WINDOW, BROWSER, NOTHING = "window", "browser", "nothing"  # in what a page is shown
TITLE = "Whistle"
SHOWN = "shown"  # what the window's program says once its page has come
PATIENCE = 30.0  # seconds until then
SIZE, SMALLEST = (1100, 850), (360, 480)  # pixels
# Where engines on Linux keep caches, databases and what they remember.
KEPT_IN = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
# By system, the engine that is asked for and the one that must come of it: each runs pages in a sandbox.  WebKitGTK has
# none as `pywebview` starts it; what Windows had before is not kept up.
ENGINES = {"win32": ("edgechromium", "edgechromium"), "darwin": ("cocoa", "wkwebview")}
QT = ("qt", "qtwebengine")
FLAGS = "QTWEBENGINE_CHROMIUM_FLAGS"
NOT_FOR_US = ("QTWEBENGINE_DISABLE_SANDBOX", "QTWEBENGINE_REMOTE_DEBUGGING")


class Window:
    """A window that is open, in a program of its own, and the folder for what its engine writes."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: str) -> None:
        self._process, self._folder = process, folder

    def when_closed(self, do: Callable[[], None]) -> None:
        """Do something once it is closed, in another thread."""

        def wait() -> None:
            self._process.wait()
            self._clean()
            do()

        threading.Thread(target=wait, daemon=True).start()

    def close(self) -> None:
        """Close it, if it is open, and wait until it is."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # it ends with its input
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._clean()

    def _clean(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def serve(server: "BaseWSGIServer", address: str, how: str, browse: Callable[[str], object]) -> None:
    """Serve a page and show it, until Ctrl-C or until its window is closed.

    `how`: WINDOW, which is the browser where there is none; BROWSER, by `browse`; NOTHING.
    """
    opened: list[Window] = []

    def open_() -> None:
        window = show(address) if how == WINDOW else None
        if window is None:
            browse(address)
        else:
            opened.append(window)
            print("It is shown in a window; closing the window ends it.", flush=True)
            window.when_closed(server.shutdown)

    if how != NOTHING:
        threading.Thread(target=open_, daemon=True).start()
    try:
        server.serve_forever()
    finally:
        for window in opened:
            window.close()


def is_possible() -> bool:
    """Whether there may be a window: `pywebview` is installed, and on Linux there is a screen."""
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_screen and importlib.util.find_spec("webview") is not None


def show(address: str) -> Window | None:
    """A window with the page at an address, once it is shown; None where there is none."""
    if not is_possible():
        return None
    folder = _private_folder()
    command = [sys.executable, "-P", "-m", "whistle.local_page.window"]  # the address is in no argument
    try:
        process = subprocess.Popen(  # noqa: S603 (this very program)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the program that opened it
        )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    window = Window(process, folder)
    assert process.stdin and process.stdout
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps([address, folder]).encode() + b"\n")
        process.stdin.flush()
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    try:
        if process.stdout.readline().strip() == SHOWN.encode():
            return window
    finally:
        late.cancel()
    window.close()
    return None


def _private_folder() -> str:
    """A folder for what the engine writes, in memory where the system has a place for that."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    within = runtime if runtime and os.access(runtime, os.W_OK) else None
    return tempfile.mkdtemp(prefix="whistle-window-", dir=within)


def main() -> None:
    """The window's program: shows the address that it reads, and ends with its window or its input."""
    address, folder = json.loads(_line())
    if sys.platform == "linux":
        os.environ.update({each: str(Path(folder, each.lower())) for each in KEPT_IN})
    try:
        _run(address, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # should the other program have ended without that


def _line() -> bytes:
    """A line of the input, and nothing that comes after it."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _run(address: str, folder: str) -> None:
    import webview

    asked, wanted = ENGINES.get(sys.platform, QT)
    webview.settings["ALLOW_DOWNLOADS"] = False
    webview.settings["OPEN_EXTERNAL_LINKS_IN_BROWSER"] = False
    window = webview.create_window(
        TITLE, address, width=SIZE[0], height=SIZE[1], min_size=SMALLEST, text_select=True, zoomable=True
    )
    window.events.initialized += functools.partial(_is_safe, wanted)
    window.events.loaded += _say_shown
    threading.Thread(target=_close_with_input, args=(window,), daemon=True).start()
    webview.start(gui=asked, private_mode=True, storage_path=folder, debug=False)


def _is_safe(wanted: str, renderer: str) -> bool:
    """Whether this engine is the one that keeps pages in a sandbox; `pywebview` opens nothing if it is not."""
    for name in NOT_FOR_US:
        os.environ.pop(name, None)
    # On some Linux systems `pywebview` turns the sandbox off; without that there may be no window, and then no harm.
    os.environ[FLAGS] = " ".join(flag for flag in os.environ.get(FLAGS, "").split() if "sandbox" not in flag)
    return renderer == wanted


def _say_shown(*_: object) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(SHOWN, flush=True)


def _close_with_input(window: Any) -> None:
    """Close the window once the program that opened it has ended, or wants that."""
    while os.read(0, 1024):
        pass
    for _ in range(100):  # a window that is not there yet cannot be closed
        with contextlib.suppress(Exception):
            window.destroy()
            return
        time.sleep(0.1)
    os._exit(1)


if __name__ == "__main__":
    main()
