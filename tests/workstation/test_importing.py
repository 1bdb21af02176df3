"""What is imported from a stick, and what is refused."""

import datetime
import hashlib
import os
from dataclasses import replace

import pytest

from tests.parties import DAY, report, reporter, sealed, sender
from tests.workstation.carrying import World, attach
from whistle.protocol.case import message
from whistle.protocol.case.message import FollowUp, Note
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.transfer import statement
from whistle.workstation.cases import compose, overview, saved_files, transcript
from whistle.workstation.errors import CannotSave, Refused, Untrusted
from whistle.workstation.exchange import batches
from whistle.workstation.exchange.batches import Imported
from whistle.workstation.exchange.exchange import exchange


def taken(world: World, id: str = "ombuds") -> Imported:
    """The result of one exchange."""
    [done] = world.round(id)
    return done.imported


def note(world: World, case: str, **changes: object) -> message.Signed:
    """A note by the ethics office, signed with its key."""
    fields = {
        "case": case, "readers": ("ombuds", "ethics"), "without": (), "keys": world.org.known.keys,
        "sender": "ethics", "day": DAY, "seq": 0, "prev": None, "seen": (), "text": "Let us talk.",
    }  # fmt: skip
    return message.sign(Note(**{**fields, **changes}), world.org.people["ethics"].secret.signing)  # type: ignore[arg-type]


def test_three_answers_differ(world: World) -> None:
    """Somebody else's envelope, nonsense and an altered part are told apart; only the last is refused whole."""
    world.report(readers=("counsel",))
    world.carrier.put(os.urandom(8 * 4096))
    result = taken(world)
    assert (result.not_mine, result.damaged, result.altered, result.kept) == (1, 1, [], [])
    world.report()
    part = world.carrier.inbox(world.stick)
    data = bytearray(part.read_bytes())
    data[-9000] ^= 1
    part.write_bytes(data)
    result = exchange(world.station("ombuds"), world.stick).imported
    assert len(result.altered) == 1 and not result.kept and not world.station("ombuds").case_ids()


