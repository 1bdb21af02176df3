"""What a reviewer may write, to whom, and how it is delivered."""

import datetime
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from tests.parties import DAY, organisation, report, reporter, sender
from tests.workstation.carrying import World
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.message import FollowUp, Grant, Reply, Report, Slip, Status
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.protocol.reporter.reply_validation import StoredBody, validate
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.server.api import bundle_push
from whistle.workstation.cases import case_export, case_list, compose, overview, saved_files, transcript
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import ClockBehind, Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.tray import tray
from whistle.workstation.vault import check


def case_of(world: World, who: Reporter, id: str = "ombuds") -> Case:
    """The reporter's case as a reviewer has it now."""
    return overview.load(world.station(id), who.case.hex())


def test_a_reply_lies_where_the_reporter_looks(world: World) -> None:
    """A reply is signed once, lies in its reviewer's lane at the next place, and says how many messages had come."""
    who = world.report()
    world.round("ethics")
    for text in ("One.", "Two."):
        compose.reply(world.station("ethics"), case_of(world, who, "ethics"), text)
    world.round("ethics")
    found = {reply.message.n: reply for reply in world.replies(who)}  # type: ignore[attr-defined]
    assert sorted(found) == [0, 1]
    second = found[1].message
    assert isinstance(second, Reply)
    assert (second.lane, second.to, second.have.count, second.prev) == (
        1, who.mailbox.recipient.text, 1, found[0].hash,
    )  # fmt: skip
    message.check(found[1], world.org.people["ethics"].secret.public.key)
    assert place_ids(who.replies, 1)[1] in world.carrier.heaps


def test_files_of_a_reply_open_for_the_reporter_and_for_the_readers(world: World) -> None:
    """The reporter's copy lies in the reporters' heap; the readers get the same file by a note of its own blocks."""
    who = world.report()
    world.round("ombuds")
    content = bytes(range(256)) * 2000
    files = [Upload("plan.pdf", "application/pdf", BytesIO(content))]
    compose.reply(world.station("ombuds"), case_of(world, who), "See the plan.", files)
    world.round("ombuds", "ethics")
    [reply] = world.replies(who)
    [attached] = reply.message.attachments  # type: ignore[attr-defined]
    opener = attachment.Opener(attached)
    stored = [world.carrier.blocks[id] for id in attachment.block_ids(attached)]
    assert {heap for heap, _ in stored} == {"reporters"}
    assert b"".join([*(opener.update(body) for _, body in stored), opener.finish()]) == content
    ethics = world.station("ethics")
    saved, failed = case_export.save_all(ethics, case_of(world, who, "ethics"), world.folder / "all")
    assert [path.name for path in saved] == ["plan.pdf"] and not failed
    [(_, copy)] = [
        (entry, file) for entry, file in overview.files(case_of(world, who, "ethics")) if entry.content.kind == "note"
    ]
    assert saved_files.save(copy, ethics.blocks, world.folder / "to").read_bytes() == content


def test_a_long_reply_reaches_everybody(world: World) -> None:
    """A text that does not fit an envelope travels in blocks, the readers' copy in a note."""
    who = world.report()
    world.round("ombuds")
    compose.reply(world.station("ombuds"), case_of(world, who), "long " * 9000)
    world.round("ombuds", "ethics")
    texts = [transcript.text(entry) for entry in case_of(world, who, "ethics").entries]
    assert any("long " * 9000 in text for text in texts)


