"""Pages that answer a lookup leave on a beat, so that on the wire their time tells no more than their size does.

To open a reply takes milliseconds, which would count the replies.  A program's lookup opens nothing and needs no beat.
Not hidden: work that takes longer than a beat, as on a machine that is too busy.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def on_the_beat(
    beat: float,
    work: Callable[[], T],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `work` gives, a whole number of `beat` seconds after it was begun; at once when `beat` is 0."""
    begun = now()
    found = work()
    if beat:
        sleep(-(now() - begun) % beat)
    return found
