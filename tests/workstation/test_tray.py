"""The tray: what is written waits unsigned for the next exchange, and can be changed or taken back until then."""

import datetime
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import case_of, get, post
from tests.workstation.test_folder import everything
from tests.workstation.test_search import plain_pages, words_in
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import Body, Reply
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, overview, transcript
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import exchange, outbox
from whistle.workstation.language import t
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import check, database, keyfile, removal, search
from whistle.workstation.workstation import Workstation


@pytest.fixture
def desk(world: World) -> Workstation:
    """The ombudsperson's workstation, with one case."""
    world.report(without=())
    world.round("ombuds")
    return world.station("ombuds")


def only(station: Workstation) -> Case:
    """The only case."""
    return overview.load(station, station.case_ids()[0])


def own(station: Workstation) -> list[str]:
    """What this reviewer signed in the only case, in its order."""
    return [
        each.content.text for each in only(station).entries if each.by == "ombuds" and isinstance(each.content, Body)
    ]


def plan(content: bytes = b"the plan") -> Upload:
    """A file to attach."""
    return Upload("plan.txt", "text/plain", io.BytesIO(content))


def test_what_is_written_is_signed_at_the_exchange_in_its_order(world: World, desk: Workstation) -> None:
    """Nothing is signed before; then all goes in order, and the chain has no gap for colleagues."""
    tray.note(desk, only(desk), "First.")
    tray.reply(desk, only(desk), "Second.", [plan()], "acknowledgement")
    tray.status(desk, only(desk), "open", labels=["urgent"])
    tray.grant(desk, only(desk), "counsel")
    tray.note(desk, only(desk), "Third.")
    assert own(desk) == [] and outbox.pending(desk) == [] and not only(desk).urgent
    [done] = world.round("ombuds")
    assert done.tray.signed == 5 and tray.items(desk) == []
    said = own(desk)
    assert [each for each in said if each in ("First.", "Second.", "Third.")] == ["First.", "Second.", "Third."]
    world.round("ethics", "counsel")
    for reader in ("ethics", "counsel"):
        case = only(world.station(reader))
        assert not case.faults and case.urgent and "counsel" in case.allowed
        assert {"First.", "Third."} <= {transcript.text(each) for each in case.entries}


def test_a_reply_in_the_tray_counts_as_written_not_as_done(world: World, desk: Workstation) -> None:
    """The duty stands, and says that it is answered; the case is no longer among the unanswered; the next reply
    acknowledges no more.
    """
    number = tray.reply(desk, only(desk), "We have it.", (), "acknowledgement")
    [due] = case_list.rows(desk)[0][0].deadlines
    assert (due.what, due.written) == ("acknowledge", True) and not only(desk).unanswered
    tray.take_back(desk, number)
    assert not case_list.rows(desk)[0][0].deadlines[0].written and only(desk).unanswered


def test_nothing_is_left_of_what_was_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row, no block of its file, no word in any page of the database, free ones included; and it is never sent."""
    keys: list[bytes] = []
    engine = database.engine
    monkeypatch.setattr(database, "engine", lambda path, key, note: keys.append(key) or engine(path, key, note))
    world.report(without=())
    world.round("ombuds")
    desk, path = world.station("ombuds"), world.folder / "ombuds" / "vault.db"
    before = {each for each in desk.blocks.folder.rglob("*") if each.is_file()}
    number = tray.reply(desk, only(desk), "Rhinoceros. " * 900, [plan(b"planted file" * 40_000)])
    drafts.keep(desk, only(desk).id, "note", {"text": "Rhinoceros. " * 900})
    assert {each for each in desk.blocks.folder.rglob("*") if each.is_file()} > before
    assert words_in(plain_pages(path, keys[0])) == {b"Rhinoceros"}
    tray.change(desk, number, "Hippopotamus. " * 900)
    drafts.discard(desk, only(desk).id, "note")
    assert words_in(plain_pages(path, keys[0])) == {b"Hippopotamus"}
    tray.take_back(desk, number)
    assert {each for each in desk.blocks.folder.rglob("*") if each.is_file()} == before
    assert words_in(plain_pages(path, keys[0])) == set()
    [done] = world.round("ombuds")
    assert done.tray.signed == 0 and own(desk) == [] and check.faults(desk) == []
    assert tray.note(desk, only(desk), "Another.") > number  # a page that was shown before names nothing else
    with pytest.raises(Refused, match="nothing with the number"):
        tray.take_back(desk, number)


def test_what_is_changed_goes_as_it_was_changed(world: World, desk: Workstation) -> None:
    """Text and mark can change, the file stays."""
    number = tray.reply(desk, only(desk), "We look into it.", [plan()], "acknowledgement")
    tray.change(desk, number, "We looked into it.", "feedback")
    with pytest.raises(Refused, match="at most"):
        tray.change(desk, number, "x" * 5_000_000)
    world.round("ombuds")
    [reply] = [each.content for each in only(desk).entries if isinstance(each.content, Reply)]
    assert (reply.text, reply.mark, len(reply.attachments)) == ("We looked into it.", "feedback", 1)
    assert all(map(desk.blocks.has, block_ids(reply.attachments[0])))


def test_what_cannot_be_signed_stays_and_stops_nothing_else(world: World, desk: Workstation) -> None:
    """A file whose piece is lost: the reply says why it stays, and the note goes."""
    number = tray.reply(desk, only(desk), "With a file.", [plan()])
    tray.note(desk, only(desk), "Between us.")
    desk.blocks.remove(block_ids(tray.item(desk, number).files[0]))
    assert any("in the tray" in line for line in check.faults(desk))
    [done] = world.round("ombuds")
    assert own(desk) == ["Between us."] and [each.id for each in done.tray.left] == [number]
    assert "Stays in the tray: Reply to the reporter" in "\n".join(done.lines())
    assert "a piece of a file" in tray.item(desk, number).reason.lower()


def test_while_the_clock_is_behind_the_tray_waits(world: World, desk: Workstation) -> None:
    """The day of the vault's last use is later than today: nothing is signed until the clock is right again."""
    tray.note(desk, only(desk), "Between us.")
    world.day = DAY - datetime.timedelta(days=3)
    [done] = world.round("ombuds")
    assert done.tray.signed == 0 and "clock" in done.tray.left[0].reason.lower() and own(desk) == []
    world.day = DAY
    [done] = world.round("ombuds")
    assert done.tray.signed == 1 and own(desk) == ["Between us."]