def test_the_65th_reply_is_refused(world: World) -> None:
    """A lane has 64 places."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, who), "The first.")
    [_, first] = station.hashes(who.case.hex())
    old = station.message(first)
    assert isinstance(old.message, Reply)
    last = replace(old.message, n=63, seq=1, prev=old.hash)
    station.save(message.sign(last, station.signing.signing), "own")
    with pytest.raises(Refused, match="64 replies"):
        compose.reply(station, case_of(world, who), "One too many.")


def test_a_reply_whose_place_was_taken_is_signed_again(world: World) -> None:
    """When something else lay at its place, the reply goes to the next as a new message that names the old one."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, who), "We look into it.", [Upload("a", "text/plain", BytesIO(b"a"))])
    world.carrier.put(bytes(8 * 4096), heap="reporters", id=place_ids(who.replies, 0)[0])
    world.round("ombuds")
    assert not world.carrier.taken - set(world.carrier.heaps)
    [done] = world.round("ombuds")
    assert "signed again" in " ".join(done.imported.findings)
    del world.carrier.heaps[place_ids(who.replies, 0)[0]]
    [found] = world.replies(who)
    assert isinstance(found.message, Reply)
    first = station.hashes(who.case.hex())[1]
    assert (found.message.n, found.message.replaces, found.message.text) == (1, first, "We look into it.")
    [again] = world.round("ombuds")
    assert not again.imported.findings and outbox.pending(station) == []


def test_the_outbox_forgets_nothing_until_it_has_arrived(world: World) -> None:
    """A stick that is lost on the way costs nothing: the next one carries the same again."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, who), "We look into it.")
    for _ in range(2):
        world.carrier.inbox(world.stick)
        assert exchange(station, world.stick).waiting == 1
    bodies = {path.read_bytes() for path in (world.stick / "outbox").iterdir()}
    world.carrier.push(world.stick)
    world.round("ombuds")
    assert outbox.pending(station) == [] and len(world.replies(who)) == 1 and len(bodies) == 1


def test_no_envelope_travels_before_its_blocks() -> None:
    """However much is to go, all blocks come in parts up to that of the first envelopes, so that stored means whole."""
    bodies = [bundle.member(bundle.envelope_name(n.to_bytes(16)), bytes(8192), heap="reviewers") for n in range(5000)]
    blocks = [replace(bodies[0], name=bundle.block_name(n.to_bytes(16)), size=bundle.BLOCK) for n in range(17_000)]
    parts = outbox.lay_out([*bodies, *blocks])
    kinds = [{"blocks" if member.is_block else "envelopes" for member in part} for part in parts]
    assert kinds == [{"blocks"}, {"blocks", "envelopes"}, {"envelopes"}, {"envelopes"}]
    held = [sum(member.size for member in part if member.is_envelope) for part in parts]
    assert max(held) == outbox.ENVELOPES == bundle_push.MAX_ENVELOPES  # what the server holds in memory
    assert sum(map(len, parts)) == 22_000
    assert [[], [bodies[0]]] == [outbox.lay_out([])[0], outbox.lay_out(bodies[:1])[0]]
    for part in parts:
        Listing("server", DAY, tuple(part), 1, 1).to_bytes()


def test_a_grantee_reads_all_and_answers_in_a_lane_of_its_own(world: World) -> None:
    """Somebody let in reads what was said before, replies at slots + the granter's place, and gets what comes."""
    who = world.report()
    world.round("ombuds", "ethics")
    compose.note(world.station("ethics"), case_of(world, who, "ethics"), "Who knows about invoices?")
    world.round("ethics", "ombuds")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel", "Knows invoices")
    world.round("ombuds", "counsel", "ethics")
    counsel = world.station("counsel")
    kinds = [entry.content.kind for entry in case_of(world, who, "counsel").entries]
    assert kinds == ["report", "note", "grant", "reply"]
    compose.reply(counsel, case_of(world, who, "counsel"), "I was asked to help.")
    world.round("counsel", "ethics", "ombuds")
    [reply] = [each for each in world.replies(who) if each.message.sender == "counsel"]  # type: ignore[attr-defined]
    assert isinstance(reply.message, Reply)
    assert reply.message.lane == 8 and set(reply.message.readers) == {"ombuds", "ethics", "counsel"}
    for id in ("ombuds", "ethics", "counsel"):
        case = case_of(world, who, id)
        assert not case.faults and "reply" in [entry.content.kind for entry in case.entries]


