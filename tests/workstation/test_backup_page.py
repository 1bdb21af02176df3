"""The page of backups: made on a stick or in a folder, reminded of, and tried."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.parties import DAY
from tests.workstation.backups import saved, spoil
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import get, post
from tests.workstation.test_app import page as page  # a fixture
from tests.workstation.test_commands import Desk, two_lines
from whistle import sticks
from whistle.workstation import backup
from whistle.workstation.cases import compose, overview
from whistle.workstation.errors import Refused
from whistle.workstation.vault import backups, keyfile


@pytest.fixture
def stick(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new stick that is in."""
    folder = world.folder / "media"
    folder.mkdir()
    monkeypatch.setattr(sticks, "mounted", lambda: [sticks.marked(folder)] if folder.is_dir() else [])
    monkeypatch.setattr(keyfile, "LOG_N", keyfile.CHEAP_LOG_N)
    return folder


def test_a_backup_from_the_first_stick_to_trying_it(world: World, page: FlaskClient, stick: Path) -> None:
    """The stick is named, the passphrase asked for once, and only then is anything written; trying it says it works."""
    assert "stick that is new here" in get(page, "backup")
    assert "A stick without a backup" in post(page, "backup/stick", folder=str(stick), name="Blue")
    asked = post(page, "backup/make", place=str(stick))
    assert 'id="make-passphrase"' in asked and "You may" not in asked
    assert not (stick / "whistle-backup" / "index.age").exists()
    wrong = post(page, "backup/make", place=str(stick), passphrase="not the passphrase")
    assert "does not open the vault" in wrong and 'id="make-passphrase"' in wrong and "not the pass" not in wrong
    assert not (stick / "whistle-backup" / "keys.age").exists()
    made = post(page, "backup/make", place=str(stick), passphrase=PASSPHRASE)
    assert "holds 1 case, 1 message and 1 piece of a file." in made and "A stick may be taken out now" in made
    assert f'datetime="{DAY}">22 November 2026</time>, today' in made and PASSPHRASE not in made
    station = world.station("ombuds")
    compose.note(station, overview.queue(station)[0], "Something new.")
    assert "2 messages" in post(page, "backup/make", place=str(stick))  # nothing is asked any more
    tried = post(page, "backup/try", place=str(stick), passphrase=PASSPHRASE)
    assert "It works: the backup of" in tried and 'class="said good"' in tried
    assert "does not open the key file" in post(page, "backup/try", place=str(stick), passphrase="another one")
    for path in (stick / "whistle-backup" / "parts").iterdir():
        spoil(path)
    tried = post(page, "backup/try", place=str(stick), passphrase=PASSPHRASE)
    assert "It does not work" in tried and 'class="said bad"' in tried
    before = {path.name for path in (stick / "whistle-backup" / "parts").iterdir()}
    post(page, "backup/make", place=str(stick), fresh="yes")
    assert before.isdisjoint(path.name for path in (stick / "whistle-backup" / "parts").iterdir())
    assert "It works" in post(page, "backup/try", place=str(stick), passphrase=PASSPHRASE)
    stick.rename(world.folder / "out")
    assert "It is not there now" in get(page, "backup")
    [known] = backups.remembered(station.vault)
    assert "It is not there now" not in post(page, "backup/forget", id=known.id)
    (world.folder / "out").rename(stick)  # found after all
    assert "not the one that this workstation wrote last" in post(page, "backup/make", place=str(stick))


def test_where_a_backup_would_be_lost_it_is_not_made(world: World, page: FlaskClient, stick: Path) -> None:
    """Not in a folder that does not exist, nor in the vault's own; of the courier's stick, the page says why not."""
    own = world.station("ombuds").vault.folder
    for place, told in [
        ("relative", "no whole name"),
        ("/no/such", "no such folder"),
        (str(own), "own"),
        ("", "whole"),
    ]:
        assert told in post(page, "backup/make", place=place, passphrase=PASSPHRASE)
    assert not (own / "whistle-backup").exists() and backups.remembered(world.station("ombuds").vault) == []
    post(page, "backup/stick", folder=str(stick), name="Courier")
    assert "the stick for the courier" not in get(page, "backup")
    (stick / "inbox").mkdir()
    assert "the stick for the courier" in get(page, "backup")
    with pytest.raises(Refused, match="no place for a backup"):
        backup.only(world.station("ombuds"))


def test_every_page_reminds_of_a_backup(world: World, page: FlaskClient, stick: Path) -> None:
    """After a week; and the commands do."""
    world.day = DAY + backups.OFTEN
    assert "There is no backup of this workstation" in get(page)
    saved(world.station("ombuds"), stick)
    assert "There is no backup" not in get(page)


def test_every_form_of_the_page_keeps_out_of_the_browsers_profile(
    world: World,
    page: FlaskClient,
    stick: Path,
) -> None:
    """As those of all pages do; what is typed as a passphrase looks like none to the browser's store."""
    saved(world.station("ombuds"), stick)
    post(page, "backup/make", place=str(world.folder))
    shown = get(page, "backup")
    forms = re.findall(r"<form([^>]*)>\s*(<[^>]*>)", shown)
    assert len(forms) == shown.count("<form") == shown.count('type="password"') > 5
    assert all('autocomplete="off"' in given and "hidden" in first for given, first in forms)
    assert shown.count('class="secret"') == shown.count('name="passphrase"') == 2


def test_a_command_finds_the_place_of_the_last_backup(world: World, stick: Path) -> None:
    """Without --to; a damaged one is said by `try-backup`, with status 1."""
    world.report()
    world.round("ombuds")
    saved(world.station("ombuds"), stick)
    world.close()
    (world.folder / "desk").mkdir()
    desk = Desk(world.folder / "desk")
    (desk.folder / "vault").symlink_to(world.folder / "ombuds")
    made = desk.run("backup")
    assert made.exit_code == 0 and "1 message and" in made.stdout and "a stick may be taken out" in made.stdout
    assert "It works" in desk.run("try-backup", stick).stdout
    for path in (stick / "whistle-backup" / "parts").iterdir():
        spoil(path)
    two_lines(desk.run("try-backup", stick), "does not work")
    stick.rename(world.folder / "out")
    two_lines(desk.run("backup"), "no place for a backup")
