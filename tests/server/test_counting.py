"""Counters that are forgotten when their time is over."""

import multiprocessing
import os
import signal

from whistle.server.counting import EVERYBODY, HEAD, SWEEP, VISITOR_COUNTERS, Memory, MemoryStorage


def counting(time: list[float], memory: Memory | None = None) -> MemoryStorage:
    """Counters whose clock is turned by hand."""
    return MemoryStorage(now=lambda: time[0], memory=memory)


def test_counts_until_the_time_of_the_first_is_over() -> None:
    """What is counted adds up, apart from other keys, until the time that began with the first is over."""
    time = [1000.0]
    counts = counting(time)
    assert [counts.incr("lookup", 10), counts.incr("lookup", 10, 2), counts.incr("send", 10)] == [1, 3, 1]
    time[0] += 9
    assert (counts.incr("lookup", 10), counts.get("lookup"), counts.get_expiry("lookup")) == (4, 4, 1010.0)
    time[0] += 1
    assert (counts.get("lookup"), counts.incr("lookup", 10)) == (0, 1)


def test_a_window_slides() -> None:
    """What was counted fades with the window: after half of it about half may come again, after all of it the rest."""
    time = [1000.0]
    counts = counting(time)

    def taken(key: str = "send") -> int:
        return sum(counts.acquire_sliding_window_entry(key, 10, 10) for _ in range(20))

    assert (taken(), taken(), taken("lookup")) == (10, 0, 10)
    assert counts.get_sliding_window("send", 10) == (0, 0.0, 10, 20.0)
    time[0] += 15
    assert counts.get_sliding_window("send", 10) == (10, 5.0, 0, 15.0)
    assert (taken(), taken()) == (5, 0)
    time[0] += 15
    assert taken() == 10
    time[0] += 100
    assert taken() == 10
    counts.clear_sliding_window("send", 10)
    assert taken() == 10


def test_what_is_over_is_not_kept() -> None:
    """Keys that nobody counts any more, which stand for visitors, are gone at the next sweep."""
    time = [1000.0]
    counts = counting(time)
    for visitor in range(100):
        counts.incr(f"visitor {visitor}", 10)
    time[0] += SWEEP
    counts.incr("another", 10)
    assert counts.reset() == 1


def test_processes_count_together() -> None:
    """What several processes count at the same time adds up, none of it lost; the hour's key is left alone."""
    memory = Memory()
    memory.bytes[:HEAD] = b"k" * HEAD
    counts, fork = counting([1000.0], memory), multiprocessing.get_context("fork")

    def count() -> None:
        for _ in range(500):
            counts.incr("lookup", 10)

    processes = [fork.Process(target=count) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counts.get("lookup") == 1500
    assert memory.bytes[:HEAD] == b"k" * HEAD


def test_whoever_dies_while_counting_holds_nobody_up() -> None:
    """A process that is killed in its turn leaves the turn to the others."""
    memory = Memory()

    def die() -> None:
        with memory.locked():
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=die)
    process.start()
    process.join()
    assert counting([1000.0], memory).incr("lookup", 10) == 1


def test_too_many_visitors_take_nothing_from_everybody() -> None:
    """More visitors than there are places make room among themselves, and a place that is free again loses nobody."""
    time = [1000.0]
    counts = counting(time)
    everybody = f"LIMITER/look/{EVERYBODY}/1200/1/minute"
    counts.incr(everybody, 1000)
    for visitor in range(2 * VISITOR_COUNTERS):
        counts.incr(f"visitor {visitor}", 900)
    assert counts.get(everybody) == 1
    assert VISITOR_COUNTERS / 2 < counts.reset() <= VISITOR_COUNTERS + 1
    for visitor in range(VISITOR_COUNTERS // 2):
        counts.incr(f"visitor {visitor}", (10, 900)[visitor % 2])
    time[0] += SWEEP
    counts.incr(everybody, 1000)
    assert all(counts.incr(f"visitor {visitor}", 900) == 1 + visitor % 2 for visitor in range(VISITOR_COUNTERS // 2))
