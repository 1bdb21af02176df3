"""kill -9 at any moment: nothing saved is lost, nothing is there twice, and no place is used for two replies."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.parties import DAY
from tests.trial.counts import full
from tests.trial.planted import forms_of
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.killed import QUAGGA, text_of
from tests.workstation.test_folder import everything
from tests.workstation.test_search import plain_pages
from whistle.protocol.case.message import Reply
from whistle.protocol.transfer import bundle
from whistle.workstation import backup
from whistle.workstation.cases import case_list, compose, overview, transcript
from whistle.workstation.errors import VaultError, WorkstationError
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import check, database, filing, removal
from whistle.workstation.workstation import Workstation

KILLS = full("WORKSTATION_KILLS", 600, 6)  # a third each amid Exchange, replies and backups
PAGES = full("PAGE_KILLS", 200, 1)
BONTEBOK, OKAPI = "Bontebok" * 3, "Okapi" * 5
WORDS = [form for word in (QUAGGA, BONTEBOK, OKAPI) for form in (word, word.lower())]
LONGEST = 0.8  # seconds that one of these takes, about


def opened(world: World) -> Workstation:
    """The workstation, unlocked in this process."""
    return Workstation.open(world.folder / "ombuds", PASSPHRASE, lambda: DAY)


def killed(world: World, what: str, number: int, longest: float = LONGEST) -> bool:
    """Whether the work was done before the kill; its home, and its place for temporary files, are the world's."""
    home = world.folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, **dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), str(home))}
    command = [sys.executable, "-m", "tests.workstation.killed"]
    arguments = [str(world.folder / "ombuds"), str(world.stick), what, str(number)]
    child = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None and child.stdout.readline() == "begins\n"
    time.sleep(random.random() * longest)
    child.kill()
    done = child.stdout.read() == "done\n"
    child.wait()
    child.stdout.close()
    return done


def whole(stick: Path) -> None:
    """Every part in the stick's outbox is what its list says."""
    for path in (stick / "outbox").glob("*.tar"):
        with path.open("rb") as file:
            bundle.verify(file)


def test_a_workstation_killed_at_any_moment(world: World) -> None:
    """Reports, replies and backups survive; interrupted work is done again, once."""
    first = world.report()
    world.round("ombuds")
    kept = set(world.station("ombuds").hashes(first.case.hex()))
    world.close()
    world.stations.clear()
    reporters, promised, done = [first], set(), Counter[str]()
    for number in range(KILLS):
        what = ("exchange", "reply", "backup")[number % 3]
        if what == "exchange":
            blocks, attached = attach(bytes(600_000))
            world.carrier.put_blocks(blocks)
            reporters += [world.report(attachments=(attached,)) for _ in range(3)]
            world.carrier.inbox(world.stick)
            promised.add(_put_into_tray(world, first.case.hex(), number))
        finished = killed(world, what, number)
        done[what] += finished
        whole(world.stick)
        _nothing_in_clear(world, first.case.hex())
        station = opened(world)
        assert check.faults(station) == []
        assert kept <= set(station.hashes(first.case.hex()))
        if what == "reply" and finished:
            promised.add(number)
        if what == "backup":
            _restores(world, finished)
        exchange(station, world.stick)
        world.carrier.push(world.stick)
        kept = set(station.hashes(first.case.hex()))
        assert sorted(station.case_ids()) == sorted(who.case.hex() for who in reporters)
        assert all(len(station.hashes(who.case.hex())) == 1 for who in reporters[1:])
        assert not tray.items(station)
        station.close()
    station = opened(world)
    for _ in range(2):
        world.carrier.round(station, world.stick)
    _said_once(world, station, first.case.hex(), promised)
    assert outbox.pending(station) == [] and not world.carrier.taken
    assert len({reply.hash for reply in world.replies(first)}) == len(world.replies(first))
    station.close()
    print(f"done before the kill: {dict(done)} of {KILLS // 3} each")


def _put_into_tray(world: World, case: str, number: int) -> int:
    """Something for the exchange to sign."""
    station = opened(world)
    tray.reply(station, overview.load(station, case), text_of(number))
    station.close()
    return number


