"""Opens the envelopes of a part on all cores.

Trying an identity on a stanza holds the interpreter, so each core gets a process.  Identities reach it through a pipe,
and nothing of them is written; the envelopes it reads from the part by itself, each held to the part's list.  The
processes end with the import.  Where none can be started, or there are too few envelopes to be worth one, everything
is opened here.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from whistle.protocol import envelope
from whistle.protocol.age import HybridIdentity
from whistle.protocol.bundle import BundleError
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.listing import Member
from whistle.protocol.message import Signed
from whistle.workstation import hardening

FEW = 200  # envelopes that take about as long as a process takes to start
BATCH = 32  # envelopes that travel together
AHEAD = 4  # batches for each process that are under way

Opened = Signed | NotForMe | Malformed


@dataclass(frozen=True)
class Place:
    """Where in a part an envelope stands, and what it must be: offset and size in bytes, SHA-256."""

    offset: int
    size: int
    sha256: bytes

    @classmethod
    def of(cls, member: Member, offset: int) -> "Place":
        """The place of a member whose content begins there."""
        return cls(offset, member.size, member.sha256)


@dataclass
class Opener:
    """Opens envelopes of one part, for whoever has these identities."""

    part: Path
    identities: Sequence[HybridIdentity]
    slots: int
    _file: BinaryIO | None = field(default=None, repr=False)

    def open(self, place: Place) -> Opened:
        """The message of the envelope, or the fault for which there is none.

        Raises BundleError where the part holds something else than its list says, OSError.
        """
        self._file = self._file or self.part.open("rb")
        self._file.seek(place.offset)
        body = self._file.read(place.size)
        if hashlib.sha256(body).digest() != place.sha256:
            raise BundleError("a member's content is not the listed one")
        try:
            return envelope.open_(body, self.identities, self.slots)
        except (NotForMe, Malformed) as fault:
            return fault

    def close(self) -> None:
        """Let go of the part."""
        if self._file:
            self._file.close()
            self._file = None


_openers: list[Opener] = []  # one, in a process that opens for another


class Opening:
    """Envelopes on their way to be opened; `add` them, take what is `ready`, then `finish`; all in one order.

    Each gives its message, or the fault for which there is none.  Each method raises as `Opener.open`.
    """

    def __init__(self, part: Path, identities: Sequence[HybridIdentity], slots: int, count: int) -> None:
        """`count` is how many will come, about."""
        self._opener = Opener(part, identities, slots)
        self._cores = os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        if count >= FEW and self._cores > 1:
            begun = (str(part), [identity.seed for identity in identities], slots)
            spawn = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
            self._pool = ProcessPoolExecutor(self._cores, spawn, initializer=_begin, initargs=begun)
        self._batch: list[Place] = []
        self._under_way: deque[tuple[Future[list[Opened]], list[Place]]] = deque()
        self._opened: list[Opened] = []

    def add(self, place: Place) -> None:
        """One more envelope; waits while too many are under way."""
        if self._pool is None:
            self._opened.append(self._opener.open(place))
            return
        self._batch.append(place)
        if len(self._batch) == BATCH:
            self._send()

    def ready(self) -> list[Opened]:
        """What the next envelopes hold that are opened by now, in the order in which they came."""
        opened, self._opened = self._opened, []
        return opened

    def finish(self) -> list[Opened]:
        """What all others hold."""
        if self._pool and self._batch:
            self._send()
        while self._under_way:
            self._receive()
        self.close()
        return self.ready()

    def close(self) -> None:
        """End the processes; whatever is still under way is lost."""
        self._opener.close()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _send(self) -> None:
        assert self._pool
        batch, self._batch = self._batch, []
        try:
            self._under_way.append((self._pool.submit(_open_all, batch), batch))
        except BrokenExecutor:
            self._under_way.append((Future(), batch))
            self._under_way[-1][0].set_exception(BrokenExecutor())
        if len(self._under_way) > AHEAD * self._cores:
            self._receive()

    def _receive(self) -> None:
        future, batch = self._under_way.popleft()
        try:
            self._opened += future.result()
        except BrokenExecutor:  # a process did not start, or was ended by the system
            self._opened += map(self._opener.open, batch)


def _begin(part: str, seeds: Sequence[bytes], slots: int) -> None:
    hardening.no_memory_on_disk()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that waits
    threading.Thread(target=_end_with_it, daemon=True).start()
    _openers[:] = [Opener(Path(part), [HybridIdentity.from_seed(seed) for seed in seeds], slots)]


def _end_with_it() -> None:
    """When the program that waits is gone, killed even, no process with its identities stays behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _open_all(batch: Sequence[Place]) -> list[Opened]:
    return [_openers[0].open(place) for place in batch]
