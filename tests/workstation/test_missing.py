"""What messages name is compared with what is here: whatever is kept from a reader shows, and nothing else does."""

import datetime
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parties import DAY, organisation
from tests.workstation.carrying import Carrier, World
from tests.workstation.test_hostile import a_reply, by_ethics, case_of
from whistle.protocol.case.message import Earlier, Have, Note, Reply, Signed
from whistle.protocol.code.retrieval import Reporter
from whistle.workstation.cases import compose, reach
from whistle.workstation.errors import Refused

EXAMPLES = 8 if os.environ.get("WHISTLE_TRIAL") != "1" else 300
ALL = ("ombuds", "ethics", "counsel")
ASK = "; if it does not come with the next exchange, ask {} or another reader to grant the case to you again"


def faults(world: World, who: Reporter, id: str) -> list[str]:
    """What a reviewer is shown about the case."""
    return case_of(world, who, id).faults


def kinds(world: World, who: Reporter, id: str) -> list[str]:
    """The kinds of the messages that a reviewer has."""
    return [entry.content.kind for entry in case_of(world, who, id).entries]


def write(world: World, who: Reporter, id: str, text: str = "Seen.") -> Signed:
    """A note by an honest workstation."""
    return compose.note(world.station(id), case_of(world, who, id), text)


def test_two_stories_under_one_number_show_to_both_who_heard_them(world: World) -> None:
    """Each sees that the other has read something else; granted again, both have both, and it is called a fork."""
    who = world.report(readers=ALL)
    world.send(by_ethics(world, who, Note, readers=ALL, text="She did it."), ("ombuds",))
    world.send(by_ethics(world, who, Note, readers=ALL, text="He did it."), ("counsel",))
    world.round("ombuds", "counsel")
    for id in ("ombuds", "counsel"):
        assert faults(world, who, id) == []
        write(world, who, id)
    world.round("ombuds", "counsel", "ombuds")
    told = "{} says they have read a message in this case that has not come here" + ASK
    assert faults(world, who, "ombuds") == [told.format("counsel", "counsel")]
    assert faults(world, who, "counsel") == [told.format("ombuds", "ombuds")]
    compose.grant_whole(world.station("ombuds"), case_of(world, who, "ombuds"), "counsel")
    compose.grant_whole(world.station("counsel"), case_of(world, who, "counsel"), "ombuds")
    world.round("ombuds", "counsel", "ombuds")
    for id in ("ombuds", "counsel"):
        assert faults(world, who, id) == ["two different messages of ethics have the number 1"]


def test_stories_that_each_name_their_reader_alone_meet(world: World) -> None:
    """Whoever writes passes on what a reader was not sent, so that two chains of one colleague do not stay apart."""
    who = world.report(readers=ALL)
    for id in ("ombuds", "counsel"):
        world.send(by_ethics(world, who, Note, readers=(id, "ethics"), text=f"For {id} alone."), (id,))
    world.round("ombuds", "counsel")
    write(world, who, "ombuds")
    world.round("ombuds", "counsel")
    assert faults(world, who, "counsel") == ["two different messages of ethics have the number 1"]


def test_stories_that_each_leave_the_other_reader_out_are_not_heard(world: World) -> None:
    """Only the reporter leaves somebody out: what does so on a colleague's word waits until the reporter's has come."""
    who = world.report(readers=ALL)
    for id, other in (("ombuds", "counsel"), ("counsel", "ombuds")):
        world.send(by_ethics(world, who, Note, readers=(id, "ethics"), without=(other,)), (id,))
    assert [done.imported.waiting for done in world.round("ombuds", "counsel")] == [1, 1]
    assert kinds(world, who, "ombuds") == ["report"]
    world.follow_up(who, readers=("ombuds", "ethics"), without=("counsel",))
    world.round("ombuds", "counsel")
    assert kinds(world, who, "ombuds") == ["report", "follow-up", "note"]
    assert kinds(world, who, "counsel") == ["report"]


def test_a_follow_up_that_a_courier_keeps_from_one_reader_shows_until_it_comes(world: World) -> None:
    """A colleague's note says that there is one; when it arrives, nothing is said any more."""
    who = world.report()
    world.follow_up(who)
    [id] = [id for id in world.carrier.heaps if world.carrier.heaps[id] is list(world.carrier.heaps.values())[-1]]
    world.round("ombuds")
    write(world, who, "ombuds")
    world.round("ombuds")
    kept = world.carrier.heaps.pop(id)
    world.round("ethics")
    [line] = faults(world, who, "ethics")
    assert line.startswith(
        "ombuds says they have read a message in this case that has not come here; if it does not come"
    )
    world.carrier.heaps[id] = kept
    world.round("ethics")
    assert faults(world, who, "ethics") == [] and "follow-up" in kinds(world, who, "ethics")


