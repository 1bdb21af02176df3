"""One stick for several workstations: nobody misses what others have taken in already."""

from pathlib import Path

from tests.office import working
from tests.parties import DAY
from tests.server.visitor import Visitor
from tests.workstation.carrying import held_ids
from whistle.workstation.exchange.exchange import exchange


def test_a_newcomer_to_a_shared_stick_gets_what_the_others_have(tmp_path: Path) -> None:
    """Two have taken a day in and say so; the third, who holds nothing yet, says that, and gets it too."""
    with working(tmp_path) as office:
        Visitor(office.app).tell("It happened again.")
        stick = tmp_path / "shared"
        stick.mkdir()
        for id in ("ombuds", "ethics", "counsel", "counsel"):
            office.courier.exchange(stick)
            exchange(office.stations[id], stick)
        held = [held_ids(office.stations[id], DAY) for id in ("ombuds", "counsel")]
        assert held[0] == held[1] != []
