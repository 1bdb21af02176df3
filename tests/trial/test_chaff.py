"""What a made-up message leaves on a server is what a real one leaves, in every column and at every age."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.office import Office, working
from tests.server.visitor import Visitor, turn
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL, full
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.server import limits
from whistle.server.instance import NAME, Instance
from whistle.server.running import chaff, housekeeping
from whistle.workstation.cases import compose
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange import outbox

COUNT = full("CHAFF", 2000, 0)  # of each, real and made up
ANSWERS = 50  # real replies to one case, which has room for 64
RANDOM = random.Random(11)
KINDS = ("report", "follow-up", "reply", "note")
COLLECTED = 2  # days after the arrival on which a courier comes
AGES = (0, 1, COLLECTED, 182, 402, 550, 770)  # days after the arrival
Key = tuple[str, bytes, str]  # table, id, heap
Rows = dict[Key, tuple[Any, ...]]
Traces = tuple[Any, ...]


def rows(instance: Instance) -> Rows:
    """All rows of things with all that they say: place, day, state, days since it changed, length of the body."""
    found: Rows = {}
    lost = set(instance.store.block_store.missing([id for table, id, _ in keys(instance) if table == "block"]))
    with instance.store.database.read() as connection:
        read = connection.exec_driver_sql
        for place in ("today_", ""):
            bodies = dict(map(tuple, read(f"SELECT k, length(body) FROM {place}bodies")))
            for id, heap, day, state, since in read(f"SELECT id, heap, day, state, state_day FROM {place}envelopes"):
                body = bodies.get(int.from_bytes(id[:8], "big", signed=True))
                found["envelope", id, heap] = (place, day, state, since - day, body)
            for id, heap, day in read(f"SELECT id, heap, day FROM {place}blocks"):
                found["block", id, heap] = (place, day, id not in lost)
        found |= {("pending", id, ""): (day,) for id, day in read("SELECT id, day FROM pending")}
    return found


def keys(instance: Instance) -> set[Key]:
    """The keys of all rows."""
    with instance.store.database.read() as connection:
        read = connection.exec_driver_sql
        things = [
            (table, id, heap)
            for table in ("envelope", "block")
            for place in ("today_", "")
            for id, heap in read(f"SELECT id, heap FROM {place}{table}s")
        ]
        return {*things, *(("pending", id, "") for (id,) in read("SELECT id FROM pending"))}


class Life:
    """A server to which real messages come by the programs, and made-up ones by what the server does itself."""

    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
        self.office, self.instance = office, office.app.extensions[NAME]
        self._made = 0
        for name in ("count", "check"):
            monkeypatch.setattr(limits, name, lambda *_: None)
        monkeypatch.setattr(chaff, "_poisson", lambda _: self._made)
        self._reporters = chaff.Reporters()
        self._reports: list[Visitor] = []
        self._cases = [Visitor(office.app).tell("A case to answer.") for _ in range(answers // ANSWERS + 1)]
        self.arrivals: list[set[Key]] = []
        office.round("ombuds")
        self._turn(timedelta(days=1))
        self._day = office.clock.day
        self._known = keys(self.instance)

    def come(self, real: bool, kind: str, blocks: int = 0) -> None:
        """A message of this kind comes, or some message that is made up."""
        self._real(kind, blocks) if real else self._made_up(kind)
        now = keys(self.instance)
        self.arrivals.append(now - self._known)
        self._known = now

    def ages(self) -> list[tuple[Traces, ...]]:
        """What each arrival leaves at each age."""
        found = []
        for days in AGES:
            self._turn(self._day + timedelta(days=days) - self.office.clock.day)
            if days == COLLECTED:
                self.office.courier.pull(self.office.stick("ethics"))
            now = rows(self.instance)
            found.append([traces(now, self._day, arrival) for arrival in self.arrivals])
        return list(zip(*found, strict=True))

    def _turn(self, days: timedelta) -> None:
        turn(self.instance, self.office.clock.day + days)
        if days:
            housekeeping.clean(self.instance)

    def _real(self, kind: str, blocks: int) -> None:
        files = [(f"{n}.pdf", RANDOM.randbytes(1000)) for n in range(blocks)]
        case = self._cases[len(self.arrivals) % len(self._cases)]
        if kind == "report":
            self._withdraw()
            self._reports.append(Visitor(self.office.app).tell("It happened again.", files=files))
        elif kind == "follow-up":
            self._withdraw()
            Visitor(self.office.app).come_back(_typed(case)).step("follow-up", {"text": "And again."}, files)
        else:
            self._write(case, compose.reply if kind == "reply" else compose.note, files)

    def _write(self, case: Visitor, write: Any, files: Sequence[tuple[str, bytes]]) -> None:
        station, stick = self.office.stations["ombuds"], self.office.stick("ombuds")
        known = self.office.case("ombuds", derive(words.decode(case.words)).case.hex())
        write(station, known, "We read it.", [Upload(name, "application/pdf", BytesIO(body)) for name, body in files])
        self.office.exchange("ombuds")
        stored = set(self.office.courier.push(stick).stored)
        outbox.reconcile(station, {}, stored, set(), self.office.clock.day)

    def _withdraw(self) -> None:
        """As often as made-up reporters do."""
        if self._reports and chaff.RANDOM.random() < chaff.WITHDRAWALS:
            last = self._reports[-chaff.REMEMBERED :]
            gone = last[chaff.RANDOM.randrange(len(last))]
            self._reports.remove(gone)
            Visitor(self.office.app).come_back(_typed(gone)).step("withdraw").step("withdraw-now")

    def _made_up(self, kind: str) -> None:
        if kind in ("report", "follow-up"):
            self._reporters.act(self.instance.store, self.office.org.known, self.office.clock.day)
            return
        self._made = 1
        outbox = self.office.where / "nothing" / "outbox"  # what a courier brings says nothing but the day
        outbox.mkdir(parents=True, exist_ok=True)
        listing = Listing("server", self.office.clock.day, (), 1, 1)
        (outbox / "nothing.tar").write_bytes(b"".join(bundle.stream(listing, lambda _: [])))
        assert self.office.courier.push(outbox.parent, everything=True).stored == ()
        self._made = 0


def traces(now: Rows, day: date, arrival: set[Key]) -> Traces:
    """What is left of a message's rows, without what is random in them; and how many of its ids are in both heaps."""
    epoch = day.toordinal() - date(1970, 1, 1).toordinal()
    left = Counter((key[0], key[2], *_since(now[key], epoch)) for key in arrival if key in now)
    heaps = Counter(key[:2] for key in arrival)
    return tuple(sorted(left.items(), key=repr)), sum(count > 1 for count in heaps.values())


