"""What somebody sends costs a workstation work and memory that are bounded: operations are counted, not seconds."""

import datetime
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.parties import DAY, report, reporter
from tests.workstation.carrying import World, attach, statements
from tests.workstation.test_hostile import by_ethics, case_of
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import attachment, continuation, envelope, message
from whistle.protocol.case.message import Grant, Note
from whistle.protocol.code.retrieval import reference
from whistle.workstation.app.app import create_app
from whistle.workstation.care import links
from whistle.workstation.cases import case_list, compose, conversation, overview
from whistle.workstation.exchange import admission
from whistle.workstation.vault import search
from whistle.workstation.vault.blocks import Blocks

BASE = "http://localhost:1"


def counted(monkeypatch: pytest.MonkeyPatch, of: Any, name: str) -> list[Any]:
    """The arguments of each call from now on."""
    calls: list[Any] = []
    whole = getattr(of, name)
    monkeypatch.setattr(of, name, lambda *args, **more: calls.append(args) or whole(*args, **more))
    return calls


def long_report(world: World, size: int = 300_000) -> None:
    """A report whose text travels in blocks."""
    who = reporter()
    folded, blocks = envelope.fold(report(who, world.org, text="x" * size), 8)
    world.carrier.put_blocks(blocks)
    world.send(message.sign(folded, who.signing), ("ombuds",))


def notes(world: World, who: Any, count: int, **changes: Any) -> None:
    """A chain of notes by a colleague."""
    before = None
    for seq in range(count):
        signed = by_ethics(world, who, Note, seq=seq, prev=before, **changes)
        world.send(signed, ("ombuds",))
        before = signed.hash


def page(world: World) -> Callable[[str], str]:
    """A function that returns the text of a page of the workstation."""
    client = create_app(world.station("ombuds"), None, token="t").test_client()
    return lambda path: client.get(path, base_url=BASE).text


def test_a_list_opens_no_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long reports are, neither the list nor a case's page opens what does not fit; alone it is shown whole."""
    for _ in range(3):
        long_report(world)
    world.round("ombuds")
    world.station("ombuds").last_opened = None  # which the index looked at
    opened = counted(monkeypatch, attachment, "Opener")
    show = page(world)
    listed = show("/t/")
    assert listed.count("open the case to read its first message") == 3
    name = re.findall(r"/t/case/([0-9a-f]+)", listed)[0]
    assert "too long to be shown with the others" in show(f"/t/case/{name}")
    assert opened == []
    assert "x" * 300_000 in show(f"/t/case/{name}?message=0") and len(opened) == 1


def test_a_list_reads_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many cases a page of fifty is shown, by a few statements, none of which reads more than the page."""
    for _ in range(60):
        world.report()
    world.round("ombuds")
    given = statements(world.station("ombuds"))
    show = page(world)
    first, second = show("/t/"), show("/t/?page=2")
    assert (first.count('<li class="panel'), second.count('<li class="panel')) == (50, 10)
    assert not [sql for sql in given if "messages" in sql] and len(given) < 2 * 21
    assert all("LIMIT" in sql or "count(" in sql for sql in given if "FROM cases" in sql)


def test_a_page_of_a_case_shows_the_newest_messages(world: World) -> None:
    """A colleague who writes very many notes makes no page longer; the earlier ones are a step away."""
    who = world.report()
    notes(world, who, 2 * conversation.MESSAGES)
    world.round("ombuds")
    show = page(world)
    name = re.findall(r"/t/case/([0-9a-f]+)", show("/t/"))[0]
    newest, earlier = show(f"/t/case/{name}"), show(f"/t/case/{name}?before=51")
    assert (newest.count("<article"), earlier.count("<article")) == (50, 50)
    assert "51 earlier messages" in newest and "1 earlier message<" in earlier and "50 later messages" in earlier
    assert "third floor" in show(f"/t/case/{name}?before=1")


def test_pages_of_one_case_read_its_messages_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and though they are more than are held parsed; what comes meanwhile is shown."""
    who = world.report()
    notes(world, who, 2 * conversation.MESSAGES)
    world.round("ombuds")
    show, station = page(world), world.station("ombuds")
    name = re.findall(r"/t/case/([0-9a-f]+)", show("/t/"))[0]
    parsed = counted(monkeypatch, message, "parse")
    for path in ("", "", "?before=51", "?message=3", "/confirm"):
        station.forget(station.hashes(who.case.hex()))
        show(f"/t/case/{name}{path}")
    assert len(parsed) == 2 * conversation.MESSAGES + 1
    world.follow_up(who, text="Once more, in June.")
    world.round("ombuds")
    assert "Once more, in June." in show(f"/t/case/{name}")


def test_an_import_costs_few_statements_for_each_message(world: World) -> None:
    """Fifty new reports cost fewer than ten statements, and what is said later in their cases fewer than two each."""
    given, costs = statements(world.station("ombuds")), []
    people: list[Any] = []
    for count in (1, 51):
        people += [world.report() for _ in range(count)]
        world.round("ombuds")
        costs.append(len(given))
        given.clear()
    for who in people:
        world.follow_up(who)
        notes(world, who, 2)
    [done] = world.round("ombuds")
    assert costs[1] - costs[0] < 10 and len(done.imported.kept) == 3 * 52
    assert len(given) < 3 * 52 * 2