def test_nothing_is_sealed_to_somebody_left_out_meanwhile(world: World) -> None:
    """A follow-up that leaves a reader out comes with the exchange: the note that waited is not for them."""
    who = world.report(without=())
    world.round("ombuds")
    desk = world.station("ombuds")
    tray.note(desk, only(desk), "About the Ethics office.")
    world.follow_up(who, ("ombuds",), without=("ethics",))
    world.round("ombuds")
    [note] = [each.message for each in only(desk).entries if each.via == "own" and isinstance(each.message, Body)]
    assert "ethics" in note.without and "ethics" not in note.readers  # type: ignore[attr-defined]


def test_closing_waits_when_the_reporter_wrote_meanwhile(world: World) -> None:
    """Signed after it, the status would hide what nobody has read; so it waits for its author's word."""
    who = world.report()
    world.round("ombuds")
    desk = world.station("ombuds")
    number = tray.status(desk, only(desk), "closed")
    world.follow_up(who, ("ombuds",))
    [done] = world.round("ombuds")
    assert done.tray.signed == 0 and tray.item(desk, number).held and only(desk).status == "new"
    world.round("ombuds")
    assert tray.item(desk, number).held
    tray.release(desk, number)
    world.round("ombuds")
    assert only(desk).status == "closed" and not tray.items(desk)


def test_a_reply_that_crossed_a_follow_up_does_not_answer_it(world: World) -> None:
    """The reply goes, and says that its author had one message; the case stays among the unanswered."""
    who = world.report()
    world.round("ombuds")
    desk = world.station("ombuds")
    tray.reply(desk, only(desk), "We look into it.")
    world.follow_up(who, ("ombuds",))
    world.round("ombuds")
    [reply] = only(desk).replies
    assert reply.have.count == 1 and only(desk).unanswered


