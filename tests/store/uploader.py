"""A process that is killed: it uploads numbered reports, or turns over, until its parent ends it.

`python -m tests.store.uploader URL FOLDER DAYS upload FIRST` says the number of each report that was acknowledged;
`python -m tests.store.uploader URL FOLDER DAYS turn-over STEP` kills itself at that step of one, or says `done`;
`python -m tests.store.uploader URL FOLDER DAYS remove STEP` does so at that step of a removal.
It is so many days after DAY.
"""

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.store.things import CLOCK, SIZE, after, opened
from whistle.store import BLOCK, Heap, Sealed, Store, turnover
from whistle.store.blocks import files
from whistle.store.database import Database

BLOCKS = int(os.environ.get("UPLOADER_BLOCKS", "2"))  # of each report
OVER = 181  # days after which a report goes, whoever has stated it


def stream(label: str, size: int) -> bytes:
    """Bytes that anyone can make again."""
    return hashlib.shake_128(label.encode()).digest(size)


def blocks_of(number: int) -> list[tuple[bytes, bytes]]:
    """The blocks of a numbered report."""
    return [
        (stream(f"id {number} {at}", 16), stream(f"body {number} {at}", 64).ljust(BLOCK, b".")) for at in range(BLOCKS)
    ]


def pair_of(number: int) -> tuple[Sealed, Sealed]:
    """A numbered report and its slip."""
    return (
        Sealed(stream(f"report {number}", 16), Heap.REVIEWERS, stream(f"sealed {number}", SIZE)),
        Sealed(stream(f"slip {number}", 16), Heap.REPORTERS, stream(f"slip sealed {number}", SIZE)),
    )


def store_report(store: Store, number: int) -> None:
    """Upload a numbered report as a reporter does."""
    for id, body in blocks_of(number):
        store.put_block(id, body, Heap.REVIEWERS)
    store.commit(pair_of(number), [id for id, _ in blocks_of(number)])


def upload(store: Store, first: int) -> None:
    """Upload reports without end, and say which are acknowledged."""
    for number in count(first):
        store_report(store, number)
        os.write(1, f"{number}\n".encode())


def die_at(step: int) -> Callable[[], None]:
    """Something to call before each step; at that step the process is killed."""
    steps = count()

    def before() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def dies(step: int, *places: tuple[Any, str]) -> None:
    """Die at a step: before the first, second … call of any of these functions."""
    before = die_at(step)

    def wrap(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            before()
            return real(*arguments, **options)

        setattr(owner, name, wrapped)

    for owner, name in places:
        wrap(owner, name)


COMMON = ((Path, "unlink"), (Database, "write"))


def turn_over(store: Store, step: int) -> None:
    """Turn over, and die at a step: before a sync, a link, an unlinking, a transaction or the making anew."""
    dies(step, *COMMON, (os, "link"), (files, "fill"), (files, "sync"), (turnover, "_rewrite_tables"))
    store.turn_over()
    os.write(1, b"done\n")


def remove(store: Store, step: int) -> None:
    """Remove what is due, and die at a step: before an unlinking, a transaction, or the emptying of the log."""
    dies(step, *COMMON, (Database, "read"), (Database, "empty_log"))
    store.remove_due([])
    os.write(1, b"done\n")


if __name__ == "__main__":
    url, folder, days, what, number = sys.argv[1:]
    CLOCK.day = after(int(days))
    {"upload": upload, "turn-over": turn_over, "remove": remove}[what](opened(url, Path(folder)), int(number))
