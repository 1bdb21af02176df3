"""The check names what lacks its other half, whichever it is, and nothing else."""

from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from tests.store.things import DAY, NEXT, SIZE, after, an_id, block, on, put, report
from whistle.store import Store, check
from whistle.store.backup import consistency
from whistle.store.models import MAIN, TODAY, key


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is under way here."""
    monkeypatch.setattr(consistency, "PAUSE", 0.0)


def stored(store: Store) -> bytes:
    """Something of each kind in order: of two days, withdrawn, collected and removed, under way; a block's id."""
    old, _, _ = report(store, blocks=1)
    store.collect([old.id])
    on(store, after(181)).turn_over()
    store.remove_due([])
    gone, slip, _ = report(store)
    store.withdraw(gone.id, slip.id)
    _, _, (id,) = report(store, blocks=1)
    put(store)
    return id


def test_a_store_in_order(store: Store) -> None:
    """Nothing lacks anything, whatever became of it; unfinished uploads do not count."""
    stored(store)
    found = check(store)
    assert found.is_whole
    assert (found.envelopes, found.blocks) == (3, 1)  # two reports' slips and a report; the older blocks are gone


def test_each_half_is_named(store: Store, tmp_path: Path) -> None:
    """A row without its block or its body, a body and a block without their rows: each is named, and once."""
    id = stored(store)
    (tmp_path / "blocks" / "today" / id.hex()[0] / id.hex()).unlink()
    lost, _, _ = report(store)
    left, stray = an_id(), an_id()
    store.block_store.put(stray, block())
    with store.database.write() as connection:
        connection.execute(delete(TODAY.bodies).where(TODAY.bodies.c.k == key(lost.id)))
        connection.execute(insert(MAIN.bodies).values(k=key(left), body=bytes(SIZE)))
    found = check(store)
    assert found.blockless == {(after(181), id.hex())}
    assert found.bodiless == {(after(181), lost.id.hex())}
    assert found.rowless_bodies == {(None, left[:8].hex())}
    assert found.rowless_blocks == {(None, stray.hex())}
    on(store, after(182)).sweep()
    assert not check(store).rowless_blocks


def test_a_collected_body_that_alone_of_its_day_is_gone(store: Store) -> None:
    """The bodies of a day go together, so one that is gone alone is lost."""
    pair = [report(store)[0] for _ in range(2)]
    store.collect([each.id for each in pair])
    on(store, NEXT).turn_over()
    with store.database.write() as connection:
        connection.execute(delete(MAIN.bodies).where(MAIN.bodies.c.k == key(pair[0].id)))
    assert check(store).bodiless == {(DAY, pair[0].id.hex())}


def test_what_is_under_way_is_looked_at_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal between its two steps is no fault."""
    stray = an_id()
    store.block_store.put(stray, block())
    monkeypatch.setattr(consistency.time, "sleep", lambda _: store.block_store.drop_today([stray]))
    assert check(store).is_whole