def test_a_follow_up_that_the_grantor_does_not_pass_on_comes_from_whoever_writes_next(world: World) -> None:
    """Somebody who was let in gets what the reporter wrote since from any colleague who writes to them."""
    who = world.report()
    world.round("ethics", "ombuds")
    compose.grant(world.station("ethics"), case_of(world, who, "ethics"), "counsel")
    world.round("ethics")  # and never again
    world.follow_up(who)
    world.round("ombuds", "counsel")
    assert "follow-up" not in kinds(world, who, "counsel")
    write(world, who, "ombuds")
    world.round("ombuds", "counsel")
    assert "follow-up" in kinds(world, who, "counsel") and faults(world, who, "counsel") == []
    before = len(kinds(world, who, "ombuds"))
    write(world, who, "ombuds")
    assert len(kinds(world, who, "ombuds")) == before + 1  # nothing is passed on twice


def test_somebody_left_out_by_a_later_message_is_passed_nothing(world: World) -> None:
    """Of a message that the reporter withheld from a reader, nothing is named to them, nor passed on."""
    who = world.report(readers=ALL)
    world.round(*ALL)
    world.follow_up(who, readers=("ombuds", "ethics"), without=("counsel",))
    world.round("ombuds")
    signed = write(world, who, "ombuds")
    assert "counsel" not in signed.message.readers and kinds(world, who, "ombuds") == ["report", "follow-up", "note"]
    world.round("ombuds", "counsel")
    assert kinds(world, who, "counsel") == ["report"] and faults(world, who, "counsel") == []
    with pytest.raises(Refused, match="left counsel out"):
        compose.grant_whole(world.station("ombuds"), case_of(world, who, "ombuds"), "counsel")


def test_a_reply_that_had_more_of_the_reporter_shows(world: World) -> None:
    """A count above what is here is told, and no more when as much has come."""
    who = world.report()
    world.send(a_reply(world, who, have=Have(2, DAY)), ("ombuds",))
    world.round("ombuds")
    told = "ethics says they had 2 messages of the reporter when replying, and 1 are here" + ASK.format("ethics")
    assert faults(world, who, "ombuds") == [told]
    world.follow_up(who)
    world.round("ombuds")
    assert faults(world, who, "ombuds") == []


def test_two_replies_for_one_place_show(world: World) -> None:
    """The reporter can have only one of them: told to who holds both, and to who holds one and reads of the other."""
    who = world.report(readers=ALL)
    first = a_reply(world, who, readers=ALL)
    world.send(first, ("ombuds", "counsel"))
    world.round("ombuds", "counsel")
    compose.reply(world.station("ombuds"), case_of(world, who, "ombuds"), "As my colleague said.")
    world.round("ombuds", "counsel")
    assert faults(world, who, "counsel") == []
    other = a_reply(world, who, readers=ALL, seq=1, prev=first.hash, text="Something else.")
    named = (Earlier(DAY, "ethics", other.hash, 64),)
    lying = a_reply(world, who, readers=ALL, seq=1, prev=first.hash, n=1, earlier=named)
    world.send(lying, ("counsel",))
    world.send(other, ("ombuds",))
    world.round("ombuds", "counsel")
    assert "two different replies of ethics name one place: the reporter can have only one of them" in faults(
        world, who, "ombuds"
    )
    told = "ethics says they have read another reply of ethics than the one here: if so, two were signed for one place"
    assert told in faults(world, who, "counsel")


def test_it_is_told_for_as_long_as_the_server_could_have_it(world: World) -> None:
    """180 days after the message that named it arrived, nothing of what it named can come any more."""
    who = world.report()
    world.send(by_ethics(world, who, Note, seq=1, prev="0" * 64, seen=("1" * 64, "2" * 64)), ("ombuds",))
    world.round("ombuds")
    gap, unread = faults(world, who, "ombuds")
    assert gap == "ethics's message number 1 in this case has not come" + ASK.format("ethics")
    assert unread == "ethics says they have read 2 messages in this case that have not come here" + ASK.format("ethics")
    world.day = DAY + datetime.timedelta(days=180)
    assert faults(world, who, "ombuds") == [gap, unread]
    world.day += datetime.timedelta(days=1)
    assert faults(world, who, "ombuds") == []


def test_the_author_of_what_is_missing_is_named_where_it_is_known(world: World) -> None:
    """A message that another one follows is its author's."""
    who = world.report(readers=ALL)
    hidden = by_ethics(world, who, Note, readers=ALL, text="Kept from one.")
    world.send(hidden, ("counsel",))
    world.send(by_ethics(world, who, Note, readers=ALL, seq=1, prev=hidden.hash), ("ombuds", "counsel"))
    world.round("counsel", "ombuds")
    write(world, who, "counsel")
    world.round("counsel", "ombuds")
    assert any("counsel says they have read a message of ethics" in line for line in faults(world, who, "ombuds"))


