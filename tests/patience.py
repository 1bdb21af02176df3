"""How long a test waits before it takes something for hung.

It is the last resort and no measure: a machine that does ten other things comes nowhere near it.
"""

import os
import time
from collections.abc import Callable

TRIAL = os.environ.get("WHISTLE_TRIAL", "") not in ("", "0")
PATIENCE = 2000 if TRIAL else 600  # seconds for one step of a program, a browser or a server
WHOLE = 4 * PATIENCE  # seconds for all that one program does


def until(done: Callable[[], bool], what: str, pause: float = 0.05) -> None:
    """Wait until something is so; `pause` is in seconds, more where a look is work."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"not within {PATIENCE} seconds: {what}"
        time.sleep(pause)
