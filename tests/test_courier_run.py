"""The courier that goes by itself: when it goes, what it says, and what it survives."""

import datetime
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.patience import PATIENCE, until
from tests.relay import relay
from tests.test_courier import Place, courier, flip, outbox, place, stick
from whistle.cli.courier import courier as command
from whistle.courier import CourierError, alarms, lock, mail, memory, notices, run, schedule
from whistle.courier.schedule import Schedule
from whistle.protocol.transfer import bundle
from whistle.protocol.trust.manifest import WEEKDAYS

__all__ = ["place", "stick"]  # fixtures
HOUR, DAY = 3600, 86_400  # seconds
MONDAY = datetime.datetime(2026, 11, 23, 9)  # by this machine's clock
WHISTLE = [sys.executable, "-P", "-c", "from whistle.cli.main import main; main()"]


def at(text: str, day: datetime.datetime = MONDAY) -> float:
    """The moment of a time of that day, in seconds since 1970."""
    return datetime.datetime.combine(day.date(), datetime.time.fromisoformat(text)).timestamp()


@dataclass
class Way:
    """Keeps what was given; `broken` is how many more attempts fail."""

    given: list[str] = field(default_factory=list)
    broken: int = 0

    def give(self, text: str) -> None:
        """Keep it."""
        if self.broken:
            self.broken -= 1
            raise CourierError("the way is broken", "mend it")
        self.given.append(text)


@dataclass
class Left:
    """A courier that was left alone, with a clock of the test's."""

    place: Place
    folder: Path
    stick: Path | None
    way: Way = field(default_factory=Way)
    said: list[str] = field(default_factory=list)
    now: float = at("09:30")
    going: run.Run = field(init=False)

    def __post_init__(self) -> None:
        courier(self.place, self.folder)
        self.start()

    def start(self) -> None:
        """Begin, as after a kill."""
        self.place.now = datetime.datetime.fromtimestamp(self.now, datetime.UTC)
        told = notices.Notices(self.folder, self.way, datetime.time(17), self.said.append)
        times = Schedule([datetime.time(hour) for hour in (10, 12, 15)], WEEKDAYS)
        self.going = run.Run(self.folder, self.there, times, told, self.said.append, clock=lambda: self.now)

    def there(self) -> Path | None:
        """The stick, if it is in."""
        return self.stick if self.stick and self.stick.is_dir() else None

    def until(self, end: float, step: float = 300) -> list[float]:
        """Let time pass; the moments at which the server was asked for its days."""
        moments = []
        while self.now < end:
            self.now += step
            self.place.now = datetime.datetime.fromtimestamp(self.now, datetime.UTC)
            self.place.requests.clear()
            self.going.step()
            self.going._notices.step(self.now)
            moments += [self.now] * self.place.requests.count("/courier/days")
        return moments


@pytest.fixture
def left(place: Place, tmp_path: Path, stick: Path) -> Left:
    """A courier with its stick, on a Monday at 09:30."""
    return Left(place, tmp_path / "courier", stick)


