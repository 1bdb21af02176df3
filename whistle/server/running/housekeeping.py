"""Background work: the turn-over when the day changes, removal, chaff, and warnings to the operator.

It runs in one thread of one process, however many processes there are.
"""

import contextlib
import datetime
import threading

from whistle.server.errors import DiskFull, NoManifest, NotStored
from whistle.server.instance import Instance
from whistle.server.logs import LOG, log_error
from whistle.server.running import chaff
from whistle.server.running.fullness import fullness
from whistle.store import Away, Full, Reading, StoreError

TICK = 20.0  # seconds
LONGEST_PAUSE = 16  # ticks between two tries to clean, when it fails again and again, as during a long dump
FULL = (
    "the database's disk is full: lookups, withdrawals and couriers go on, reports and the night's work wait. Make "
    "room on it, as much as is stored of one day; everything goes on by itself then"
)
NO_ROOM = (
    "there is no room for a made-up report, so real ones are refused too: make room where the database and the blocks "
    "are; `whistle server check` counts what is stored"
)
NO_COURIER = datetime.timedelta(days=14)  # without any courier: warn
NOT_COLLECTED = datetime.timedelta(days=60)  # that something waits: warn; it is removed at 180


class Housekeeper:
    """Does the background work of one server; `tick` does what is due, `run` ticks until it is stopped."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._cleaned: tuple[datetime.date, datetime.date] | None = None  # the store's day, and the clock's
        self._pause = self._skip = 0  # ticks
        self._next_chaff: datetime.datetime | None = None
        self._reporters = chaff.Reporters()
        self._ticked = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def run(self, stop: threading.Event) -> None:
        """Wait until no other process does it, then tick until `stop` is set."""
        while not stop.is_set():
            try:
                with self._instance.store.job_lock("housekeeping") as lock:
                    while lock and not stop.wait(TICK):
                        lock.check()
                        self.tick()
            except Exception as error:  # the outermost edge of the thread: it must survive until tomorrow's turn-over
                log_error(error)
            stop.wait(TICK)

    def tick(self) -> None:
        """Do what is due.  Failures are logged and tried again; cleaning, which takes long, ever later."""
        for step, full in ((self._tick_day, FULL), (self._tick_chaff, NO_ROOM)):
            try:
                step()
            except (Full, DiskFull):
                self._tell(full)
            except (StoreError, NotStored, OSError) as error:
                log_error(error)

    def _tell(self, full: str) -> None:
        """Say in one line what has filled a disk; or what is known, where the server cannot see the disk."""
        lines: list[str] = []
        with contextlib.suppress(StoreError, OSError):
            lines = fullness(self._instance)
        LOG.warning(next(iter(lines), full))

    def _tick_day(self) -> None:
        now = self._instance.store.clock()
        if (now.day, now.says) == self._cleaned:
            return
        if self._skip:
            self._skip -= 1
            return
        self._skip, self._pause = self._pause, min(2 * self._pause + 1, LONGEST_PAUSE)
        clean(self._instance)
        for warning in warnings(self._instance):
            LOG.warning(warning)
        self._cleaned, self._skip, self._pause = (now.day, now.says), 0, 0

    def _tick_chaff(self) -> None:
        mean, now = self._instance.config.chaff, self._instance.now()
        if not mean:
            return
        if self._next_chaff is None or now < self._ticked:  # the first time, or the clock was set back
            self._next_chaff = now + datetime.timedelta(seconds=chaff.pause(mean))
        self._ticked = now
        if now >= self._next_chaff:
            # Before the attempt: on a full disk, do not try again at every tick.
            self._next_chaff = now + datetime.timedelta(seconds=chaff.pause(mean))
            try:
                today = self._instance.today
                signed = self._instance.published.now().current(today)
            except NoManifest:
                return
            self._reporters.act(self._instance.store, signed, today)


def clean(instance: Instance) -> list[datetime.date]:
    """Sweep, turn over, and remove what is due; returns the days removed because all had stated them.

    One process does it at a time; another waits, and then does what is left.  Removal runs even if a step before it
    fails: on a full disk, it makes room.  Nothing is removed after a leap of the clock.
    """
    store = instance.store
    with store.job_lock("cleaning", wait=True) as lock:
        if store.clock().leapt:
            store.turn_over(lock)
            return []
        try:
            store.sweep()
            store.turn_over(lock)
        finally:
            lock.check()
            removed = store.remove_due(must_state(instance))
        return removed


def leapt(now: Reading) -> str:
    """The warning for a clock that has leapt, or ""."""
    if not now.leapt or now.last is None:
        return ""
    days = (now.says - now.last).days
    where = f"{days} days after" if days > 0 else f"{-days} days before"
    return (
        f"the clock says {now.says}, {where} the last day that this server saw, {now.last}; reports are taken, but "
        "nothing is removed. If the clock is wrong, set it right; if another calendar says the same, accept the day "
        "with `whistle server clock --accept`"
    )


def at_start(instance: Instance) -> list[str]:
    """Warnings for whoever starts the server: of a clock that has leapt, and of the database."""
    try:
        leap, risks = leapt(instance.store.clock()), instance.store.risks(instance.config.workers)
    except Away:
        return [
            "the database does not answer; the pages say so until it does. If it does not come back, see that its "
            "address in whistle.toml is right"
        ]
    return [leap, *risks] if leap else risks


def must_state(instance: Instance) -> set[str]:
    """The ids of reviewers who are active in the manifest in force or in one signed in advance."""
    try:
        manifests = instance.published.now()
        in_force = manifests.current(instance.today)
    except NoManifest:
        return set()
    later = [signed for signed in manifests.manifests if signed.manifest.serial >= in_force.manifest.serial]
    return {reviewer.id for signed in later for reviewer in signed.manifest.active()}


def warnings(instance: Instance) -> list[str]:
    """Warnings that need the operator's attention."""
    lines, today = [], instance.today
    if leap := leapt(instance.clock):
        return [leap]
    newest = instance.published.now().newest
    if newest is None:
        return ["there is no manifest yet; nobody can report"]
    left = newest.manifest.warning(today)
    if left is not None and left >= 0:
        lines.append(f"the manifest ends in {left} days; ask a root keeper for the next")
    elif left is not None:
        lines.append(f"the manifest ended {-left} days ago; 30 days after its end nobody can report")
    lines += fullness(instance)
    visit, waiting, kept = instance.store.last_visit(), instance.store.oldest_waiting(), instance.store.days()
    if visit and today - visit >= NO_COURIER:
        lines.append(f"no courier has come for {(today - visit).days} days")
    if waiting and today - waiting >= NOT_COLLECTED:
        lines.append(f"something waits to be collected for {(today - waiting).days} days; at 180 it is removed")
    elif kept and today - kept[0].day >= NOT_COLLECTED:
        lines.append(
            f"not all reviewers have confirmed that they have what arrived {(today - kept[0].day).days} days ago; "
            "at 180 it is removed. Ask them to exchange; then use another courier, or `whistle courier pull --again`"
        )
    return lines