def _nothing_in_clear(world: World, case: str) -> None:
    """As the kill left them: journals, half-written files and all."""
    found = everything(world.folder / "ombuds") + everything(world.stick)
    for beside in ("usb", "scratch"):  # a backup, and what trying it left
        found += everything(world.folder / beside) if (world.folder / beside).exists() else b""
    for planted in ("look into it", "third floor", "Reply ", case, "AGE-SECRET", PASSPHRASE):
        assert planted.encode() not in found and planted.encode("utf-16-le") not in found


def _said_once(world: World, station: Workstation, name: str, promised: set[int]) -> None:
    case = overview.load(station, name)
    assert not case.faults
    said = Counter(
        transcript.text(entry).partition(".")[0] for entry in case.entries if isinstance(entry.content, Reply)
    )
    assert set(said.values()) <= {1} and {text_of(n).partition(".")[0] for n in promised} <= set(said)
    places = [entry.content.n for entry in case.entries if isinstance(entry.content, Reply)]
    assert sorted(places) == list(range(len(places)))


def _restores(world: World, finished: bool) -> None:
    """Whatever was cut off, the backup that was there before, or the new one, is whole."""
    usb = world.folder / "usb"
    try:
        restored = backup.restore(usb, world.folder / "restored", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)
    except VaultError:
        raise
    except WorkstationError as exc:  # before the first one was finished
        assert exc.hint and not finished and not (usb / "whistle-backup" / "index.age").exists()
        return
    assert all(overview.load(restored, name).entries for name in restored.case_ids())
    restored.vault.destroy()


def test_a_page_killed_at_any_moment_leaves_nothing_in_clear(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts, titles, labels, kept filters, searches, files that are attached or looked at, a case that is deleted: no
    file anywhere holds any of it; and once it is deleted, no page of the database does, free or not.
    """
    keys: list[bytes] = []
    engine = database.engine
    monkeypatch.setattr(database, "engine", lambda path, key, note: keys.append(key) or engine(path, key, note))
    blocks, attached = attach(f"{OKAPI}, a text. ".encode() * 4000, f"{OKAPI}.txt")
    world.carrier.put_blocks(blocks)
    case, path = world.report(text=OKAPI, attachments=(attached,)).case.hex(), world.folder / "ombuds" / "vault.db"
    world.round("ombuds")
    world.close()
    world.stations.clear()
    done = 0
    for number in range(PAGES):
        gone = _closed(world, number)
        done += killed(world, "page", number, 2 * LONGEST)
        found = everything(world.folder / "home") + everything(world.folder / "ombuds") + everything(world.stick)
        for planted in (*(word.encode() for word in WORDS), PASSPHRASE.encode(), case.encode()):
            assert not any(form in found for form in forms_of(planted)), planted
        assert not list((world.folder / "home").iterdir()) and not (world.folder / "saved").exists()
        station = opened(world)
        assert check.faults(station) == []
        if overview.load(station, gone).entries:
            removal.remove(station, overview.load(station, gone))
        assert not {BONTEBOK, BONTEBOK.lower()} & words_left(path, keys[-1])
        _tidy(station, case)
        assert words_left(path, keys[-1]) == {OKAPI, OKAPI.lower()}
        station.close()
    print(f"done before the kill: {done} of {PAGES}")


def words_left(path: Path, key: bytes) -> set[str]:
    """Which of the planted words stand in any page of the database."""
    pages = plain_pages(path, key)
    return {word for word in WORDS if word.encode() in pages}


def _closed(world: World, number: int) -> str:
    """A case that can be deleted."""
    station = opened(world)
    gone = world.report(text=f"{BONTEBOK} {number}. " * 400).case.hex()
    world.carrier.round(station, world.stick)
    compose.status(station, overview.load(station, gone), "closed", text=f"{BONTEBOK} gone.")
    for _ in range(2):
        world.carrier.round(station, world.stick)
    station.close()
    return gone


def _tidy(station: Workstation, case: str) -> None:
    """Remove all that was typed."""
    for item in tray.items(station):
        tray.take_back(station, item.id)
    for form in ("reply", "note"):
        drafts.discard(station, case, form)
    filing.name(station, case, "", [])
    case_list.forget(station, QUAGGA)
