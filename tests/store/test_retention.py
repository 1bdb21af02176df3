"""How long things stay: removal by whole days, and only of what every active reviewer has."""

import contextlib
import hashlib
from pathlib import Path

import pytest

from tests.store.things import DAY, NEXT, after, an_id, files, on, opened, put, report, rows, sealed
from whistle.store import DayIds, Heap, Limits, Sealed, State, Store, day_hash

ACTIVE = ["ethics", "ombuds"]


@pytest.fixture
def old(store: Store) -> tuple[Store, Sealed, Sealed, bytes]:
    """A store with one report of DAY, its slip and a block, collected and turned over."""
    first, slip, (id,) = report(store, blocks=1)
    on(store, NEXT).turn_over()
    on(store, NEXT).collect([first.id])
    return store, first, slip, id


def state(store: Store, day: int, *reviewers: str) -> None:
    """Reviewers state DAY, so many days after it."""
    for reviewer in reviewers:
        assert on(store, after(day)).record_imports([(reviewer, DAY, store.day_hash(DAY) or b"")])


def hashed(*things: tuple[bytes, bytes | None]) -> bytes:
    """BLAKE2b-256 over the sorted pairs of id and SHA-256 of these things."""
    pairs = sorted(id + hashlib.sha256(content or b"").digest() for id, content in things)
    return hashlib.blake2b(b"".join(pairs), digest_size=32).digest()


