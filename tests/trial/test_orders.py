"""Three workstations and two couriers in random orders, with losses, repeats and takings-back: their ends are equal.

What is lost is a stick's content, a part of it, a courier's folder or a connection; what is repeated is an earlier copy
of a stick.  Whoever wants one order again sets WHISTLE_ORDERS_SEED to the number that a failure names.
"""

import contextlib
import io
import os
import random
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.trial.conftest import Measure
from tests.trial.counts import full
from tests.trial.world import COURIERS, PEOPLE, World
from whistle import courier as couriers
from whistle.courier.folder import RECEIPTS
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.server.sealing.arrival import view_case
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.exchange import Exchanged, exchange
from whistle.workstation.exchange.received import day_hashes
from whistle.workstation.tray import tray
from whistle.workstation.vault import check
from whistle.workstation.vault.models import Undone
from whistle.workstation.workstation import Workstation

ORDERS = full("ORDERS", 500, 1)
STEPS = (12, 40)  # of one order, at least and at most
A_WORLD = 20  # orders, each with a case of its own; then everything is made anew
ROUNDS = 6  # in which everybody exchanges with everybody at the end
LONG = "It is a long story. " * 1500
TWO = "taken this case on without knowing of the other"  # as all of them are told
STATES = ("triage", "open", "waiting", "closed")


