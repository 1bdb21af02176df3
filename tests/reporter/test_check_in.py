"""Answering a check-in, and naming an earlier case, from one's own device."""

from tests.reporter.device import Device, typed
from tests.server.visitor import answer, opened
from whistle.protocol.case.message import FollowUp, Report


def test_the_command_line_answers_and_names_an_earlier_case(device: Device) -> None:
    """One word is enough; the reply says which; words in place of a reference are stopped."""
    who = device.send("--earlier", "1234-5678-9012")
    mine = typed(who)
    assert device.report.answers == {"earlier": "1234-5678-9012"}
    answer(device.app, device.org, who, device.report, "How are you?", mark="check-in")
    shown = device.run("replies", words=mine)
    assert "whistle reporter follow-up --check-in" in shown.stdout
    done = device.run("follow-up", "--check-in", "unsure", "--earlier", "1111-2222-3333", words=mine)
    assert done.exit_code == 0, done.output
    [said] = [each.message for each in opened(device.app, device.org, "ombuds") if isinstance(each.message, FollowUp)]
    assert (said.text, said.answers) == ("", {"check-in": "unsure", "earlier": "1111-2222-3333"})
    device.run("follow-up", "--check-in", "unsure", "--earlier", "1111-2222-3333", words=mine)
    told, again = (each for each in opened(device.app, device.org, "ombuds") if isinstance(each.message, FollowUp))
    assert told.hash != again.hash, "the same words are another message"
    refused = device.run("follow-up", "--check-in", "happened", "--earlier", mine, words=mine)
    assert refused.exit_code == 1 and mine not in refused.output
    assert device.run("send", "--channel", "fraud", "--earlier", "1234", text=" ").exit_code == 1
    assert isinstance(device.report, Report)
