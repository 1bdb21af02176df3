"""One case between a reporter and two reviewers, by stick."""

from io import BytesIO

from tests.workstation.carrying import World
from whistle.protocol.case.message import Reply
from whistle.workstation.cases import compose, overview
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange import outbox


def test_a_report_is_read_answered_and_answered_again(world: World) -> None:
    """A report reaches both readers, a reply reaches the reporter and the other reader, a follow-up comes back."""
    who = world.report(text="The third floor.")
    world.round("ombuds", "ethics")
    ombuds, ethics = world.station("ombuds"), world.station("ethics")
    [case] = overview.queue(ombuds)
    assert case.report is not None and case.report.text == "The third floor."
    compose.reply(ombuds, case, "We look into it.", [Upload("plan.pdf", "application/pdf", BytesIO(b"plan"))])
    compose.note(ombuds, overview.find(ombuds, case.reference), "Seen this before.")
    world.round("ombuds", "ethics")
    [reply] = world.replies(who)
    assert isinstance(reply.message, Reply) and reply.message.text == "We look into it."
    assert (reply.message.lane, reply.message.n, reply.message.have.count) == (0, 0, 1)
    assert [entry.content.kind for entry in overview.find(ethics, case.reference).entries] == [
        "report", "reply", "note", "note",
    ]  # fmt: skip
    world.follow_up(who)
    world.round("ombuds", "ethics")
    assert outbox.pending(ombuds) == []
    found = overview.find(ethics, case.reference)
    assert not found.faults and [entry.by for entry in found.entries] == ["", "ombuds", "ombuds", "ombuds", ""]
    compose.reply(ethics, found, "Thank you.")
    world.round("ethics")
    assert sorted((each.message.lane, each.message.have.count) for each in world.replies(who)) == [(0, 1), (1, 2)]