def told(world: World, who: Reporter) -> list[tuple[str, str]]:
    """Who was brought in, and by whom, as the reporter finds it; of a server that has the slip."""
    slip = Slip(
        case=who.case.hex(), readers=("ombuds", "ethics"), without=(), keys=world.org.known.keys, sender=sender(who),
        sealed="device", day=DAY, language="en", channel="harassment",
    )  # fmt: skip
    body = envelope.seal(message.sign(slip, who.signing), [who.mailbox.recipient], 8)
    world.carrier.put(body, heap="reporters", id=who.slip_id)
    heaps, wanted = world.carrier.heaps, who.lookup_ids(8)
    things = {id: StoredBody(DAY, heaps[id][1]) for id in wanted if id in heaps and heaps[id][0] == "reporters"}
    view = validate(things, who, ManifestChain([world.org.known]), 8, lambda transcript: b"", DAY)
    assert not view.replies and not view.late
    return [(each.reviewer.id, each.by.id) for each in view.brought_in]


def test_the_reporter_is_told_with_the_grant(world: World) -> None:
    """Whoever was let in is shown to the reporter once the grant is delivered, though nobody has replied."""
    who = world.report()
    world.round("ombuds")
    assert compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    assert told(world, who) == []
    world.round("ombuds")
    assert told(world, who) == [("counsel", "ombuds")]
    world.round("counsel", "ethics", "ombuds")
    for id in ("ombuds", "ethics", "counsel"):
        case = case_of(world, who, id)
        notice = next(entry for entry in case.entries if entry.content.kind == "reply")
        assert "The reporter is told who reads the case" in transcript.headline(world.station(id), case, notice)
        assert not case.faults and case.allowed == ("ombuds", "ethics", "counsel")
    assert outbox.pending(world.station("ombuds")) == []


def test_the_reporter_is_told_though_the_place_was_taken(world: World) -> None:
    """The notice goes to the next place, as any reply does."""
    who = world.report()
    world.round("ombuds")
    world.carrier.put(bytes(8 * 4096), heap="reporters", id=place_ids(who.replies, 0)[0])
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "ombuds", "ombuds")
    del world.carrier.heaps[place_ids(who.replies, 0)[0]]
    assert told(world, who) == [("counsel", "ombuds")]


def test_who_has_no_place_left_lets_somebody_in(world: World) -> None:
    """Full lanes, and a report that has not come, keep nobody from getting help; it is said that nobody was told."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, who), "The first.")
    old = station.message(station.hashes(who.case.hex())[-1])
    assert isinstance(old.message, Reply)
    last = replace(old.message, n=63, seq=1, prev=old.hash)
    station.save(message.sign(last, station.signing.signing), "own")
    assert not compose.grant(station, case_of(world, who), "counsel")
    assert case_of(world, who).allowed == ("ombuds", "ethics", "counsel")
    other = reporter()
    world.follow_up(other)
    world.round("ombuds")
    assert not compose.grant(station, case_of(world, other), "counsel")


def test_a_follow_up_that_omits_a_grantee_is_granted_again(world: World) -> None:
    """The workstation that let somebody in hands on what was not sealed to that reviewer, once."""
    who = world.report()
    world.round("ombuds")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    world.follow_up(who, text="It happened again.")
    world.round("ombuds", "ethics", "counsel", "ombuds", "counsel", "ombuds")
    entries = case_of(world, who, "counsel").entries
    assert [entry.content.kind for entry in entries].count("follow-up") == 1
    grants = [entry.content for entry in case_of(world, who).entries if isinstance(entry.content, Grant)]
    assert len(grants) == 2 and len(grants[1].originals) == 1
    assert isinstance(message.from_original(grants[1].originals[0]).message, FollowUp)


def test_a_grant_that_breaks_the_reporters_wish_is_refused_by_everybody(world: World) -> None:
    """Even when a colleague's program would let in whom the reporter left out, nobody keeps or follows it."""
    who = world.report(without=("counsel",))
    world.round("ombuds", "ethics")
    ethics = world.station("ethics")
    [original] = case_of(world, who, "ethics").messages
    rogue = Grant(
        case=who.case.hex(), readers=("ombuds", "ethics", "counsel"), without=(), keys=world.org.known.keys,
        sender="ethics", day=DAY, seq=0, prev=None, seen=(), grantee="counsel", lane=9,
        originals=(message.original(original),),
    )  # fmt: skip
    world.send(message.sign(rogue, ethics.signing.signing), ("ombuds", "counsel"))
    world.round("ombuds", "counsel")
    assert world.station("counsel").case_ids() == []
    case = case_of(world, who)
    assert case.allowed == ("ombuds", "ethics") and "counsel, whom the reporter left out" in case.faults[0]
    signed = compose.note(world.station("ombuds"), case, "Counsel is not to know.")
    assert signed.message.readers == ("ombuds", "ethics") and signed.message.without == ("counsel",)