@pytest.mark.parametrize("chunk", [1, 2, 200])
def test_what_comes_twice_is_kept_once(world: World, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """In one part, in two envelopes, and however many messages are written at once."""
    monkeypatch.setattr(batches, "CHUNK", chunk)
    people = [world.report() for _ in range(2)]
    for who in people:
        follow_up = world.follow_up(who)
        world.send(follow_up, ("ombuds",))
    first = reporter()
    signed = message.sign(report(first, world.org), first.signing)
    for _ in range(2):
        world.send(signed, ("ombuds",))
    result = taken(world)
    assert (len(result.kept), result.repeated, len(result.cases)) == (5, 3, 3)
    assert [len(world.station("ombuds").hashes(each.case.hex())) for each in (*people, first)] == [2, 2, 1]


def test_a_stick_that_is_cut_off_is_refused_and_then_taken(world: World) -> None:
    """Half a part changes nothing; the whole one is imported afterwards, once."""
    world.report()
    part = world.carrier.inbox(world.stick)
    whole = part.read_bytes()
    part.write_bytes(whole[:-5000])
    assert exchange(world.station("ombuds"), world.stick).imported.altered
    part.write_bytes(whole)
    assert len(exchange(world.station("ombuds"), world.stick).imported.kept) == 1
    assert exchange(world.station("ombuds"), world.stick).imported == Imported(written=[world.day])


def test_a_left_out_reviewer_opens_nothing(world: World) -> None:
    """Somebody whom the reporter left out finds nothing of the case, reports, notes, replies and files included."""
    blocks, transcript = attach(b"a photograph")
    world.carrier.put_blocks(blocks)
    world.report(without=("counsel",), attachments=(transcript,), text="It is about counsel.")
    world.round("ombuds", "counsel")
    case = overview.queue(world.station("ombuds"))[0]
    compose.note(world.station("ombuds"), case, "Counsel must not know.")
    compose.reply(world.station("ombuds"), case, "We know.")
    world.round("ombuds", "counsel")
    counsel = world.station("counsel")
    assert counsel.case_ids() == [] and taken(world, "counsel").kept == []
    with pytest.raises(Refused, match="left counsel out"):
        compose.grant(world.station("ombuds"), case, "counsel")


@pytest.mark.parametrize(("without", "told"), [((), 1), (("ombuds",), 0)], ids=["others", "me as left out"])
def test_an_envelope_for_me_whose_message_names_others_is_not_kept(
    world: World, without: tuple[str, ...], told: int
) -> None:
    """A message re-sealed to somebody whom its author did not name is refused; who was left out is told nothing."""
    who = reporter()
    signed = message.sign(report(who, world.org, readers=("ethics",), without=without), who.signing)
    world.send(signed, ("ombuds",))
    result = taken(world)
    assert not result.kept and not world.station("ombuds").case_ids()
    said = (
        "Refused: a report of the reporter, which does not name you as a reader, was sealed to you by somebody who has "
        "it; it was not kept."
    )
    assert (result.findings, result.not_mine) == ([said] * told, 1 - told)


def test_a_follow_up_by_someone_who_only_knows_the_case_is_refused(world: World) -> None:
    """Neither other keys nor the right keys without their signature add anything to a case."""
    who, thief = world.report(), reporter()
    world.round("ombuds")
    signed = message.sign(message.parse(_line(world, who)), thief.signing)
    world.send(signed, ("ombuds",))
    other = _line(world, who).replace(sender(who).sign.encode(), sender(thief).sign.encode())
    forged = message.Signed(other, thief.signing.sign(other).signature, signed.message)
    world.send(forged, ("ombuds",))
    result = taken(world)
    assert (result.damaged, result.kept, result.findings) == (2, [], [])
    assert len(world.station("ombuds").hashes(who.case.hex())) == 1


def _line(world: World, who: Reporter) -> bytes:
    found = world.follow_up(who)
    world.carrier.heaps.popitem()
    assert isinstance(found.message, FollowUp)
    return message.encode(replace(found.message, text="Please send all files to me."))


def test_repeated_envelopes_are_ignored(world: World) -> None:
    """The same message under another id, day or sealing changes nothing."""
    who = reporter()
    signed = message.sign(report(who, world.org), who.signing)
    for _ in range(3):
        world.send(signed, ("ombuds", "ethics"))
    result = taken(world)
    assert (len(result.kept), result.repeated) == (1, 2)


def test_what_comes_in_the_wrong_order_waits(world: World) -> None:
    """A note whose report has not arrived waits, and joins the case once the report is there."""
    who = reporter()
    world.send(note(world, who.case.hex()), ("ombuds", "ethics"))
    result = taken(world)
    assert (result.waiting, result.kept) == (1, [])
    world.report(who)
    result = taken(world)
    assert (result.waiting, [each.kind for each in result.kept]) == (0, ["report", "note"])


@pytest.mark.parametrize("sender", ["counsel", "nobody"])
def test_what_claims_to_be_a_colleagues_is_nonsense_and_no_alarm(world: World, sender: str) -> None:
    """Anyone can seal to a reviewer: a message that its sender did not sign is damaged as sent, and leaves no fault."""
    who = world.report()
    world.send(note(world, who.case.hex(), sender=sender), ("ombuds",))
    result = taken(world)
    case = overview.load(world.station("ombuds"), who.case.hex())
    assert (result.damaged, result.findings, case.faults) == (1, [], [])
    assert [entry.content.kind for entry in case.entries] == ["report"]


def test_a_reviewers_message_to_whom_the_reporter_left_out_is_shown_as_such(world: World) -> None:
    """A message that somebody left out could read is refused, and stands in the case as a fault."""
    who = world.report(without=("counsel",))
    world.send(note(world, who.case.hex(), readers=("ombuds", "ethics", "counsel")), ("ombuds",))
    result = taken(world)
    case = overview.load(world.station("ombuds"), who.case.hex())
    assert [entry.content.kind for entry in case.entries] == ["report"]
    assert "whom the reporter left out" in result.findings[0] and "whom the reporter left out" in case.faults[0]
    assert "ask ethics whether they knew" in case.faults[0]


def test_somebody_who_was_not_granted_the_case_says_nothing_in_it(world: World) -> None:
    """A note by a reviewer who does not read the case never becomes part of it."""
    who = world.report(readers=("ombuds",))
    world.send(note(world, who.case.hex()), ("ombuds",))
    assert taken(world).waiting == 1
    assert len(world.station("ombuds").hashes(who.case.hex())) == 1


def test_gaps_and_forks_in_a_chain_are_shown(world: World) -> None:
    """A message that was held back, and two of one number, are named with the reviewer."""
    who = world.report()
    first = note(world, who.case.hex())
    second = note(world, who.case.hex(), seq=1, prev=first.hash)
    third = note(world, who.case.hex(), seq=2, prev=second.hash)
    for signed in (first, third):
        world.send(signed, ("ombuds", "ethics"))
    world.round("ombuds")
    case = overview.load(world.station("ombuds"), who.case.hex())
    assert case.faults == [
        "ethics's message number 2 in this case has not come; "
        "if it does not come with the next exchange, ask ethics or another reader to grant the case to you again"
    ]
    world.send(second, ("ombuds", "ethics"))
    world.send(note(world, who.case.hex(), text="Another story."), ("ombuds", "ethics"))
    world.round("ombuds")
    case = overview.load(world.station("ombuds"), who.case.hex())
    assert case.faults == ["two different messages of ethics have the number 1"]


def test_a_block_that_has_not_come_is_no_error(world: World) -> None:
    """An attachment is incomplete until its last block came; until then nothing of it is saved."""
    blocks, transcript = attach(bytes(400_000))
    who = world.report(attachments=(transcript,))
    world.carrier.put_blocks(blocks[:-1])
    world.round("ombuds")
    station = world.station("ombuds")
    with pytest.raises(CannotSave, match="1 of 2 pieces"):
        saved_files.save(transcript, station.blocks, world.folder / "to")
    world.carrier.put_blocks(blocks)
    world.round("ombuds")
    assert saved_files.save(transcript, station.blocks, world.folder / "to").stat().st_size == 400_000
    assert not overview.load(station, who.case.hex()).faults


def test_a_long_report_is_whole_once_its_rest_came(world: World) -> None:
    """A text that travels in blocks is shown when these are there."""
    from whistle.protocol.case import envelope

    who = reporter()
    folded, blocks = envelope.fold(report(who, world.org, text="third floor " * 9000), world.org.manifest.slots)
    signed = message.sign(folded, who.signing)
    world.send(signed, ("ombuds",))
    world.round("ombuds")
    station = world.station("ombuds")
    assert not overview.load(station, who.case.hex()).entries[0].complete
    world.carrier.put_blocks(blocks)
    world.round("ombuds")
    [entry] = overview.load(station, who.case.hex()).entries
    assert entry.complete and len(entry.content.text) == 108_000  # type: ignore[attr-defined]


def test_statements_tell_exactly_what_came_of_each_day(world: World) -> None:
    """The outbox states, signed, the hash over all of a day, other people's, nonsense and blocks included."""
    world.report()
    world.report(readers=("counsel",))
    world.carrier.put(os.urandom(8 * 4096))
    world.carrier.put_blocks(attach(b"file")[0])
    world.carrier.inbox(world.stick)
    exchange(world.station("ombuds"), world.stick)
    [stated] = [each for listing in world.carrier.push(world.stick) for each in listing.imports]
    stated.check(world.org.people["ombuds"].secret.public.key)
    assert (stated.reviewer, stated.day) == ("ombuds", DAY)
    heap = {**world.carrier.heaps, **world.carrier.blocks}
    assert stated.hash == statement.day_hash((id, hashlib.sha256(body).digest()) for id, (_, body) in heap.items())


def test_nothing_is_taken_without_a_pinned_root(world: World) -> None:
    """Before a root is pinned, and from another organisation, no manifest and so nothing else is taken."""
    from tests.parties import organisation
    from tests.workstation.carrying import station

    bare = station(world.folder / "bare", world.org.people["ombuds"], lambda: DAY)
    world.report()
    world.carrier.inbox(world.stick)
    with pytest.raises(Untrusted, match="no root is pinned"):
        exchange(bare, world.stick)
    bare.trust.pin([organisation().root.public])
    with pytest.raises(Untrusted, match="not the one of your organisation"):
        exchange(bare, world.stick)
    with pytest.raises(Untrusted, match="other roots"):
        bare.trust.pin([world.org.root.public])
    assert bare.case_ids() == []
    bare.close()


def test_the_message_says_which_manifest_it_was_sealed_with(world: World) -> None:
    """A report sealed with a manifest that nobody here knows is kept, and the mix-up is shown."""
    who = reporter()
    other = world.org.sign(collection=("friday",))
    signed = message.sign(report(who, world.org, keys=other.keys), who.signing)
    world.carrier.put(sealed(signed, world.org, ("ombuds",)))
    world.round("ombuds")
    [fault] = overview.load(world.station("ombuds"), who.case.hex()).faults
    assert "sealed with manifest 1, which is not the one known here" in fault


@pytest.mark.parametrize(
    "day", [datetime.date(2999, 12, 31), datetime.date(2000, 1, 1)], ids=["the last day", "the first day"]
)
def test_a_day_that_a_reporter_makes_up_does_no_harm(world: World, day: datetime.date) -> None:
    """Deadlines follow the server's day, so that no report hides itself or breaks the queue."""
    who = world.report(day=day)
    world.round("ombuds")
    [case] = overview.queue(world.station("ombuds"))
    assert [each.day for each in case.deadlines] == [DAY + datetime.timedelta(days=7), datetime.date(2027, 2, 28)]
    compose.reply(world.station("ombuds"), case, "Thank you.")
    assert len(world.station("ombuds").hashes(who.case.hex())) == 2


def test_who_has_left_goes_on_reading_and_signs_nothing(world: World) -> None:
    """A reviewer whom the newest manifest lists as retired still sees the cases, and may not write in them."""
    who = world.report()
    world.round("ethics")
    people = world.org.people
    channels = tuple(replace(each, readers=("counsel",)) for each in world.org.manifest.channels)
    reviewers = tuple(each.listed(retired=each.id != "counsel") for each in people.values())
    world.carrier.manifests = [world.org.known, world.org.next(reviewers=reviewers, channels=channels)]
    world.round("ethics")
    case = overview.load(world.station("ethics"), who.case.hex())
    assert transcript.lines(world.station("ethics"), case)[-1] == "| Something happened on the third floor."
    with pytest.raises(Refused, match="retired"):
        compose.note(world.station("ethics"), case, "One more thing.")


def test_two_reports_under_the_same_words_are_shown(world: World) -> None:
    """A second report with the keys of a case is kept and named."""
    who = world.report()
    world.report(who, text="Another story.")
    world.round("ombuds")
    assert overview.load(world.station("ombuds"), who.case.hex()).faults == [
        "more than one report was signed with the keys of this case"
    ]
