"""The hostile sender: what is made to cost the others work and memory.  Operations and bytes are counted, not seconds.

Each test plays one attack through the server, a courier and a workstation, or through the form, and says what the
honest party then has.  All bounds, with the tests that hold each program to them, stand in SECURITY.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trial.rogue import lay, rewrite, squatted
from tests.trial.stage import Stage, Told, staged
from tests.workstation.carrying import statements
from tests.workstation.test_bounds import counted
from tests.workstation.test_saving import crafted
from whistle.courier.errors import CourierError
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import attachment
from whistle.protocol.case.message import Note, Reply
from whistle.protocol.code import rows
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import BLOCK, Listing
from whistle.server.api import bundle_push
from whistle.server.sealing import case_view
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, saved_files

PIECES = 9


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One organisation for all."""
    with staged(tmp_path_factory.mktemp("stage"), None) as made:
        yield made


def test_second_versions_of_all_blocks_cost_linear_work(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender makes two versions of every block that open in any combination, and a courier brings both.

    The list opens none, and saving tries each block a few times, not every combination.
    """
    content = os.urandom(PIECES * BLOCK - 5000)
    other = bytearray(content)
    for piece in range(PIECES):
        other[piece * BLOCK + 100_000] ^= 1
    blocks, wrong, record = crafted(content, bytes(other))
    told, office = stage.tell(), stage.office
    station = office.stations["ethics"]
    for id, body in blocks:
        station.blocks.write(id, body)
    rogue = told.rogue("ethics")
    rogue.send(rogue.sign(Note, text="See this.", attachments=(record,)), ["ombuds"], [id for id, _ in blocks])
    office.round("ethics")
    second = {bundle.block_name(id): body for (id, _), body in zip(blocks, wrong, strict=True)}
    office.courier.pull(office.stick("ombuds"))
    rewrite(office.stick("ombuds") / "inbox", alter=lambda member, body: second.get(member.name, body))
    office.exchange("ombuds")
    office.round("ombuds")
    tried = counted(monkeypatch, attachment.Opener, "update")
    case_list.rows(office.stations["ombuds"])
    assert tried == []
    assert saved_files.save(record, office.stations["ombuds"].blocks, tmp_path).read_bytes() == content
    assert len(tried) <= 2 * 2 * 2 * PIECES


def test_long_reports_make_no_list_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers send reports whose text travels in blocks.

    The list opens none of them, and says to open the case; there the text is whole.
    """
    for _ in range(2):
        stage.tell("A long story. " * 20_000)
    opened = counted(monkeypatch, attachment, "Opener")
    page = create_app(stage.office.stations["ombuds"], None, token="t").test_client()
    shown = page.get("/t/", base_url="http://localhost:1").text
    assert shown.count("open the case to read its first message") >= 2 and opened == []


def test_many_notes_of_one_case_cost_linear_work(stage: Stage) -> None:
    """A reader writes very many notes in one case.

    A colleague's import reads and writes a bounded number of records for each.
    """
    told, office, count = stage.tell(), stage.office, 40
    rogue = told.rogue("ethics")
    for _ in range(count):
        rogue.keep(rogue.say(Note, ["ombuds"], text="One of many."))
    office.round("ethics")
    office.courier.pull(office.stick("ombuds"))
    given = statements(office.stations["ombuds"])
    assert len(office.exchange("ombuds").kept) == count
    assert len([sql for sql in given if "messages.line" in sql]) <= 3 * count
    assert len([sql for sql in given if sql.startswith("UPDATE cases")]) <= 4 and len(given) <= 12 * count


def test_long_answers_of_one_reader_make_no_look_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader answers with many very long texts.

    The reporter's page opens a bounded part of them, says which are long, and shows a colleague's answer.
    """
    told, office = stage.tell(), stage.office
    rogue = told.rogue("ethics")
    for n in range(4):
        whole = rogue.sign(Reply, n=n, text=f"rogue {n} " + "x" * (90_000 + n)).message
        folded, ids = rogue.rest(whole)
        signed = rogue.signed(folded)
        rogue.send(signed, [], ids, heap="reporters")
        rogue.keep(signed)
    office.round("ethics")
    told.reply("ombuds", "We believe you.")
    fetched = counted(monkeypatch, case_view, "_whole")
    page = told.page()
    assert "We believe you." in page and "This reply is long." in page
    assert sum(record.size for _, record in fetched) <= case_view.PAGE


def test_a_push_that_is_too_large_is_refused_by_its_list(stage: Stage) -> None:
    """A courier pushes more envelopes than the server takes at once.

    The server says so before it has read them, and has none of them.
    """
    foul, count = stage.office.where / "foul", bundle_push.MAX_ENVELOPES // (8 * 4096) + 1
    names = [bundle.envelope_name(number.to_bytes(16, "big")) for number in range(count)]
    members, files = squatted(stage.junk(), "reviewers", *names)
    lay(foul / "outbox", Listing("server", stage.office.clock.day, members, 1, 1), files)
    with pytest.raises(CourierError, match="too"):
        stage.office.courier.push(foul)


def test_a_text_of_numbers_is_searched_in_bounded_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger sends a text of nothing but numbers, in which every row could be twelve words.

    The form takes it as it takes any other text; a bounded number of rows is looked at.
    """
    checked = counted(monkeypatch, rows, "checked")
    told = Told(stage, stage.visitor().tell("1 " * 40_000).words)
    assert told.id and 0 < len(checked) <= 4 * rows.MAX_ROWS


def test_many_identities_cost_one_try_each_for_what_is_for_somebody_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger sends envelopes that a reader cannot open, and this one has an identity for every quarter.

    What is for the reader opens with the identity of the server's day, at the first try; anything else costs one try of
    each identity, and no more.
    """
    office = stage.office
    office.round("ombuds")
    told, foreign = Told(stage, stage.visitor().tell("It happened again.").words), 3
    for number in range(foreign):
        stage.foul_push(stage.junk(), "reviewers", bundle.envelope_name(bytes([number]) * 16))
    office.courier.pull(office.stick("ombuds"))
    tried = counted(monkeypatch, HybridIdentity, "unwrap")
    office.exchange("ombuds")
    assert told.id in office.stations["ombuds"].case_ids()
    assert len(tried) <= 1 + foreign * len(office.stations["ombuds"].periods())
