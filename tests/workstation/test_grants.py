"""Who is let into a case, in which lanes grantees reply, and what a grant hands over."""

import base64
import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from tests import parties
from tests.parties import report
from tests.workstation.carrying import World
from tests.workstation.test_hostile import FIRST, a_reply, by_ethics, case_of
from whistle.protocol.case import message
from whistle.protocol.case.message import Grant, Note, Original, Reply, Signed
from whistle.protocol.code.retrieval import PLACES, Reporter
from whistle.workstation.cases import compose, grants, transcript
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox

EVERYBODY = ("ombuds", "ethics", "counsel")


def a_grant(world: World, who: Reporter, *originals: Original, **changes: object) -> Signed:
    """A grant to counsel as the ethics office's own program makes it."""
    fields: dict[str, object] = {
        "readers": EVERYBODY, "grantee": "counsel", "lane": 9, "originals": originals, "text": "", **changes,
    }  # fmt: skip
    return by_ethics(world, who, Grant, **fields)


def reported(world: World) -> tuple[Reporter, Signed]:
    """A report that lies on the server, and as it was signed."""
    who = world.report()
    world.round("ombuds")
    return who, case_of(world, who).messages[0]


def test_each_grantee_gets_a_lane_of_their_own(world: World) -> None:
    """Two who are let in by one reviewer reply in different lanes, and neither can use up the other's places."""
    who = world.report(readers=("ombuds",))
    world.round("ombuds")
    for id in ("ethics", "counsel"):
        compose.grant(world.station("ombuds"), case_of(world, who), id)
    world.round("ombuds", "ethics", "counsel", "ombuds", "ethics", "counsel")
    for n in (0, PLACES - 1):  # from counsel's lane, by ethics' own program
        far = a_reply(world, who, readers=("ombuds", "ethics", "counsel"), lane=9, n=n)
        world.send(far, ("ombuds", "counsel"))
    world.round("counsel")
    places = {}
    for id in ("ethics", "counsel"):
        signed = compose.reply(world.station(id), case_of(world, who, id), f"From {id}.")
        assert isinstance(signed.message, Reply)
        places[id] = signed.message.lane, signed.message.n
    assert places == {"ethics": (8, 0), "counsel": (9, 0)}
    world.round("ethics", "counsel", "ombuds")
    assert any("lies in another reviewer's lane" in fault for fault in case_of(world, who).faults)


def test_a_grantee_signs_no_day_of_receipt_that_only_the_reporter_names(world: World) -> None:
    """A report that is dated back brings a receipt of the server's day by whoever got it there, and none by others."""
    early = parties.DAY - datetime.timedelta(days=90)
    who = world.report(readers=("ombuds",), day=early)
    world.round("ombuds")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    assert case_of(world, who).unanswered  # the notice of the grant answers nothing
    world.round("ombuds", "counsel")
    for id in ("ombuds", "counsel"):
        compose.reply(world.station(id), case_of(world, who, id), "We have it.", mark="acknowledgement")
    world.round("ombuds", "counsel")
    replies = [each.message for each in world.replies(who) if isinstance(each.message, Reply)]
    days = {each.sender: each.receipt and each.receipt.received for each in replies if each.mark}
    assert days == {"ombuds": parties.DAY, "counsel": None}