def away(application: Any, environ: dict[str, Any], start: Any) -> Any:
    """A server that breaks every connection."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionError


@pytest.fixture
def summer_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is set in March and October."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_machine_that_slept_goes_once_or_waits() -> None:
    """However many times were missed, one exchange is due if the last is just over, else none before the next time."""
    hourly = Schedule()
    assert hourly.due(at("09:59"), at("10:00")) and not hourly.due(at("10:00"), at("10:00") + 1)
    assert hourly.due(at("10:30") - 5 * DAY, at("10:05"))
    assert not hourly.due(at("10:30") - 5 * DAY, at("10:40"))
    assert hourly.following(at("18:00")) == at("08:00", MONDAY + datetime.timedelta(1))
    tuesdays = Schedule((datetime.time(9),), ("tuesday",))
    assert tuesdays.following(at("09:00")) - tuesdays.latest(at("09:00")) == 7 * DAY
    assert hourly.following(at("18:30"), ("thursday",)) == at("08:00", MONDAY + datetime.timedelta(3))


def test_a_clock_that_is_set_makes_no_burst(summer_time: None) -> None:
    """In each night on which the clock is set, what is due at 02:30 is due once; so it is after the clock went back."""
    nightly = Schedule((datetime.time(2, 30),))
    for day in (datetime.datetime(2026, 3, 29), datetime.datetime(2026, 10, 25)):
        start = day.timestamp()
        looks = [start + 60 * minute for minute in range(8 * 60)]
        assert sum(nightly.due(before, now) for before, now in itertools.pairwise(looks)) == 1


def test_pauses_grow_to_a_bound() -> None:
    """After each failure it waits longer, up to half an hour."""
    pauses = [schedule.pause(count) for count in range(1, 2000)]
    assert pauses == sorted(pauses) and pauses[:3] == [60, 120, 240] and pauses[-1] == 1800


def test_it_goes_at_its_times_whether_or_not_there_is_anything(left: Left, tmp_path: Path) -> None:
    """The server sees the same moments and the same questions with a stick, without one, and with nothing to fetch."""
    moments = left.until(at("20:00"))
    assert moments == [at(text) for text in ("10:00", "12:00", "15:00") for _ in ("push", "pull")]
    seen = []
    for present in (True, False):
        left.stick = tmp_path / ("stick" if present else "none")
        left.now = at("09:59") + DAY
        left.start()
        assert left.until(left.now + 60, 60) == [left.now] * 2
        seen.append(list(left.place.requests))
    assert seen[0] == seen[1] and seen[0].count("/courier/days") == 2


def test_a_stick_that_is_not_there_is_waited_for(left: Left, tmp_path: Path) -> None:
    """It says so once, fetches meanwhile, and writes on the stick when it is there at a set time."""
    name = left.place.envelope(MONDAY.date())
    assert left.stick
    left.stick.rename(tmp_path / "carried")
    left.until(at("12:30"))
    assert len([line for line in left.said if "no stick" in line]) == 1
    assert len(list((left.folder / "mirror").rglob("envelopes/*"))) == 1
    (tmp_path / "carried").rename(left.stick)
    left.until(at("15:00"))
    [part] = (left.stick / "inbox").iterdir()
    assert name in part.read_bytes().decode("latin-1")
    left.stick.rename(tmp_path / "carried")
    left.until(at("10:00") + DAY)
    assert len([line for line in left.said if "no stick" in line]) == 2


def test_a_server_that_is_away_is_tried_again(left: Left) -> None:
    """The pauses grow and end two hours after a set time; once it is back, no more than the set times are left."""
    left.place.between = away
    moments = []
    while left.now < at("20:00"):
        moments += [left.now] if _asked(left) else []
    assert moments[:5] == [at("10:00") + 60 * minutes for minutes in (0, 1, 3, 7, 15)]
    assert max(moments) <= at("17:00") and len(moments) < 25
    assert len([line for line in left.said if "tried again" in line]) == 1
    left.place.between = None
    assert set(left.until(at("20:00") + DAY)) == {at(text) + DAY for text in ("10:00", "12:00", "15:00")}


def _asked(left: Left) -> bool:
    """Whether the server was asked for anything in the next minute."""
    left.place.requests.clear()
    left.now += 60
    left.going.step()
    return bool(left.place.requests)


def test_one_notice_a_day_that_tells_nothing(left: Left) -> None:
    """At its hour, the same sentence: a day with a report, one without, one without a server; and after a kill, too."""
    left.place.envelope(MONDAY.date())
    hours = []
    for day in range(3):
        left.place.between = away if day == 2 else None
        while left.now < at("23:00") + day * DAY:
            before = len(left.way.given)
            left.until(left.now + 1800, 1800)
            hours += [left.now] * (len(left.way.given) - before)
            if left.now % HOUR:
                left.start()
    assert hours == [at("17:00") + day * DAY for day in range(3)]
    assert left.way.given == [notices.NOTICE] * 3


def test_a_notice_that_fails_is_given_later(left: Left) -> None:
    """It is told once, and tried again after growing pauses."""
    left.way.broken = 3
    left.until(at("18:00"), 60)
    assert left.way.given == [notices.NOTICE]
    assert len([line for line in left.said if "could not be given" in line]) == 1


def test_alarms_where_silence_would_harm(left: Left) -> None:
    """A server that was away for a day, a refusal and a bad part are told once a day, in words of our own."""
    left.place.between = away
    left.until(at("12:00") + DAY, 600)
    assert alarms.SENTENCES["away"] in left.way.given
    left.place.between = lambda application, environ, start: (start("403 No", [("Content-Type", "text/plain")]), [])[1]
    left.until(at("09:00") + 2 * DAY, 600)
    left.place.between = None
    assert left.stick
    flip(outbox(left.stick, {bundle.envelope_name(os.urandom(16)): os.urandom(8192)}))
    left.until(at("14:00") + 2 * DAY, 600)
    given = [text for text in left.way.given if text != notices.NOTICE]
    assert given == [alarms.SENTENCES[kind] for kind in ("away", "refused", "stick")]


def test_alarms_about_days(left: Left) -> None:
    """Nobody came for a week, and the end of the manifest at 30, 14 and 2 days, each once; afterwards each day."""
    began = datetime.date(2026, 11, 1)

    def keys(day: datetime.date, **more: Any) -> set[str]:
        seen = memory.Seen(began, **more)
        noon = datetime.datetime.combine(day, datetime.time(12), datetime.UTC).timestamp()
        return {key.split()[0] for key in alarms.standing(seen, noon, 7)}

    days = [began + datetime.timedelta(number) for number in range(40)]
    assert [keys(day) for day in days[:8]] == [set()] * 7 + [{"carried"}]
    assert keys(days[8], written=days[2]) == set() and keys(days[9], written=days[2]) == {"carried"}
    assert keys(days[9], written=days[30]) == set()  # a workstation's clock may be ahead, but not for ever
    ends = [keys(day, expires=days[35], written=day) for day in days[:37]]
    assert [ends[left] for left in (4, 5, 21, 33, 36)] == [set(), {"30"}, {"14"}, {"2"}, {"ended"}]
    assert not alarms.is_due("30 2026-12-06", 5.0, 5.0 + 3 * DAY) and alarms.is_due("ended", 5.0, 5.0 + DAY)
    assert alarms.is_due("away", 5.0 + DAY, 5.0)


def test_what_the_workstation_wrote_is_noted(left: Left) -> None:
    """The day of the outbox counts as the day on which somebody came."""
    assert left.stick
    outbox(left.stick, {bundle.envelope_name(os.urandom(16)): os.urandom(8192)})
    left.until(at("10:00"))
    found = memory.seen(left.folder, datetime.date(2000, 1, 1))
    assert found.written == datetime.date(2026, 11, 22) and found.expires == left.place.org.manifest.expires


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS at once"])
def test_mails_are_alike(tmp_path: Path, implicit: bool) -> None:
    """Notice and alarms have one subject and one length, and name neither this machine nor anything that came."""
    with relay(tmp_path, implicit=implicit) as there:
        door = mail.Relay("localhost", there.port, implicit, "user", "secret", there.certificate)
        for text in [notices.NOTICE, *alarms.SENTENCES.values()]:
            mail.Mail(door, "a@office.example", "b@office.example").give(text)
    assert len(there.mails) == 11 and len({len(each) for each in there.mails}) == 1
    assert {line for each in there.mails for line in each.decode().splitlines() if line.startswith("Subj")} == {
        "Subject: Whistle courier"
    }
    assert set(there.logins) == {b"\0user\0secret"}
    assert {line for line in there.lines if line.upper().startswith("EHLO")} == {"ehlo localhost"}
    assert not any(os.uname().nodename.encode() in each for each in there.mails)


def test_a_relay_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    """Neither with a certificate of its own, nor with one for another name, nor without a login that was asked for."""
    with relay(tmp_path, "other.example") as there:
        for door in (mail.Relay("localhost", there.port, ca=there.certificate), mail.Relay("localhost", there.port)):
            with pytest.raises(CourierError, match="certificate"):
                mail.Mail(door, "a@office.example", "b@office.example").give(notices.NOTICE)
    (tmp_path / "two").mkdir()
    with relay(tmp_path / "two") as there:
        there.refuses = True
        door = mail.Relay("localhost", there.port, False, "user", "wrong", there.certificate)
        with pytest.raises(CourierError, match="refuses the user"):
            mail.Mail(door, "a@office.example", "b@office.example").give(notices.NOTICE)
    assert there.mails == []


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        pytest.param(["--mail-to", "a@b.example"], "needs both", id="no relay"),
        pytest.param(["--mail-to", "a b", "--relay", "x"], "no address", id="no address"),
        pytest.param(["--mail-to", "a@b.example", "--relay", "x:99999"], "no relay", id="no port"),
        pytest.param(["--mail-to", "a@b.example", "--relay", "x", "--relay-user", "u"], "needs one", id="no password"),
        pytest.param(
            ["--mail-to", "a@b.example", "--relay", "x", "--relay-user", "u", "--relay-password-file", "open"],
            "others can read",
            id="a password that others can read",
        ),
        pytest.param(["--at", "25:00"], "no time", id="no time"),
        pytest.param(["--notice-at", "8:00,9:00"], "one time", id="two notices a day"),
    ],
)
def test_options_that_would_leak_or_fail(place: Place, tmp_path: Path, options: list[str], wrong: str) -> None:
    """They are refused before anything runs."""
    courier(place, tmp_path / "courier")
    (tmp_path / "open").write_text("secret\n")
    (tmp_path / "open").chmod(0o644)
    given = [str(tmp_path / "open") if each == "open" else each for each in options]
    done = CliRunner().invoke(command, ["run", "--folder", str(tmp_path / "courier"), *given])
    assert done.exit_code in (1, 2) and wrong in done.stderr and "secret" not in done.output


def test_two_at_once_a_kill_and_an_end(place: Place, tmp_path: Path, stick: Path) -> None:
    """A second one says that there is one; after `kill -9` another goes on at once; SIGTERM ends it well."""
    place.now = datetime.datetime.now(datetime.UTC)
    courier(place, tmp_path / "courier")
    soon = [(datetime.datetime.now() + datetime.timedelta(seconds=second)).time() for second in range(1, 600)]
    times = ",".join(f"{each:%H:%M:%S}" for each in soon)
    options = ["--folder", str(tmp_path / "courier"), "--stick", str(stick), "--notice-at", "00:00", "--at", times]

    def start() -> "subprocess.Popen[str]":
        place.requests.clear()
        going = subprocess.Popen([*WHISTLE, "courier", "run", *options], stdout=-1, stderr=-1, text=True)
        until(lambda: "/courier/days" in place.requests, "an exchange")
        return going

    first = start()
    until(lambda: next((stick / "inbox").glob("*.tar"), None) is not None, "a part on the stick")
    second = subprocess.run([*WHISTLE, "courier", "run", *options], capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1 and second.stderr.startswith("whistle: error: another `whistle courier run`")
    first.kill()
    assert first.communicate(timeout=PATIENCE)[0].count(notices.NOTICE) == 1
    going = start()
    going.send_signal(signal.SIGTERM)
    said, wrong = going.communicate(timeout=PATIENCE)
    assert (going.returncode, wrong) == (0, "") and said.endswith("Ended.\n") and notices.NOTICE not in said


def test_two_exchanges_at_once(place: Place, tmp_path: Path, stick: Path) -> None:
    """The second one says so and changes nothing."""
    one = courier(place, tmp_path / "courier")
    with lock.held(tmp_path / "courier", lock.EXCHANGE), pytest.raises(CourierError, match="under way"):
        one.exchange(stick)
    one.exchange(stick)


def test_locks_where_windows_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the locks of Unix the first byte is locked, at once or not at all; it stands in for Windows here."""
    asked: list[tuple[int, int]] = []

    def locking(handle: int, mode: int, length: int) -> None:
        asked.append((mode, length))
        if len(asked) > 1:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with lock.held(tmp_path, lock.RUN), pytest.raises(CourierError, match="another"), lock.held(tmp_path, lock.RUN):
        raise AssertionError("held twice")
    assert asked == [(2, 1)] * 2


