"""Whatever happens in whatever order, the promises of the threat model hold after every step."""

import io
import random
import sqlite3
from collections import Counter
from datetime import date
from typing import TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, assume, settings
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
from tests.trial.world import COLUMNS, COURIERS, PEOPLE, SLOTS, STATES, Case, Row, Said, World
from tests.workstation.carrying import held_ids
from whistle.protocol.case.message import Reply, Slip
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.server.sealing.arrival import view_case
from whistle.store import BLOCK, Heap, sqlite_files
from whistle.workstation.cases import compose, overview, saved_files
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.received import day_hashes, days
from whistle.workstation.workstation import Workstation

LONG = "It is a long story. " * 1500
CHANNELS = {"harassment": ("ombuds", "ethics"), "fraud": ("counsel",)}
T = TypeVar("T")
ANY = st.integers(0, 1_000_000)
SIZES = (0, 1, 5000, 262_144)  # bytes of files
ROUND = 4  # things said, after which everybody may exchange: a whole round takes as long as a hundred other steps
DONE: Counter[str] = Counter()


class Promises(RuleBasedStateMachine):
    """Random people do random things."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.count = self.rounded = 0  # things said, and how many of them when everybody last exchanged
        self.known: dict[bytes, Row] = {}  # every envelope that ever lay on the server, with its body
        self.found: dict[bytes, tuple[set[str], str, str]] = {}  # who opens it, its case and its text
        self.days: dict[date, set[bytes]] = {}  # every id that ever lay there of a day

    def teardown(self) -> None:
        self.nothing_readable()
        self.world.close()

    @initialize(left_out=st.sampled_from([None, "ethics", "counsel"]))
    def begin(self, left_out: str | None) -> None:
        """One case is on its way, so that everybody has something to do."""
        self.report("harassment", left_out, 1, 1)
        self.world.carry("first")
        self.world.take("ombuds", "first")
        self.all_promises()
        self.write(0, "reply", 1)

    # What people do

    @rule(
        channel=st.sampled_from(sorted(CHANNELS)),
        left_out=st.sampled_from([*PEOPLE, None, None, None]),
        files=st.integers(0, 2),
        long=st.integers(0, 9),
    )
    def report(self, channel: str, left_out: str | None, files: int, long: int) -> None:
        without = (left_out,) if left_out else ()
        readers = tuple(id for id in CHANNELS[channel] if id != left_out)
        said = self.say("report", files, LONG if long == 0 else "")
        before = len(self.world.rows())
        visitor = self.world.visitor().tell(said.text, channel, without=without, files=list(said.files.items()))
        if not readers:
            assert visitor.answer.status_code == 422 and said.text[:40] in visitor.html
            assert len(self.world.rows()) == before
            return
        who = derive(words.decode(visitor.words))
        self.world.cases.append(Case(visitor.words, who, without, readers, [said]))

    @precondition(lambda self: self.open_cases())
    @rule(which=ANY, files=st.integers(0, 1))
    def follow_up(self, which: int, files: int) -> None:
        case = self.pick(self.open_cases(), which)
        said = self.say("follow-up", files)
        visitor = self.come_back(case).step("follow-up", {"text": said.text}, list(said.files.items()))
        assert visitor.answer.status_code == 200 and 'role="alert"' not in visitor.html, visitor.text
        case.told.append(said)

    @precondition(lambda self: self.world.cases)
    @rule(which=ANY)
    def come_back_to_look(self, which: int) -> None:
        case = self.pick(self.world.cases, which)
        visitor = self.come_back(case)
        assert len(visitor.answer.data) % BLOCK == 0
        for other in self.world.cases:
            for said in other.told:
                assert said.text[:40] not in visitor.html
            for said in other.replies:
                times = 1 if other is case and said.text in self.world.delivered else 0
                assert visitor.html.count(said.text) == times
        replied = any(said.text in self.world.delivered for said in case.replies)
        state = "answered" if case.state == "collected" and replied else case.state
        assert [name for name, text in STATES.items() if text in visitor.text] == [state]
        for said in case.replies:
            if said.text in self.world.delivered:
                self.downloads(visitor, said)

    @rule(typed=st.binary(min_size=16, max_size=16))
    def look_with_other_words(self, typed: bytes) -> None:
        visitor = self.world.visitor().come_back(" ".join(words.encode(typed)))
        assert "nothing is stored under these words" in visitor.text.lower()
        assert visitor.answer.status_code == 200 and len(visitor.answer.data) == BLOCK

    @precondition(lambda self: self.world.cases)
    @rule(which=ANY, often=st.integers(0, 3))
    def withdraw(self, which: int, often: int) -> None:
        assume(often == 0)
        case = self.pick(self.world.cases, which)
        visitor = self.come_back(case)
        offered = {step for form in visitor.page.forms for step in form.steps}
        assert ("withdraw" in offered) == (case.state == "waiting")
        if case.state == "waiting":
            visitor.step("withdraw").step("withdraw-now")
            assert "withdrawn" in visitor.text
            case.state = "removed"

    @precondition(lambda self: self.readable())
    @rule(which=ANY, files=st.integers(0, 1))
    def reply(self, which: int, files: int) -> None:
        self.write(which, "reply", files)

    @precondition(lambda self: self.readable())
    @rule(which=ANY, files=st.integers(0, 1))
    def note(self, which: int, files: int) -> None:
        self.write(which, "note", files)

    @precondition(lambda self: self.readable())
    @rule(which=ANY)
    def state(self, which: int) -> None:
        self.write(which, "status", 0)

    def write(self, which: int, what: str, files: int) -> None:
        reviewer, case = self.pick(self.readable(), which)
        station, said = self.world.stations[reviewer], self.say(what, files)
        said.by = reviewer
        shown = overview.find(station, case.name)
        uploads = [Upload(name, "image/jpeg", io.BytesIO(body)) for name, body in said.files.items()]
        if what == "status":
            compose.status(station, shown, "open", text=said.text)
            case.notes.append(said)
        elif what == "note":
            compose.note(station, shown, said.text, uploads)
            case.notes.append(said)
        elif shown.report:
            compose.reply(station, shown, said.text, uploads)
            case.replies.append(said)

    @precondition(lambda self: self.readable())
    @rule(which=ANY, grantee=st.sampled_from(PEOPLE))
    def grant(self, which: int, grantee: str) -> None:
        reviewer, case = self.pick(self.readable(), which)
        station = self.world.stations[reviewer]
        shown = overview.find(station, case.name)
        try:
            compose.grant(station, shown, grantee)
            assert grantee not in case.without and grantee not in case.readers
            case.granted.add(grantee)
        except Refused:
            assert grantee in case.without or grantee in shown.allowed or len(shown.allowed) == SLOTS

    @rule(reviewer=st.sampled_from(PEOPLE), courier=st.sampled_from(COURIERS))
    def station_exchanges(self, reviewer: str, courier: str) -> None:
        self.world.take(reviewer, courier)

    @rule(courier=st.sampled_from(COURIERS))
    def courier_exchanges(self, courier: str) -> None:
        self.world.carry(courier)

    @rule()
    def server_restarts(self) -> None:
        self.world.restart()

    @precondition(lambda self: (self.world.clock.day - date(2026, 11, 22)).days < 50)
    @rule(days=st.sampled_from([1, 1, 8]))
    def days_go_by(self, days: int) -> None:
        before = self.world.ids()
        self.world.wait(days)
        after = self.world.ids()
        for day, ids in before.items():
            if after.get(day) != ids:  # removed, since all had stated it
                assert day not in after
                for station in self.world.stations.values():
                    assert set(held_ids(station, day)) == ids
                DONE["days removed"] += 1

    @precondition(lambda self: self.count - self.rounded >= ROUND)
    @rule()
    def everybody_exchanges(self) -> None:
        self.rounded = self.count
        for _ in range(3):
            for courier in COURIERS:
                self.world.carry(courier)
                for reviewer in PEOPLE:
                    self.world.take(reviewer, courier)
                self.world.carry(courier)
        self.statements_equal()
        self.everybody_reads_what_is_theirs()

    # What is promised

    @invariant()
    def all_promises(self) -> None:
        DONE["steps"] += 1
        self.only_these_columns_and_sizes()
        self.who_opens_what()
        self.nothing_acknowledged_is_lost()
        self.replies_lie_under_their_words_once()
        self.workstations_show_only_what_is_theirs()

    def only_these_columns_and_sizes(self) -> None:
        columns: dict[str, list[str]] = {}
        for file in sqlite_files(self.world.instance.config.database):
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
                    columns[name] = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            connection.close()
        assert columns == COLUMNS
        files = [path for path in self.world.instance.config.blocks.rglob("*") if path.is_file()]
        assert {path.stat().st_size for path in files} <= {BLOCK} and all(len(path.name) == 32 for path in files)

    def who_opens_what(self) -> None:
        rows = self.world.rows()
        for row in rows.values():
            if row.body is not None:
                assert len(row.body) == SLOTS * 4096
                assert row.id not in self.known or self.known[row.id].body == row.body
            if row.id not in self.known:
                self.known[row.id] = row
                self.found[row.id] = self.opened(row)
        for day, ids in self.world.ids().items():
            self.days[day] = self.days.get(day, set()) | ids

    def opened(self, row: Row) -> tuple[set[str], str, str]:
        """Who opens a new envelope; it must be just those whom it is for."""
        assert row.body is not None
        opened = self.world.openers(row.body)
        signed = next(iter(opened.values()))
        case = next(each for each in self.world.cases if each.name == signed.message.case)
        assert signed.message.without == case.without
        if row.heap is Heap.REPORTERS:
            assert set(opened) == {case.name} and isinstance(signed.message, Slip | Reply)
        else:
            assert set(opened) == set(signed.message.readers) and not isinstance(signed.message, Slip)
            assert set(opened) <= {*case.readers, *case.granted} and not set(opened) & set(case.without)
        return set(opened), case.name, getattr(self.world.whole(signed, row.heap), "text", "")

    def nothing_acknowledged_is_lost(self) -> None:
        rows = self.world.rows()
        for case in self.world.cases:
            report = rows[case.who.report_id]
            assert report.state == case.state
            for place, said in enumerate(case.told):
                ids = [id for id, (_, name, text) in self.found.items() if (name, text) == (case.name, said.text)]
                [mine] = [id for id in ids if self.known[id].heap is Heap.REVIEWERS]
                withdrawn = place == 0 and case.state == "removed"
                assert withdrawn or rows[mine].body is not None or self.everywhere(case, said, self.found[mine][0])
                assert not (withdrawn and rows[mine].body)

    def everywhere(self, case: Case, said: Said, readers: set[str]) -> bool:
        """Whether all readers' workstations show it: then the server may have removed it."""
        return all(self.world.said(reviewer)[case.name][said.text] == 1 for reviewer in readers)

    def replies_lie_under_their_words_once(self) -> None:
        day, instance = self.world.clock.day, self.world.instance
        for case in self.world.cases:
            view = view_case(case.who, instance.published.now(), instance.store, day)
            assert view is not None and view.late == 0
            shown = Counter(found.reply.text for found in view.replies)
            assert shown == Counter(said.text for said in case.replies if said.text in self.world.delivered)
        for said in (said for case in self.world.cases for said in case.replies):
            heaps = [self.known[id].heap for id, (_, _, text) in self.found.items() if text == said.text]
            wanted = [Heap.REPORTERS, Heap.REVIEWERS] if said.text in self.world.delivered else []
            assert sorted(heaps) == wanted

    def workstations_show_only_what_is_theirs(self) -> None:
        by_name = {case.name: case for case in self.world.cases}
        for reviewer, station in self.world.stations.items():
            for name in station.case_ids():
                case = by_name[name]
                assert reviewer not in case.without
                assert reviewer in case.readers or reviewer in case.granted
            for day in days(station, 10_000):
                assert set(held_ids(station, day)) <= self.days[day]

    def statements_equal(self) -> None:
        """Every workstation has all of every day, and nothing is left to be sent."""
        for day in self.world.ids():
            for station in self.world.stations.values():
                assert self.world.store.day_hash(day) in day_hashes(station, day), day
        for station in self.world.stations.values():
            assert outbox.pending(station) == []
        DONE["whole rounds"] += 1

    def everybody_reads_what_is_theirs(self) -> None:
        """Each reader has each message and each file, once; nobody has a fault."""
        for reviewer, station in self.world.stations.items():
            shown = {case.id: case for case in overview.queue(station)}
            for case in self.world.cases:
                told = case.told[1:] if case.state == "removed" else case.told
                if reviewer not in case.readers or not told:
                    continue
                texts = self.world.said(reviewer)[case.name]
                for said in [*told, *case.replies, *case.notes]:
                    assert texts[said.text] == 1, said
                assert shown[case.name].faults == []
                self.saves(station, shown[case.name], told)

    def saves(self, station: Workstation, shown: overview.Case, told: list[Said]) -> None:
        """The reporter's files come out as they went in."""
        wanted = {name: body for said in told for name, body in said.files.items()}
        for entry, record in overview.files(shown):
            if not entry.by and record.name in wanted:
                assert saved_files.content(record, station.blocks) == wanted.pop(record.name)
        assert wanted == {}

    def nothing_readable(self) -> None:
        """No file anywhere holds anything that was said, or a file's name."""
        marks = [said.text[:40].encode() for case in self.world.cases for said in [*case.told, *case.replies]]
        marks += [name.encode() for case in self.world.cases for said in case.told for name in said.files]
        for path in self.world.folder.rglob("*"):
            if path.is_file() and (content := path.read_bytes()):
                assert not any(mark in content for mark in marks), path

    # Help

    def say(self, what: str, files: int, more: str = "") -> Said:
        self.count += 1
        DONE[what] += 1
        mark = f"This is {what} number {self.count}, {random.getrandbits(64):016x}."
        names = [f"picture {self.count} of {place}.jpg" for place in range(files)]
        return Said(mark + more.rstrip(), {name: random.randbytes(random.choice(SIZES)) for name in names})

    def come_back(self, case: Case) -> Visitor:
        return self.world.visitor().come_back(case.words)

    def downloads(self, visitor: Visitor, said: Said) -> None:
        forms = [form for form in visitor.page.forms if "download" in form.steps]
        contents = [self.download(visitor, place) for place in range(len(forms))]
        assert all(body in contents for body in said.files.values())

    def download(self, visitor: Visitor, place: int) -> bytes:
        form = [form for form in visitor.page.forms if "download" in form.steps][place]
        answer = visitor.client.post(form.action, data=dict([*form.fields, ("step", "download")]))
        assert answer.status_code == 200
        return bytes(answer.data)

    def open_cases(self) -> list[Case]:
        return [case for case in self.world.cases if case.state != "removed"]

    def readable(self) -> list[tuple[str, Case]]:
        """Who can write in which case, in an order that chance does not change."""
        shown = {id: set(station.case_ids()) for id, station in self.world.stations.items()}
        return [(id, case) for case in self.world.cases for id in PEOPLE if case.name in shown[id]]

    def pick(self, some: list[T], which: int) -> T:
        return some[which % len(some)]


def test_the_promises_hold_after_every_step(measured: Measure) -> None:
    """Reporters, couriers, reviewers and the days do as they like, and nothing that is promised breaks."""
    DONE.clear()
    run_state_machine_as_test(
        Promises,
        settings=settings(
            max_examples=full("PROMISES", 60, 2),
            stateful_step_count=full("PROMISES_STEPS", 60, 18),
            deadline=None,
            database=None,
            phases=[Phase.generate],  # what random bytes decide cannot be shrunk
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    measured("steps", DONE["steps"])
    for what in ("report", "follow-up", "reply", "note", "status", "whole rounds", "days removed"):
        measured(what, DONE[what])
