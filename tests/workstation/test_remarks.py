"""Remarks on a case: one party's noise pushes out nothing that matters."""

import datetime

from tests.parties import DAY
from tests.workstation.carrying import World
from tests.workstation.test_grants import a_grant, reported
from tests.workstation.test_hostile import FIRST, a_reply, case_of
from whistle.protocol.case import message
from whistle.workstation import remarks
from whistle.workstation.remarks import Remark


def test_noise_of_one_colleague_is_counted_and_hides_no_other_fault(world: World) -> None:
    """60 remarks that one colleague causes become a few lines; what another does wrong afterwards is shown."""
    who, first = reported(world)
    for count in range(60):
        strayed = a_reply(
            world,
            who,
            lane=0,
            n=count,
            day=DAY - datetime.timedelta(days=count),
            seq=count,
            prev=FIRST if count else None,
        )
        world.send(strayed, ("ombuds",))
    world.round("ombuds")
    grant = a_grant(world, who, message.original(first), lane=0, seq=60, prev=FIRST)
    world.send(grant, ("ombuds", "counsel"))
    world.round("ombuds")
    told = case_of(world, who).faults
    strays = [line for line in told if "lies in another reviewer's lane" in line]
    assert len(strays) == remarks.SHOWN and strays[-1].endswith("(and 57 more like it from ethics)")
    assert any("names another lane than it should" in line for line in told)


def test_records_of_earlier_versions_are_shown() -> None:
    """A remark that was kept as a sentence alone stays, and is not noted twice."""
    kept = ["a note of 2026-11-22 was sealed with manifest 7, which has not come here yet"]
    assert remarks.lines(kept) == kept and remarks.added(kept, Remark(kept[0], "", kept[0])) == kept
    assert remarks.lines(remarks.added(kept, Remark("another", "ethics", "lane"))) == [*kept, "another"]
