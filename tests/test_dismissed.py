"""A dismissed reviewer whose words arrive too late: nobody is let in or answered by them, and colleagues see it.

A whole organisation at work, with a server that runs and a courier that goes to it.
"""

import datetime
from dataclasses import replace
from pathlib import Path

from tests import parties
from tests.office import working
from tests.server.visitor import Visitor, turn
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.server.instance import NAME
from whistle.workstation.cases import compose, transcript

END = parties.DAY + datetime.timedelta(days=3)
AFTER = END + datetime.timedelta(days=1)


def test_a_stick_that_a_dismissed_reviewer_kept_back(tmp_path: Path) -> None:
    """Signed in time and handed to the courier after the dismissal: shown to colleagues as late, and without effect."""
    with working(tmp_path) as office:
        visitor = Visitor(office.app).tell("The lift is broken.")
        typed = " ".join(words.encode(words.decode(visitor.words)))
        case = derive(words.decode(typed)).case.hex()
        office.round("ombuds", "ethics")
        ethics = office.stations["ethics"]
        compose.reply(ethics, office.case("ethics", case), "In time.")
        office.round("ethics", "ombuds")
        compose.reply(ethics, office.case("ethics", case), "Come at night.", mark="feedback")
        compose.status(ethics, office.case("ethics", case), "closed")
        compose.grant(ethics, office.case("ethics", case), "counsel")
        office.exchange("ethics")  # and the stick stays in a drawer
        people = tuple(each.listed(retired=each.id == "ethics") for each in office.org.people.values())
        channels = tuple(
            replace(each, readers=tuple(id for id in each.readers if id != "ethics"))
            for each in office.org.manifest.channels
        )
        office.install(reviewers=people, channels=channels, begins=END)
        turn(office.app.extensions[NAME], AFTER)
        office.courier.push(office.stick("ethics"))
        office.round("ombuds", "counsel")
        seen = office.case("ombuds", case)
        assert [entry.ended for entry in seen.entries if entry.by == "ethics"] == [None, END, END, END, END]
        assert (seen.status, seen.allowed) == ("new", ("ombuds", "ethics"))
        assert [answer.mark for answer in seen.answers] == []
        assert not office.case("counsel", case).entries
        told = "\n".join(transcript.lines(office.stations["ombuds"], seen))
        assert f"4 messages of ethics came after ethics's key ended on {END}" in told
        assert f"came on {AFTER}, after ethics's key ended on {END}: the reporter does not see it" in told
        page = visitor.come_back(typed).text
        assert "In time." in page and "Come at night." not in page and "Staff counsel" not in page
