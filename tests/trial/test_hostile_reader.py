"""The hostile reader: what a reviewer of a case can try against colleagues and the reporter, and what these then see.

A real server, couriers, sticks and workstations; the reporter looks with script off, with `whistle reporter`, and with
the browser's program.  Each test plays one attack; its docstring says the attack, and what each honest party reads.
"""

import dataclasses
import datetime
from collections.abc import Iterator
from io import BytesIO

import pytest

from tests.reporter.device import twelve
from tests.trial.counts import full
from tests.trial.rogue import attach
from tests.trial.stage import Stage, Told, node, staged
from whistle.protocol import canonical
from whistle.protocol.case import message
from whistle.protocol.case.message import Earlier, Grant, Note, Reply, Report
from whistle.protocol.code.retrieval import place_ids
from whistle.protocol.reporter import submission
from whistle.workstation.cases import compose
from whistle.workstation.cases.sealed_files import Upload

ANSWER = "We read it, and we believe you."
FOUL = "Come to the car park at night."
OCTETS = "application/octet-stream"
EVERYBODY = ("ombuds", "ethics", "counsel")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One organisation for all; each test has a case of its own."""
    with node() as peer, staged(tmp_path_factory.mktemp("stage"), peer) as made:
        yield made


@pytest.fixture
def told(stage: Stage) -> Told:
    """A report that its two readers have."""
    return stage.tell()


def test_a_reader_takes_back_no_colleagues_answer(stage: Stage, told: Told) -> None:
    """A reader knows all reply places, and withdraws there with every token that can be made of them.

    The reporter reads the answer in every program; its author has nothing to look into, and it is true.
    """
    told.reply("ombuds", ANSWER)
    client, [place, *_] = stage.office.app.test_client(), place_ids(told.who.replies, 0)
    mine = stage.tell("A junk report.").who.report_token
    for token in (place, told.who.report_id, told.who.slip_id, mine + place, place + mine, mine):
        client.post("/api/withdraw", data=token, content_type=OCTETS)
    assert all(ANSWER in shown for shown in told.everywhere())
    assert told.faults("ombuds") == []


def test_a_reader_writes_in_no_place_through_the_form(stage: Stage, told: Told) -> None:
    """A reader stores junk, and an answer of their own, under what they know of reply places.

    Nothing of it is in a place: the reporter sees neither, and is told of nothing that could not be checked.
    """
    rogue, client = told.rogue("ethics"), stage.office.app.test_client()
    answer = rogue.answer(rogue.sign(Reply, text=FOUL)).body
    for place in (*place_ids(told.who.replies, 0)[:2], *place_ids(told.who.replies, 1)[:2]):
        for envelopes in ([answer], [stage.junk(), answer]):
            body = submission.encode(place, envelopes, [])
            client.post("/api/store", data=body, content_type=OCTETS)
    for shown in told.everywhere():
        assert FOUL not in shown and "could not be checked" not in shown
    told.reply("ombuds", ANSWER)
    assert all(ANSWER in shown for shown in told.everywhere())


def test_an_answer_past_colleagues_shows_with_its_authors_next_message(told: Told) -> None:
    """A reader answers the reporter by a courier, and seals no copy to colleagues.

    The reporter reads it, as their reader's word.  Colleagues read with the author's next honest message that one of
    theirs has not come; an author who hides that too stays unseen by colleagues (SECURITY.md, *a reader of a case*).
    """
    rogue, office = told.rogue("ethics"), told.office
    past = rogue.sign(Reply, text=FOUL)
    rogue.send(past, ())
    rogue.keep(past)
    office.round("ethics", "ombuds")
    assert all(FOUL in shown for shown in told.everywhere()) and told.faults("ombuds") == []
    told.note("ethics")
    office.round("ethics", "ombuds")
    [line] = told.faults("ombuds")
    assert line.startswith("ethics's message number 1 in this case has not come; if it does not come with the next")


def test_two_stories_under_one_number_show_to_both(told: Told) -> None:
    """A reader tells two colleagues different things as their first message.

    Each colleague who hears of the other's reads that something has not come; granted again, both read of the fork.
    """
    told.grant("ombuds", "counsel")
    rogue, office, people = told.rogue("ethics"), told.office, EVERYBODY
    for to, text in (("ombuds", "She did it."), ("counsel", "He did it.")):
        rogue.say(Note, [to], text=text, readers=people, seq=0, prev=None)
    office.round("ethics", "ombuds", "counsel")
    for id in ("ombuds", "counsel"):
        told.note(id)
    office.round("ombuds", "counsel", "ombuds")
    assert any(
        "counsel says they have read a message in this case that has not come here" in each
        for each in told.faults("ombuds")
    )
    compose.grant_whole(office.stations["counsel"], told.case("counsel"), "ombuds")
    office.round("counsel", "ombuds")
    assert told.faults("ombuds") == ["two different messages of ethics have the number 1"]


def test_two_answers_for_one_place_show(told: Told) -> None:
    """A reader signs two answers for one place: the reporter gets one, and colleagues the other.

    The reporter reads one; colleagues who hold both read that the reporter can have only one of them.
    """
    rogue, office = told.rogue("ethics"), told.office
    rogue.send(rogue.sign(Reply, text=FOUL), ["ombuds"])
    rogue.send(rogue.sign(Reply, text="Thank you."), ["ombuds"], past_reporter=True)
    office.round("ethics", "ombuds")
    assert all(FOUL in shown and "Thank you." not in shown for shown in told.everywhere())
    assert "two different replies of ethics name one place: the reporter can have only one of them" in told.faults(
        "ombuds"
    )


def test_no_grantee_uses_up_the_lane_of_another(told: Told) -> None:
    """A reader who was let in answers in a colleague's lane, in its last place, and a grantor sends several grants.

    The colleague reads of it and goes on in the own lane; the reporter reads whoever was let in twice all the same.
    """
    rogue, office = told.rogue("ethics"), told.office
    case = told.case("ethics")
    whole = tuple(message.original(each) for each in case.messages)
    for lane in (9, 10):
        granted = rogue.sign(Grant, grantee="counsel", lane=lane, originals=whole, readers=EVERYBODY)
        rogue.send(granted, ["ombuds", "counsel"])
        rogue.keep(granted)
    office.round("ethics", "counsel", "ombuds")
    told.reply("counsel", ANSWER)
    assert all(ANSWER in shown for shown in told.everywhere())
    told.rogue("counsel").say(Reply, ["ombuds"], lane=0, n=63, text=FOUL)
    office.round("counsel", "ombuds")
    assert any("counsel" in each and "lies in another reviewer's lane" in each for each in told.faults("ombuds"))
    signed = compose.reply(office.stations["ombuds"], told.case("ombuds"), "From ombuds.")
    assert isinstance(signed.message, Reply) and (signed.message.lane, signed.message.n) == (0, 0)
    office.round("ombuds")
    for shown in told.everywhere():
        assert "From ombuds." in shown and FOUL not in shown


def test_a_bad_message_in_a_grant_is_shown_and_the_rest_counts(told: Told) -> None:
    """A grantor hands over a doctored report beside the true one.

    The one let in reads the true one, and that what the grantor handed over was not all sound.
    """
    rogue, office = told.rogue("ethics"), told.office
    [report] = told.case("ethics").messages
    assert isinstance(report.message, Report)
    doctored = dataclasses.replace(report, line=message.encode(dataclasses.replace(report.message, text="Nothing.")))
    inside = (message.original(doctored), message.original(report))
    rogue.say(Grant, ["counsel"], grantee="counsel", lane=9, readers=EVERYBODY, originals=inside)
    office.round("ethics", "counsel")
    shown = "\n".join(told.shown("counsel"))
    assert "It happened again." in shown and "Nothing." not in shown
    [line] = told.faults("counsel")
    assert line.startswith("1 part of what ethics handed over with the case could not be read; ask ethics, or another")


def test_a_long_message_that_is_bad_is_called_damaged(told: Told) -> None:
    """A reader sends a long message whose blocks hold something else than it says.

    Its colleague reads that it came damaged, not that it has not come yet.
    """
    rogue, office = told.rogue("ethics"), told.office
    honest = rogue.sign(Note, text="x" * 60_000).message
    folded, _ = rogue.rest(honest)
    other, blocks = rogue.rest(dataclasses.replace(honest, text="y" * 60_000))
    assert folded.rest and other.rest
    bad = dataclasses.replace(other, rest=dataclasses.replace(other.rest, sha256=folded.rest.sha256))
    signed = rogue.signed(bad)
    rogue.send(signed, ["ombuds"], blocks)
    office.round("ethics", "ombuds")
    shown = "\n".join(told.shown("ombuds"))
    assert "damaged" in shown and "have not come yet" not in shown


@pytest.mark.parametrize("change", [{"name": "plan.pdf"}, {"type": "text/plain"}], ids=["a name", "another type"])
def test_long_content_in_a_file_of_another_form_is_refused(told: Told, change: dict[str, str]) -> None:
    """A reader's long content has a file's name, or another type.

    The colleague reads that one envelope was damaged as sent, and nothing of it is in the case.
    """
    rogue, office = told.rogue("ethics"), told.office
    folded, blocks = rogue.rest(rogue.sign(Note, text="x" * 60_000).message)
    value = canonical.loads(message.encode(folded))
    value["rest"] |= change
    line = canonical.dumps(value)
    signed = message.Signed(line, rogue.station.signing.signing.sign(b"whistle/v1 note\n" + line).signature, folded)
    rogue.send(signed, ["ombuds"], blocks)
    office.round("ethics")
    assert "Damaged as sent, which anyone can do: 1 envelope." in office.round("ombuds")[0].lines()
    assert len(told.case("ombuds").entries) == 1


def test_nobody_takes_back_what_they_said(told: Told) -> None:
    """A reader promises something, then replaces it by something else; and replaces what never was.

    Reporter and colleagues read both, and colleagues what the later one says of itself.
    """
    rogue, office = told.rogue("ethics"), told.office
    first = rogue.say(Reply, ["ombuds"], text="We pay you on Friday.")
    rogue.keep(first)
    other = rogue.say(Reply, ["ombuds"], n=1, text="We pay nothing.", replaces=first.hash)
    rogue.keep(other)
    rogue.say(Reply, ["ombuds"], n=2, text="Nor ever will.", replaces="7" * 64)
    office.round("ethics", "ombuds")
    for shown in told.everywhere():
        assert all(each in shown for each in ("We pay you on Friday.", "We pay nothing.", "Nor ever will."))
    shown = "\n".join(told.shown("ombuds"))
    assert "says that it replaces another message, which it does not repeat: both count" in shown
    assert "says that it replaces another reply, which is not here" in shown


def test_noise_pushes_out_nothing_that_matters(told: Told) -> None:
    """A reader causes one remark after another, and then lets somebody in by a lane that is not theirs.

    The colleague reads how many there were, and of the grant too.
    """
    rogue, office = told.rogue("ethics"), told.office
    for n in range(full("NOISE", 60, 15)):
        day = told.office.clock.day - datetime.timedelta(days=n)  # so that no line is like another
        rogue.keep(rogue.say(Reply, ["ombuds"], lane=0, n=n, text="Noise.", day=day))
    rogue.say(Grant, ["ombuds"], grantee="counsel", lane=0, readers=EVERYBODY)
    office.round("ethics", "ombuds")
    found = told.faults("ombuds")
    assert len(found) < 10 and any("more like it from ethics" in each for each in found)
    assert any("names another lane than it should" in each for each in found)


def test_a_bad_answer_keeps_no_good_file_back(stage: Stage, told: Told) -> None:
    """A reader's answer names a file that nobody has; another reader's answer has a good one.

    `whistle reporter replies --save` saves the good one and names the other.
    """
    rogue, office = told.rogue("ethics"), told.office
    missing, _ = attach(b"never sent", "plan.txt")
    rogue.say(Reply, ["ombuds"], text="See this.", attachments=(missing,))
    office.round("ethics")
    told.reply("ombuds", ANSWER, Upload("advice.txt", "text/plain", BytesIO(b"Call us on Monday.")))
    saved = office.where / f"saved-{told.id[:8]}"
    done = told.program("--save", str(saved))
    assert done.exit_code == 1 and "plan.txt" in done.output
    assert [path.read_bytes() for path in saved.iterdir()] == [b"Call us on Monday."]


def test_new_words_tell_nobody_who_was_left_out(stage: Stage) -> None:
    """A reporter who left a reader out moves the case to new words, since somebody saw the old ones.

    `whistle reporter renew` leaves out the same reader, whose workstation has neither case; the other one has both.
    """
    told = stage.tell("It is the ethics office itself.", without=["ethics"])
    typed = told.words.replace(" ", "\n")
    done = stage.device.run("renew", words=typed, text="My brother saw them.")
    assert done.exit_code == 0 and "Left out: Ethics office." in done.stderr, done.output
    new = Told(stage, twelve(done.stdout))
    stage.office.round("ombuds", "ethics")
    cases = {id: stage.office.stations[id].case_ids() for id in ("ombuds", "ethics")}
    assert {told.id, new.id} <= set(cases["ombuds"]) and not {told.id, new.id} & set(cases["ethics"])
    assert any("It continues the case" in line for line in new.shown("ombuds"))


def test_a_made_up_reply_is_only_what_its_author_says(told: Told) -> None:
    """A reader names replies of a colleague that never were: one more, and another one for the place of a true one.

    Reporter and colleagues read that this reader says so; nobody is told that it is so.
    """
    rogue, office = told.rogue("ethics"), told.office
    told.reply("ombuds", ANSWER)
    day = office.clock.day
    made_up = (Earlier(day, "ombuds", "1" * 64, 0), Earlier(day, "ombuds", "2" * 64, 5))
    rogue.say(Reply, ["ombuds"], text="As my colleague said.", earlier=made_up)
    office.round("ethics", "ombuds")
    lines = told.faults("ombuds")
    assert lines and all(line.startswith("ethics says they have read ") for line in lines)
    for shown in (told.page(), told.program().output):
        assert "Ethics office says they have read another reply from Ombudsperson than the one here." in shown
        assert "Ethics office says they have read a reply from Ombudsperson that is not here." in shown