def test_the_hash_of_a_day_is_over_its_ids_and_contents(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All envelopes and blocks to reviewers, sorted together, read two at a time; nothing else counts."""
    monkeypatch.setattr(day_hash, "PIECE", 2)
    reports = [report(store, blocks=blocks) for blocks in (1, 0, 2)]
    things = [(first.id, first.body) for first, _, _ in reports]
    blocks = [(id, store.block(id)) for _, _, ids in reports for id in ids]
    gone, other, _ = report(store)
    assert store.day_hash(DAY) == hashed(*things, *blocks, (gone.id, gone.body))
    store.withdraw(gone.id, other.id)
    put(store)
    report(on(store, NEXT))
    assert store.day_ids(DAY) == DayIds(tuple(sorted(id for id, _ in things)), tuple(sorted(id for id, _ in blocks)))
    assert store.day_hash(DAY) == hashed(*things, *blocks)
    on(store, NEXT).turn_over()
    assert store.day_hash(DAY) == hashed(*things, *blocks)


def test_an_envelope_and_a_block_of_one_id_count_both(store: Store) -> None:
    """Whoever uploads chooses the ids of blocks: one may be that of an envelope."""
    id, body = put(store)
    one = sealed(id=id)
    store.commit([one], [id])
    assert store.day_hash(DAY) == hashed((id, body), (id, one.body))


def test_a_day_is_read_once(old: tuple[Store, Sealed, Sealed, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash is remembered until its ids change, so that not every night reads the heap."""
    store, *_ = old
    before = store.day_hash(DAY)
    monkeypatch.setattr(day_hash, "bodies_of", None)
    assert store.day_hash(DAY) == before
    state(store, 1, *ACTIVE)
    assert on(store, after(8)).remove_due(ACTIVE) == [DAY]


def test_a_day_of_which_a_block_is_lost_counts_as_stated_by_nobody(
    old: tuple[Store, Sealed, Sealed, bytes], url: str, tmp_path: Path
) -> None:
    """What the disk lost cannot be compared, so the rest of the day stays until the limit."""
    store, first, *_ = old
    state(store, 1, *ACTIVE)
    with contextlib.closing(opened(url, tmp_path / "blocks")) as again:
        files(tmp_path / "blocks")[0].unlink()
        assert again.day_hash(DAY) is None
        assert on(again, after(100)).remove_due(ACTIVE) == []
        assert again.body(first.id) == first.body


def test_a_day_goes_when_all_have_stated_it(old: tuple[Store, Sealed, Sealed, bytes], tmp_path: Path) -> None:
    """Seven days after the last statement the bodies and blocks to reviewers go; the state stays, the slip stays."""
    store, first, slip, id = old
    state(store, 1, "ombuds")
    state(store, 5, "ethics")
    assert on(store, after(11)).remove_due(ACTIVE) == []
    assert store.body(first.id) == first.body
    assert on(store, after(12)).remove_due(ACTIVE) == [DAY]
    found = {each.id: each for each in store.lookup([first.id, slip.id])}
    assert (found[first.id].state, found[first.id].state_day) == (State.COLLECTED, NEXT)
    assert (found[slip.id].state, found[slip.id].body) == (State.WAITING, slip.body)
    assert store.body(first.id) is None
    assert store.block(id) is None
    assert files(tmp_path / "blocks") == []
    assert store.days() == []
    assert store.day_ids(DAY) == DayIds((), ())


def test_one_who_has_not_stated_keeps_the_day(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """While an active reviewer has not stated the day it stays, and one who is no longer active does not count."""
    store, first, _, _ = old
    state(store, 1, "ombuds", "counsel")
    assert on(store, after(100)).remove_due(ACTIVE) == []
    assert on(store, after(100)).remove_due([]) == []
    assert store.body(first.id) == first.body
    assert on(store, after(100)).remove_due(["ombuds"]) == [DAY]


def test_a_statement_that_is_not_the_servers_list_does_not_count(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """A workstation that lacks a block, or has a byte of one thing altered, states another hash: the day stays."""
    store, first, _, id = old
    block = store.block(id)
    assert block is not None
    right, altered = (first.id, first.body), (first.id, first.body[:-1] + bytes([first.body[-1] ^ 1]))
    for wrong in (
        hashed(right),
        hashed(altered, (id, block)),
        hashed(right, (id, bytes([block[0] ^ 1]) + block[1:])),
        hashed(),
    ):
        for reviewer in ACTIVE:
            on(store, NEXT).record_imports([(reviewer, DAY, wrong)])
    assert on(store, after(100)).remove_due(ACTIVE) == []
    assert (store.body(first.id), store.block(id)) == (first.body, block)
    state(store, 100, *ACTIVE)
    assert on(store, after(107)).remove_due(ACTIVE) == [DAY]


def test_hashes_of_several_reviewers_are_not_mixed(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """A day goes when all stated its one hash, not when each stated some."""
    store, *_ = old
    state(store, 1, "ombuds")
    on(store, NEXT).record_imports([("ethics", DAY, bytes(32))])
    assert on(store, after(100)).remove_due(ACTIVE) == []


def test_a_day_that_is_not_over_cannot_be_stated(store: Store) -> None:
    """A statement on the day itself is refused, since the list may still grow; on the next it is kept."""
    report(store)
    assert not store.record_imports([("ombuds", DAY, store.day_hash(DAY) or b"")])
    assert on(store, NEXT).record_imports([("ombuds", DAY, store.day_hash(DAY) or b"")])


def test_a_day_of_nothing_cannot_be_stated(store: Store) -> None:
    """The empty list is nobody's statement."""
    assert not on(store, NEXT).record_imports([("ombuds", DAY, hashed())])


def test_a_day_that_was_not_turned_over_is_left_alone(store: Store) -> None:
    """Removal takes whole days from the main tables only."""
    first, _, _ = report(store)
    state(store, 1, *ACTIVE)
    assert on(store, after(500)).remove_due(ACTIVE) == []
    assert store.body(first.id) == first.body


def test_repeating_a_statement_does_not_put_off_the_day(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """The same statement again is accepted, and its first day counts."""
    store, *_ = old
    state(store, 1, *ACTIVE)
    state(store, 7, *ACTIVE)
    assert on(store, after(8)).remove_due(ACTIVE) == [DAY]


def test_the_hard_limit_needs_no_statement(store: Store) -> None:
    """After 180 days bodies to reviewers go; what nobody collected is removed, the rest stays collected."""
    first, _, _ = report(store)
    second, _, _ = report(store)
    on(store, NEXT).turn_over()
    on(store, NEXT).collect([first.id])
    assert store.oldest_waiting() == DAY
    on(store, after(180)).remove_due(ACTIVE)
    assert store.body(first.id) is not None
    on(store, after(181)).remove_due(ACTIVE)
    found = {each.id: each for each in store.lookup([first.id, second.id], bodies=Heap)}
    assert (found[first.id].state, found[first.id].state_day, found[first.id].body) == (State.COLLECTED, NEXT, None)
    assert (found[second.id].state, found[second.id].state_day) == (State.REMOVED, after(181))
    assert store.oldest_waiting() is None
    assert store.days() == []


def test_bodies_to_reporters_stay_400_days(store: Store) -> None:
    """Replies, slips and their blocks go on the 401st day, whatever reviewers stated."""
    reply = sealed(Heap.REPORTERS)
    id, body = put(store, Heap.REPORTERS)
    store.commit([reply], [id])
    on(store, NEXT).turn_over()
    on(store, after(400)).remove_due(ACTIVE)
    assert (store.body(reply.id), store.block(id)) == (reply.body, body)
    on(store, after(401)).remove_due(ACTIVE)
    assert (store.body(reply.id), store.block(id)) == (None, None)
    assert store.lookup([reply.id])[0].state == State.REMOVED


def test_a_block_in_both_heaps_stays_for_the_longer(store: Store) -> None:
    """The reviewers' row goes with its day, the file only with the last row."""
    id, body = put(store)
    store.put_block(id, body, Heap.REPORTERS)
    store.commit([sealed()], [id])
    on(store, NEXT).turn_over()
    state(store, 1, *ACTIVE)
    on(store, after(8)).remove_due(ACTIVE)
    assert store.block(id, Heap.REVIEWERS) is None
    assert store.block(id, Heap.REPORTERS) == body


@pytest.mark.parametrize(("heap", "days"), [(Heap.REVIEWERS, 180 + 365), (Heap.REPORTERS, 400 + 365)])
def test_the_small_rows_stay_a_year_longer(store: Store, heap: Heap, days: int) -> None:
    """A state is told for a year after the last body could be there; then nothing is stored under the id."""
    one = sealed(heap)
    store.commit([one], [])
    on(store, NEXT).turn_over()
    on(store, after(days)).remove_due(ACTIVE)
    assert store.has(one.id)
    on(store, after(days + 1)).remove_due(ACTIVE)
    assert not store.has(one.id)
    assert all(not kept for kept in rows(store).values())


def test_the_limits_are_the_callers(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """An instance may choose other limits."""
    store, first, _, _ = old
    state(store, 1, *ACTIVE)
    assert on(store, after(2)).remove_due(ACTIVE, Limits(grace=2)) == []
    assert on(store, after(2)).remove_due(ACTIVE, Limits(grace=1)) == [DAY]
    assert store.body(first.id) is None


def test_old_statements_and_visits_are_forgotten(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """Statements go when their day must be gone, visits after a year."""
    store, *_ = old
    state(store, 1, "ombuds")
    on(store, NEXT).record_visit("courier")
    on(store, after(181)).remove_due(ACTIVE)
    assert len(rows(store)["imports"]) == len(rows(store)["visits"]) == 1
    on(store, after(367)).remove_due(ACTIVE)
    assert rows(store)["imports"] == rows(store)["visits"] == []


def test_the_last_visit_is_known(store: Store) -> None:
    """The last day on which any courier came, however often."""
    assert store.last_visit() is None
    for courier, day in (("a", DAY), ("a", NEXT), ("b", after(3)), ("b", after(3))):
        on(store, day).record_visit(courier)
    assert store.last_visit() == after(3)
    assert len(rows(store)["visits"]) == 3


def test_a_removed_block_can_come_again(old: tuple[Store, Sealed, Sealed, bytes]) -> None:
    """Removal leaves nothing behind that would hinder a later upload."""
    store, _, _, id = old
    body = store.block(id)
    assert body is not None
    on(store, after(181)).remove_due(ACTIVE)
    on(store, after(181)).put_block(id, body, Heap.REVIEWERS)
    on(store, after(181)).commit([sealed(id=an_id())], [id])
    assert store.block(id) == body