def test_a_backup_brings_the_tray_back_and_nothing_is_sent_twice(world: World, desk: Workstation) -> None:
    """What a backup holds may have gone since: after a restore it waits for its author's word, with its file."""
    number = tray.reply(desk, only(desk), "We look into it.", [plan()])
    drafts.keep(desk, only(desk).id, "note", {"text": "A draft."})
    kept = backup.save(desk, world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    world.round("ombuds")
    desk.close()
    world.stations["ombuds"] = again = backup.restore(
        kept, world.folder / "restored", PASSPHRASE, PASSPHRASE, "test", lambda: world.day
    )
    assert drafts.of(again, only(again).id, "note") == {"text": "A draft."}
    [done] = world.round("ombuds")
    [waits] = done.tray.left
    assert waits.id == number and waits.held and own(again).count("We look into it.") == 1
    tray.take_back(again, number)
    world.round("ombuds")
    assert own(again).count("We look into it.") == 1 and not world.carrier.taken


def test_a_case_with_something_in_the_tray_is_not_deleted(world: World, desk: Workstation) -> None:
    """What was written in it would be lost without a word."""
    tray.status(desk, only(desk), "closed")
    world.round("ombuds", "ombuds")
    number = tray.note(desk, only(desk), "Wait.")
    with pytest.raises(Refused, match="in the tray"):
        removal.remove(desk, only(desk))
    tray.take_back(desk, number)
    drafts.keep(desk, only(desk).id, "note", {"text": "A draft."})
    case = only(desk)
    removal.remove(desk, case)
    assert desk.case_ids() == [] and drafts.of(desk, case.id, "note") == {}


REFUSED: dict[str, Callable[[Workstation, Case], object]] = {
    "an empty reply": lambda desk, case: tray.reply(desk, case, " "),
    "a reader": lambda desk, case: tray.grant(desk, case, "ethics"),
    "nobody": lambda desk, case: tray.grant(desk, case, "nobody"),
    "again to oneself": lambda desk, case: tray.grant(desk, case, "ombuds", again=True),
    "a past day": lambda desk, case: tray.status(desk, case, "open", deadline=DAY - datetime.timedelta(days=1)),
}


def test_what_could_not_be_signed_is_refused_at_once(world: World, desk: Workstation) -> None:
    """So that its author is told while they write, and a second grant of the same kind too."""
    for what, write in REFUSED.items():
        with pytest.raises(Refused):
            write(desk, only(desk))
        assert not tray.items(desk), what
    tray.grant(desk, only(desk), "counsel")
    with pytest.raises(Refused, match="in the tray already"):
        tray.grant(desk, only(desk), "counsel")


@pytest.fixture
def page(world: World, desk: Workstation) -> FlaskClient:
    """The page of the ombudsperson."""
    return create_app(desk, world.stick, token="t").test_client()


def test_the_page_shows_changes_and_takes_back(world: World, desk: Workstation, page: FlaskClient) -> None:
    """The case and the tray show what waits; it is changed, refused with what was typed, and taken back there."""
    name = case_of(page)
    post(page, f"case/{name}/reply", text="<b>First</b>", mark="acknowledgement")
    [item] = tray.items(desk)
    for shown in (get(page, f"case/{name}"), get(page, "tray")):
        assert "&lt;b&gt;First&lt;/b&gt;" in shown and "Tray: 1" in shown
    assert "Changed." in post(page, f"tray/{item.id}/change", text="Second", mark="feedback")
    assert tray.item(desk, item.id).fields == {"text": "Second", "mark": "feedback", "follow": True}
    assert "nothing to send" in post(page, f"tray/{item.id}/change", text=" ", mark="").lower()
    assert "Taken back" in post(page, f"tray/{item.id}/back") and "The tray is empty." in get(page, "tray")
    assert "cannot be changed or taken back" in post(page, f"tray/{item.id}/back")


def test_a_draft_is_kept_sealed_and_shown_in_its_form(world: World, desk: Workstation, page: FlaskClient) -> None:
    """It is gone once it is in the tray, or discarded; and it never becomes the other form's."""
    name, keep = case_of(page), {"keep": "draft"}
    assert "Kept as a draft" in post(page, f"case/{name}/note", text="Half a thought", **keep)
    assert get(page, f"case/{name}").count("Half a thought") == 1 and not tray.items(desk)
    assert b"Half a thought" not in everything(desk.vault.folder)
    assert "Half a thought" not in post(page, f"case/{name}/discard/note")
    post(page, f"case/{name}/reply", text="Half a reply", mark="", **keep)
    assert get(page, f"case/{name}").count("Half a reply") == 1
    post(page, f"case/{name}/reply", text="A whole reply", mark="")
    assert drafts.of(desk, only(desk).id, "reply") == {} and "Half a reply" not in get(page, f"case/{name}")


def test_a_grant_and_a_status_are_confirmed_in_words(world: World, desk: Workstation, page: FlaskClient) -> None:
    """The page says who will read what and that it cannot be undone; only its own button writes."""
    name = case_of(page)
    asked = post(page, f"case/{name}/grant", grantee="counsel")
    assert "Let Staff counsel (counsel) in?" in asked and "cannot be undone" in asked and not tray.items(desk)
    post(page, f"case/{name}/grant", grantee="counsel", confirmed="yes")
    asked = post(page, f"case/{name}/status", status="closed", text="<i>Settled</i>")
    assert "State that the case is closed?" in asked and "&lt;i&gt;Settled&lt;/i&gt;" in asked
    assert "Ethics office (ethics)" in asked and len(tray.items(desk)) == 1
    post(page, f"case/{name}/status", status="closed", text="<i>Settled</i>", confirmed="yes")
    assert [each.what for each in tray.items(desk)] == ["grant", "status"]
    assert "Not done" in post(page, f"case/{name}/grant", grantee="nobody")


def test_what_is_set_aside_is_tried_by_no_exchange_and_lost_by_none(
    world: World, desk: Workstation, page: FlaskClient
) -> None:
    """A grant to somebody who left: exchanges no longer name it, search finds it, a backup keeps it, nothing counts it
    as written, and put back it is tried again.
    """
    number = tray.grant(desk, only(desk), "counsel", "They know the rhinoceros.")
    answer = tray.reply(desk, only(desk), "The hippopotamus.", [plan()], "acknowledgement")
    retired = [replace(each, retired=each.id == "counsel") for each in world.org.manifest.reviewers]
    left = world.org.next(reviewers=tuple(retired), channels=world.org.manifest.channels[:1])
    world.carrier.manifests = [world.org.known, left]
    [done] = world.round("ombuds")
    assert [each.id for each in done.tray.left] == [number] and "no active reviewer" in done.tray.left[0].reason
    answer = tray.reply(desk, only(desk), "Another hippopotamus.", [plan()], "feedback")
    for each in (number, answer):
        assert "Set aside. No exchange tries it" in post(page, f"tray/{each}/aside")
    [done] = world.round("ombuds")
    assert not done.tray.left and not done.tray.signed and "tray" not in "\n".join(done.lines())
    assert tray.count(desk) == 0 and "feedback" not in {each.mark for each in only(desk).answers}
    assert "Tray: empty" in get(page) and "Set aside" in get(page, "tray")
    assert "in the tray" in post(page, "search", words="rhinoceros")
    assert "set aside" in get(page, f"case/{case_of(page)}")
    with pytest.raises(Refused):
        removal.check(desk, only(desk))
    folder = backup.save(desk, world.folder, PASSPHRASE, log_n=keyfile.CHEAP_LOG_N).folder
    restored = backup.restore(folder, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)
    assert [each.id for each in tray.items(restored, aside=True)] == [number, answer] and not tray.items(restored)
    restored.close()
    assert "Back in the tray" in post(page, f"tray/{answer}/aside", back="yes")
    [done] = world.round("ombuds")
    assert done.tray.signed == 1 and "Another hippopotamus." in own(desk) and check.faults(desk) == []


def test_a_message_whose_file_is_torn_holds_up_nothing_else(world: World, desk: Workstation, page: FlaskClient) -> None:
    """Signed, and a piece of its file is lost here: all else goes, it says why it stays, and set aside it leaves a copy
    for colleagues, so that their chain has no gap.
    """
    tray.reply(desk, only(desk), "With a file.", [plan()])
    exchange.exchange(desk, world.stick)
    [torn] = outbox.pending(desk)[:1]
    desk.blocks.remove(block.id for block in outbox.item(desk, torn).blocks)  # type: ignore[union-attr]
    tray.note(desk, only(desk), "Between us.")
    [done] = world.round("ombuds")
    assert done.torn == 1 and "Stays behind, in case" in "\n".join(done.lines())
    assert "Stays behind: your reply" in get(page, "tray")
    assert "Set aside" in post(page, "stuck", message=torn, do="aside") and outbox.torn(desk) == []
    assert t("deliveries.aside") in get(page, f"case/{case_of(page)}")
    for _ in range(2):
        [done] = world.round("ombuds")
    assert outbox.pending(desk) == [] and not done.torn
    world.round("ethics")
    assert not only(world.station("ethics")).faults
    assert {"With a file.", "Between us."} <= {transcript.text(each) for each in only(world.station("ethics")).entries}
    assert "damaged here" in post(page, "stuck", message=torn)  # its file is gone: it cannot be sent again
    with pytest.raises(Refused, match="can go, or has gone"):
        outbox.put_aside(desk, torn)


def test_drafts_and_the_tray_are_searched(desk: Workstation) -> None:
    """In every script, by the words of messages, and no longer once they are gone."""
    number = tray.note(desk, only(desk), "About the Öffentlichkeit and 性骚扰.", [plan()])
    drafts.keep(desk, only(desk).id, "reply", {"text": "We ask for the café receipt.", "mark": ""})
    for typed, where in {"offentlich": "tray", "骚扰": "tray", "plan": "tray", "cafe rec": "draft"}.items():
        assert [hit.unsent for hit in search.find(desk, typed)] == [where], typed
    assert [text for text, found in search.find(desk, "cafe")[0].excerpt if found] == ["café"]
    assert search.find(desk, "cafe -receipt") == [] and search.find(desk, "-cafe") == []
    tray.take_back(desk, number)
    drafts.discard(desk, only(desk).id, "reply")
    assert search.find(desk, "offentlich") == search.find(desk, "cafe") == []
