"""Midnight, and clocks that are wrong, as reporters, couriers and operators meet them."""

import contextlib
import datetime
import time
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
import requests
from click.testing import CliRunner

from tests import parties
from tests.server.visitor import Clock, Visitor, answer, reported, site, store_of, turn
from tests.serving import running
from tests.trial.serving import FORM, WHISTLE, Server, Upload, wait_for
from whistle.cli import server as commands
from whistle.cli.errors import Problem
from whistle.protocol.case import envelope
from whistle.protocol.code import retrieval, words
from whistle.server.config import Config
from whistle.server.instance import Instance, open_instance
from whistle.server.running import housekeeping
from whistle.server.running.housekeeping import Housekeeper
from whistle.store import BLOCK, Heap, Sealed, State

DAY = parties.DAY
ONE = datetime.timedelta(days=1)
AHEAD = DAY + 200 * ONE
NOTICE = {"en": "clock may be wrong", "ar": "ربما تكون ساعة خادمنا غير مضبوطة"}
TO_COME = ("Next planned", "today, ", "stay here until", "Our plan", "By ")  # before a day
HOUSEKEEPING = 120.0  # seconds until the house was certainly kept once; it is every 20


def held(instance: Instance, day: datetime.date) -> object:
    """What lies there of a day, contents included."""
    return instance.store.day_ids(day), instance.store.day_hash(day)


def test_a_form_under_way_at_midnight_counts_for_the_new_day(app: flask.Flask, instance: Instance) -> None:
    """Half of a form comes before midnight, the house is kept, the rest comes: yesterday stays as it was."""
    Visitor(app).tell("The first.", files=[("a.txt", b"one")])
    form = Upload("The second.", 2 * BLOCK, lambda: [bytes(2 * BLOCK)])
    over: list[object] = []

    def pieces() -> Iterator[bytes]:
        whole = b"".join(form.pieces())
        half = len(whole) - BLOCK // 2
        yield whole[:half]
        while not list(instance.config.blocks.glob("today/*/*")) or blocks_of(instance) < 2:
            time.sleep(0.01)
        turn(instance, DAY + ONE)
        housekeeping.clean(instance)
        over.append(held(instance, DAY))
        yield whole[half:]

    with running(app) as address:
        headers = {**FORM, "Content-Length": str(form.length)}
        prepared = requests.Request("POST", f"{address}/en/", headers=headers, data=pieces()).prepare()
        prepared.headers.pop("Transfer-Encoding", None)
        prepared.headers["Content-Length"] = str(form.length)
        with requests.Session() as session:
            assert session.send(prepared, timeout=120).status_code == 200
    assert over == [held(instance, DAY)]
    assert [(each.day, each.envelopes) for each in instance.store.days()] == [(DAY, 1), (DAY + ONE, 1)]


def blocks_of(instance: Instance) -> int:
    """How many blocks the database knows, those under way included."""
    with instance.store.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM today_blocks").scalar() or 0)


@pytest.mark.parametrize("says", [AHEAD, DAY - 200 * ONE], ids=["ahead", "behind"])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_pages_of_a_server_whose_clock_leapt(
    app: flask.Flask, clock: Clock, says: datetime.date, language: str
) -> None:
    """Every page says that the clock may be wrong and names no day to come; reports are taken as ever."""
    visitor = Visitor(app, language)
    assert NOTICE[language] not in visitor.text
    before = visitor.tell().words
    clock.day = says
    visitor.open(visitor.here)
    assert visitor.answer.status_code == 200
    seen = [visitor.text]
    code = visitor.tell().words
    seen.append(visitor.text)
    seen.append(visitor.step("keep").text)
    visitor.step("kept", {f"word{place}": "" for place in (1, 2, 3)})
    seen.append(visitor.step("leave").text)
    seen += [visitor.come_back(each).text for each in (before, code)]
    assert all(NOTICE[language] in text for text in seen)
    if language == "en":
        assert [(mark, text) for text in seen for mark in TO_COME if mark in text] == []
    clock.day = DAY
    visitor.come_back(code)
    assert NOTICE[language] not in visitor.text
    if language == "en":
        assert "Next planned" in visitor.text and "Our plan" in visitor.text and "stay here until" in visitor.text


