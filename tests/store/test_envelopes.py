"""Envelopes: stored once, found, collected, withdrawn."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.things import DAY, NEXT, SIZE, TRIAL, after, an_id, on, put, report, rows, sealed
from whistle.store import Heap, Missing, Sealed, State, Store, StoredEnvelope, Taken, WrongSize

OTHERS = {
    "other bytes": lambda held: Sealed(held.id, held.heap, bytes(SIZE)),
    "other heap": lambda held: Sealed(held.id, Heap.REPORTERS, held.body),
    "other id with the same key": lambda held: Sealed(held.id[:8] + bytes(8), held.heap, held.body),
}
turned = pytest.mark.parametrize("turned", [False, True], ids=["today", "turned over"])


def test_a_report_and_its_slip_are_found(store: Store) -> None:
    """A lookup finds both, waiting since their day, in order of id, and gives only the slip's body."""
    first, slip, _ = report(store)
    expected = [
        StoredEnvelope(first.id, Heap.REVIEWERS, State.WAITING, DAY, DAY, None),
        StoredEnvelope(slip.id, Heap.REPORTERS, State.WAITING, DAY, DAY, slip.body),
    ]
    assert store.lookup([slip.id, an_id(), first.id]) == sorted(expected, key=lambda found: found.id)


@turned
def test_the_same_again_is_accepted(store: Store, turned: bool) -> None:
    """Committing the same envelopes and blocks again, on a later day too, changes nothing."""
    first, slip, blocks = report(store, blocks=1)
    if turned:
        on(store, NEXT).turn_over()
    before = rows(store)
    on(store, NEXT).commit([first, slip, first], blocks)
    assert rows(store) == before


@turned
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_anything_else_under_an_id_is_taken(store: Store, other: type, turned: bool) -> None:
    """Taken names the id, and nothing of the commit is stored."""
    held, _, _ = report(store)
    waiting, _ = put(store)
    if turned:
        on(store, NEXT).turn_over()
    before = rows(store)
    with pytest.raises(Taken) as caught:
        store.commit([sealed(), other(held)], [waiting])
    assert caught.value.ids == (other(held).id,)
    assert rows(store) == before


def test_two_of_one_commit_cannot_share_an_id(store: Store) -> None:
    """Two different envelopes under one id in one commit are Taken."""
    one = sealed()
    with pytest.raises(Taken):
        store.commit([one, sealed(id=one.id)], [])
    assert not store.has(one.id)


def test_a_withdrawn_id_stays_taken(store: Store) -> None:
    """What was withdrawn cannot be stored again, since its bytes can no longer be compared."""
    first, slip, _ = report(store)
    store.withdraw(first.id, slip.id)
    with pytest.raises(Taken):
        store.commit([first, slip], [])


@pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1])
def test_an_envelope_of_another_size_is_refused(store: Store, size: int) -> None:
    """Only envelopes of the instance's size are stored."""
    one = Sealed(an_id(), Heap.REVIEWERS, bytes(size))
    with pytest.raises(WrongSize):
        store.commit([one], [])
    assert not store.has(one.id)


def test_an_id_of_another_size_is_refused(store: Store) -> None:
    """Ids are 16 bytes."""
    with pytest.raises(WrongSize):
        store.commit([sealed(id=bytes(15))], [])


def test_without_its_blocks_nothing_is_stored(store: Store) -> None:
    """Missing names the block; after it is put the same commit succeeds."""
    one, absent = sealed(), an_id()
    there, body = put(store)
    with pytest.raises(Missing) as caught:
        store.commit([one], [there, absent])
    assert caught.value.ids == (absent,)
    assert not store.has(one.id)
    store.put_block(absent, body, Heap.REVIEWERS)
    store.commit([one], [there, absent])
    assert store.day_ids(DAY).blocks == tuple(sorted([there, absent]))


def test_a_lookup_keeps_to_the_heaps_asked_for(store: Store) -> None:
    """Envelopes of another heap are not found, and bodies are given only of the heaps named."""
    first, slip, _ = report(store)
    found = store.lookup([first.id, slip.id], heaps=[Heap.REVIEWERS], bodies=[Heap.REVIEWERS])
    assert [(each.id, each.body) for each in found] == [(first.id, first.body)]


def test_a_lookup_takes_as_many_ids_as_a_case_has_places(store: Store) -> None:
    """Among 1,026 ids those that are stored are found, today's and older ones."""
    pairs = [report(store)[1] for _ in range(3)]
    on(store, NEXT).turn_over()
    pairs += [report(on(store, NEXT))[1] for _ in range(3)]
    ids = sorted([an_id() for _ in range(1020)] + [slip.id for slip in pairs])
    assert {each.id: each.body for each in store.lookup(ids)} == {slip.id: slip.body for slip in pairs}


