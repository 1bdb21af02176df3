"""A workstation is restored from an old backup: newer messages come again, and no two replies share a place."""

import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.office import Office, working
from tests.server.visitor import Visitor, turn
from tests.workstation.carrying import PASSPHRASE
from whistle.protocol.case.message import Reply
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.server.instance import NAME
from whistle.server.running.housekeeping import clean
from whistle.workstation import backup
from whistle.workstation.cases import compose
from whistle.workstation.errors import NotExchanged
from whistle.workstation.exchange import outbox
from whistle.workstation.vault import keyfile


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a running server."""
    with working(tmp_path) as made:
        yield made


def lose(office: Office, saved: Path) -> None:
    """The vault of the ombudsperson is gone; the backup is what there is."""
    office.stations["ombuds"].close()
    shutil.rmtree(office.where / "vault-ombuds")
    office.stations["ombuds"] = backup.restore(
        saved, office.where / "vault-ombuds", PASSPHRASE, PASSPHRASE, "test", lambda: office.clock.day
    )


def back_up(office: Office) -> Path:
    """A backup of the ombudsperson's workstation as it is now."""
    return backup.save(office.stations["ombuds"], office.where / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder


def kinds(office: Office, case: str) -> list[str]:
    """What the ombudsperson's workstation holds of a case."""
    return sorted(entry.content.kind for entry in office.case("ombuds", case).entries)


@pytest.mark.parametrize("rounds", [0, 1, 2], ids=["not pushed", "pushed", "pushed and stated"])
def test_all_that_came_since_the_backup_comes_again(office: Office, rounds: int) -> None:
    """With the very stick that was used before, reports and own replies from after the backup are there again."""
    first = Visitor(office.app).tell("The first report.")
    case = derive(words.decode(first.words)).case.hex()
    office.round("ombuds")
    saved = back_up(office)
    second = Visitor(office.app).tell("The second report.")
    other = derive(words.decode(second.words)).case.hex()
    office.round("ombuds")
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "We read it.")
    office.exchange("ombuds")
    for _ in range(rounds):
        office.courier.push(office.stick("ombuds"))
        office.courier.pull(office.stick("ombuds"))
        office.exchange("ombuds")
    lose(office, saved)
    assert office.stations["ombuds"].case_ids() == [case]
    for _ in range(3):
        office.round("ombuds")
    assert set(office.stations["ombuds"].case_ids()) == {case, other}
    assert kinds(office, case) == ["reply", "report"]
    assert "We read it." in first.come_back(" ".join(words.encode(words.decode(first.words)))).html


def test_nothing_is_signed_before_the_first_exchange(office: Office) -> None:
    """A restored workstation learns first what it signed after the backup, and goes on from there."""
    visitor = Visitor(office.app).tell("It happened again.")
    case = derive(words.decode(visitor.words)).case.hex()
    office.round("ombuds")
    saved = back_up(office)
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "The reply that was lost.")
    office.round("ombuds")
    (office.stick("ombuds") / "inbox").rename(office.where / "of yesterday")
    office.clock.day += datetime.timedelta(days=1)
    lose(office, saved)
    mine = office.stations["ombuds"]
    (office.where / "of yesterday").rename(office.stick("ombuds") / "inbox")
    for exchanged in (False, True):  # with the stick of the day before, which says nothing of the reply
        with pytest.raises(NotExchanged, match="was restored from a backup") as caught:
            compose.note(mine, office.case("ombuds", case), "Too early.")
        assert "exchange a stick" in caught.value.hint and outbox.statements(mine) == []
        assert any("Reading works" in notice for notice in mine.notices())
        assert exchanged or office.exchange("ombuds").kept == []
    office.round("ombuds")
    assert not any("Reading works" in notice for notice in mine.notices()) and outbox.statements(mine)
    compose.reply(mine, office.case("ombuds", case), "The reply after the loss.")
    for _ in range(2):
        office.round("ombuds")
    found = office.case("ombuds", case)
    assert [(reply.text, reply.n, reply.seq) for reply in found.replies] == [
        ("The reply that was lost.", 0, 0), ("The reply after the loss.", 1, 1),
    ]  # fmt: skip
    assert found.faults == []


def test_a_place_is_never_used_for_two_replies(office: Office) -> None:
    """A reply of which no copy is left at the server stays unknown: the next one finds its place taken, and moves."""
    visitor = Visitor(office.app).tell("It happened again.")
    told = " ".join(words.encode(words.decode(visitor.words)))
    case = derive(words.decode(visitor.words)).case.hex()
    office.round("ombuds")
    saved = back_up(office)
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "The reply that was lost.")
    for days in (0, 1, 8):
        instance = office.app.extensions[NAME]
        turn(instance, office.clock.day + datetime.timedelta(days=days))
        office.round()
        clean(instance)
    lose(office, saved)
    office.round("ombuds")
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "The reply after the loss.")
    for _ in range(4):
        office.round("ombuds")
    assert outbox.pending(office.stations["ombuds"]) == []
    replies = [entry.content for entry in office.case("ombuds", case).entries if isinstance(entry.content, Reply)]
    assert sorted((reply.text, reply.n) for reply in replies) == [
        ("The reply after the loss.", 0), ("The reply after the loss.", 1),
    ]  # fmt: skip
    html = visitor.come_back(told).html
    assert html.count("The reply that was lost.") == 1 and html.count("The reply after the loss.") == 1
    office.round("ethics")
    compose.grant_whole(office.stations["ethics"], office.case("ethics", case), "ombuds")
    office.round("ethics", "ombuds")
    for id in ("ombuds", "ethics"):
        assert "two different messages of ombuds have the number 1" in office.case(id, case).faults
        assert "The reply that was lost." in [reply.text for reply in office.case(id, case).replies]
