"""Counters that are forgotten when their time is over."""

from whistle.server.counting import SWEEP, Counting


def counting(time: list[float]) -> Counting:
    """Counters whose clock is turned by hand."""
    return Counting(now=lambda: time[0])


def test_counts_until_the_time_of_the_first_is_over() -> None:
    """What is counted adds up, apart from other keys, until the time that began with the first is over."""
    time = [1000.0]
    counts = counting(time)
    assert [counts.incr("look", 10), counts.incr("look", 10, 2), counts.incr("send", 10)] == [1, 3, 1]
    time[0] += 9
    assert (counts.incr("look", 10), counts.get("look"), counts.get_expiry("look")) == (4, 4, 1010.0)
    time[0] += 1
    assert (counts.get("look"), counts.incr("look", 10)) == (0, 1)


def test_what_is_over_is_not_kept() -> None:
    """Keys that nobody counts any more, which stand for visitors, are gone at the next sweep."""
    time = [1000.0]
    counts = counting(time)
    for visitor in range(100):
        counts.incr(f"visitor {visitor}", 10)
    time[0] += SWEEP
    counts.incr("another", 10)
    assert counts.reset() == 1
