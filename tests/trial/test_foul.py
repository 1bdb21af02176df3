"""The foul play that can be watched in a demo's folder."""

from pathlib import Path

from tests.test_demo import free_port
from tests.trial import foul
from whistle.ceremony import demo
from whistle.ceremony.demo import Ports


def test_what_the_others_read_of_foul_play_in_the_demo(tmp_path: Path) -> None:
    """Colleagues read of two stories and of an answer past them; the reporter, of what could not be checked."""
    ports = Ports(free_port(), free_port())
    demo.prepare(tmp_path / "demo", ports, profile="test", log_n=10)
    read = foul.play(tmp_path / "demo", ports)
    both = "two different messages of ethics-office have the number 1"
    assert both in read[foul.OMBUDS]
    for id in (foul.OMBUDS, foul.COUNSEL):
        assert "ethics-office's message number 2 in this case has not come" in read[id]
    told = read["the reporter"]
    assert "We believe you" in told and "Come to my office" in told and "1 thing" in told
