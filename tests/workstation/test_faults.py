"""A disk or stick that fails at any step: the error is reported, nothing is lost, and the next attempt succeeds."""

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.workstation.carrying import PASSPHRASE, World, attach
from whistle.workstation import backup
from whistle.workstation.cases import case_export, compose, overview
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import WorkstationError
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation

STEPS = 400  # more than any of these takes


@contextmanager
def failing(step: int, code: int) -> Iterator[list[str]]:
    """Make the numbered system call fail, and each after it; the list holds the name of each call."""
    calls: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if name == "open" and not given[1] & os.O_CREAT:
                return real(*given, **more)
            calls.append(name)
            if len(calls) > step:
                raise OSError(code, os.strerror(code))
            return real(*given, **more)

        return call

    with (
        mock.patch.object(os, "open", watched("open", os.open)),
        mock.patch.object(os, "fsync", watched("fsync", os.fsync)),
        mock.patch.object(Path, "replace", watched("replace", Path.replace)),
        mock.patch.object(Path, "mkdir", watched("mkdir", Path.mkdir)),
    ):
        yield calls


@pytest.fixture
def ready(world: World) -> World:
    """One report is imported, a second with a file is on the stick."""
    world.report()
    world.round("ombuds")
    blocks, attached = attach(bytes(600_000))
    world.carrier.put_blocks(blocks)
    world.report(attachments=(attached,))
    world.carrier.inbox(world.stick)
    return world


def _exchange(world: World, station: Workstation) -> None:
    compose.note(station, overview.load(station, station.case_ids()[0]), "On its way.")
    exchange(station, world.stick)


def _reply(world: World, station: Workstation) -> None:
    upload = Upload("plan", "text/plain", io.BytesIO(bytes(300_000)))
    compose.reply(station, overview.load(station, station.case_ids()[0]), "We read it. " * 3000, [upload])


def _backup(world: World, station: Workstation) -> None:
    backup.save(station, world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)


def _export(world: World, station: Workstation) -> None:
    try:
        case_export.export(station, overview.load(station, station.case_ids()[-1]), world.folder / "out")
    except WorkstationError:
        assert not list((world.folder / "out").glob("*"))  # nothing of the case stays in the open
        raise


@pytest.mark.parametrize(
    ("do", "code"),
    [
        (_exchange, errno.ENOSPC),
        (_exchange, errno.EROFS),
        (_reply, errno.EIO),
        (_backup, errno.EIO),
        (_export, errno.ENOSPC),
    ],
    ids=["exchange, full", "exchange, read-only", "reply, broken", "backup, broken", "export, full"],
)
def test_whatever_step_fails_is_said_and_done_again(ready: World, do: Any, code: int) -> None:
    """At every step that writes, the fault is an error of the workstation, and afterwards it goes as if nothing was."""
    world, station = ready, ready.station("ombuds")
    for step in range(STEPS):
        before = [station.hashes(case) for case in station.case_ids()]
        with failing(step, code) as calls:
            try:
                do(world, station)
                break
            except WorkstationError as exc:
                assert exc.message and exc.hint
                assert len(calls) > step
        after = [station.hashes(case) for case in station.case_ids()]
        assert all(set(kept) <= set(now) for kept, now in zip(before, after, strict=False))
    assert 3 < step < STEPS - 1
    for _ in range(3):
        world.carrier.round(station, world.stick)
    assert outbox.pending(station) == [] and len(station.case_ids()) == 2 and not world.carrier.taken
    for case in station.case_ids():
        places = [each.n for each in overview.load(station, case).replies]
        assert sorted(places) == list(range(len(places)))


def test_a_file_that_could_not_be_saved_leaves_nothing(ready: World) -> None:
    """On a full disk, no part of a stranger's file stays in the folder."""
    station = ready.station("ombuds")
    exchange(station, ready.stick)
    case = overview.load(station, station.case_ids()[-1])
    for step in range(1, 30):
        saved = []
        with failing(step, errno.ENOSPC), contextlib.suppress(WorkstationError):
            saved, _ = case_export.save_all(station, case, ready.folder / "to")
        if saved:
            break
        assert not list((ready.folder / "to").rglob("*"))
    assert [path.stat().st_size for path in saved] == [600_000]