class Line:
    """Stands before the server; of so many requests, the last breaks."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.left = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        """Answer, or break off."""
        if self.left and "werkzeug.socket" in environ:  # a courier's
            self.left -= 1
            if not self.left:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionError
        return self._application(environ, start)


@dataclass
class Order:
    """One order of steps in one case: what was said there, and what must have become of it."""

    world: World
    line: Line
    chance: random.Random
    number: int
    who: Reporter = field(init=False)
    readers: set[str] = field(default_factory=lambda: {"ombuds", "ethics"})
    told: list[str] = field(default_factory=list)  # texts of the reporter's
    going: dict[str, str] = field(default_factory=dict)  # texts of the tray and beyond, with what they are
    gone: set[str] = field(default_factory=set)  # texts that were taken back, changed or set aside
    copies: list[tuple[str, Path]] = field(default_factory=list)  # of sticks, as they were
    steps: list[str] = field(default_factory=list)
    visits: Any = None

    def __post_init__(self) -> None:
        visitor = self.world.visitor().tell(self.text("report"), "harassment")
        self.who, self.visits = derive(words.decode(visitor.words)), visitor.words

    def text(self, what: str) -> str:
        """A text that nothing else says."""
        said = f"This is {what} {self.number}-{len(self.told) + len(self.going)}-{self.chance.getrandbits(48):012x}."
        said += LONG.rstrip() if what in ("report", "follow-up", "note") and self.chance.random() < 0.05 else ""
        if what in ("report", "follow-up"):
            self.told.append(said)
        else:
            self.going[said] = what
        return said

    def begin(self) -> None:
        """Most orders begin where somebody has the report already."""
        for id in self.chance.sample(PEOPLE, self.chance.randrange(4)):
            for courier in COURIERS:
                self.world.couriers[courier].exchange(self.world.stick(courier))
            self.exchange(id, self.chance.choice(COURIERS))

    def step(self) -> None:
        """One step of somebody's."""
        kinds: dict[Callable[[], object], int] = {
            self.take: 9, self.carry: 9, self.write: 9, self.take_back: 2, self.change: 2, self.put_aside: 1,
            self.put_back: 1, self.follow_up: 1, self.copy: 2, self.repeat: 2, self.lose: 2, self.damage: 2,
            self.forget: 1, self.cut: 2, self.a_day: 1,
        }  # fmt: skip
        [what] = self.chance.choices(list(kinds), list(kinds.values()))
        self.steps.append(f"{what.__name__} {what() or ''}")

    # Reviewers

    def any(self) -> tuple[str, Workstation, Case]:
        """Some workstation, and the case there."""
        id = self.chance.choice(PEOPLE)
        station = self.world.stations[id]
        return id, station, overview.load(station, self.who.case.hex())

    def write(self) -> str:
        """Something goes into a tray."""
        id, station, case = self.any()
        what = self.chance.choice(("reply", "reply", "note", "status", "grant"))
        if not case.entries:
            return "nothing"
        said = self.text(what)
        try:
            self._write(station, case, what, said)
        except Refused as exc:
            del self.going[said]
            return f"{id} {what}: {exc.message}"
        return f"{id} {what}"

    def _write(self, station: Workstation, case: Case, what: str, said: str) -> None:
        files = [Upload("list.txt", "text/plain", io.BytesIO(said.encode()))] if self.chance.random() < 0.3 else []
        if what == "reply":
            tray.reply(station, case, said, files, self.chance.choice(("", "acknowledgement", "feedback")))
        elif what == "note":
            tray.note(station, case, said, files)
        elif what == "status":
            labels = self.chance.sample(["urgent", "a", "b"], 1)
            claimed = self.chance.choice(["", station.me])
            tray.status(station, case, self.chance.choice(STATES), labels=labels, claimed=claimed, text=said)
        else:
            tray.grant(station, case, "counsel", said)
            self.readers.add("counsel")

    def some(self, aside: bool = False) -> tuple[Workstation, tray.Item] | None:
        """Something in the tray of some workstation."""
        _, station, case = self.any()
        found = tray.items(station, case.id, aside=aside)
        return (station, self.chance.choice(found)) if found else None

    def take_back(self) -> str:
        """Nothing of it is left."""
        if not (found := self.some()):
            return "nothing"
        tray.take_back(found[0], found[1].id)
        self._drop(found[1].text)
        return found[1].what

    def change(self) -> str:
        """It says something else."""
        found = self.some()
        if not found or found[1].what not in ("reply", "note"):
            return "nothing"
        said = self.text(found[1].what)
        try:
            tray.change(found[0], found[1].id, said)
        except Refused as exc:
            del self.going[said]
            return exc.message
        self._drop(found[1].text)
        return found[1].what

    def put_aside(self) -> str:
        """It goes with no exchange."""
        if not (found := self.some()):
            return "nothing"
        tray.set_aside(found[0], found[1].id)
        return found[1].what

    def put_back(self) -> str:
        """It goes after all."""
        if not (found := self.some(aside=True)):
            return "nothing"
        tray.put_back(found[0], found[1].id)
        return found[1].what

    def _drop(self, said: str) -> None:
        self.going.pop(said, None)
        self.gone.add(said)

    # Carrying

    def take(self) -> str:
        """A workstation exchanges with a courier's stick."""
        id, courier = self.chance.choice(PEOPLE), self.chance.choice(COURIERS)
        done = self.exchange(id, courier)
        return f"{id} {courier} {done.imported.altered or ''}"

    def exchange(self, id: str, courier: str) -> Exchanged:
        """The same, of these two."""
        return exchange(self.world.stations[id], self.world.stick(courier))

    def carry(self) -> str:
        """A courier exchanges with the server, as far as it gets."""
        courier = self.chance.choice(COURIERS)
        try:
            self.world.couriers[courier].exchange(self.world.stick(courier))
        except couriers.CourierError as exc:
            return f"{courier}: {exc}"
        return courier

    def cut(self) -> str:
        """The connection breaks at one of the next requests."""
        self.line.left = self.chance.randrange(1, 8)
        return str(self.line.left)

    def copy(self) -> str:
        """Somebody copies a stick."""
        courier = self.chance.choice(COURIERS)
        place = self.world.folder / f"copy-{self.number}-{len(self.copies)}"
        shutil.copytree(self.world.stick(courier), place)
        self.copies.append((courier, place))
        return courier

    def repeat(self) -> str:
        """A stick is as it was once; maybe the other courier's."""
        if not self.copies:
            return "nothing"
        _, place = self.chance.choice(self.copies)
        courier = self.chance.choice(COURIERS)
        self.wipe(courier, "inbox")
        self.wipe(courier, "outbox")
        shutil.copytree(place, self.world.stick(courier), dirs_exist_ok=True)
        return courier

    def lose(self) -> str:
        """A stick loses what came, or what is to go."""
        courier, which = self.chance.choice(COURIERS), self.chance.choice(("inbox", "outbox"))
        self.wipe(courier, which)
        return f"{courier} {which}"

    def wipe(self, courier: str, which: str) -> None:
        """The same, of these."""
        shutil.rmtree(self.world.stick(courier) / which, ignore_errors=True)

    def damage(self) -> str:
        """A part of a stick is cut off, or a byte of it is another."""
        parts = sorted(path for courier in COURIERS for path in self.world.stick(courier).rglob("*.tar"))
        if not parts:
            return "nothing"
        path = self.chance.choice(parts)
        data = bytearray(path.read_bytes())
        at = self.chance.randrange(len(data))
        if self.chance.random() < 0.5:
            data[at] ^= 1 << self.chance.randrange(8)
        else:
            del data[at:]
        path.write_bytes(data)
        return f"{path.parent.parent.name}/{path.parent.name} {at}"

    def forget(self) -> str:
        """A courier's folder loses what it fetched, or what it noted of what it sent."""
        courier = self.chance.choice(COURIERS)
        where = self.world.folder / f"courier-{courier}"
        if self.chance.random() < 0.5:
            shutil.rmtree(where / "mirror", ignore_errors=True)
        else:
            (where / RECEIPTS).unlink(missing_ok=True)
        return courier

    # The reporter, and time

    def follow_up(self) -> str:
        """The reporter adds something."""
        visitor = self.world.visitor().come_back(self.visits).step("follow-up", {"text": self.text("follow-up")})
        assert visitor.answer.status_code == 200 and 'role="alert"' not in visitor.html
        return ""

    def a_day(self) -> str:
        """Goes by."""
        self.world.wait(1)
        return ""

    # The end

    def settle(self) -> None:
        """No more is lost: everybody says what is to go, and exchanges until nothing is left to be done."""
        self.line.left = 0
        for station in self.world.stations.values():
            for item in tray.items(station, aside=True):
                self._drop(item.text)
        for courier in COURIERS:  # what is damaged is written anew, or wiped as a person would
            for which in ("inbox", "outbox"):
                self.wipe(courier, which)
        for number in range(ROUNDS):
            for place, id in enumerate(PEOPLE):
                courier = COURIERS[(number + place) % len(COURIERS)]
                self.world.couriers[courier].exchange(self.world.stick(courier))
                self.exchange(id, courier)
                self._let_go(id)
                self.world.couriers[courier].exchange(self.world.stick(courier))
            if number and self.is_still():
                return

    def is_still(self) -> bool:
        """Whether nothing is left to be done."""
        days = self.world.ids()
        return all(
            not outbox.pending(station)
            and not tray.items(station)
            and all(self.world.store.day_hash(day) in day_hashes(station, day) for day in days)
            for station in self.world.stations.values()
        )

    def _let_go(self, id: str) -> None:
        station = self.world.stations[id]
        for item in tray.items(station):
            if item.held:
                tray.release(station, item.id)
            elif item.what == "grant":  # somebody else let them in meanwhile
                assert "reads this case already" in item.reason, item.reason
                self._drop(tray.take_back(station, item.id).text)

    def ends(self) -> None:
        """They are equal, and nothing was lost, doubled or kept."""
        stations = self.world.stations
        self.read_the_same()
        for id, station in stations.items():
            assert outbox.pending(station) == [], id
            assert tray.items(station) == [], [(each.what, each.reason) for each in tray.items(station)]
            assert station.vault.session.query(Undone).count() == 0
            for day in self.world.ids():
                assert self.world.store.day_hash(day) in day_hashes(station, day), (id, day)
        self.reporter_reads_each_reply_once()

    def read_the_same(self) -> None:
        """All who read the case have all that was said in it, once, without a fault, and come to the same."""
        cases = {id: overview.load(station, self.who.case.hex()) for id, station in self.world.stations.items()}
        for id in set(PEOPLE) - self.readers:
            assert not cases[id].entries
        read = {id: case for id, case in cases.items() if case.entries}
        assert set(read) == {"ombuds", "ethics"} | (set(PEOPLE) & set(read["ombuds"].allowed))
        for id, case in read.items():
            assert all(TWO in fault for fault in case.faults), (id, case.faults)
            said = Counter(getattr(each.content, "text", "") for each in case.entries)
            own = {said_: 1 for said_, what in self.going.items() if what != "grant"}
            assert {each: said[each] for each in own} == own, id
            assert {each: said[each] for each in self.told} == dict.fromkeys(self.told, 1), id
            assert not self.gone & set(said), id
        [hashes] = {frozenset(each.signed.hash for each in case.entries) for case in read.values()}
        views = {id: self._view(case) for id, case in read.items()}
        assert hashes and len(set(views.values())) == 1, views

    def _view(self, case: Case) -> tuple[object, ...]:
        standing = case.standing
        stated = (standing.status, standing.labels, standing.claimed) if standing else ()
        kinds = [(each.what, each.written) for each in case.deadlines]
        told = (*case.faults, case.unanswered, case.reopened)
        return stated, tuple(sorted(case.allowed)), case.without, told, tuple(kinds)

    def reporter_reads_each_reply_once(self) -> None:
        """What was signed, and nothing of what was taken back."""
        instance = self.world.instance
        view = view_case(self.who, instance.published.now(), instance.store, self.world.clock.day)
        assert view is not None and view.late == 0
        shown = Counter(found.reply.text for found in view.replies if found.reply.text)
        assert shown == Counter(said for said, what in self.going.items() if what == "reply")


