"""Blocks: durable when put, pending until committed, swept when forgotten."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.store.things import DAY, NEXT, after, an_id, block, files, on, put, report, rows, sealed
from whistle.store import BLOCK, FolderOfBlocks, Heap, Missing, Store, Taken, WrongSize


def test_a_block_is_pending_until_its_commit(store: Store) -> None:
    """Before the commit nobody is given the block or its id; afterwards it is kept and no longer pending."""
    id, body = put(store)
    assert store.block(id) is None
    assert store.days() == []
    assert rows(store)["pending"] == [(id, DAY)]
    store.commit([sealed()], [id])
    assert store.block(id) == body
    assert rows(store)["pending"] == []
    assert store.day_ids(DAY).blocks == (id,)


def test_what_is_dropped_is_gone(store: Store, tmp_path: Path) -> None:
    """Blocks that no commit has named go at once, rows and files; those that one has named stay, on either shelf."""
    _, _, settled = report(store, blocks=1)
    on(store, NEXT).turn_over()
    _, _, kept = report(store, blocks=1)
    before = rows(store), files(tmp_path / "blocks")
    (one, body), (two, _) = put(store), put(store, Heap.REPORTERS)
    assert len(files(tmp_path / "blocks")) == 4
    store.drop([one, *settled, *kept, two, an_id()])
    assert (rows(store), files(tmp_path / "blocks")) == before
    store.put_block(one, body, Heap.REVIEWERS)
    with pytest.raises(Missing):
        store.commit([sealed()], [one, two])


def test_a_block_counts_for_the_day_of_its_commit(store: Store) -> None:
    """An upload that goes on over midnight does not let the day before grow."""
    id, _ = put(store)
    on(store, NEXT).turn_over()
    on(store, NEXT).commit([sealed()], [id])
    assert [each.day for each in store.days()] == [NEXT]


@pytest.mark.parametrize("heap", list(Heap))
@pytest.mark.parametrize("committed", [False, True], ids=["pending", "committed"])
def test_another_block_under_an_id_leaves_nothing(store: Store, heap: Heap, committed: bool) -> None:
    """Whoever puts other bytes under an id of the other heap, or of an upload under way, changes no row."""
    id, _ = put(store, Heap.REPORTERS)
    if committed:
        store.commit([sealed()], [id])
    before = rows(store), store.days()
    with pytest.raises(Taken):
        on(store, NEXT).put_block(id, block(), heap)
    assert (rows(store), store.days()) == before


@pytest.mark.parametrize("turned", [False, True], ids=["today", "turned over"])
def test_a_block_is_stored_once(store: Store, turned: bool) -> None:
    """The same bytes again are accepted and change nothing; others are Taken."""
    _, _, (id,) = report(store, blocks=1)
    body = store.block(id)
    assert body is not None
    if turned:
        on(store, NEXT).turn_over()
    before = rows(store)
    on(store, NEXT).put_block(id, body, Heap.REVIEWERS)
    with pytest.raises(Taken):
        on(store, NEXT).put_block(id, block(), Heap.REVIEWERS)
    assert rows(store) == before
    assert store.block(id) == body


@pytest.mark.parametrize("size", [0, BLOCK - 1, BLOCK + 1])
def test_a_block_of_another_size_is_refused(store: Store, size: int) -> None:
    """A block is 262,144 bytes."""
    with pytest.raises(WrongSize):
        store.put_block(an_id(), bytes(size), Heap.REVIEWERS)
    assert rows(store)["pending"] == []


def test_a_block_may_stand_in_both_heaps(store: Store) -> None:
    """A reply's attachment is for reporters and for the other reviewers, and is given to either."""
    id, body = put(store, Heap.REPORTERS)
    assert store.block(id, Heap.REPORTERS) is None
    store.put_block(id, body, Heap.REVIEWERS)
    store.commit([sealed()], [id])
    on(store, NEXT).turn_over()
    assert store.block(id, Heap.REPORTERS) == store.block(id, Heap.REVIEWERS) == body
    assert store.day_ids(DAY).blocks == (id,)


def test_a_block_is_given_only_of_the_heap_asked_for(store: Store) -> None:
    """Who asks for reporters' blocks is not given one that is only for reviewers."""
    _, _, (id,) = report(store, blocks=1)
    assert store.block(id, Heap.REPORTERS) is None