@turned
def test_collected_is_said_with_its_day(store: Store, turned: bool) -> None:
    """Collecting marks reports and no slips, keeps their first day, and names what may be sent."""
    first, slip, _ = report(store)
    gone, other, _ = report(store)
    store.withdraw(gone.id, other.id)
    if turned:
        on(store, NEXT).turn_over()
    asked = [first.id, slip.id, gone.id, an_id()]
    assert on(store, NEXT).collect(asked) == [first.id]
    assert on(store, after(2)).collect(asked) == [first.id]
    found = {each.id: each for each in store.lookup(asked)}
    assert (found[first.id].state, found[first.id].state_day) == (State.COLLECTED, NEXT)
    assert found[slip.id].state == State.WAITING
    assert found[gone.id].state == State.REMOVED
    assert store.body(first.id) == first.body


@turned
def test_a_waiting_report_can_be_withdrawn(store: Store, turned: bool) -> None:
    """The bodies of report and slip are gone, both are removed, the reviewers' list no longer has the report."""
    first, slip, _ = report(store)
    kept, _, _ = report(store)
    if turned:
        on(store, NEXT).turn_over()
    ids = [first.id, slip.id]
    assert on(store, NEXT).withdraw(*ids) == "withdrawn"
    assert on(store, after(2)).withdraw(*ids) == "withdrawn"
    assert [(each.state, each.state_day, each.body) for each in store.lookup(ids)] == [(State.REMOVED, NEXT, None)] * 2
    assert store.day_ids(DAY).envelopes == (kept.id,)
    left = rows(store)
    assert [body for _, body in left["bodies"] + left["today_bodies"] if body in (first.body, slip.body)] == []


def test_a_collected_report_is_not_withdrawn(store: Store) -> None:
    """Once collected, withdrawing changes nothing, not even the slip."""
    first, slip, _ = report(store)
    store.collect([first.id])
    before = rows(store)
    assert on(store, NEXT).withdraw(first.id, slip.id) == "collected"
    assert rows(store) == before


def test_nothing_but_a_report_with_its_slip_is_withdrawn(store: Store) -> None:
    """Unknown ids are unknown, and so is a report or a slip without the other, or in the other's place."""
    first, slip, _ = report(store)
    pairs = (an_id(), slip.id), (first.id, an_id()), (slip.id, first.id), (slip.id, slip.id), (first.id, first.id)
    assert {store.withdraw(*pair) for pair in pairs} == {"unknown"}
    assert [each.state for each in store.lookup([first.id, slip.id])] == [State.WAITING] * 2


def test_collecting_and_withdrawing_at_once_have_one_winner(store: Store) -> None:
    """Of a collection and a withdrawal at the same moment exactly one succeeds, and the state says which."""
    for _ in range(100 if TRIAL else 10):
        first, slip, _ = report(store)
        gate = threading.Barrier(2)

        def collect(gate: threading.Barrier = gate, id: bytes = first.id) -> bool:
            gate.wait()
            return store.collect([id]) == [id]

        def withdraw(gate: threading.Barrier = gate, ids: tuple[bytes, bytes] = (first.id, slip.id)) -> str:
            gate.wait()
            return store.withdraw(*ids)

        with ThreadPoolExecutor(2) as pool:
            collected, withdrawn = pool.submit(collect).result, pool.submit(withdraw).result
        assert (collected(), withdrawn()) in {(True, "collected"), (False, "withdrawn")}
        assert (store.body(first.id) is not None) == collected()


def test_many_threads_store_at_once(store: Store) -> None:
    """Reports of many threads are all there afterwards, each with its own body."""

    def one(_: int) -> list[Sealed]:
        return list(report(store, blocks=1)[:2])

    with ThreadPoolExecutor(24) as pool:
        done = [each for pair in pool.map(one, range(72)) for each in pair]
    assert {each.id: store.body(each.id) for each in done} == {each.id: each.body for each in done}
    assert [(each.envelopes, each.blocks) for each in store.days()] == [(72, 72)]


def test_the_same_report_from_many_threads_is_stored_once(store: Store) -> None:
    """A form sent many times at once is one report."""
    id, body = put(store)
    pair = sealed(), sealed(Heap.REPORTERS)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(store.commit, pair, [id]) for _ in range(24)]:
            done.result()
    assert store.day_ids(DAY).envelopes == (pair[0].id,)
    assert store.block(id) == body
