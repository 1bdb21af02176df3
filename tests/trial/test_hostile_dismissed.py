"""The dismissed reviewer, whose key has ended: what they date back, and what colleagues and the reporter then see."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from tests import parties
from tests.protocol.browser import Peer
from tests.trial.rogue import rewrite
from tests.trial.stage import Stage, Told, node, staged
from whistle.courier.errors import CourierError
from whistle.protocol.case import message
from whistle.protocol.case.message import Grant, Reply, Status
from whistle.protocol.trust.manifest import Courier as Listed
from whistle.server.instance import NAME
from whistle.workstation.cases import compose
from whistle.workstation.exchange import received

END = parties.DAY + datetime.timedelta(days=3)
AFTER = END + datetime.timedelta(days=1)
FOUL = "Come to the car park at night."
EVERYBODY = ("ombuds", "ethics", "counsel")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer | None]:
    """The browser's half."""
    with node() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path, peer: Peer | None) -> Iterator[Stage]:
    """An organisation with a running server."""
    with staged(tmp_path, peer) as made:
        yield made


@pytest.fixture
def told(stage: Stage) -> Told:
    """A report that the ethics office has answered in time."""
    found = stage.tell()
    found.reply("ethics", "In time.")
    return found


def dismiss(stage: Stage, last: datetime.date | None = None) -> None:
    """Root retires the ethics office, `last` being what the manifest gives as its key's last day; then END passes."""
    manifest = stage.office.org.manifest
    gone = [
        replace(each, retired=True, signing=tuple(replace(key, last=last) for key in each.signing))
        for each in manifest.reviewers
        if each.id == "ethics"
    ]
    people = tuple(gone[0] if each.id == "ethics" else each for each in manifest.reviewers)
    channels = tuple(
        replace(each, readers=tuple(id for id in each.readers if id != "ethics")) for each in manifest.channels
    )
    couriers = tuple(each for each in manifest.couriers if each.reviewer != "ethics")
    stage.office.install(reviewers=people, channels=channels, couriers=couriers, begins=END)
    stage.days((AFTER - stage.office.clock.day).days)
    stage.office.round("ombuds", "counsel")


@pytest.mark.parametrize("last", [None, AFTER + datetime.timedelta(days=300)], ids=["retired", "with a later last day"])
def test_a_back_dated_answer_is_shown_to_colleagues_alone(stage: Stage, told: Told, last: datetime.date | None) -> None:
    """A dismissed reviewer, whom a courier does a favour, answers, closes and grants with a day before the end.

    The reporter reads what came in time, and that one thing could not be checked; a colleague reads that all of it came
    late and has no effect, and is asked to answer; nobody is let in.
    """
    dismiss(stage, last)
    rogue, office = told.rogue("ethics"), stage.office
    whole = tuple(message.original(each) for each in told.case("ethics").messages)
    back = {"day": parties.DAY, "readers": EVERYBODY}
    for kind, more in (
        (Reply, {"n": 1, "text": FOUL, "mark": "feedback"}),
        (Status, {"status": "closed"}),
        (Grant, {"grantee": "counsel", "lane": 9, "originals": whole}),
    ):
        signed = rogue.say(kind, ["ombuds", "counsel"], **back, **more)
        rogue.keep(signed)
    office.exchange("ethics")
    office.courier.push(office.stick("ethics"))
    office.round("ombuds", "counsel")
    for shown in told.everywhere():
        assert "In time." in shown and FOUL not in shown and "Staff counsel" not in shown
    assert "could not be checked" in told.program().output
    told_to_ombuds = "\n".join(told.shown("ombuds"))
    assert f"came on {AFTER}, after ethics's key ended on {END}: the reporter does not see it" in told_to_ombuds
    assert f"came on {AFTER}, after ethics's key ended on {END}: it has no effect" in told_to_ombuds
    assert any(
        "3 messages of ethics came after" in each and "answer yourself" in each for each in told.faults("ombuds")
    )
    assert (told.case("ombuds").status, told.case("ombuds").allowed) == ("new", ("ombuds", "ethics"))
    assert told.case("counsel").entries == ()


def test_who_passes_on_what_was_dated_back_vouches_for_it(stage: Stage, told: Told) -> None:
    """A serving colleague hands what a dismissed one dates back to somebody whom they let in.

    That one reads that it was handed over, and that for its day the colleague vouches.
    """
    dismiss(stage)
    late = told.rogue("ethics").sign(Status, status="closed", day=parties.DAY)
    ally, office = told.rogue("ombuds"), stage.office
    inside = tuple(message.original(each) for each in [*told.case("ombuds").messages, late])
    ally.say(Grant, ["counsel"], grantee="counsel", lane=8, originals=inside, readers=("ombuds", "counsel"))
    office.round("ombuds", "counsel")
    shown = "\n".join(told.shown("counsel"))
    assert "handed over with the case by ombuds: for its day, ombuds vouches" in shown


def test_a_courier_that_names_an_earlier_day_is_found_out_by_the_day_itself(stage: Stage, told: Told) -> None:
    """A courier lays what a dismissed reviewer dates back under an earlier day of the server's.

    The reporter does not see it: the server has its own day.  A colleague is deceived, and so states what the server
    never had for that day; that the server keeps the day, and tells its operator, is what shows it.
    """
    dismiss(stage)
    rogue, office = told.rogue("ethics"), stage.office
    rogue.say(Reply, ["ombuds"], day=parties.DAY, n=1, text=FOUL)
    office.exchange("ethics")
    office.courier.push(office.stick("ethics"))
    office.courier.pull(office.stick("ombuds"))
    for path in (office.stick("ombuds") / "inbox").glob("*.tar"):
        assert path.stat().st_size
    rewrite(office.stick("ombuds") / "inbox", day_of=lambda member: parties.DAY if member.day == AFTER else member.day)
    office.exchange("ombuds")
    assert all(FOUL not in shown for shown in told.everywhere())
    store = office.app.extensions[NAME].store
    assert store.day_hash(parties.DAY) not in received.day_hashes(office.stations["ombuds"], parties.DAY.isoformat())


def test_a_dismissed_reviewers_courier_goes_with_them(tmp_path: Path) -> None:
    """A dismissed reviewer carries their own stick with the courier that was theirs.

    The server and the courier's program say that it is not in the manifest; nothing of the stick arrives.
    """
    with staged(tmp_path, None) as stage:
        office, key = stage.office, SigningKey.generate()
        own = Listed("ethics-laptop", "Ethics laptop", bytes(key.verify_key).hex(), "ethics")
        office.install(couriers=(*office.org.manifest.couriers, own))
        told = stage.tell()
        laptop = stage.courier(key, "laptop")
        laptop.pull(office.stick("ethics"))
        dismiss(stage)
        told.rogue("ethics").say(Reply, ["ombuds"], day=parties.DAY, text=FOUL)
        office.exchange("ethics")
        with pytest.raises(CourierError, match="not in the manifest"):
            laptop.push(office.stick("ethics"))
        assert all(FOUL not in shown for shown in told.everywhere())


def test_a_restored_workstation_does_not_speak_with_two_tongues(stage: Stage, told: Told) -> None:
    """Somebody restores an old backup to write once more what was written already.

    The program asks for an exchange first, and signs nothing before it.
    """
    stage.restore("ombuds")
    with pytest.raises(compose.Refused, match="was restored from a backup"):
        told.note("ombuds")