def test_a_large_case_is_granted_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much for one grant goes in several, and nobody is kept from writing by how much there is."""
    who = world.report(readers=("ombuds",))
    world.round("ombuds")
    for text in "abc":
        write(world, who, "ombuds", text)
    monkeypatch.setattr(reach, "PORTION", 1)
    compose.grant(world.station("ombuds"), case_of(world, who, "ombuds"), "ethics")
    world.round("ombuds", "ethics")
    grants = [each.content for each in case_of(world, who, "ethics").entries if each.content.kind == "grant"]
    assert [len(each.originals) for each in grants] == [1, 1, 1, 1]  # type: ignore[attr-defined]
    assert kinds(world, who, "ethics").count("note") == 3 and faults(world, who, "ethics") == []


def test_a_reply_names_each_reply_before_it_once(world: World) -> None:
    """One's own and others' replies are named in the next reply, and not in those after it."""
    who = world.report()
    world.round("ombuds", "ethics")
    for id in ("ombuds", "ethics", "ethics", "ombuds"):
        compose.reply(world.station(id), case_of(world, who, id), "We look into it.")
        world.round("ombuds", "ethics", "ombuds")
    found = {(each.message.lane, each.message.n): each for each in world.replies(who)}  # type: ignore[attr-defined]
    named = {place: [(one.sender, one.place) for one in each.message.earlier] for place, each in found.items()}  # type: ignore[attr-defined]
    assert named == {
        (0, 0): [],
        (1, 0): [("ombuds", 0)],
        (1, 1): [("ethics", 64)],
        (0, 1): [("ombuds", 0), ("ethics", 64), ("ethics", 65)],
    }
    assert [one.hash for one in found[1, 0].message.earlier] == [found[0, 0].hash]  # type: ignore[attr-defined]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["note", "reply", "grant", "follow-up", "exchange", "exchange"]), st.sampled_from(ALL)),
    min_size=6,
    max_size=14,
)


def act(world: World, who: Reporter, what: str, id: str, delays: random.Random | None) -> None:
    """One step of somebody honest, if it is possible for them now."""
    case = case_of(world, who, id)
    if what == "exchange":
        late = delays.sample(list(world.carrier.heaps), len(world.carrier.heaps) // 3) if delays else []
        kept = {name: world.carrier.heaps.pop(name) for name in late}
        world.round(id)
        world.carrier.heaps |= kept
    elif what == "follow-up":
        told = [name for each in world.replies(who) for name in each.message.readers]
        world.follow_up(who, readers=tuple(dict.fromkeys(["ombuds", "ethics", *told])))
    elif id in case.allowed and case.report:
        station = world.station(id)
        other = next((name for name in ALL if name not in case.allowed), None)
        if what == "grant" and other:
            compose.grant(station, case, other)
        elif what != "grant":
            {"note": compose.note, "reply": compose.reply}[what](station, case, "On it goes.")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Workstations that many stories share, each in a case of its own."""
    made = World(tmp_path_factory.mktemp("office"))
    yield made
    made.close()


@given(actions=ACTIONS, delays=st.none() | st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_nothing_is_missed_in_an_honest_story(
    office: World, actions: list[tuple[str, str]], delays: random.Random | None
) -> None:
    """Whoever writes, replies, is let in or adds something in whatever order, nothing is ever said to be missing; and
    where a courier brings some of it late, in whatever order, nothing is once all of it has come.
    """
    world = office
    world.carrier = Carrier(world.org)
    who = world.report()
    for what, id in actions:
        act(world, who, what, id, delays)
        assert delays or [faults(world, who, name) for name in ALL] == [[], [], []], (what, id)
    world.round(*ALL, *ALL, *ALL)
    assert [faults(world, who, name) for name in ALL] == [[], [], []]


def test_what_is_named_fits_into_the_smallest_envelope(tmp_path: Path) -> None:
    """Where a case has two readers, somebody who has read much can still reply at length, and names the newest."""
    world = World(tmp_path, organisation(slots=2))
    who = world.report()
    prev = None
    for n in range(40):
        message = a_reply(world, who, seq=n, prev=prev, n=n)
        world.send(message, ("ombuds",))
        prev = message.hash
    world.round("ombuds")
    assert faults(world, who, "ombuds") == []
    signed = compose.reply(world.station("ombuds"), case_of(world, who, "ombuds"), "Thank you. " * 2000)
    again = compose.reply(world.station("ombuds"), case_of(world, who, "ombuds"), "And now?")
    assert isinstance(signed.message, Reply) and isinstance(again.message, Reply) and signed.message.rest
    assert (len(signed.message.seen), len(signed.message.earlier)) == (12, 6)
    assert signed.message.seen[-1] == signed.message.earlier[-1].hash == prev
    assert not set(signed.message.seen) & set(again.message.seen) and len(again.message.seen) == 12
    world.close()
