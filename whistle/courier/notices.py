"""One notice a day at a fixed hour, the same whatever came; and alarms.

They have a thread of their own, so that a long exchange delays no notice.
"""

import datetime
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from whistle.courier import alarms, memory
from whistle.courier.errors import CourierError, disk
from whistle.courier.schedule import pause

NOTICE = "The courier is running. It says so once a day, whatever came or did not come."
TITLE = "Whistle courier"
KEPT = 120 * alarms.DAY  # seconds for which an alarm that was given is remembered
PROGRAM_TIME = 30  # seconds for the desktop's program
NO_DESKTOP = "this system has no program for notices", "take lines or mail instead, with --notice line or --mail-to"


class Way(Protocol):
    """How notices reach somebody."""

    def give(self, text: str) -> None:
        """Give one sentence. Raises CourierError."""


class Lines:
    """Gives notices as lines of the program's own output."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def give(self, text: str) -> None:
        """Say it."""
        self._say(text)


class Desktop:
    """Gives notices on the desktop, by the system's own program. Raises CourierError if there is none."""

    def __init__(self) -> None:
        self._command = _command()

    def give(self, text: str) -> None:
        """Show it."""
        try:
            command = [*self._command, *_arguments(text)]
            subprocess.run(command, check=True, capture_output=True, timeout=PROGRAM_TIME)  # noqa: S603 (our own texts)
        except (OSError, subprocess.SubprocessError) as exc:
            raise CourierError("the desktop shows no notice", "run the courier as whoever sits there") from exc


def _command() -> list[str]:
    name = "osascript" if sys.platform == "darwin" else "notify-send"
    path = shutil.which(name)
    if path is None:
        raise CourierError(*NO_DESKTOP)
    return [path]


def _arguments(text: str) -> list[str]:
    if sys.platform == "darwin":  # the texts are our own sentences, without quotation marks
        return ["-e", f'display notification "{text}" with title "{TITLE}"']
    return [TITLE, text]


class Notices:
    """Gives what is due. `hour` is the time of the daily notice by this machine's clock."""

    def __init__(self, folder: Path, way: Way, hour: datetime.time, say: Callable[[str], None]) -> None:
        self._folder, self._way, self._hour, self._say = folder, way, hour, say
        self._told = memory.told(folder)
        self._standing: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._failures, self._not_before = 0, 0.0

    def stand(self, standing: Mapping[str, str]) -> None:
        """Set what is wrong now, by the keys of `alarms`."""
        with self._lock:
            self._standing = dict(standing)

    def step(self, now: float) -> None:
        """Give the notice and the alarms that are due at `now`, since 1970; after a failure, not before a pause."""
        if self._failures and self._not_before - pause(self._failures) <= now < self._not_before:
            return
        try:
            self._give(now)
            self._failures = 0
        except (CourierError, OSError) as exc:
            self._failures += 1
            self._not_before = now + pause(self._failures)
            if self._failures == 1:
                error = exc if isinstance(exc, CourierError) else disk("the courier's folder", exc)
                self._say(f"A notice could not be given: {error}. {error.hint[:1].upper()}{error.hint[1:]}.")

    def _give(self, now: float) -> None:
        local = datetime.datetime.fromtimestamp(now)
        if local.time() >= self._hour and self._told.noticed != local.date():
            self._way.give(NOTICE)
            self._told.noticed = local.date()
            self._told.save(self._folder)
        with self._lock:
            standing = dict(self._standing)
        for key, sentence in standing.items():
            if alarms.is_due(key, self._told.alarms.get(key), now):
                self._way.give(sentence)
                self._told.alarms[key] = now
                kept = {key: at for key, at in self._told.alarms.items() if key in standing or now - at < KEPT}
                self._told.alarms = kept
                self._told.save(self._folder)
