"""Pages beside the cases: what was sent, what leaves the vault, and the workstation itself."""

import datetime
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.test_app import HOST, ORIGIN, case_of, get, post
from whistle.protocol.trust import enrolment
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import overview
from whistle.workstation.exchange import outbox
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation

DAY = datetime.timedelta(days=1)


@pytest.fixture
def page(world: World) -> FlaskClient:
    """The page of the ombudsperson, with one report that has a file."""
    blocks, record = attach(b"a photograph", "photo.jpg")
    world.carrier.put_blocks(blocks)
    world.report(text="The third floor.", attachments=(record,))
    app = create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t")
    world.round("ombuds")
    return app.test_client()


def test_what_was_sent_is_listed_and_sent_again(world: World, page: FlaskClient) -> None:
    """The list says what the courier says, what is not confirmed first, and sends one or all of that once more."""
    assert "No courier has said" in get(page, "sent")
    for text in ("Between us.", "And more."):
        post(page, f"case/{case_of(page)}/note", text=text)
    world.round("ombuds")
    world.carrier.heaps = {id: each for id, each in world.carrier.heaps.items() if each[0] == "reporters"}
    world.round("ombuds")  # said to be delivered, but no copy comes back
    shown, station = get(page, "sent"), world.station("ombuds")
    assert "Your note of" in shown and "no copy came back yet" in shown and "not confirmed" not in shown
    one, other = [each for each in station.hashes(station.case_ids()[0]) if station.kept(each).via == "own"]
    assert "nothing to send again" in post(page, "sent/again", message="0" * 64)
    assert "nothing to send again" in post(page, "sent/again")
    world.day += 20 * DAY
    assert get(page, "sent").count(">not confirmed<") == 2 and "Look at what was sent" in get(page)
    assert "1 message sent again" in post(page, "sent/again", message=one) and outbox.pending(station) == [one]
    assert "1 message sent again" in post(page, "sent/again") and set(outbox.pending(station)) == {one, other}


def test_a_case_is_taken_out_of_the_vault(world: World, page: FlaskClient, tmp_path: Path) -> None:
    """Its record and its files go to the folder for saved files, where they are listed and removed, or to another one;
    a folder that is not there is refused."""
    name, saved = case_of(page), world.folder / "saved"
    assert "It has left the vault" in post(page, f"case/{name}/export")
    [record] = saved.glob("case-*/record.txt")
    assert "The third floor." in record.read_text()
    assert "exported there already" in post(page, f"case/{name}/export")
    assert "1 file. What opens them" in post(page, f"case/{name}/files", to=str(tmp_path))
    [copy] = tmp_path.glob("[0-9]*/photo.jpg")
    assert copy.read_bytes() == b"a photograph"
    for nowhere in ("relative", str(tmp_path / "nowhere")):
        assert "There is no such folder." in post(page, f"case/{name}/files", to=nowhere)
    listed = get(page, "saved")
    assert "record.txt" in listed and "/files / photo.jpg" in listed
    ticked = [line.split('value="')[1].split('"')[0] for line in listed.splitlines() if 'name="file"' in line]
    assert "Removed: 2 of 2 files." in post(page, "saved/remove", file=ticked) and not list(saved.iterdir())


def test_a_closed_case_is_deleted_after_a_question(world: World, page: FlaskClient) -> None:
    """The question says what stays elsewhere; an open case is not deleted."""
    name, station = case_of(page), world.station("ombuds")
    assert "This case is not closed." in get_there(page, f"case/{name}/delete")
    assert "This case is not closed." in post(page, f"case/{name}/delete") and station.case_ids()
    post(page, f"case/{name}/status", status="closed", confirmed="yes")
    world.round("ombuds")
    world.round("ombuds")
    assert "Delete this case" in get(page, f"case/{name}") and "Each backup holds" in get(page, f"case/{name}/delete")
    assert "is deleted from this computer" in post(page, f"case/{name}/delete") and not station.case_ids()


def get_there(page: FlaskClient, path: str) -> str:
    """The page to which an address leads."""
    return page.get(f"/t/{path}", base_url=HOST, follow_redirects=True).text


def test_the_workstation_is_told_about_and_checked(world: World, page: FlaskClient) -> None:
    """Its keys with their digits, the public file for root, who reads and who carries, the date, and a check."""
    shown, station = get(page, "workstation"), world.station("ombuds")
    assert enrolment.digits(station.public_file()) in shown and station.trust.fingerprint() in shown
    for courier in world.org.manifest.couriers:
        assert courier.name in shown
    assert "Staff counsel" in shown and "Everything is there and whole." in post(page, "workstation/check")
    said = post(page, "workstation/public")
    [written] = (world.folder / "saved").glob("*.reviewer")
    assert enrolment.digits(written.read_bytes()) in said and str(written) in said
    (station.blocks.folder / "00").mkdir(exist_ok=True)
    for block in station.blocks.ids():
        station.blocks.path(block).unlink()
    assert "Not all of this is whole." in post(page, "workstation/check")


