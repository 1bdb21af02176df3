"""Long messages whose content came damaged, and replies that say what they replace."""

import hashlib

from tests.parties import sealed
from tests.workstation.carrying import World
from tests.workstation.test_grants import EVERYBODY, a_grant, reported
from tests.workstation.test_hostile import a_reply, by_ethics, case_of
from whistle.protocol.case import attachment, message
from whistle.protocol.case.attachment import Attachment, Block
from whistle.protocol.case.message import Note
from whistle.workstation.cases import transcript
from whistle.workstation.language import t


def a_rest(content: bytes) -> tuple[list[Block], Attachment]:
    """The blocks and the record of a message's content."""
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish("", "application/json", kind="rest")
    return blocks + last, record


def test_what_came_damaged_is_not_called_missing(world: World) -> None:
    """A long message whose pieces have not come, came altered, or hold no content: each is told apart, and heals."""
    who, _ = reported(world)
    blocks, record = a_rest(b'{"text":"Long."}')
    nonsense, bad = a_rest(b'{"text":""}')
    first = by_ethics(world, who, Note, text="", rest=record)
    world.send(first, ("ombuds",))
    world.send(by_ethics(world, who, Note, text="", rest=bad, seq=1, prev=first.hash), ("ombuds",))
    shown = []
    for pieces in ([], [(blocks[0][0], bytes(len(blocks[0][1]))), *nonsense], blocks):
        world.carrier.put_blocks(pieces)
        world.round("ombuds")
        shown.append([transcript.text(entry) for entry in case_of(world, who).entries[1:]])
    missing, damaged = (f"[{t(transcript.INCOMPLETE[name])}]" for name in ("missing", "damaged"))
    assert shown == [[missing, missing], [damaged, damaged], ["Long.", damaged]]


def test_a_grant_whose_content_is_bad_counts(world: World) -> None:
    """A grant that holds no originals in the form of the protocol lets in; the grantee is told what is missing."""
    who, first = reported(world)
    blocks, record = a_rest(b'{"originals":[]}')
    good = a_grant(world, who, message.original(first))
    world.carrier.put_blocks(blocks)
    world.send(good, EVERYBODY)
    world.send(a_grant(world, who, rest=record, seq=1, prev=good.hash), EVERYBODY)
    world.round("counsel")
    case = case_of(world, who, "counsel")
    assert [entry.content.kind for entry in case.entries] == ["report", "grant", "grant"]
    assert [fault for fault in case.faults if "1 part of what ethics handed over" in fault]


def test_a_reply_that_says_what_it_replaces_is_believed_only_if_it_repeats_it(world: World) -> None:
    """One that names nothing that is here, or repeats it not, is shown neutrally and takes no answer away."""
    who, _ = reported(world)
    first = a_reply(world, who, mark="feedback")
    unknown = a_reply(world, who, text="x", n=1, seq=1, prev=first.hash, replaces=hashlib.sha256(b"").hexdigest())
    other = a_reply(world, who, text="Nothing.", n=2, seq=2, prev=unknown.hash, replaces=first.hash)
    again = a_reply(world, who, n=3, seq=3, prev=other.hash, replaces=first.hash, mark="feedback")
    told = []
    for signed in (first, unknown, other, again):
        world.carrier.put(sealed(signed, world.org, ("ombuds",)))
        world.round("ombuds")
        case = case_of(world, who)
        told.append((len(case.answers), transcript.repetition(case, case.entries[-1])))
    assert told == [
        (1, ""),
        (1, "says that it replaces another reply, which is not here"),
        (1, "says that it replaces another message, which it does not repeat: both count"),
        (1, "sent again, since the place of the one before was taken"),
    ]
    assert case.answers[0].day == world.day
