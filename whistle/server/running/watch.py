"""Logs database outages and nearly full disks for the operator: a line when each begins and one when it ends.

It checks at regular intervals, in one process of a machine, so that no line reveals when somebody visited.
"""

import threading
from pathlib import Path

from whistle.server.instance import Instance
from whistle.server.logs import LOG, log_error
from whistle.store import StoreError, has_room
from whistle.store.locks import locked

TICK = 20.0  # seconds
ROOM = 2  # times what new blocks leave free: below that, warn
LOCK = "watch.lock"
NO_ROOM = "a disk is nearly full; make room, or files are refused soon, and then reports: "


class Watch:
    """Watches the database and the disks of one server."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._is_away = False
        self._full: set[Path] = set()

    def run(self, stop: threading.Event) -> None:
        """Wait until no other process of this machine does it, then look until `stop` is set."""
        while not stop.is_set():
            try:
                with locked(self._instance.config.data / LOCK, wait=True):
                    self._look_until(stop)
            except Exception as error:  # the outermost edge of the thread
                log_error(error)
                stop.wait(TICK)

    def _look_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.look()
            stop.wait(TICK)

    def look(self) -> None:
        """Log what has changed since the last time."""
        self._look_at_database()
        for folder in self._folders():
            self._look_at_disk(folder)

    def _look_at_database(self) -> None:
        try:
            self._instance.store.clock()
            is_away = False
        except StoreError:
            is_away = True
        if is_away != self._is_away:
            self._is_away = is_away
            what = "is away" if is_away else "is back"
            LOG.error(f"the database {what}: {self._instance.now():%Y-%m-%d %H:%M} UTC")

    def _folders(self) -> list[Path]:
        """A folder on each disk that the server fills."""
        config = self._instance.config
        folders = [config.data, *([config.blocks] if isinstance(config.blocks, Path) else [])]
        return list({folder.stat().st_dev: folder for folder in folders}.values())

    def _look_at_disk(self, folder: Path) -> None:
        is_full = not has_room(folder, ROOM)
        if is_full and folder not in self._full:
            LOG.error(NO_ROOM + folder.name)
        elif folder in self._full and not is_full:
            LOG.error(f"there is room again: {folder.name}")
        self._full = self._full | {folder} if is_full else self._full - {folder}
