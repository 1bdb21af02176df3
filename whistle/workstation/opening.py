"""Opens the envelopes of a part on all cores.

Trying an identity on a stanza holds the interpreter, so each core gets a process, which reads the part by itself and
holds each envelope to the part's list.  The processes end with the import.  Where none can be started, or there are too
few envelopes to be worth one, everything is opened here.
"""

import errno
import itertools
import os
import pickle
import subprocess
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from whistle.protocol.age import HybridIdentity
from whistle.protocol.listing import BundleError
from whistle.workstation import opener as program
from whistle.workstation.opener import Opened, Opener, Place

try:
    import fcntl
except ImportError:  # Windows, whose pipes hold too little, and whose programs get no descriptors
    fcntl = None  # type: ignore[assignment]

FEW = 200  # envelopes that take about as long as a process takes to start
BATCH = 32  # envelopes that travel together
AHEAD = 4  # batches for each process that are under way
ROOM = 1_048_576  # bytes of answers that may wait in a pipe
LEAST = 16_384  # bytes that a pipe must hold: the questions under way; a system gives less where there are many pipes
MOST = 32  # processes; a user who is not root may have some 64 pipes that are so wide


class Helper:
    """A process that opens envelopes for this one: batch by batch, in their order."""

    def __init__(self, opener: Opener) -> None:
        """Raises OSError where no process can be started."""
        answers, answer = os.pipe()
        self._answers = os.fdopen(answers, "rb")
        try:
            self.process = subprocess.Popen(  # noqa: S603  our own program; what it prints is no answer
                [*program.COMMAND, str(answer)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(answer,),
                process_group=0,  # Ctrl-C is for the program that waits
            )
        except BaseException:
            self._answers.close()
            raise
        finally:
            os.close(answer)
        assert self.process.stdin is not None
        self._asked = self.process.stdin
        self._lost = False  # what it said was no answer, so nothing that follows is one
        _widen(answers)
        if min(_room(self._asked.fileno()), _room(answers)) < LEAST:
            self.end()
            self.ended()
            raise OSError(errno.ENOBUFS, "pipes hold too little")
        self._send((str(opener.part), [identity.seed for identity in opener.identities]))

    def ask(self, batch: Sequence[Place]) -> None:
        """Begin to open a batch; those under way are some KB, which a pipe holds, so this never waits for an answer."""
        self._send([tuple(place) for place in batch])

    def answer(self, count: int) -> list[Opened] | None:
        """What the oldest batch holds, so many; None when the process did not start, was ended or cannot read the part.

        Raises BundleError as `Opener.open`.
        """
        found = None if self._lost else self._heard()
        if isinstance(found, BundleError):
            raise found
        if isinstance(found, list) and len(found) == count:
            return found
        self._lost = True
        self.process.kill()  # or it would go on until nobody reads its answers, and then take no more questions
        return None

    def _heard(self) -> object:
        try:
            return pickle.load(self._answers)  # noqa: S301  from our own program
        except Exception:  # it has ended, perhaps in the middle, of which anything may come
            return None

    def end(self) -> None:
        """Tell the process to end."""
        self.process.kill()  # nothing of it has to be finished
        with suppress(OSError):  # something was still on its way to it
            self._asked.close()

    def ended(self) -> None:
        """Wait until it has ended."""
        self.process.wait()
        self._answers.close()

    def _send(self, what: object) -> None:
        if self._lost:
            return
        with suppress(OSError):  # it has ended, as its answer will tell
            pickle.dump(what, self._asked, pickle.HIGHEST_PROTOCOL)
            self._asked.flush()


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
            self.helpers.pop().ended()

    def _called(self, count: int) -> list[Helper]:
        cores = os.cpu_count() or 1
        found: list[Helper] = []
        if count >= FEW and cores > 1 and fcntl is not None:
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
        opened = helper.answer(len(batch))
        self._opened += self._opener.open(batch) if opened is None else opened


def _widen(pipe: int) -> None:
    """Make room in a pipe, where the system lets it, so that who answers need not wait for who reads."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, ROOM)


def _room(pipe: int) -> int:
    """How many bytes wait in a pipe before who writes has to: with too few, each side could wait for the other."""
    return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) if hasattr(fcntl, "F_GETPIPE_SZ") else LEAST
