"""What the operator is told of disks and outages, once."""

import logging
import os
from types import SimpleNamespace

import pytest

from tests.server.visitor import Clock
from whistle.server.instance import Instance
from whistle.server.logs import Once, log_error
from whistle.server.running.watch import Watch
from whistle.store import Away, StoreError, room


def test_a_disk_that_is_nearly_full(
    instance: Instance, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line when it begins, before anything is refused, and one when there is room again; no line for each look."""
    free = {"f_bavail": 2 * room.BLOCKS.size // 4096 - 1}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=25_000_000, f_frsize=4096, **free))
    watch = Watch(instance)
    for _ in range(3):
        watch.look()
    instance.store.check_room()
    free["f_bavail"] += 1
    for _ in range(3):
        watch.look()
    lines = [record.getMessage() for record in caplog.records]
    assert ["nearly full" in line for line in lines] == [True, False] and "room again" in lines[1]


def test_an_outage_takes_two_lines(
    instance: Instance, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way the database fails, there is a line when that began and one when it is over, to the minute."""

    def fail(_: object) -> None:
        raise StoreError("hangs")

    watch = Watch(instance)
    with monkeypatch.context() as failing:
        failing.setattr(type(instance.store), "clock", fail)
        for _ in range(3):
            watch.look()
    for _ in range(3):
        watch.look()
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[0] for line in lines] == ["the database is away", "the database is back"]
    assert all(f"{Clock()():%Y-%m-%d %H:%M} UTC" in line for line in lines)


def test_equal_lines_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A fault that every request meets takes a line a day; a database that is away takes none here."""
    once = Once()
    with caplog.filtering(once):
        for _ in range(400):
            log_error(StoreError("the database failed"))
        log_error(ValueError())
        log_error(Away())
    assert [(record.levelno, record.getMessage().split()[0]) for record in caplog.records] == [
        (logging.ERROR, "StoreError"),
        (logging.ERROR, "ValueError"),
    ]