def test_many_notes_of_one_case_are_judged_by_the_same_few_messages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the case's messages nor its record are read or written once for each note."""
    who = world.report()
    notes(world, who, 30)
    given = statements(world.station("ombuds"))
    for later in (case_list, search):
        monkeypatch.setattr(later, "refresh" if later is case_list else "fill", lambda *_, **__: None)
    [done] = world.round("ombuds")
    assert len(done.imported.kept) == 31
    assert len([sql for sql in given if sql.startswith("UPDATE cases")]) <= 2
    assert len([sql for sql in given if "messages.line" in sql]) <= 2 * 31
    assert len(given) < 31 * 2


def test_grants_that_say_the_same_again_cost_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colleague who lets the same person in again and again adds nothing that later messages are judged by."""
    who = world.report()
    for seq in range(12):
        grant = by_ethics(
            world, who, Grant, grantee="counsel", lane=9, seq=seq, prev="0" * 64 if seq else None,
            readers=("ombuds", "ethics", "counsel"),
        )  # fmt: skip
        world.send(grant, ("ombuds",))
    largest = []
    whole = admission._check_case
    monkeypatch.setattr(
        admission, "_check_case", lambda case, content: largest.append(len(case.entries)) or whole(case, content)
    )
    world.round("ombuds")
    assert len(case_of(world, who).entries) == 13 and max(largest) == 2


def test_the_identity_of_the_servers_day_is_tried_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many quarterly keys the one that was the newest when an envelope came opens it."""
    station = world.station("ombuds")
    for day in (DAY, DAY + datetime.timedelta(days=100), DAY + datetime.timedelta(days=300)):
        begun = [each for each in station.periods() if each.first <= day]
        ordered = station.identities(day)
        assert ordered[0] == begun[-1].identity and len(ordered) == len(station.periods())
        assert ordered[0] in [each for each in station.identities() if each is ordered[0]]  # expanded once
    tried = []
    world.day = DAY + datetime.timedelta(days=300)
    world.report()
    unwrap = HybridIdentity.unwrap

    def watched(self: HybridIdentity, stanzas: Any) -> bytes | None:
        tried.append(self)
        return unwrap(self, stanzas)

    monkeypatch.setattr(HybridIdentity, "unwrap", watched)
    assert len(world.round("ombuds")[0].imported.kept) == 1 and len(tried) == 1


def test_a_file_in_many_pieces_is_not_looked_for_piece_by_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks for a bounded number of pieces of all files together."""
    blocks, record = attach(b"a")
    world.carrier.put_blocks(blocks)
    world.report(attachments=tuple(record for _ in range(7)))
    world.round("ombuds")
    monkeypatch.setattr(conversation, "LOOKS", 3)
    looks = counted(monkeypatch, Blocks, "has")
    show = page(world)
    name = re.findall(r"/t/case/([0-9a-f]+)", show("/t/"))[0]
    assert show(f"/t/case/{name}").count(">Look at it</a>") == 7 and len(looks) == 7 + 3


def test_a_row_follows_what_happens_in_its_case(world: World) -> None:
    """The list shows at once what a reviewer reads or writes."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    [[row], count] = case_list.rows(station)
    assert (row.unread, row.status, row.start, count) == (1, "new", "Something happened on the third floor.", 1)
    overview.mark_read(station, case_of(world, who))
    compose.status(station, case_of(world, who), "open", claimed="ombuds")
    [[row], _] = case_list.rows(station)
    assert (row.unread, row.status, row.claimed) == (0, "open", "ombuds")


def test_who_names_a_case_costs_its_page_nothing_and_hides_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many made-up cases that name one, or claim to continue it, none is loaded, and a few are read by as many
    statements as one is; the one that its reporter names, and the one that its key signed, stand first all the same.
    """
    monkeypatch.setattr(links, "MOST", 3)
    who, given, costs = world.report(), statements(world.station("ombuds")), []
    mine = reference(who.case)
    for junk in (1, 6):
        for _ in range(junk):
            world.report(answers={"earlier": mine})
            false, another = reporter(), reporter()
            world.report(false, continues=continuation.prove(false.signing, who.case, false.case))
            of_another_case = continuation.prove(who.signing, who.case, false.case)
            world.report(another, continues=of_another_case)
        world.round("ombuds")
        case = case_of(world, who)
        loaded, read = counted(monkeypatch, overview, "load_all"), len(given)
        links.of(world.station("ombuds"), case)
        costs.append(len(given) - read)
        assert loaded == []
    assert costs[0] == costs[1] < 5
    signed, mutual = reporter(), world.report(answers={"earlier": mine})
    world.report(signed, continues=continuation.prove(who.signing, who.case, signed.case))
    world.follow_up(who, answers={"earlier": reference(mutual.case)})
    world.round("ombuds")
    told = links.of(world.station("ombuds"), case_of(world, who))
    assert [each.case for each in told[:2]] == [mutual.case.hex(), signed.case.hex()]
    assert "name each other" in told[0].text and "signed that" in told[1].text and "Somebody says" in told[2].text
    assert len(told) == 4 and told[-1].text == "20 more cases are named."
