"""Blocks: pending until committed, durable from then on, swept when forgotten."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.store.things import DAY, NEXT, after, an_id, block, files, on, put, report, rows, sealed
from whistle.store import BLOCK, FolderOfBlocks, Heap, Missing, Store, StoreError, Taken, WrongSize
from whistle.store.blocks import filesystem


def test_a_block_is_pending_until_its_commit(store: Store) -> None:
    """Before the commit nobody is given the block or its id; afterwards it is kept and no longer pending."""
    id, body = put(store)
    assert store.block(id) is None
    assert store.days() == []
    assert rows(store)["pending"] == [(id, DAY, None)]
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
    for area in (tmp_path / "blocks").iterdir():
        for name in (an_id().hex(), an_id().hex() + ".part"):
            (area / name[0] / name).write_bytes(b"left behind")
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


class Syncs:
    """Notes what is synced, and fails with an I/O error when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.seen: list[str] = []
        self.fails = False
        self._folder = folder
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda file: self._note(Path(f"/proc/self/fd/{file}").readlink(), fsync, file))

    def whole(self, place: FolderOfBlocks, monkeypatch: pytest.MonkeyPatch) -> "Syncs":
        """Note syncs of the whole file system too."""
        syncfs = place._file_system._syncfs
        monkeypatch.setattr(place._file_system, "_syncfs", lambda file: self._note(self._folder, syncfs, file))
        return self

    def _note(self, path: Path, sync: Callable[[int], int | None], file: int) -> int | None:
        self.seen.append("/".join(part.split("-")[0] for part in path.relative_to(self._folder).parts))
        if self.fails and path != self._folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return -1 if self.fails else sync(file)


def test_a_block_is_durable_once_it_is_committed(here: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Putting syncs nothing. The commit syncs the file before it has its name among today's, then that folder."""
    syncs = Syncs(monkeypatch, tmp_path / "blocks")
    id, body = put(here)
    assert syncs.seen == []
    assert [path.parent.parent.name.split("-")[0] for path in files(tmp_path / "blocks")] == ["arriving"]
    here.commit([sealed()], [id])
    name = id.hex()
    assert syncs.seen == [f"arriving/{name[0]}/{name}", f"today/{name[0]}"]
    assert files(tmp_path / "blocks") == [tmp_path / "blocks" / "today" / name[0] / name]
    assert here.block(id) == body


def test_many_blocks_cost_few_syncs(here: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many a commit names, the file system is synced twice: for the files, and for their new names."""
    place = here.block_store
    assert isinstance(place, FolderOfBlocks)
    syncs = Syncs(monkeypatch, tmp_path / "blocks").whole(place, monkeypatch)
    ids = [put(here)[0] for _ in range(100)]
    assert syncs.seen == []
    here.commit([sealed()], ids)
    assert len(syncs.seen) == 2
    assert all(here.block(id) for id in ids)


@pytest.mark.parametrize("count", [1, 20], ids=["one", "many"])
def test_what_could_not_be_synced_is_not_trusted(
    here: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """After an error a second sync may wrongly succeed: the blocks are gone, and a commit says so.

    Of a whole file system nobody knows which file the error was about, so all that was arriving goes.
    """
    place = here.block_store
    assert isinstance(place, FolderOfBlocks)
    syncs = Syncs(monkeypatch, tmp_path / "blocks").whole(place, monkeypatch)
    other, blocks = put(here)[0], [put(here) for _ in range(count)]
    ids = [id for id, _ in blocks]
    syncs.fails = True
    with pytest.raises(StoreError):
        here.commit([sealed()], ids)
    syncs.fails = False
    assert [path.name for path in files(tmp_path / "blocks")] == ([other.hex()] if count == 1 else [])
    with pytest.raises(Missing) as missing:
        here.commit([sealed()], ids)
    assert set(missing.value.ids) == set(ids)
    here.put_blocks(blocks, Heap.REVIEWERS)
    here.commit([sealed()], ids)
    assert [here.block(id) for id in ids] == [body for _, body in blocks]


def test_what_another_commit_kept_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails takes back what it moved itself, and nothing that another has made durable meanwhile."""
    place, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    place.put(id, body)
    syncs_files = place._sync_files

    def late(paths: Sequence[str]) -> None:
        monkeypatch.setattr(place, "_sync_files", syncs_files)
        place.keep([id])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(place, "_sync_files", late)
    with pytest.raises(StoreError):
        place.keep([id])
    assert place.missing([id]) == [] and place.get(id) == body


def test_what_another_boot_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what reached the disk before a power cut; two processes that start at once may both remove it."""
    id, kept, body = an_id(), an_id(), block()
    before = FolderOfBlocks(tmp_path)
    before.put(id, body)
    before.put(kept, body)
    before.keep([kept])
    assert FolderOfBlocks(tmp_path).get(id) == body, "another process of the same boot removes nothing"
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr(filesystem, "BOOT", tmp_path / "boot")
    with ThreadPoolExecutor(4) as pool:
        after, *_ = pool.map(FolderOfBlocks, [tmp_path] * 4)
    assert (after.get(id), after.get(kept)) == (None, body)
    with pytest.raises(Missing):
        after.keep([id, kept])
    assert len(list(tmp_path.glob("arriving-*"))) == 1


def test_a_torn_block_is_not_kept(tmp_path: Path) -> None:
    """Whatever cut a file short while its disk was away, it never gets a name that says that it is whole."""
    place, id = FolderOfBlocks(tmp_path), an_id()
    place.put(id, block())
    os.truncate(files(tmp_path)[0], 0)
    with pytest.raises(Missing):
        place.keep([id])


def test_without_boots_a_block_is_durable_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell its boots apart, nothing rests among what arrives."""
    monkeypatch.setattr(filesystem, "BOOT", tmp_path / "none")
    place, id, body = FolderOfBlocks(tmp_path / "blocks"), an_id(), block()
    place.put(id, body)
    assert [path.parent.parent.name for path in files(tmp_path)] == ["today"]
    assert place.get(id) == body


def test_without_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has none, blocks are put, kept, settled and never overwritten all the same."""
    real = os.open

    def open_(path: str, flags: int, *more: int, **options: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", open_)
    place, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    place.put(id, body)
    place.put(id, body)
    with pytest.raises(Taken):
        place.put(id, block())
    place.keep([id])
    place.settle([id])
    place.drop_today([id])
    assert place.get(id) == body
    assert [path.name for path in files(tmp_path)] == [id.hex()]


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


def test_a_dead_writers_part_is_removed(tmp_path: Path) -> None:
    """What a writer left behind when it was killed does not hinder the next, and goes at night."""
    folder, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    (area,) = tmp_path.glob("arriving-*")
    shard = area / id.hex()[0]
    part = shard / f"{id.hex()}.0123456789abcdef.part"
    part.write_bytes(bytes(2 * BLOCK))
    folder.put(id, body)
    folder.tidy()
    assert files(tmp_path) == [shard / id.hex()]


def test_an_upload_goes_on_while_the_folder_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the turn-over takes away between two looks at it is made again."""
    place, id, body = FolderOfBlocks(tmp_path), an_id(), block()
    look = Path.is_dir

    def gone(path: Path) -> bool:
        if path.parent.parent == tmp_path and path.parent.name.startswith("arriving-"):
            path.rmdir()
        return look(path)

    monkeypatch.setattr(Path, "is_dir", gone)
    place.put(id, body)
    assert place.get(id) == body