def test_a_wrong_date_is_accepted_in_the_page(world: World, page: FlaskClient) -> None:
    """Only where the date stands back, and then it says what that means."""
    assert "accept it" not in get(page, "workstation")
    world.day += 3 * DAY
    post(page, f"case/{case_of(page)}/note", text="Later.")
    post(page, "exchange")
    world.day -= 3 * DAY
    assert "Nothing is signed while" in get(page, "workstation")
    assert "Nothing is signed while" not in post(page, "workstation/date")


@pytest.fixture
def fresh(world: World, tmp_path: Path) -> Iterator[FlaskClient]:
    """The page of a workstation that knows no root yet."""
    station = Workstation.create(
        tmp_path / "fresh", PASSPHRASE, name="R", role="R", languages=["en"], profile="test",
        today=lambda: world.day,
    )  # fmt: skip
    yield create_app(station, None, saved=tmp_path / "saved", token="t").test_client()
    station.close()


def test_the_first_root_and_bundle_come_in_by_the_page(world: World, fresh: FlaskClient, tmp_path: Path) -> None:
    """Root's key is uploaded once and its digits are told; then a folder with bundles is taken in."""
    root = world.org.root.public
    assert "does not know its organisation" in get(fresh, "workstation")
    wrong = post(fresh, "workstation/roots", files=(BytesIO(b"no key"), "root-1.pub"))
    assert "This is not a published root key." in wrong
    said = post(fresh, "workstation/roots", files=(BytesIO(root.file()), "root-1.pub"))
    assert "Compare them with whoever keeps the root" in said
    world.carrier.inbox(world.stick)
    assert "type its whole path" in post(fresh, "workstation/import", place="inbox").lower()
    assert "no stick or file of this name" in post(fresh, "workstation/import", place=str(tmp_path / "none"))
    assert "A new manifest was taken." in post(fresh, "workstation/import", place=str(world.stick))
    assert "Staff counsel" in get(fresh, "workstation")


def test_a_new_workstation_is_made_and_brought_back_in_the_page(tmp_path: Path) -> None:
    """Where there is no vault the page makes one, with what is missing told and typed text kept; with a vault it makes
    none.  A backup brings it back on another computer."""
    page = create_app(tmp_path / "new", None, saved=tmp_path / "saved", token="t", profile="test").test_client()
    given = {"name": "R. Reviewer", "role": "Ombudsperson", "languages": "en, ar"}
    for passphrase, again, told in [
        ("too short", "too short", "at least 12 characters"),
        (PASSPHRASE, "another one", "do not match"),
        ("", "", "No passphrase was typed"),
    ]:
        refused = post(page, "new", **given, passphrase=passphrase, again=again)
        assert told in refused and 'value="R. Reviewer"' in refused and (not again or again not in refused)
        assert not (tmp_path / "new" / "vault.json").exists()
    assert "no name for the manifest" in post(page, "new", **{**given, "name": " "}, passphrase=PASSPHRASE)
    made = post(page, "new", **given, passphrase=PASSPHRASE, again=PASSPHRASE)
    assert (
        "The workstation is made." in made and "R. Reviewer</bdi>, <bdi>Ombudsperson" in made and PASSPHRASE not in made
    )
    for path in ("new", "restore"):
        assert page.post(f"/t/{path}", base_url=HOST, headers=ORIGIN, data=given).status_code == 403
    post(page, "lock")
    station = Workstation.open(tmp_path / "new", PASSPHRASE)
    assert station.profile["languages"] == ["en", "ar"]
    saved = backup.save(station, tmp_path / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)
    station.close()
    other = create_app(tmp_path / "other", None, saved=tmp_path / "saved", token="t", profile="test").test_client()
    gone = post(other, "restore", backup="usb", passphrase=PASSPHRASE)
    assert "There is no such folder." in gone and 'name="partly"' not in gone
    assert "Restored." in post(other, "restore", backup=str(saved.folder), passphrase=PASSPHRASE)
    post(other, "lock")


def test_the_rest_of_a_damaged_backup_comes_back_in_the_page(world: World, tmp_path: Path) -> None:
    """It is refused with what is lacking first; ticking a box restores the rest, and says what is lost."""
    blocks, attached = attach(b"a photograph" * 99)
    world.carrier.put_blocks(blocks)
    world.report(attachments=(attached,))
    world.round("ombuds")
    saved = backup.save(world.station("ombuds"), tmp_path / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)
    max((saved.folder / "parts").iterdir(), key=lambda path: path.stat().st_size).unlink()  # the one with the file
    page = create_app(tmp_path / "other", None, saved=tmp_path / "saved", token="t", profile="test").test_client()
    given = {"backup": str(saved.folder), "passphrase": PASSPHRASE}
    refused = post(page, "restore", **given)
    assert "Not all of this backup is whole; damaged or missing: parts/" in refused and "--partly" not in refused
    assert 'name="partly"' in refused and str(saved.folder) in refused
    done = post(page, "restore", **given, partly="yes")
    assert "Restored." in done and "lost: 1 piece of a file" in done and "the file photo.jpg in a message of" in done
    assert len(overview.queue(page.application.config["WHISTLE_DESK"].session.workstation)) == 1
    post(page, "lock")