@contextlib.contextmanager
def worlds() -> Iterator[Callable[[], tuple[World, Line]]]:
    """A function that gives a world, another one after so many times."""
    with contextlib.ExitStack() as stack:
        count, found = 0, None

        def give() -> tuple[World, Line]:
            nonlocal count, found
            if count % A_WORLD == 0:
                stack.close()
                world = World()
                stack.callback(world.close)
                line = Line(world.app.wsgi_app)
                world.app.wsgi_app = line  # type: ignore[method-assign]
                found = world, line
            count += 1
            assert found is not None
            return found

        yield give


def test_whatever_the_order_the_ends_are_equal(measured: Measure) -> None:
    """Each order is played, then nothing is lost any more until all is still: all who read the case read the same."""
    seeded = os.environ.get("WHISTLE_ORDERS_SEED")
    seeds = [int(seeded)] if seeded else [random.getrandbits(32) for _ in range(ORDERS)]
    steps = 0
    with worlds() as give:
        for seed in seeds:
            world, line = give()
            order = Order(world, line, random.Random(seed), seed)
            try:
                order.begin()
                for _ in range(order.chance.randint(*STEPS)):
                    order.step()
                order.settle()
                order.ends()
            except BaseException as exc:
                pytest.fail(f"WHISTLE_ORDERS_SEED={seed}: {type(exc).__name__}: {exc}\n" + "\n".join(order.steps))
            steps += len(order.steps)
        for id, station in world.stations.items():
            assert check.faults(station) == [], id
    measured("orders", len(seeds))
    measured("steps", steps)
