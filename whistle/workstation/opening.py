"""Opens the envelopes of a part on all cores.

Trying an identity on a stanza holds the interpreter, so each core gets a process.  Identities reach it through a pipe,
and nothing of them is written; the envelopes it reads from the part by itself, each held to the part's list.  The
processes end with the import.  Where none can be started, or there are too few envelopes to be worth one, everything
is opened here.  Pipes cost 0.06 ms less for each envelope than the library's pool with its threads.
"""

import hashlib
import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import BinaryIO, NamedTuple

from whistle.protocol import envelope
from whistle.protocol.age import HybridIdentity
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.listing import BundleError, Member
from whistle.protocol.message import Signed
from whistle.workstation import hardening

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FEW = 200  # envelopes that take about as long as a process takes to start
BATCH = 32  # envelopes that travel together
AHEAD = 4  # batches for each process that are under way
ROOM = 1_048_576  # bytes of answers that may wait in a pipe
MOST = 32  # processes; a user who is not root may have some 64 pipes that are so wide

Opened = Signed | NotForMe | Malformed


class Place(NamedTuple):
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
    _file: BinaryIO | None = field(default=None, repr=False)

    def open(self, batch: Sequence[Place]) -> list[Opened]:
        """The messages of the envelopes, or the faults for which there is none.

        All are decrypted before any is read, since each of the two drives the other out of the processor's memory.
        Raises BundleError where the part holds something else than its list says, OSError.
        """
        return [_read(each) if isinstance(each, bytes) else each for each in list(map(self._decrypted, batch))]

    def _decrypted(self, place: Place) -> bytes | NotForMe | Malformed:
        self._file = self._file or self.part.open("rb")
        self._file.seek(place.offset)
        body = self._file.read(place.size)
        if hashlib.sha256(body).digest() != place.sha256:
            raise BundleError("a member's content is not the listed one")
        try:
            return envelope.decrypt(body, self.identities, place.size // envelope.SLOT)
        except (NotForMe, Malformed) as fault:
            return fault

    def close(self) -> None:
        """Let go of the part."""
        if self._file:
            self._file.close()
            self._file = None


def _read(plaintext: bytes) -> Signed | Malformed:
    try:
        return envelope.split(plaintext)
    except Malformed as fault:
        return fault


class Helper:
    """A process that opens envelopes for this one: batch by batch, in their order."""

    def __init__(self, opener: Opener) -> None:
        """Raises OSError where no process can be started."""
        spawn = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
        asked, self._ask = spawn.Pipe(duplex=False)
        self._answers, answer = spawn.Pipe(duplex=False)
        _widen(answer)
        begun = (str(opener.part), [identity.seed for identity in opener.identities])
        self.process = spawn.Process(target=_serve, args=(asked, answer, *begun), daemon=True)
        self.process.start()
        asked.close()
        answer.close()

    def ask(self, batch: Sequence[Place]) -> None:
        """Begin to open a batch; few and short enough are under way that this never waits for an answer."""
        with suppress(OSError):  # it has ended, as its answer will tell
            self._ask.send([tuple(place) for place in batch])

    def answer(self) -> list[Opened] | None:
        """What the oldest batch holds, None when the process did not start or was ended; raises as `Opener.open`."""
        try:
            if self._answers not in wait([self._answers, self.process.sentinel]) and not self._answers.poll():
                return None  # on Windows this program itself keeps the pipe open until the process has taken it
            found: list[Opened] | Exception = self._answers.recv()
        except (EOFError, OSError):
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def end(self) -> None:
        """End the process."""
        self._ask.close()
        self._answers.close()
        self.process.terminate()


class Opening:
    """Envelopes on their way to be opened; `add` them, take what is `ready`, then `finish`; all in one order.

    The processes start at once, and end when all is open, or with the block in which this is used.

    Each gives its message, or the fault for which there is none.  Each method raises as `Opener.open`.
    """

    def __init__(self, part: Path, identities: Sequence[HybridIdentity], count: int) -> None:
        """`count` is how many will come, about."""
        self._opener = Opener(part, identities)
        self.helpers = self._called(count)
        self._batch: list[Place] = []
        self._under_way: deque[tuple[Helper, list[Place]]] = deque()
        self._turns = itertools.cycle(self.helpers)
        self._opened: list[Opened] = []

    def __enter__(self) -> "Opening":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, place: Place) -> None:
        """One more envelope; waits while too many are under way."""
        self._batch.append(place)
        if len(self._batch) == BATCH:
            self._send()

    def ready(self) -> list[Opened]:
        """What the next envelopes hold that are opened by now, in the order in which they came."""
        opened, self._opened = self._opened, []
        return opened

    def finish(self) -> Iterator[Opened]:
        """What all others hold, each as soon as it is open; then the processes end."""
        if self._batch:
            self._send()
        yield from self.ready()
        while self._under_way:
            self._receive()
            yield from self.ready()
        self.close()

    def close(self) -> None:
        """End the processes; whatever is still under way is lost."""
        self._opener.close()
        for helper in self.helpers:
            helper.end()
        while self.helpers:
            self.helpers.pop().process.join()

    def _called(self, count: int) -> list[Helper]:
        cores = os.cpu_count() or 1
        found: list[Helper] = []
        if count >= FEW and cores > 1:
            with suppress(OSError):
                for _ in range(min(cores, MOST)):
                    found.append(Helper(self._opener))
        return found

    def _send(self) -> None:
        batch, self._batch = self._batch, []
        if not self.helpers:
            self._opened += self._opener.open(batch)
            return
        helper = next(self._turns)
        helper.ask(batch)
        self._under_way.append((helper, batch))
        if len(self._under_way) > AHEAD * len(self.helpers):
            self._receive()

    def _receive(self) -> None:
        helper, batch = self._under_way.popleft()
        opened = helper.answer()
        self._opened += self._opener.open(batch) if opened is None else opened


def _widen(answer: Connection) -> None:
    """Make room in a pipe, where the system lets it, so that who answers need not wait for who reads."""
    if fcntl is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(answer.fileno(), fcntl.F_SETPIPE_SZ, ROOM)


def _serve(asked: Connection, answer: Connection, part: str, seeds: Sequence[bytes]) -> None:
    """Open what is asked for until the one who asks has ended, killed even: no process with identities stays behind."""
    hardening.no_memory_on_disk()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that waits
    opener = Opener(Path(part), [HybridIdentity.from_seed(seed) for seed in seeds])
    with suppress(EOFError, OSError):
        while True:
            answer.send(_answered(opener, asked.recv()))


def _answered(opener: Opener, batch: Sequence[tuple[int, int, bytes]]) -> list[Opened] | Exception:
    try:
        return opener.open([Place(*each) for each in batch])
    except (BundleError, OSError) as fault:
        return fault
