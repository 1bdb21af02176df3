"""Disks that fail: a stick that is pulled out, a call that says no, a small disk that is full or read-only."""

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from whistle.store import Store

EVENTS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}
CALLS = ("open", "write", "fsync", "link", "rename", "mkdir", "unlink")


class Layer:
    """Sits below all that touches files in a folder, and does something before the step that it is armed for."""

    def __init__(self) -> None:
        self._folder = ""
        self._left = -1
        self._act: Callable[[], None] = lambda: None
        self._inside = False
        sys.addaudithook(self._see)  # for good: so there is one layer only

    @contextlib.contextmanager
    def armed(self, folder: Path, step: int, act: Callable[[], None]) -> Iterator["Layer"]:
        """Call `act` before each step from this one on; 0 is the first."""
        self._folder, self._left, self._act = str(folder), step, act
        try:
            yield self
        finally:
            self._folder = ""

    @property
    def fired(self) -> bool:
        """Whether it came so far."""
        return self._left < 0

    def _see(self, name: str, arguments: tuple[Any, ...]) -> None:
        if not self._folder or self._inside or name not in EVENTS or not arguments:
            return
        if not any(isinstance(each, str | os.PathLike) and self._is_in(each) for each in arguments[:2]):
            return
        self._left -= 1
        if self._left < 0:
            self._inside = True
            try:
                self._act()
            finally:
                self._inside = False

    def _is_in(self, path: Any) -> bool:
        return os.fspath(path).startswith(self._folder + os.sep)


LAYER = Layer()


@contextlib.contextmanager
def failing(stick: Path, step: int) -> Iterator[Layer]:
    """From a step on, nothing on the stick can be read, written or named."""

    def fail() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with LAYER.armed(stick, step, fail) as layer:
        yield layer


@contextlib.contextmanager
def pulled_out(stick: Path, step: int) -> Iterator[Layer]:
    """At a step the stick is gone, with what was being written; afterwards it is put in again."""
    away = stick.with_name(stick.name + " away")

    def pull() -> None:
        if stick.exists():
            stick.rename(away)

    with LAYER.armed(stick, step, pull) as layer:
        yield layer
    if away.exists():
        away.rename(stick)


class Refusing:
    """Calls of the system and statements of the database that fail from a step on, with an error of the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store, code: int = errno.EIO) -> None:
        self._left: int | None = None
        self._code = code
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))
        event.listen(store.database.engine, "before_cursor_execute", self._statement)

    @contextlib.contextmanager
    def armed(self, step: int) -> Iterator["Refusing"]:
        """Fail from this step on; 0 is the first."""
        self._left = step
        try:
            yield self
        finally:
            self.fired = self._left < 0
            self._left = None

    def _fails(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0

    def _wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._fails():
                raise OSError(self._code, os.strerror(self._code))
            return real(*arguments, **options)

        return call

    def _statement(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE") and self._fails():
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
            raise error


class Disk:
    """A small disk in memory, mounted on a folder; only root may do that."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "trial", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("mounting a small disk needs root")

    def remount(self, options: str) -> None:
        """Change it: another size, or ro, or rw."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)

    def fill(self) -> Path:
        """Leave no room at all; the file that takes it."""
        path = self.folder / "filler"
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        return path

    def unmount(self) -> None:
        """End it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
