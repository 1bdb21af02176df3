"""What breaks in the middle: a clear page or line, nothing acknowledged lost, and once more is enough."""

import contextlib
import errno
import io
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Clock, Visitor, opened, site, store_of
from tests.trial import faults
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL
from tests.trial.faults import Disk, Layer, Refusing
from tests.trial.serving import BOUNDARY, PIECE, Server, Upload, half_sent, today, wait_for
from tests.trial.world import World
from tests.workstation.carrying import station
from whistle.courier import CourierError
from whistle.protocol.case.message import Report
from whistle.server import create_app
from whistle.server.config import Config, Rate
from whistle.server.instance import NAME, open_instance
from whistle.server.running import housekeeping
from whistle.store import BLOCK, StoreError, room
from whistle.workstation.cases import compose, overview, saved_files, sealed_files
from whistle.workstation.errors import WorkstationError
from whistle.workstation.exchange.exchange import exchange

SMALL = os.urandom(1000)
LARGE = os.urandom(9_000_000)
CLEAR = {  # what a page may say when a report was not taken
    "Our server is full. Nothing was stored.",
    "Nothing was stored. Please send it again",
    "We cannot say whether your message was stored.",
}


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation."""
    return parties.organisation()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of a few megabytes."""
    found = Disk(tmp_path / "disk", "8m")
    yield found
    found.unmount()


@pytest.fixture
def small(disk: Disk, org: parties.Organisation) -> Iterator[flask.Flask]:
    """A server on that disk, with one report."""
    (disk.folder / "server").mkdir()
    app = site(disk.folder / "server", org)
    assert Visitor(app).tell("The first.").words
    yield app
    store_of(app).close()


def told(app: flask.Flask, org: parties.Organisation) -> Counter[str]:
    """The texts of all reports."""
    return Counter(found.message.text for found in opened(app, org, "ombuds") if isinstance(found.message, Report))


def ready(app: flask.Flask) -> Visitor:
    """Somebody before the form."""
    return Visitor(app).step("report", {"channel": "harassment"})


def refused(visitor: Visitor, text: str) -> None:
    """The page says what happened, and gives the form back with the text."""
    assert visitor.answer.status_code in (422, 500), visitor.text
    assert any(said in visitor.text for said in CLEAR), visitor.text
    assert dict(visitor.page.form("send").fields)["text"] == text
    assert "Traceback" not in visitor.html and "whistle/" not in visitor.html


@pytest.mark.parametrize("files", [[], [("a.bin", SMALL)], [("b.bin", LARGE)]], ids=["text", "small", "large"])
def test_a_full_disk(small: flask.Flask, disk: Disk, org: parties.Organisation, files: list[tuple[str, bytes]]) -> None:
    """A disk that is full while a report comes: the text is given back, and with room the same form is taken once."""
    filler = disk.fill() if len(files) == 0 or files[0][1] is SMALL else None
    visitor = ready(small).step("send", {"text": "The second."}, files)
    refused(visitor, "The second.")
    assert told(small, org) == {"The first.": 1}
    if filler:
        filler.unlink()
    disk.remount("size=64m")
    assert visitor.step("send", {}, files).words
    assert told(small, org) == {"The first.": 1, "The second.": 1}


def test_a_read_only_disk(small: flask.Flask, disk: Disk, org: parties.Organisation) -> None:
    """On a disk that takes no writing a server refuses to start in plain words; once it does, all is there."""
    store_of(small).close()
    disk.remount("ro")
    with pytest.raises(StoreError, match="cannot be"):
        create_app(small.extensions[NAME].config, Clock())
    disk.remount("rw")
    again = create_app(small.extensions[NAME].config, Clock())
    assert ready(again).step("send", {"text": "The second."}, [("a.bin", SMALL)]).words
    assert told(again, org) == {"The first.": 1, "The second.": 1}
    store_of(again).close()


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_start_on_a_full_disk(small: flask.Flask, disk: Disk, org: parties.Organisation, is_killed: bool) -> None:
    """A server starts on a full disk, stopped or killed before: replies are read, and what is sent is given back."""
    disk.remount("size=64m")  # room enough for a ballast
    store_of(small).close()
    first = create_app(small.extensions[NAME].config, Clock())
    words = ready(first).step("send", {"text": "The second."}).words
    logs = {path: path.read_bytes() for path in disk.folder.rglob("*-wal")}
    store_of(first).shut_down()
    for path, content in logs.items() if is_killed else ():
        path.write_bytes(content)
    filler = disk.fill()
    again = create_app(first.extensions[NAME].config, Clock())
    assert Visitor(again).come_back(words).answer.status_code == 200
    assert told(again, org) == {"The first.": 1, "The second.": 1}
    refused(ready(again).step("send", {"text": "The third."}, [("a.bin", SMALL)]), "The third.")
    filler.unlink()
    housekeeping.clean(again.extensions[NAME])
    assert list(disk.folder.rglob(f"*{room.SUFFIX}"))
    store_of(again).close()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS], ids=["EIO", "ENOSPC", "EROFS"])
