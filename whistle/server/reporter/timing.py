"""Responses to lookups are sent on a beat, so that their timing reveals no more than their size.

Opening a reply takes milliseconds, which would reveal the number of replies.  Programs' lookups open nothing and need
no beat.  Work that takes longer than a beat, as on a busy machine, is not hidden.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from whistle.server import limits

T = TypeVar("T")


def on_the_beat(
    beat: float,
    work: Callable[[], T],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = limits.rest,
) -> T:
    """The result of `work`, a multiple of `beat` seconds after the start; at once if `beat` is 0."""
    start = now()
    result = work()
    if beat:
        sleep(-(now() - start) % beat)
    return result
