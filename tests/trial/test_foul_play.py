"""Whatever those who take part do, honest people lose nothing, read nothing false, and are told what was done.

A reader, dismissed sooner or later, a courier who is a reader too, and a server that hides play foul at random, beside
honest reporters, readers and a courier.  When all honest ones have met again and done what their programs asked for,
each has all that honest people said, and each line that is left is explained by what was done.
"""

import datetime
import random
from collections import Counter
from dataclasses import replace
from operator import itemgetter
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.server.visitor import Visitor
from tests.trial.conftest import Measure
from tests.trial.counts import full
from tests.trial.foul_world import ABSENT, ASKS, CHECKED, HONEST, HOW, LINES, ROGUE, FoulCourier, Words, send_all_again
from tests.trial.rogue import Rogue
from tests.trial.world import ORG, PEOPLE, SLOTS, World
from whistle.protocol.case.message import Note, Reply, Status
from whistle.protocol.code import words as codes
from whistle.protocol.code.retrieval import derive, place_ids
from whistle.protocol.reporter import submission
from whistle.store import Store
from whistle.workstation.cases import chain, compose, overview
from whistle.workstation.cases.overview import Case

ANY = st.integers(0, 1_000_000)
CASES = 3  # in one run, so that things meet in them
ROUND = 6  # things done, after which honest people may meet again
PORTION = chain.SEEN_PER_SLOT * SLOTS  # others' messages that one of one's own names
OCTETS = "application/octet-stream"
READER = ("fork", "past", "stray", "form")
KINDS = (*READER, *HOW, "dated back")
FOUL = "Come to the car park at night"
DONE: Counter[str] = Counter()


