"""What the server does by itself: the turn-over when the day changes, removal, chaff, and warnings to the operator.

One thread of one process does it, however many there are.
"""

import datetime
import threading

from whistle.server.errors import NoManifest
from whistle.server.instance import Instance
from whistle.server.logs import LOG, describe
from whistle.server.running import chaff
from whistle.store import Reading, StoreError

TICK = 20.0  # seconds
LONELY = datetime.timedelta(days=14)  # without any courier
FORGOTTEN = datetime.timedelta(days=60)  # that something is there; at 180 it goes


class Housekeeper:
    """Keeps one server's house; `tick` does what is due, `run` ticks until it is told to stop."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._cleaned: tuple[datetime.date, datetime.date] | None = None  # the day that counts, and the clock's
        self._next_chaff: datetime.datetime | None = None
        self._ticked = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def run(self, stop: threading.Event) -> None:
        """Wait until no other process keeps this house, then keep it until `stop` is set."""
        while not stop.is_set():
            try:
                with self._instance.store.alone("housekeeping") as mine:
                    while mine and not stop.wait(TICK):
                        self.tick()
            except Exception as error:  # the edge of the thread: tomorrow's turn-over must not fail with today's
                LOG.error(describe(error))
            stop.wait(TICK)

    def tick(self) -> None:
        """What is due by now.  What fails is written down and tried again at the next tick."""
        try:
            self._tick_day()
            self._tick_chaff()
        except (StoreError, OSError) as error:
            LOG.error(describe(error))

    def _tick_day(self) -> None:
        now = self._instance.store.clock()
        if (now.day, now.says) != self._cleaned:
            clean(self._instance)
            for warning in warnings(self._instance):
                LOG.warning(warning)
            self._cleaned = now.day, now.says

    def _tick_chaff(self) -> None:
        mean, now = self._instance.config.chaff, self._instance.now()
        if not mean:
            return
        if self._next_chaff is None or now < self._ticked:  # the first time, and when the clock was put back
            self._next_chaff = now + datetime.timedelta(seconds=chaff.pause(mean))
        self._ticked = now
        if now >= self._next_chaff:
            # Before the attempt: a full disk must not be filled up at every tick.
            self._next_chaff = now + datetime.timedelta(seconds=chaff.pause(mean))
            try:
                today = self._instance.today
                known = self._instance.published.current(today)
            except NoManifest:
                return
            chaff.scatter(self._instance.store, known, today)


def clean(instance: Instance) -> list[datetime.date]:
    """Sweep, turn over, and remove what has been kept long enough; the days that went because all had stated them.

    In this order, and each even if the one before fails: where the disk is full, sweeping and removing make room.
    When the clock has leapt, nothing is removed.
    """
    store = instance.store
    if store.clock().leapt:
        store.turn_over()
        return []
    try:
        store.sweep()
        store.turn_over()
    finally:
        removed = store.remove_due(must_state(instance))
    return removed


def leapt(now: Reading) -> str:
    """What the operator should know of a clock that has leapt; nothing of one that has not."""
    if not now.leapt or now.last is None:
        return ""
    days = (now.says - now.last).days
    where = f"{days} days after" if days > 0 else f"{-days} days before"
    return (
        f"the clock says {now.says}, {where} the last day that this server saw, {now.last}; reports are taken, but "
        "nothing is removed. If the clock is wrong, set it right; if another calendar says the same, accept the day "
        "with `whistle server clock --accept`"
    )


def must_state(instance: Instance) -> set[str]:
    """Every reviewer who is active in the manifest in force, or in one signed in advance."""
    try:
        in_force = instance.published.current(instance.today)
    except NoManifest:
        return set()
    later = [known for known in instance.published.known if known.manifest.serial >= in_force.manifest.serial]
    return {reviewer.id for known in later for reviewer in known.manifest.active()}


def warnings(instance: Instance) -> list[str]:
    """What the operator should see to."""
    found, today = [], instance.today
    if leap := leapt(instance.clock):
        return [leap]
    newest = instance.published.newest
    if newest is None:
        return ["there is no manifest yet; nobody can report"]
    left = newest.manifest.warning(today)
    if left is not None and left >= 0:
        found.append(f"the manifest ends in {left} days; ask a root keeper for the next")
    elif left is not None:
        found.append(f"the manifest ended {-left} days ago; 30 days after its end nobody can report")
    visit, waiting, kept = instance.store.last_visit(), instance.store.oldest_waiting(), instance.store.days()
    if visit and today - visit >= LONELY:
        found.append(f"no courier has come for {(today - visit).days} days")
    if waiting and today - waiting >= FORGOTTEN:
        found.append(f"something waits to be collected for {(today - waiting).days} days; at 180 it is removed")
    elif kept and today - kept[0].day >= FORGOTTEN:
        found.append(
            f"not all reviewers have stated to have what came {(today - kept[0].day).days} days ago; at 180 it is "
            "removed. Ask them to exchange; then use another courier, or `whistle courier pull --again`"
        )
    return found
