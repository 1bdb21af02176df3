"""A courier that goes by itself: at set times, whether or not there is anything, until it is told to end.

It may be killed at any moment: an exchange goes on where it was, and what is remembered is written whole.
"""

import datetime
import threading
import time
from collections.abc import Callable
from pathlib import Path

from whistle import sticks
from whistle.courier import alarms, lock, memory, stick
from whistle.courier.errors import BadServer, BadStick, Busy, CourierError, Refused, ServerAway, disk
from whistle.courier.exchange import Courier
from whistle.courier.notices import Notices
from whistle.courier.schedule import Schedule, pause

STEP = 20.0  # seconds between two looks at the clock, which may leap or stand while a machine sleeps
TRIED = 7200  # seconds after a set time in which a server that is away is tried again
# Days without a workstation's exchange before an alarm: what came right after the last one is to be acknowledged within
# seven days in most offices, and two are left then. The courier itself cannot know what is due.
PATIENCE = 5
KINDS: dict[type[CourierError], str] = {Refused: "refused", BadServer: "server", BadStick: "stick"}


class Run:
    """A courier's regular exchanges.

    `place` gives the stick's folder, or None while there is none; `say` shows a line to whoever looks; `clock` gives
    seconds since 1970; `patience` is in days.
    """

    def __init__(
        self,
        folder: Path,
        place: Callable[[], Path | None],
        schedule: Schedule,
        notices: Notices,
        say: Callable[[str], None],
        patience: int = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._place, self._schedule, self._notices = folder, place, schedule, notices
        self._say, self._patience, self._clock = say, patience, clock
        self._courier = Courier(folder, clock=clock)
        self._before = clock()
        self._seen = memory.seen(folder, _day(self._before))
        self._failures, self._again = 0, 0.0
        self._waits = False

    def forever(self, step: float = STEP) -> None:
        """Go on until KeyboardInterrupt. Raises CourierError if another one runs in this folder."""
        with lock.held(self._folder, lock.RUN):
            self._say(f"The next exchange is at {_shown(self._schedule.following(self._before, self._seen.promised))}.")
            self._notices.stand(alarms.standing(self._seen, self._before, self._patience))
            threading.Thread(target=self._give_notices, args=(step,), daemon=True).start()
            while True:
                self.step()
                time.sleep(min(step, self._left()))

    def _left(self) -> float:
        """Seconds until the next set time."""
        now = self._clock()
        return self._schedule.following(now, self._seen.promised) - now

    def step(self) -> None:
        """Exchange if it is time, and set what alarms stand."""
        now = self._clock()
        before, self._before = min(self._before, now), now
        if self._tries_again(now) or self._schedule.due(before, now, self._seen.promised):
            self._exchange(now)
        self._notices.stand(alarms.standing(self._seen, now, self._patience))

    def _tries_again(self, now: float) -> bool:
        """Whether a pause after a failure is over; long after a set time, the next one is waited for."""
        if not self._failures or now - self._schedule.latest(now, self._seen.promised) > TRIED:
            return False
        return not self._again - pause(self._failures) <= now < self._again

    def _give_notices(self, step: float) -> None:
        while True:
            self._notices.step(self._clock())
            time.sleep(step)

    def _exchange(self, now: float) -> None:
        place = self._place()
        if place is None and not self._waits:
            self._say("There is no stick. The courier waits for it, and goes to the server nevertheless.")
        self._waits = place is None
        try:
            done = self._courier.exchange(place)
            self._reached(("clock",) if done.leapt else ())
        except (ServerAway, Busy) as exc:
            self._failed(now, exc)
        except (CourierError, OSError) as exc:
            error = exc if isinstance(exc, CourierError) else disk("the courier's folder", exc)
            self._reached((KINDS.get(type(error), "refused"),))
            self._say(f"This exchange failed: {error}. {_sentence(error.hint)}")
        if place is not None and (written := stick.written(place)):
            self._seen.written = max(written, self._seen.written or written)
        self._keep()

    def _failed(self, now: float, error: CourierError) -> None:
        self._failures += 1
        self._again = now + pause(self._failures)
        if isinstance(error, ServerAway) and (self._seen.failing is None or self._seen.failing > now):
            self._seen.failing = now
        if self._failures == 1:
            self._say(f"This exchange failed: {error}. It is tried again by itself.")

    def _reached(self, troubles: tuple[str, ...]) -> None:
        self._failures = 0
        self._seen.failing, self._seen.troubles = None, troubles
        if current := self._courier.newest_manifest():
            self._seen.expires, self._seen.promised = current.expires, current.collection

    def _keep(self) -> None:
        try:
            self._seen.save(self._folder)
        except OSError:
            self._say("The courier's folder cannot be written: make room, or see who owns it.")


def named(folder: Path) -> Callable[[], Path | None]:
    """Where a stick is that lies in this folder once it is in."""
    return lambda: folder if folder.is_dir() else None


def known(own: Path) -> Callable[[], Path | None]:
    """Where the one known stick is that is in; with more than one, nowhere."""

    def place() -> Path | None:
        found = sticks.usable(sticks.mounted(), sticks.known(own))
        return found[0].folder if len(found) == 1 else None

    return place


def _sentence(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:]}."


def _day(now: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).date()


def _shown(now: float) -> str:
    return f"{datetime.datetime.fromtimestamp(now):%A, %H:%M}"
