"""A workstation is restored from an old backup: newer messages come again, and no two replies share a place."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parties
from tests.office import Office, working
from tests.server.visitor import Visitor
from tests.workstation.carrying import PASSPHRASE
from whistle.protocol.case.message import Reply
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.workstation.cases import compose
from whistle.workstation.exchange import outbox
from whistle.workstation.vault import backup, keyfile


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
        saved, office.where / "vault-ombuds", PASSPHRASE, PASSPHRASE, "test", lambda: parties.DAY
    )


def back_up(office: Office) -> Path:
    """A backup of the ombudsperson's workstation as it is now."""
    return backup.write(office.stations["ombuds"], office.where / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)


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


def test_a_place_is_never_used_for_two_replies(office: Office) -> None:
    """A reply written before the lost one came back finds its place taken, and goes to the next one."""
    visitor = Visitor(office.app).tell("It happened again.")
    told = " ".join(words.encode(words.decode(visitor.words)))
    case = derive(words.decode(visitor.words)).case.hex()
    office.round("ombuds")
    saved = back_up(office)
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "The reply that was lost.")
    office.round("ombuds")
    lose(office, saved)
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), "The reply after the loss.")
    for _ in range(4):
        office.round("ombuds")
    assert outbox.pending(office.stations["ombuds"]) == []
    replies = [entry.content for entry in office.case("ombuds", case).entries if isinstance(entry.content, Reply)]
    assert sorted((reply.text, reply.n) for reply in replies) == [
        ("The reply after the loss.", 0), ("The reply after the loss.", 1), ("The reply that was lost.", 0),
    ]  # fmt: skip
    html = visitor.come_back(told).html
    assert html.count("The reply that was lost.") == 1 and html.count("The reply after the loss.") == 1
    assert any("have the number 1" in fault for fault in office.case("ombuds", case).faults)