def test_a_case_has_no_more_readers_than_slots(tmp_path: Path) -> None:
    """When all slots are used nobody more is let in."""
    world = World(tmp_path, organisation(slots=2))
    who = world.report()
    world.round("ombuds")
    with pytest.raises(Refused, match="at most 2 readers"):
        compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.close()


def test_a_retired_reader_gets_nothing_new(world: World) -> None:
    """Somebody whom the manifest retired stays in the case's history and is no reader of what follows."""
    who = world.report()
    world.round("ombuds")
    people = world.org.people
    reviewers = tuple(people[id].listed(retired=id == "ethics") for id in people)
    channels = tuple(replace(each, readers=("counsel",)) for each in world.org.manifest.channels)
    world.carrier.manifests = [world.org.known, world.org.next(reviewers=reviewers, channels=channels)]
    world.round("ombuds")
    signed = compose.note(world.station("ombuds"), case_of(world, who), "Ethics has left.")
    assert signed.message.readers == ("ombuds",)
    with pytest.raises(Refused, match="no active reviewer"):
        compose.grant(world.station("ombuds"), case_of(world, who), "ethics")


def test_status_tells_who_answers_and_by_when(world: World) -> None:
    """The newest status gives state, labels, day and who answers; an urgent case comes first, a closed one last."""
    first, second, third = world.report(), world.report(), world.report()
    world.round("ombuds", "ethics")
    station = world.station("ombuds")
    compose.status(station, case_of(world, second), "open", labels=["urgent", " "], claimed="ombuds")
    compose.status(station, case_of(world, first), "closed", text="Nothing to it.")
    world.round("ombuds", "ethics")
    queue = overview.queue(world.station("ethics"))
    assert [case.id for case in queue] == [who.case.hex() for who in (second, third, first)]
    assert queue[0].urgent and isinstance(queue[0].standing, Status) and queue[0].standing.claimed == "ombuds"
    with pytest.raises(Refused, match="reads the case"):
        compose.status(station, case_of(world, second), "open", claimed="counsel")


@pytest.mark.parametrize("sentences", [3_000, 15_000], ids=["long", "longer than a list opens"])
def test_a_long_report_is_as_urgent_as_a_short_one(world: World, sentences: int) -> None:
    """Its answers travel in blocks with its text; its case stands first in the list once these have come."""
    usual, hasty = world.report(), reporter()
    long = report(hasty, world.org, text="They are at the door. " * sentences, answers={"urgent": "yes"})
    folded, blocks = envelope.fold(long, world.org.manifest.slots)
    assert isinstance(folded, Report) and folded.rest and not folded.answers
    world.send(message.sign(folded, hasty.signing), folded.readers)
    world.round("ombuds")
    station = world.station("ombuds")
    assert not any(each.urgent for each in case_list.rows(station)[0])
    world.carrier.put_blocks(blocks)
    world.round("ombuds")
    [first, second] = case_list.rows(station)[0]
    assert (first.id, first.urgent, second.id, second.urgent) == (hasty.case.hex(), True, usual.case.hex(), False)
    assert case_of(world, hasty).urgent and check.faults(station) == []


