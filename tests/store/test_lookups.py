"""A lookup finds what other processes brought or moved, also while they do."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.things import NEXT, an_id, on, opened, report
from whistle.store import Store


@pytest.fixture
def other(here: Store, tmp_path: Path) -> Iterator[Store]:
    """The same store as another process has it open."""
    found = opened(f"sqlite:///{tmp_path}/whistle.sqlite", tmp_path / "blocks")
    yield found
    found.close()


def seen(store: Store, ids: list[bytes]) -> set[bytes]:
    """What a lookup finds among many ids under which nothing lies."""
    return {found.id for found in store.lookup(sorted([*ids, *(an_id() for _ in range(1000))]))}


def test_what_another_process_brought_or_settled_is_found(here: Store, other: Store) -> None:
    """A lookup finds what came to today's tables and what was moved from them, by this process or another one."""
    ids: list[bytes] = []
    for bringing, settling in ((here, here), (here, other), (other, here), (other, other)):
        assert seen(here, ids) == seen(other, ids) == set(ids)
        ids += [each.id for each in report(bringing)[:2]]
        assert seen(here, ids) == seen(other, ids) == set(ids)
        on(settling, NEXT).turn_over()
        assert seen(here, ids) == seen(other, ids) == set(ids)


def test_a_lookup_during_a_turn_over_misses_nothing(here: Store, other: Store) -> None:
    """While days are moved by another process, whoever looks finds every envelope each time."""
    ids = [each.id for _ in range(40) for each in report(here)[:2]]
    missed: list[set[bytes]] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            missed.append(set(ids) - seen(here, ids))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for day in range(4):
        on(other, NEXT.fromordinal(NEXT.toordinal() + day)).turn_over()
        ids += [each.id for _ in range(20) for each in report(other)[:2]]
    over.set()
    for thread in threads:
        thread.join()
    assert missed and not set().union(*missed)