def test_no_report_goes_to_somebody_whom_a_newer_manifest_may_have_retired(
    app: flask.Flask, org: parties.Organisation, instance: Instance, clock: Clock
) -> None:
    """After days switched off, or with a wrong clock, nothing is sealed by a list that may be over; no text is lost."""
    visitor = Visitor(app)
    form = visitor.step("report", {"channel": "harassment"}).page
    visitor.step("send", {"text": "It happened."})
    newer = org.next(begins=DAY + 3 * ONE)
    instance.published.install([(newer.data, newer.signature)])
    clock.day = DAY + 4 * ONE
    visitor.page = form
    visitor.step("send", {"text": "It happened again."})
    assert "We cannot take messages now" in visitor.text and "It happened again." in visitor.text
    assert [each.envelopes for each in instance.store.days()] == [1]
    instance.store.accept(clock.day)
    visitor.open(visitor.here)
    visitor.tell()
    assert [each.envelopes for each in instance.store.days()] == [1, 1]


def test_replies_are_read_while_the_clock_is_wrong(app: flask.Flask, org: parties.Organisation, clock: Clock) -> None:
    """A reply is shown, a follow-up is taken and a report is withdrawn, whatever the clock says."""
    visitor = Visitor(app)
    code = visitor.tell().words
    who = retrieval.derive(words.decode(code))
    answer(app, org, who, reported(app, org), "We are here.")
    clock.day = AHEAD
    assert "We are here." in visitor.come_back(code).text
    visitor.step("follow-up", {"text": "One thing more."})
    assert len(store_of(app).day_ids(DAY + ONE).envelopes) == 1
    visitor.come_back(code).step("withdraw").step("withdraw-now")
    assert store_of(app).lookup([who.report_id])[0].state is State.REMOVED


