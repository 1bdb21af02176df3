"""Opens the envelopes of an import on all cores.

Trying an identity on a stanza holds the interpreter, so each core gets a process.  Identities and envelopes reach it
through a pipe, and nothing of them is written; the processes end with the import.  Where none can be started, or there
are too few envelopes to be worth one, everything is opened here.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor

from whistle.protocol import envelope
from whistle.protocol.age import HybridIdentity
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.message import Signed
from whistle.workstation import hardening

FEW = 200  # envelopes that take about as long as a process takes to start
BATCH = 16  # envelopes that travel together
AHEAD = 4  # batches for each process that are under way

Opened = Signed | NotForMe | Malformed
_identities: list[HybridIdentity] = []  # of a process that opens


class Opening:
    """Envelopes on their way to be opened; `add` them, take what is `ready`, then `finish`; all in one order.

    Each gives its message, or the fault for which there is none.
    """

    def __init__(self, identities: Sequence[HybridIdentity], slots: int, count: int) -> None:
        """`count` is how many will come, about."""
        self._identities, self._slots = identities, slots
        self._cores = os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        if count >= FEW and self._cores > 1:
            seeds = [identity.seed for identity in identities]
            spawn = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
            self._pool = ProcessPoolExecutor(self._cores, spawn, initializer=_begin, initargs=(seeds,))
        self._batch: list[bytes] = []
        self._under_way: deque[tuple[Future[list[Opened]], list[bytes]]] = deque()
        self._opened: list[Opened] = []

    def add(self, body: bytes) -> None:
        """One more envelope; waits while too many are under way."""
        if self._pool is None:
            self._opened.append(_open(body, self._identities, self._slots))
            return
        self._batch.append(body)
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
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _send(self) -> None:
        assert self._pool
        batch, self._batch = self._batch, []
        try:
            self._under_way.append((self._pool.submit(_open_all, batch, self._slots), batch))
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
            self._opened += [_open(body, self._identities, self._slots) for body in batch]


def _begin(seeds: Sequence[bytes]) -> None:
    hardening.no_memory_on_disk()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that waits
    threading.Thread(target=_end_with_it, daemon=True).start()
    _identities[:] = [HybridIdentity.from_seed(seed) for seed in seeds]


def _end_with_it() -> None:
    """When the program that waits is gone, killed even, no process with its identities stays behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _open_all(batch: Sequence[bytes], slots: int) -> list[Opened]:
    return [_open(body, _identities, slots) for body in batch]


def _open(body: bytes, identities: Sequence[HybridIdentity], slots: int) -> Opened:
    try:
        return envelope.open_(body, identities, slots)
    except (NotForMe, Malformed) as fault:
        return fault
