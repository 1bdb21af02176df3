"""Backups and restores that are killed at each of their steps, in forks of one process; each is then mended.

`python -m tests.store.killed_backup FOLDER MADE STRIDE` says how many steps a backup and a restore had.
MADE is a folder with an empty database, and a restore is killed at every STRIDEth step.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.store.things import CLOCK, NEXT, opened
from tests.store.uploader import COMMON, dies
from whistle.store import Store, back_up, check, open_backup, restore

FILES = 9  # an index, rows, public, and of each day bodies of both heaps and blocks


def killed(step: int, run: Callable[[], object]) -> bool:
    """Run in a fork that is killed at this step; False if it ended before."""
    child = os.fork()
    if not child:
        dies(step, *COMMON, (Path, "replace"), (os, "fsync"))
        run()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def of(where: Path) -> Store:
    """The store in a folder."""
    return opened(f"sqlite:///{where}/whistle.sqlite", where / "blocks")


def save(where: Path) -> None:
    """Back up."""
    store = of(where)
    back_up(store, where / "backup", "a server", b"public")
    store.close()


def load(saved: Path, where: Path) -> None:
    """Restore."""
    store = of(where)
    restore(store, open_backup(saved))
    store.close()


def backups(where: Path) -> int:
    """Kill a backup at each step; after each there is a whole one. Returns the number of steps."""
    for step in count():
        if not killed(step, lambda: save(where)):
            break
        assert len(list(open_backup(where / "backup").blocks())) == 2
    assert len(list((where / "backup").iterdir())) == FILES
    return step


def restores(where: Path, made: Path, stride: int) -> int:
    """Kill a restore at every `stride`th step and mend it; returns the number of steps."""
    for step in count(random.randrange(stride), stride):
        place = where / f"restored-{step}"
        shutil.copytree(made, place)
        died = killed(step, lambda place=place: load(where / "backup", place))  # type: ignore[misc]
        store = of(place)
        if not store.days():
            restore(store, open_backup(where / "backup"))
        assert check(store).is_whole
        assert [(each.envelopes, each.blocks) for each in store.days()] == [(1, 1), (1, 1)]
        store.close()
        if not died:
            return step
    raise AssertionError("it never ended")


if __name__ == "__main__":
    CLOCK.day = NEXT
    folder = Path(sys.argv[1])
    print(backups(folder), restores(folder, Path(sys.argv[2]), int(sys.argv[3])))
