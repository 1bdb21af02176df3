"""Locks on a courier's folder, on any system. The system releases them when their holder dies."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from whistle.courier.errors import Busy, disk

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RUN, EXCHANGE = "run.lock", "exchange.lock"
HELD = {
    RUN: ("another `whistle courier run` uses this folder", "one is enough; end the other first if you want this one"),
    EXCHANGE: ("another exchange of this courier is under way", "wait until it is done, then try again"),
}


@contextlib.contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Hold RUN or EXCHANGE of a courier's folder. Raises Busy if somebody else does, BadStick if nobody can."""
    try:
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise disk("the courier's folder", exc) from exc
    try:
        _take(handle, name)
        yield
    finally:
        os.close(handle)


def _take(handle: int, name: str) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError as exc:
        raise Busy(*HELD[name]) from exc