def test_a_forgotten_upload_is_swept(store: Store, tmp_path: Path) -> None:
    """An upload may go on over one midnight; after the next its blocks are gone, and a commit says Missing."""
    old, _ = put(store)
    again, body = put(store)
    on(store, NEXT).sweep()
    assert len(rows(store)["pending"]) == 2
    on(store, NEXT).put_block(again, body, Heap.REVIEWERS)
    on(store, after(2)).sweep()
    assert [path.name for path in files(tmp_path / "blocks")] == [again.hex()]
    with pytest.raises(Missing):
        on(store, after(2)).commit([sealed()], [old])


def test_files_that_nothing_names_are_swept(store: Store, tmp_path: Path) -> None:
    """Unlisted files and broken writes go from both shelves; what is committed or under way stays."""
    _, _, (settled,) = report(store, blocks=1)
    on(store, NEXT).turn_over()
    _, _, (today,) = report(on(store, NEXT), blocks=1)
    under_way, _ = put(on(store, NEXT))
    for shelf in ("today", "settled"):
        for name in (an_id().hex(), an_id().hex() + ".part"):
            (tmp_path / "blocks" / shelf / name[0] / name).write_bytes(b"left behind")
    on(store, NEXT).sweep()
    names = {path.name for path in files(tmp_path / "blocks")}
    assert names == {settled.hex(), today.hex(), under_way.hex()}


def test_a_row_without_its_file_is_repaired_by_putting_again(store: Store, tmp_path: Path) -> None:
    """When the file is lost before the commit, the commit says Missing, and putting again repairs it."""
    id, body = put(store)
    files(tmp_path / "blocks")[0].unlink()
    with pytest.raises(Missing):
        store.commit([sealed()], [id])
    store.put_block(id, body, Heap.REVIEWERS)
    store.commit([sealed()], [id])
    assert store.block(id) == body


def test_a_file_without_its_row_is_repaired_by_putting_again(store: Store, tmp_path: Path) -> None:
    """When the row is lost, putting the same block again lists it."""
    id, body = an_id(), block()
    FolderOfBlocks(tmp_path / "blocks").put(id, body)
    store.put_block(id, body, Heap.REVIEWERS)
    store.commit([sealed()], [id])
    on(store, NEXT).sweep()
    assert store.block(id) == body


def test_files_tell_no_time_and_belong_to_us_alone(store: Store, tmp_path: Path) -> None:
    """Modification and access times are constant, also after reading; modes are 0600 and 0700."""
    _, _, (id,) = report(store, blocks=1)
    for day in (DAY, NEXT):
        on(store, day).turn_over()
        assert store.block(id) is not None
        (path,) = files(tmp_path / "blocks")
        told = path.stat()
        assert (told.st_mtime_ns, told.st_atime_ns, stat.S_IMODE(told.st_mode)) == (0, 0, 0o600)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_block_costs_two_syncs(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the file and one of its folder, in this order, the file's before it has its name."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink().name))
    id, _ = put(here)
    assert synced == [id.hex() + ".part", id.hex()[0]]


def test_writers_of_one_id_leave_one_whole_block(tmp_path: Path) -> None:
    """When many write different blocks under one id at once, one is kept whole and all others are told Taken."""
    folder, id = FolderOfBlocks(tmp_path), an_id()
    bodies = [block(bytes([number])) for number in range(16)]

    def write(body: bytes) -> bool:
        try:
            folder.put(id, body)
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, bodies))
    assert sum(won) == 1
    assert folder.get(id) == bodies[won.index(True)]
    assert [path.name for path in files(tmp_path)] == [id.hex()]


def test_a_dead_writers_part_is_overwritten(tmp_path: Path) -> None:
    """What a writer left behind when it was killed does not hinder the next."""
    folder, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    part = tmp_path / "today" / id.hex()[0] / (id.hex() + ".part")
    part.write_bytes(bytes(2 * BLOCK))
    folder.put(id, body)
    assert folder.get(id) == body
    assert not part.exists()


def test_an_upload_goes_on_while_the_folder_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the turn-over takes away between two looks at it is made again."""
    place, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    look = Path.is_dir

    def gone(path: Path) -> bool:
        if path.parent == tmp_path / "today":
            path.rmdir()
        return look(path)

    monkeypatch.setattr(Path, "is_dir", gone)
    place.put(id, body)
    assert place.get(id) == body