def test_several_grants_to_one_give_all_their_lanes(world: World) -> None:
    """Whichever grant comes first at a workstation, every one counts; when one lane is full, another is used."""
    who, first = reported(world)
    world.send(a_grant(world, who, message.original(first)), EVERYBODY)
    world.round("ombuds")
    compose.grant_whole(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel", "ombuds")
    case = case_of(world, who, "counsel")
    assert set(case.lanes("counsel", 8)) == {8, 9} == set(case_of(world, who).lanes("counsel", 8))
    assert "lane" not in " ".join(case_of(world, who).faults)
    one, other = case.lanes("counsel", 8)
    key = world.org.people["counsel"].secret.signing
    template = compose.reply(world.station("counsel"), case, "First.").message
    assert isinstance(template, Reply) and template.lane == one
    last = message.sign(replace(template, n=PLACES - 1, seq=1, prev=FIRST), key)
    world.station("counsel").save(last, "own")
    more = compose.reply(world.station("counsel"), case_of(world, who, "counsel"), "Another.").message
    assert isinstance(more, Reply) and (more.lane, more.n) == (other, 0)


def test_a_chain_names_each_lane_once(world: World) -> None:
    """A lane for each grantee, first where no known grant is; the same for the same one; then it is refused."""
    who, _ = reported(world)
    made: list[Grant] = []
    for seq, lane in enumerate([10, 11, 8, 9]):
        found = a_grant(world, who, lane=lane, seq=seq, prev=FIRST if seq else None).message
        assert isinstance(found, Grant)
        made.append(replace(found, grantee=f"g{seq}", readers=("ombuds", f"g{seq}")))
    assert grants.lane_for(made, "ethics", "new", 1, 8) == 12
    assert grants.lane_for(made, "ethics", "g2", 1, 8) == 8
    assert grants.lane_for(made, "ombuds", "new", 1, 8) == 12  # free of anybody's
    assert grants.lane_for(made, "ombuds", "new", 0, 4) == 4
    full = [
        replace(made[0], seq=lane, prev=FIRST, lane=lane, grantee=f"g{lane}", readers=(f"g{lane}",))
        for lane in range(8, 16)
    ]
    with pytest.raises(Refused, match="as many others"):
        grants.lane_for(full, "ethics", "new", 0, 8)
    assert grants.lane_for(full, "ombuds", "new", 3, 8) == 11  # another chain


@pytest.mark.parametrize("lane", [0, 8], ids=["a reader's", "one named before"])
def test_a_grant_that_names_a_wrong_lane_is_shown(world: World, lane: int) -> None:
    """It lets in all the same, and the readers are told."""
    who, first = reported(world)
    earlier = a_grant(world, who, lane=8, grantee="ombuds", readers=("ombuds", "ethics"))
    world.send(earlier, ("ombuds",))
    world.send(a_grant(world, who, message.original(first), lane=lane, seq=1, prev=earlier.hash), EVERYBODY)
    world.round("ombuds", "counsel")
    assert any("a grant by ethics of 2026-11-22 names another lane" in fault for fault in case_of(world, who).faults)
    assert "counsel" in case_of(world, who, "counsel").allowed


def test_bad_originals_are_counted_and_the_rest_counts(world: World) -> None:
    """Of a grant's messages the good ones are kept, and the case says how many are bad, and whom to ask."""
    who, first = reported(world)
    good, other = message.original(first), world.report(None)
    foreign = message.original(message.sign(report(other, world.org), other.signing))
    note = by_ethics(world, who, Note)
    forged = Original("note", note.line.decode(), base64.b64encode(bytes(64)).decode())
    bad = [replace(good, line="nonsense"), replace(good, kind="note"), foreign, forged]
    world.send(a_grant(world, who, *bad, good), EVERYBODY)
    world.round("counsel")
    case = case_of(world, who, "counsel")
    assert [entry.content.kind for entry in case.entries] == ["report", "grant"] and "counsel" in case.allowed
    assert case.faults == [
        "4 parts of what ethics handed over with the case could not be read; "
        "ask ethics, or another who reads it, to grant it to you again"
    ]


def test_what_only_a_grantor_vouches_for_is_shown_as_such(world: World) -> None:
    """A colleague's message that came with a grant alone has no day at the server, and the transcript says so."""
    who, first = reported(world)
    note = compose.note(world.station("ombuds"), case_of(world, who), "Mine.")
    originals = (message.original(first), message.original(note))
    world.send(a_grant(world, who, *originals), EVERYBODY)
    world.round("counsel")
    told = "\n".join(transcript.lines(world.station("counsel"), case_of(world, who, "counsel")))
    assert told.count("handed over with the case by ethics") == 2
    assert told.count("handed over with the case by ethics: for its day, ethics vouches") == 1  # the note's


def test_grants_that_cross_part_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two grants that are one too many together, each for one hearer, keep nobody from hearing the other."""
    for id in ("chief", "boss"):
        monkeypatch.setitem(parties.ROLES, id, id.title())
    world = World(tmp_path, parties.organisation(slots=4))
    who = world.report(readers=EVERYBODY)
    world.round("ombuds", "counsel")
    first = message.original(case_of(world, who).messages[0])
    for hearer, guest in (("ombuds", "chief"), ("counsel", "boss")):
        world.send(a_grant(world, who, first, readers=(*EVERYBODY, guest), grantee=guest, lane=5), (hearer,))
        world.round(hearer)
        compose.note(world.station(hearer), case_of(world, who, hearer), "Do you hear me?")
    world.round("ombuds", "counsel")
    for hearer, other in (("ombuds", "counsel"), ("counsel", "ombuds")):
        compose.grant_whole(world.station(hearer), case_of(world, who, hearer), other)
    world.round("ombuds", "counsel", "ombuds")
    for hearer, other, guest in (("ombuds", "counsel", "boss"), ("counsel", "ombuds", "chief")):
        case = case_of(world, who, hearer)
        assert [entry.by for entry in case.entries if entry.content.kind == "note"] == [hearer, other]
        crowd, fork = case.faults
        assert f"a message reaches 4 of them: yours do not go to {guest};" in crowd
        assert fork == "two different messages of ethics have the number 1"
    compose.grant_whole(world.station("ombuds"), case_of(world, who), "boss")
    world.round("ombuds", "boss")
    assert "note" in [entry.content.kind for entry in case_of(world, who, "boss").entries]
    compose.note(world.station("boss"), case_of(world, who, "boss"), "So do I.")
    world.round("boss", "ombuds")
    assert case_of(world, who).entries[-1].by == "boss"
    world.close()


@pytest.mark.parametrize("how", ["retired", "left out"])
def test_a_grant_to_somebody_who_reads_no_more_is_not_signed_again(world: World, how: str) -> None:
    """A courier says that something of it was taken; the exchange goes on, and nobody gets the case."""
    who = world.report()
    world.round("ombuds", "ethics")
    station = world.station("ombuds")
    for _ in range(2):
        compose.note(station, case_of(world, who), "Long. " * 2000)
    world.round("ombuds")
    compose.grant(station, case_of(world, who), "counsel")
    world.carrier.taken = {block.id for item in outbox.items(station) for block in item.blocks}
    if how == "retired":
        people = tuple(replace(each, retired=each.id == "counsel") for each in world.org.manifest.reviewers)
        channels = world.org.manifest.channels[:1]
        world.carrier.manifests = [world.org.known, world.org.next(reviewers=people, channels=channels)]
    else:
        world.follow_up(who, without=("counsel",))
    before = [entry.content.kind for entry in case_of(world, who).entries].count("grant")
    assert world.carrier.taken and not world.round("ombuds")[0].imported.findings
    assert [entry.content.kind for entry in case_of(world, who).entries].count("grant") == before
