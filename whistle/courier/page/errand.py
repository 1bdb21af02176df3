"""What the page's button does: an exchange in a thread of its own, told in words as it goes on."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from whistle import sticks
from whistle.courier.errors import CourierError, disk
from whistle.courier.exchange import LEAPT, Courier, Exchanged
from whistle.sticks import Stick

WORDS = {"push": "Sending what the workstation wrote", "pull": "Fetching", "write": "Writing on the stick"}
TAKE_OUT = "Everything is written. You may take the stick out."


@dataclass(frozen=True)
class Word:
    """A line to show; `end` is whether it is the last, and then `good` whether all is well."""

    text: str
    end: bool = False
    good: bool = True
    hint: str = ""


Say = Callable[[Word], None]


class Errand:
    """A courier's folder and where its sticks are: in one folder that was named, or wherever they are mounted."""

    def __init__(self, folder: Path, named: Path | None) -> None:
        self._folder, self._named = folder, named
        self._busy = threading.Lock()
        Courier(folder)  # raises CourierError at once if there is none

    def found(self) -> tuple[list[Stick], list[Stick]]:
        """The sticks that can be used, and the ones that somebody has to be asked about first."""
        return sticks.offered(self._folder, self._named)

    def name(self, folder: str, name: str) -> None:
        """Use a stick from now on, under this name if it has none. Raises ValueError, CourierError."""
        try:
            if not sticks.adopt(self._folder, folder, name):
                raise CourierError("the stick is no longer there", "put it in again")
        except OSError as exc:
            raise disk("the stick", exc) from exc

    def exchange(self) -> Iterator[Word]:
        """Exchange with the one stick that can be used; closing the page does not end it."""
        usable, fresh = self.found()
        if len(usable) != 1:
            what = "More than one stick is in." if usable else "There is no stick."
            hint = "Put in one stick that is known here, wait a moment, then try again."
            yield Word(what, True, False, "The one that is in is new here: look, and name it." if fresh else hint)
            return
        if not self._busy.acquire(blocking=False):
            yield Word("An exchange is under way.", True, False, "Leave the stick in; look again in a minute.")
            return
        words: queue.Queue[Word] = queue.Queue()
        threading.Thread(target=self._work, args=(usable[0].folder, words.put), daemon=True).start()
        yield Word("Leave the stick in.")
        word = Word("")
        while not word.end:
            word = words.get()
            yield word

    def unmount(self) -> bool:
        """Ask the system to let go of the stick; whether it did, and never while an exchange is under way."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            usable, _ = self.found()
            return len(usable) == 1 and sticks.unmount(usable[0].folder)
        finally:
            self._busy.release()

    def _work(self, stick: Path, say: Say) -> None:
        last = ("", -1)

        def progress(step: str, done: int, total: int) -> None:
            nonlocal last
            tenth = (step, 10 * done // max(total, 1))
            if tenth != last:
                last = tenth
                say(Word(f"{WORDS[step]}: {10 * tenth[1]} %"))

        try:
            say(self._exchanged(stick, Courier(self._folder, progress), say))
        except CourierError as exc:
            hint = f"{exc.hint[:1].upper()}{exc.hint[1:]}."
            say(Word(f"Not finished: {exc}.", True, False, hint))
        except OSError as exc:
            error = disk("the stick", exc)
            say(Word(f"Not finished: {error}.", True, False, f"{error.hint[:1].upper()}{error.hint[1:]}."))
        except BaseException as exc:
            say(Word(f"Not finished: something went wrong here, {type(exc).__name__}.", True, False, "Try again."))
            raise
        finally:
            self._busy.release()

    def _exchanged(self, stick: Path, courier: Courier, say: Say) -> Word:
        done = courier.exchange(stick)
        for line in _told(done):
            say(Word(line))
        sticks.flush(stick)
        return Word(TAKE_OUT, True)


def _told(done: Exchanged) -> Iterator[str]:
    yield f"The server got {done.pushed.parts} part(s) and gave {done.pulled.fetched} new thing(s)."
    if done.warning is not None:
        left = f"ends in {done.warning} days" if done.warning >= 0 else "has ended"
        yield f"The list of readers {left}: tell whoever keeps the root."
    if done.leapt:
        yield LEAPT