def test_a_relay_of_no_name(tmp_path: Path) -> None:
    """A host that cannot be looked up is a notice that failed, and no end of the notices."""
    with pytest.raises(CourierError, match="cannot be reached"):
        mail.Mail(mail.Relay("a" * 70 + ".invalid", 587), "a@office.example", "b@office.example").give(notices.NOTICE)


def test_a_workstation_on_this_machine(place: Place, tmp_path: Path) -> None:
    """Without a stick the courier exchanges with its own folder, which nobody else can enter."""
    from whistle import courier as couriers

    courier(place, tmp_path / "courier")
    own = couriers.own_stick(tmp_path / "courier")
    assert own == tmp_path / "courier" / "stick" and own.stat().st_mode & 0o777 == 0o700


def test_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's program gets the sentence and nothing else; without one, that is said at the start."""
    monkeypatch.setattr(notices.sys, "platform", "linux")
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    notices.Desktop().give(notices.NOTICE)
    assert (tmp_path / "shown").read_text() == f"Whistle courier|{notices.NOTICE}|"
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(CourierError, match="no program for notices"):
        notices.Desktop()


def test_the_unit_in_the_guide(tmp_path: Path) -> None:
    """systemd understands the unit that the guide shows, and the program the options in it."""
    guide = (Path(__file__).parents[1] / "docs" / "courier.md").read_text("utf-8")
    unit = guide.partition("```ini\n")[2].partition("```")[0]
    [options] = re.findall(r"whistle courier run (.*)", unit)
    parsed = command.commands["run"].make_context("run", ["--folder", str(tmp_path), *options.split()])  # type: ignore[attr-defined]
    assert parsed.params["notice"] == "desktop"
    (tmp_path / "whistle-courier.service").write_text(unit)
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    checked = [found, "verify", "--user", str(tmp_path / "whistle-courier.service")]
    there = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(checked, env=there, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and "whistle-courier" not in done.stderr, done.stderr