def test_what_a_reporter_calls_urgent_comes_first_until_somebody_states_its_labels(world: World) -> None:
    """It stays urgent when a status by itself follows a reply, and ends when a reviewer says so."""
    usual, hasty = world.report(), world.report(answers={"urgent": "yes"})
    world.round("ombuds")
    station = world.station("ombuds")
    assert [case.id for case in overview.queue(station)] == [hasty.case.hex(), usual.case.hex()]
    tray.reply(station, case_of(world, hasty), "Where are you?")
    world.round("ombuds")
    assert case_of(world, hasty).status == "open" and case_of(world, hasty).urgent
    compose.status(station, case_of(world, hasty), "open", labels=["safe"])
    assert not case_of(world, hasty).urgent


@pytest.mark.parametrize("what", ["reply", "note", "grant"])
def test_nothing_is_signed_with_a_clock_that_went_back(world: World, what: str) -> None:
    """When the computer shows a day before the last use, reading goes on and signing is refused until it is mended."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    station.trust.check_clock()
    world.day = DAY - datetime.timedelta(days=300)
    do = getattr(compose, what)
    with pytest.raises(ClockBehind) as caught:
        do(station, case_of(world, who), "counsel")
    assert "clock" in caught.value.message and station.hashes(who.case.hex()) and len(station.trust.notices()) == 1
    assert outbox.statements(station) == []
    world.day = DAY
    do(station, case_of(world, who), "counsel")


def test_sealing_stops_thirty_days_after_the_manifests_end(world: World) -> None:
    """Past the end there is a notice and sealing goes on; thirty days later it stops, and reading goes on."""
    who = world.report()
    world.round("ombuds")
    end = world.org.manifest.expires
    world.day = end + datetime.timedelta(days=30)
    compose.note(world.station("ombuds"), case_of(world, who), "In time.")
    assert "ended" in world.station("ombuds").trust.notices()[0]
    world.day = end + datetime.timedelta(days=31)
    with pytest.raises(Refused, match="more than 30 days"):
        compose.note(world.station("ombuds"), case_of(world, who), "Too late.")
    assert len(case_of(world, who).entries) == 2


def test_an_empty_message_is_refused(world: World) -> None:
    """Neither a reply nor a note without text or file is signed."""
    who = world.report()
    world.round("ombuds")
    for write in (compose.reply, compose.note):
        with pytest.raises(Refused, match="nothing to send"):
            write(world.station("ombuds"), case_of(world, who), " \n\u200b\u3164\u2800")


def test_all_readers_come_to_the_same_status_whatever_came_first(world: World) -> None:
    """Two of one day, neither of whose authors had the other: everybody takes the same one.  A later one of somebody
    who had both stands, though its author's clock is behind.
    """
    who = world.report()
    world.round("ombuds", "ethics")
    for id, state in (("ombuds", "open"), ("ethics", "waiting")):
        compose.status(world.station(id), case_of(world, who, id), state)
    world.round("ombuds", "ethics", "ombuds")
    stood = {case_of(world, who, id).status for id in ("ombuds", "ethics")}
    assert len(stood) == 1
    [other] = {"open", "waiting"} - stood
    world.station("ethics").today = lambda: DAY - datetime.timedelta(days=3)
    with world.station("ethics").change():
        world.station("ethics").vault.station.clock = DAY - datetime.timedelta(days=3)
    compose.status(world.station("ethics"), case_of(world, who, "ethics"), other)
    world.round("ethics", "ombuds")
    assert {case_of(world, who, id).status for id in ("ombuds", "ethics")} == {other}