def _since(row: tuple[Any, ...], epoch: int) -> tuple[Any, ...]:
    """A row with its day as days since the arrival."""
    return tuple(value - epoch if at == 1 else value for at, value in enumerate(row))


def _typed(visitor: Visitor) -> str:
    return " ".join(words.encode(words.decode(visitor.words)))


def auc(pairs: Sequence[tuple[Any, bool]]) -> float:
    """How well traces tell real from made-up messages that the classifier has not seen: 0.5 is a guess, 1 is always.

    Half of all teach it how often each trace was real; the area under its curve is measured over the others.
    """
    taught, asked = pairs[::2], pairs[1::2]
    seen: defaultdict[Any, list[int]] = defaultdict(lambda: [1, 1])
    for trace, real in taught:
        seen[trace][real] += 1
    scores = {True: [], False: []}  # type: dict[bool, list[float]]
    for trace, real in asked:
        scores[real].append(seen[trace][True] / sum(seen[trace]))
    above = Counter(scores[False])
    wins = sum(
        sum(n * ((score > other) + (score == other) / 2) for other, n in above.items()) for score in scores[True]
    )
    return wins / (len(scores[True]) * len(scores[False]))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a running server."""
    with working(tmp_path) as made:
        yield made


def test_each_kind_leaves_what_a_real_one_leaves(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same tables, with the same states and lifetimes; only the number of blocks differs."""
    life = Life(office, monkeypatch, answers=4)
    shapes = [("reply", 0), *((kind, 2) for kind in KINDS)]
    for kind, blocks in shapes:
        life.come(True, kind, blocks)
        with monkeypatch.context() as patch:
            patch.setattr(chaff.RANDOM, "random", lambda kind=kind: 0.4 if kind in ("report", "reply") else 0.9)
            patch.setattr(chaff, "_count", lambda blocks=blocks: blocks)
            life.come(False, kind)
    left = life.ages()
    for shape, real, made_up in zip(shapes, left[::2], left[1::2], strict=True):
        assert made_up == real, shape
        assert real[0][0] and not real[-1][0]


@pytest.mark.skipif(not TRIAL, reason="thousands of messages; WHISTLE_TRIAL=1")
def test_a_classifier_learns_nothing(office: Office, monkeypatch: pytest.MonkeyPatch, measured: Measure) -> None:
    """Real and made-up messages in random order, of all kinds: nobody can tell which is which from what they leave."""
    monkeypatch.setattr(chaff, "ONE_MORE", 0.3)  # else it takes gigabytes
    life = Life(office, monkeypatch, answers=COUNT)
    real = [True, False] * COUNT
    RANDOM.shuffle(real)
    for each in real:
        kind = RANDOM.choices(KINDS, (chaff.REPORTS, 1 - chaff.REPORTS, chaff.REPLIES, 1 - chaff.REPLIES))[0]
        life.come(each, kind, chaff._count())
    told = auc(list(zip(life.ages(), real, strict=True)))
    measured("messages of each", COUNT)
    measured("area under the curve", f"{told:.3f}")
    assert told < 0.55


def test_the_classifier_would_see_one_id_in_both_heaps() -> None:
    """Were a tenth of the made-up messages like no real one, it would be seen."""
    plain, odd = ((), 0), ((), 1)
    pairs = [(plain, True) for _ in range(2000)] + [(odd if n % 5 == 0 else plain, False) for n in range(2000)]
    RANDOM.shuffle(pairs)
    assert auc(pairs) > 0.55