def test_housekeeping_waits_for_the_operator(
    app: flask.Flask,
    instance: Instance,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A leap is told once a day, and nothing goes; once the day is accepted, what was kept too long goes by itself."""
    monkeypatch.setattr(housekeeping.chaff.Reporters, "act", lambda *_: None)
    code = Visitor(app).tell(files=[("a.txt", b"one")]).words
    report = retrieval.derive(words.decode(code)).report_id
    keeper = Housekeeper(instance)
    keeper.tick()
    clock.day = AHEAD
    for _ in range(3):
        keeper.tick()
    assert caplog.text.count("200 days after the last day that this server saw") == 1
    clock.day += ONE
    keeper.tick()
    assert caplog.text.count("201 days after") == 1
    assert instance.store.lookup([report])[0].state is State.WAITING
    instance.store.accept(clock.day)
    keeper.tick()
    assert instance.store.lookup([report])[0].state is State.REMOVED
    assert not [path for path in instance.config.blocks.rglob("*") if path.is_file()]
    clock.day = DAY
    keeper.tick()
    assert "201 days before" in caplog.text


def test_chaff_goes_on_when_the_clock_is_put_back(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up traffic does not wait until a clock that was put back has come again to where it was."""
    clock, scattered = Clock(), []
    monkeypatch.setattr(housekeeping.chaff.Reporters, "act", lambda *_: scattered.append(clock.day))
    app = site(tmp_path, org, clock, chaff=24.0)
    with contextlib.closing(store_of(app)):
        keeper = Housekeeper(app.extensions["whistle"])
        keeper.tick()
        store_of(app).commit([Sealed(bytes(16), Heap.REVIEWERS, bytes(envelope.size(8)))], [])
        clock.day = DAY - 30 * ONE
        keeper.tick()
        for _ in range(20):
            clock.day += ONE
            keeper.tick()
    assert len(scattered) >= 15


def test_the_operators_commands(tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """`clock` and `purge` fail after a leap, only the clock's own day is accepted, and then all is well."""
    clock = Clock()
    app = site(tmp_path / "server", org, clock) if (tmp_path / "server").mkdir() is None else None
    assert app is not None
    (tmp_path / "server" / "whistle.toml").write_text('[name]\nen = "North"\n')
    Visitor(app).tell()
    store_of(app).close()
    monkeypatch.setattr("whistle.server.instance.open_instance", lambda config, **_: open_instance(config, clock))
    where = ["--folder", str(tmp_path / "server")]

    def run(*command: str) -> tuple[int, str]:
        done = CliRunner().invoke(commands.server, [*command, *where], standalone_mode=False)
        if isinstance(done.exception, Problem):
            return 1, f"{done.output}{done.exception.message} / {done.exception.hint}"
        assert done.exception is None
        return 0, done.output

    assert run("clock") == (0, f"The clock says {DAY} (UTC); the last day seen is {DAY}. All is well.\n")
    clock.day = AHEAD
    for command in ("clock", "purge"):
        status, said = run(command)
        assert status == 1 and str(AHEAD) in said and "nothing is removed" in said
        assert f"what came before {AHEAD - 180 * ONE} and was never collected is removed" in said
    status, said = run("clock", "--accept", str(DAY))
    assert status == 1 and f"the clock says {AHEAD} (UTC), not {DAY}" in said
    assert "nothing undoes that" not in said
    assert run("clock", "--accept", str(AHEAD))[0] == run("clock")[0] == run("purge")[0] == 0
    clock.day = DAY
    assert "all that came after it counts for it from then on; nothing undoes that" in run("clock")[1]


def shifted(file: Path) -> str:
    """The program on a machine whose clock is off by as many seconds as a file says."""
    return f"""
import datetime, pathlib
from whistle.server import instance
from whistle.store import clock
def now():
    shift = int(pathlib.Path({str(file)!r}).read_text())
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=shift)
instance.utc_now, clock._system_day = now, lambda: now().date()
{WHISTLE}
"""


def operate(server: Server, *command: str) -> tuple[int, str]:
    """An operator's command at the server's machine, in this process: its exit status, and all that it says."""
    done = CliRunner().invoke(commands.server, [*command, "--folder", str(server.folder)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def look(server: Server, code: str) -> str:
    """What the words show."""
    body = f"step=look&words={code.replace(' ', '+')}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return server.post("/en/", [body], len(body), kind)[1].decode()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Path]:
    """A server, and the file that says how many seconds its machine's clock is off: until noon, in the beginning.

    This process goes by that clock too.
    """
    now, file = datetime.datetime.now(datetime.UTC), tmp_path / "off"
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    file.write_text(str(int((noon - now).total_seconds())))
    server = Server.make(tmp_path / "server")
    server.program = shifted(file)

    def shifted_now() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=int(file.read_text()))

    monkeypatch.setattr("whistle.server.instance.utc_now", shifted_now)
    monkeypatch.setattr("whistle.store.clock._system_day", lambda: shifted_now().date())
    return server, file


def put_forward(file: Path, days: int) -> None:
    """Turn the machine's clock, while it runs or not."""
    file.write_text(str(int(file.read_text()) + days * 86_400))


def test_a_server_started_with_a_wrong_clock_destroys_nothing(machine: tuple[Server, Path]) -> None:
    """Half a year ahead, as a process of its own: the report stays, people are told, and the operator decides."""
    server, off = machine
    with server.running():
        code = server.send(Upload("Who collects this?", BLOCK, lambda: [bytes(BLOCK)]))
    put_forward(off, 200)
    with server.running():
        said, end = server.folder / "said.log", time.monotonic() + HOUSEKEEPING
        while "WARNING: the clock says" not in said.read_text():  # that is written once the house was kept
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.2)
        assert "Warning: the clock says" in said.read_text()
        page = look(server, code)
        assert "Nobody has picked it up yet" in page and NOTICE["en"] in page
        late = server.send(Upload("And this?", BLOCK, lambda: [bytes(BLOCK)]))
        for command in ("purge", "clock"):
            status, told = operate(server, command)
            assert status == 1 and "whistle: error: the clock says" in told and "hint: " in told
        assert "Nobody has picked it up yet" in look(server, code)
        put_forward(off, -200)
        assert operate(server, "clock")[0] == 0
        assert NOTICE["en"] not in look(server, code)
        put_forward(off, 200)
        right = datetime.datetime.now(datetime.UTC).date() + 200 * ONE
        assert operate(server, "clock", "--accept", str(right - ONE))[0] == 1
        assert operate(server, "clock", "--accept", str(right))[0] == 0
        assert operate(server, "purge")[0] == 0
        assert "Removed on" in look(server, code)
        assert "Nobody has picked it up yet" in look(server, late)


def test_midnight_between_two_halves_of_a_form(machine: tuple[Server, Path]) -> None:
    """In processes of their own a form begins, a night falls, the house is kept, the form ends: yesterday stays."""
    (server, off), over = machine, []
    today = datetime.datetime.now(datetime.UTC).date()
    form = Upload("A long night.", 2 * BLOCK, lambda: [bytes(2 * BLOCK)])

    def pieces() -> Iterator[bytes]:
        whole = b"".join(form.pieces())
        yield whole[: -BLOCK // 2]
        wait_for(server, 3)
        put_forward(off, 1)
        status, said = operate(server, "purge")
        assert status == 0, said
        with contextlib.closing(open_instance(Config.load(server.folder)).store) as store:
            over.append((store.day_ids(today), store.day_hash(today)))
        yield whole[-BLOCK // 2 :]

    with server.running():
        server.send(Upload("Before.", BLOCK, lambda: [bytes(BLOCK)]))
        status, _ = server.post("/en/", pieces(), form.length, FORM)
        assert status == 200
    with contextlib.closing(open_instance(Config.load(server.folder)).store) as store:
        assert over == [(store.day_ids(today), store.day_hash(today))]
        assert [(each.day, each.envelopes) for each in store.days()] == [(today, 1), (today + ONE, 1)]