class FoulPlay(RuleBasedStateMachine):
    """Random people do random things, and some play foul."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.courier = FoulCourier(self.world, "second")
        self.cases: list[Words] = []
        self.count = self.met = 0
        self.end: datetime.date | None = None  # of the rogue's key

    def teardown(self) -> None:
        try:
            self.meet()
        finally:
            self.world.close()

    @initialize(first=st.lists(st.tuples(st.sampled_from(KINDS), ANY), min_size=3, max_size=5, unique_by=itemgetter(0)))
    def begin(self, first: list[tuple[str, int]]) -> None:
        """A case that all three read, and in which some have played foul."""
        self.report()
        self.honest_rounds(1)
        compose.grant(self.world.stations["ombuds"], self.case("ombuds", self.cases[0]), "counsel")
        self.cases[0].readers.append("counsel")
        self.honest_rounds(2)
        for what, which in first:
            for author in HONEST:
                self.write("reply", 0, author)
            self.play_foul(what, which, HONEST[which % 2])

    # What honest people do

    @precondition(lambda self: len(self.cases) < CASES)
    @rule()
    def report(self) -> None:
        text = self.text("report")
        visitor = self.world.visitor().tell(text, "harassment")
        readers = ["ombuds"] if self.end else ["ombuds", ROGUE]
        self.cases.append(Words(visitor.words, derive(codes.decode(visitor.words)), [text], readers))

    @rule(which=ANY)
    def follow_up(self, which: int) -> None:
        words, text = self.pick(which), self.text("follow-up")
        visitor = self.come_back(words).step("follow-up", {"text": text})
        assert visitor.answer.status_code == 200 and 'role="alert"' not in visitor.html, visitor.text
        words.told.append(text)

    @rule(kind=st.sampled_from(["reply", "note"]), which=ANY, author=st.sampled_from(HONEST))
    def write(self, kind: str, which: int, author: str) -> None:
        words, station = self.pick(which), self.world.stations[author]
        case = self.case(author, words)
        if case.report is None or author not in case.allowed:
            return
        text = self.text(kind)
        known = [each.text for each in case.replies if each.text in words.replies]
        {"reply": compose.reply, "note": compose.note}[kind](station, case, text)
        words.said.append((author, kind, text))
        if kind == "reply":
            words.name_earlier(author, text, known)

    @rule(reviewer=st.sampled_from(PEOPLE))
    def exchange(self, reviewer: str) -> None:
        self.world.carry("first")
        self.world.take(reviewer, "first")
        self.world.carry("first")

    @precondition(lambda self: (self.world.clock.day - datetime.date(2026, 11, 22)).days < 50)
    @rule(days=st.sampled_from([1, 8]))
    def days_go_by(self, days: int) -> None:
        self.world.wait(days)

    # What others do

    @rule(what=st.sampled_from(KINDS), which=ANY, reviewer=st.sampled_from(HONEST))
    def play_foul(self, what: str, which: int, reviewer: str) -> None:
        if what in HOW:
            self.foul_courier(reviewer, what, random.Random(which))
        elif what == "dated back":
            self.dated_back(which, Status if which % 2 else Reply)
        elif self.rogue_cases() and not self.end:
            self.foul_reader(which, what)

    def foul_courier(self, reviewer: str, how: str, chance: random.Random) -> None:
        DONE[f"a courier {how}"] += 1
        self.count += 1
        self.courier.visit(reviewer, how, self.cases, chance)
        for words in self.cases:
            words.done["courier"] += 1
            words.done["taken"] += how == "says taken"

    def foul_reader(self, which: int, what: str) -> None:
        words, rogue = self.rogue(which)
        honest, readers = words.honest_readers, tuple(words.readers)
        text = f"{FOUL}, {self.text(what)}"
        if what == "form":
            self.at_the_form(words, rogue)
        elif what == "fork":
            for to in (honest[0], honest[-1]):
                signed = rogue.say(Note, [to], text=f"{text} to {to} {random.random()}", readers=readers)
            rogue.keep(signed)
        elif what == "past":
            signed = rogue.sign(Reply, text=text, n=words.places, readers=readers)
            rogue.send(signed, ())
            words.places += 1
            rogue.keep(signed)
        else:
            n = 63 - words.done["stray"]  # no two for one place
            rogue.keep(rogue.say(Reply, honest, text=text, lane=0, n=n, readers=readers))
        rogue.keep(rogue.say(Note, honest, text=self.text("his note"), readers=readers))  # which names the one before
        words.done[what] += 1
        self.rogue_goes()

    def at_the_form(self, words: Words, rogue: Rogue) -> None:
        answer = rogue.answer(rogue.sign(Reply, text=f"{FOUL}, at the form", n=60)).body
        client, own = self.world.app.test_client(), place_ids(words.who.replies, 0)
        for token in (*own[:3], place_ids(words.who.replies, 1)[60], words.who.report_id, words.who.slip_id):
            client.post("/api/withdraw", data=token, content_type=OCTETS)
            client.post("/api/store", data=submission.encode(token, [answer, answer], []), content_type=OCTETS)

    def dismiss(self) -> None:
        """Root retires the rogue from today on; all honest people hear of it, and then it is tomorrow."""
        self.end = self.world.clock.day
        manifest = ORG.manifest
        people = tuple(replace(each, retired=each.id == ROGUE) for each in manifest.reviewers)
        left = [(each, tuple(id for id in each.readers if id != ROGUE)) for each in manifest.channels]
        channels = tuple(replace(each, readers=readers) for each, readers in left)
        known = ORG.next(reviewers=people, channels=channels, begins=self.end)
        self.world.instance.published.install([(known.data, known.signature)])
        self.honest_rounds(1)
        self.world.wait(1)
        DONE["dismissed"] += 1

    def dated_back(self, which: int, kind: type[Any]) -> None:
        """The rogue is dismissed, if that was not yet, and then writes with the day of before."""
        if self.end is None:
            self.dismiss()
        words, rogue = self.rogue(which)
        more: dict[str, Any] = {"status": "closed"}
        if kind is Reply:
            more = {"text": f"{FOUL}, too late", "n": words.places}
            words.places += 1
        rogue.keep(rogue.say(kind, words.honest_readers, day=self.end, readers=tuple(words.readers), **more))
        words.done["late"] += 1
        words.done["late reply"] += kind is Reply
        DONE["dated back"] += 1
        self.rogue_goes()

    def rogue_goes(self) -> None:
        """The courier, who suspects nothing, takes what the rogue has written."""
        self.world.take(ROGUE, "first")
        self.world.carry("first")

    @rule(which=ANY, place=ANY)
    def look_at_a_server_that_hides(self, which: int, place: int) -> None:
        """The reporter is told of a reply that is hidden, as soon as one that names it is there."""
        words = self.pick(which)
        delivered = [text for text in words.replies if text in self.page(words)]
        if not delivered or words.done["courier"]:
            return
        hidden = delivered[place % len(delivered)]
        named = any(hidden in names for text, names in words.names if text in delivered and text != hidden)
        page = self.page(words, hide=self.place_of(words, hidden))
        assert hidden not in page and (ABSENT in page) == named, (hidden, words.names)
        DONE["hidden and named" if named else "hidden"] += 1

    # What must hold

    @precondition(lambda self: self.count - self.met >= ROUND)
    @rule()
    def meet(self) -> None:
        """All honest people meet, do what they are asked to do, and then have everything."""
        for words in self.cases:
            self.reporter_is_told(words)
        send_all_again(self.world)
        self.honest_rounds(2)
        for number, words in enumerate(self.cases):
            for author in words.honest_readers:  # what is known to one of them alone is named to the other, in portions
                for _ in range(1 + len(self.case(author, words).entries) // PORTION):
                    self.write("note", number, author)
        self.honest_rounds(2)
        for _ in range(3):
            self.do_as_asked()
        self.everybody_has_everything()
        self.met = self.count
        DONE["meetings"] += 1

    def reporter_is_told(self, words: Words) -> None:
        """Of an answer that is not there, and that one which is there names."""
        page = self.page(words)
        there = {text for text in words.replies if text in page}
        absent = [name for text, names in words.names if text in there for name in names - there]
        assert not absent or ABSENT in page or CHECKED in page, (absent, page)
        DONE["absent and named"] += bool(absent)

    def do_as_asked(self) -> None:
        """Grant again what a colleague's workstation asks for."""
        asked = False
        for words in self.cases:
            for reader in words.honest_readers:
                if any(ASKS.fullmatch(line) for line in self.case(reader, words).faults):
                    for other in set(words.honest_readers) - {reader}:
                        compose.grant_whole(self.world.stations[other], self.case(other, words), reader)
                        asked = True
        if asked:
            self.honest_rounds(2)

    def everybody_has_everything(self) -> None:
        for words in self.cases:
            page = self.page(words)
            for text in words.replies:
                assert page.count(text) == 1, (text, page)
            foul = words.done["squat"] or words.done["late reply"] or words.done["stray"]
            assert (CHECKED in page) <= bool(foul), page
            assert not (words.done["squat"] or words.done["late reply"]) or CHECKED in page, page
            assert "too late" not in page and "at the form" not in page and ABSENT not in page, page
            for reader in words.honest_readers:
                self.reads_all(reader, words)

    def reads_all(self, reader: str, words: Words) -> None:
        case = self.case(reader, words)
        texts = Counter(getattr(entry.content, "text", "") for entry in case.entries)
        for text in [*words.told, *(text for _, kind, text in words.said if kind == "note")]:
            assert texts[text] == 1, (reader, text, case.faults)
        assert all(texts[text] >= 1 for text in words.replies), (reader, case.faults)
        left = [line for line in case.faults if words.unexplained(line)]
        assert left == [], (reader, words.done)
        for what in LINES.keys() - {"taken"}:
            shown = [
                line for line in case.faults if not Words.unexplained(replace(words, done=Counter({what: 1})), line)
            ]
            assert bool(shown) == bool(words.done[what]), (reader, what, case.faults)
        assert case.status == "new"

    @invariant()
    def nothing_false(self) -> None:
        """Where nobody played foul, nothing is asked; and what is no longer of a reader's word is never shown."""
        DONE["steps"] += 1
        for words in self.cases:
            if not words.done.total():
                assert all(self.case(reader, words).faults == [] for reader in words.honest_readers)

    # Help

    def text(self, what: str) -> str:
        self.count += 1
        DONE[what] += 1
        return f"This is {what} number {self.count}, {random.getrandbits(64):016x}."

    def pick(self, which: int) -> Words:
        return self.cases[which % len(self.cases)]

    def case(self, reader: str, words: Words) -> Case:
        return overview.load(self.world.stations[reader], words.name)

    def rogue_cases(self) -> list[Words]:
        return [each for each in self.cases if self.case(ROGUE, each).report]

    def rogue(self, which: int) -> tuple[Words, Rogue]:
        cases = self.rogue_cases()
        words = cases[which % len(cases)]
        return words, Rogue(self.world.stations[ROGUE], words.name)

    def come_back(self, words: Words) -> Visitor:
        return self.world.visitor().come_back(words.shown)

    def page(self, words: Words, hide: bytes = b"") -> str:
        honest = Store.lookup
        if hide:
            Store.lookup = lambda self, ids, *more: honest(self, [id for id in ids if id != hide], *more)  # type: ignore
        try:
            return self.come_back(words).text
        finally:
            Store.lookup = honest  # type: ignore[method-assign]

    def place_of(self, words: Words, text: str) -> bytes:
        """Where an answer that was never moved lies."""
        reply = next(each for id in HONEST for each in self.case(id, words).replies if each.text == text)
        return place_ids(words.who.replies, reply.lane)[reply.n]

    def honest_rounds(self, times: int) -> None:
        """The honest courier goes to the server, to all workstations, and to the server again."""
        self.world.carry("first")
        for _ in range(times):
            for reviewer in PEOPLE:
                self.world.take(reviewer, "first")
            self.world.carry("first")


def test_honest_people_lose_nothing_and_are_told(measured: Measure) -> None:
    """After each meeting everybody honest has all that honest people said, and reads what was done and nothing else."""
    DONE.clear()
    run_state_machine_as_test(
        FoulPlay,
        settings=settings(
            max_examples=full("PROMISES", 60, 2),
            stateful_step_count=full("PROMISES_STEPS", 60, 5),
            deadline=None,
            database=None,
            phases=[Phase.generate],  # what random bytes decide cannot be shrunk
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for what, count in sorted(DONE.items()):
        measured(what, count)
