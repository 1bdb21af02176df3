"""A test in a browser that fails: it ends at once, and leaves no browser running."""

from pathlib import Path

import psutil
import pytest

from tests.browser import kept
from tests.browser.desk import desk
from tests.browser.remote import remote
from tests.workstation.hostile_files import png

pytestmark = pytest.mark.browser


def test_what_fails_leaves_no_browser(tmp_path: Path) -> None:
    """The one that tests share is ended with its own processes, and what was wrong is told."""
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    with (
        pytest.raises(AssertionError, match="no step"),
        desk(tmp_path, [("photo.png", png())]) as found,
        remote("chrome", found.address, scene="desk") as page,
    ):
        page("goto", found.address)
        started = [each for each in psutil.Process().children(recursive=True) if each.pid not in before]
        assert started
        page("no step of this name")
    gone, left = psutil.wait_procs(started, kept.SOON)
    assert not left and len(gone) == len(started)