def test_any_call_may_fail(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch, code: int, measured: Measure
) -> None:
    """Whichever call or statement the disk fails at, a report is refused clearly or whole, and again makes it one."""
    often = Rate("1000 per second", "1000 per second")  # it is the disk that refuses, not a limit
    app = site(tmp_path, org, rates={**Config(tmp_path).rates, "send": often})
    refusing = Refusing(monkeypatch, store_of(app), code)
    expected: Counter[str] = Counter()
    for step in range(200):
        text = f"Report {step}."
        visitor = ready(app)
        before = visitor.page
        with refusing.armed(step):
            visitor.step("send", {"text": text}, [("a.bin", SMALL)])
        if visitor.answer.status_code != 200:
            refused(visitor, text)
            assert told(app, org) in (expected, expected + Counter([text]))
            visitor.page = before  # the browser's way back
            visitor.step("send", {"text": text}, [("a.bin", SMALL)])
        assert visitor.words
        expected[text] += 1
        assert told(app, org) == expected
        if not refusing.fired:
            break
    assert 8 < step < 199
    measured("steps that failed", step)
    store_of(app).close()


def test_cut_off_and_killed(tmp_path: Path) -> None:
    """A form cut off, and a server killed between blocks and envelope: sent again, each report is there once."""
    server = Server.make(tmp_path / "server")
    uploads = [Upload(f"Report {n}.", 3 * BLOCK, lambda n=n: pieces(n), f"{n}.bin") for n in range(3)]  # type: ignore[misc]
    with server.running():
        words = [server.send(uploads[0])]
        half_sent(server, uploads[1], 2 * BLOCK).close()
        words.append(server.send(uploads[1]))
        connection = half_sent(server, uploads[2], uploads[2].length - len(BOUNDARY))
        wait_for(server, 2 * 4 + 1)  # two whole reports, and a block of one; what was cut off is gone
        server.kill()
        connection.close()
    with server.running():
        words.append(server.send(uploads[2]))
        assert [server.send(each) for each in uploads] == words
        workstation = station(tmp_path / "ombuds", server.org.people["ombuds"], today)
        workstation.trust.pin([server.org.root.public])
        (tmp_path / "stick").mkdir()
        server.courier(tmp_path / "courier").exchange(tmp_path / "stick")
    exchange(workstation, tmp_path / "stick")
    found = {}
    for case in overview.queue(workstation):
        [(entry, record)] = overview.files(case)
        found[entry.content.text] = saved_files.content(record, workstation.blocks)
    workstation.close()
    assert found == {each.text: b"".join(each.content()) for each in uploads}
    later = datetime.now(UTC) + timedelta(days=2)
    instance = open_instance(Config.load(server.folder), lambda: later)
    instance.store.sweep()
    assert sum(path.is_file() for path in instance.config.blocks.rglob("*")) == 3 * 4
    instance.store.close()


def pieces(number: int) -> Iterator[bytes]:
    """Three blocks full of content, which need four."""
    for piece in range(3 * BLOCK // PIECE):
        yield bytes([number, piece]) * (PIECE // 2)


@pytest.mark.parametrize("how", [faults.failing, faults.pulled_out], ids=["fails", "pulled out"])
def test_a_stick_that_goes_in_the_middle(
    how: Callable[[Path, int], AbstractContextManager[Layer]], measured: Measure
) -> None:
    """At whatever step of Exchange the stick goes, both sides say so in a line, and once more completes it, once."""
    with contextlib.closing(World()) as world:
        for name, count in exchanged(world, how).items():
            measured(f"{name}: steps at which the stick went", count)


def exchanged(world: World, how: Callable[[Path, int], AbstractContextManager[Layer]]) -> Counter[str]:
    """Exchange again and again, each time losing the stick one step later; how often each side said so."""
    stick = world.stick("first")
    visitor = world.visitor().tell("What happened.", files=[("a.bin", SMALL)])
    counts = Counter[str]()
    ombuds, open_steps, done = world.stations["ombuds"], {"take", "carry"}, []
    world.carry("first")
    with how(stick, 2), contextlib.suppress(WorkstationError):
        exchange(ombuds, stick)
    exchange(ombuds, stick)
    for step in range(80) if TRIAL else sorted(random.sample(range(40), 6)):
        [case] = overview.queue(ombuds)
        if step % 8 == 0 or not TRIAL:
            uploads = [sealed_files.Upload("r.bin", "text/plain", io.BytesIO(SMALL))]
            compose.reply(ombuds, case, f"Reply {step}.", uploads)
            done.append(f"Reply {step}.")
        visitor = world.visitor().come_back(visitor.words).step("follow-up", {"text": f"More {step}."})
        sides = {"carry": lambda: world.couriers["first"].exchange(stick), "take": lambda: exchange(ombuds, stick)}
        for name, act in sides.items():
            with how(stick, step) as layer:
                try:
                    act()
                except (WorkstationError, CourierError) as error:
                    assert error.hint and "\n" not in str(error)
                    counts[name] += 1
                if not layer.fired:
                    open_steps.discard(name)
            act()
        world.couriers["first"].exchange(stick)
        html = world.visitor().come_back(visitor.words).html
        assert all(html.count(text) == 1 for text in done)
        if not open_steps:
            break
    exchange(ombuds, stick)
    [case] = overview.queue(ombuds)
    texts = Counter(entry.content.text for entry in case.entries if not entry.by)  # type: ignore[attr-defined]
    assert set(texts.values()) == {1} and case.faults == []
    return counts
