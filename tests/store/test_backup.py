"""Backups: what they hold, what they give away, and what interruptions, full disks and damage do to them."""

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.patience import PATIENCE
from tests.store.things import (
    CLOCK,
    DAY,
    NEXT,
    SIZE,
    TRIAL,
    after,
    an_id,
    block,
    files,
    on,
    opened,
    put,
    report,
    rows,
    sealed,
)
from whistle.store import BackupError, Heap, Store, back_up, check, open_backup, restore
from whistle.store.backup import folder as backup_folder
from whistle.store.backup import save as save_module
from whistle.store.backup.folder import INDEX, SavedFile, read_index
from whistle.store.backup.restore import OTHERS, TO_TODAY
from whistle.store.backup.rows import TABLES
from whistle.store.models import metadata

ME = "a server"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    """An empty store on SQLite, whatever the other one is on."""
    (tmp_path / "else").mkdir()
    found = opened(f"sqlite:///{tmp_path}/else/whistle.sqlite", tmp_path / "else" / "blocks")
    yield found
    found.close()


def save(store: Store, folder: Path) -> None:
    """Back up."""
    back_up(store, folder, ME, b"public")


def index_of(folder: Path) -> dict[tuple[str, str, str], SavedFile]:
    """The backup's files by kind, heap and day."""
    index = read_index(folder)
    assert index is not None
    return {(file.kind, file.heap, file.day): file for file in index.files}


def everything(folder: Path) -> dict[str, bytes]:
    """All bytes of a folder by name."""
    return {path.name: path.read_bytes() for path in files(folder)}


def merged(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, wherever they are, but those of unfinished uploads."""
    found = rows(store)
    pending = {id for id, *_ in found.pop("pending")}
    for name in ("envelopes", "bodies", "blocks"):
        found[name] = sorted({*found[name], *found.pop(f"today_{name}")}, key=repr)
    found["blocks"] = [row for row in found["blocks"] if row[0] not in pending]
    return found


def test_a_backup_is_the_whole_store(store: Store, target: Path, elsewhere: Store) -> None:
    """Whatever is stored, of earlier days and of today, in each state, is there again after a restore."""
    first, slip, ids = report(store, blocks=2)
    gone, gone_slip, _ = report(store)
    collected, _, _ = report(store)
    store.withdraw(gone.id, gone_slip.id)
    shared, body = put(store)
    store.put_block(shared, body, Heap.REPORTERS)
    store.commit([sealed(Heap.REPORTERS)], [shared])
    on(store, NEXT).turn_over()
    store.collect([collected.id])
    store.record_imports([("ombuds", DAY, bytes(32))])
    store.record_visit("courier")
    today, _, more = report(store, blocks=1)
    put(store)  # an upload under way
    save(store, target)
    assert open_backup(target).public == b"public"
    assert restore(elsewhere, open_backup(target))[1] == 5
    assert merged(elsewhere) == merged(store)
    assert elsewhere.clock() == store.clock()
    assert [elsewhere.body(each.id) for each in (first, slip, today, gone)] == [first.body, slip.body, today.body, None]
    assert [elsewhere.block(id) for id in (*ids, *more, shared)] == [store.block(id) for id in (*ids, *more, shared)]
    assert elsewhere.day_hash(DAY) == store.day_hash(DAY)
    assert check(elsewhere).is_whole
    assert not rows(elsewhere)["pending"]
    again = on(store, after(2))
    again.turn_over()
    elsewhere.turn_over()
    assert merged(elsewhere) == merged(store)


def test_every_table_is_backed_up() -> None:
    """Each table is in a backup, as rows or as contents, but that of unfinished uploads; manifests lie beside it."""
    saved = {*TABLES, "bodies"}
    others = {f"today_{name}" for name in ("envelopes", "bodies", "blocks")} | {"pending", "manifests"}
    assert saved | others == set(metadata.tables)
    assert saved == {*TO_TODAY, *OTHERS, "bodies"}


def test_a_restore_into_either_database(store: Store, elsewhere: Store, target: Path) -> None:
    """A backup is of rows and contents, so the database that it is restored to may be of another kind."""
    gone, slip, _ = report(elsewhere, blocks=1)
    elsewhere.withdraw(gone.id, slip.id)
    on(elsewhere, NEXT).turn_over()
    report(elsewhere, blocks=1)
    save(elsewhere, target)
    restore(store, open_backup(target))
    assert merged(store) == merged(elsewhere)
    assert check(store).is_whole


def test_days_that_are_over_are_written_once(store: Store, target: Path) -> None:
    """The next backup keeps the files of settled days and writes only what is new."""
    report(store, blocks=1)
    save(store, target)
    on(store, NEXT).turn_over()
    report(store, blocks=1)
    save(store, target)
    before = index_of(target)
    save(store, target)
    after_it = index_of(target)
    kept = {part for part in before if before[part].name == after_it[part].name}
    assert kept == {part for part in before if part[2] == DAY.isoformat()}
    assert len(kept) == 3
    assert {path.name for path in files(target)} == {INDEX, *(file.name for file in after_it.values())}


@pytest.mark.parametrize("settled", [False, True], ids=["of today", "of a day before"])
def test_what_is_withdrawn_is_gone_with_the_next_backup(store: Store, target: Path, settled: bool) -> None:
    """No byte of a withdrawn report's body is in any file after the next backup; its neighbour's is."""
    gone, slip, _ = report(store)
    stays, _, _ = report(store)
    if settled:
        on(store, NEXT).turn_over()
    save(store, target)
    assert any(gone.body in data for data in everything(target).values())
    store.withdraw(gone.id, slip.id)
    save(store, target)
    left = everything(target).values()
    assert not any(gone.body[:64] in data or slip.body[:64] in data for data in left)
    assert any(stays.body in data for data in left)


def test_what_is_removed_is_gone_with_the_next_backup(store: Store, target: Path) -> None:
    """When a day's bodies and blocks go, they go from the backup too, though the rows of what was collected stay."""
    first, _, (id,) = report(store, blocks=1)
    body = store.block(id)
    assert body is not None
    store.collect([first.id])
    on(store, NEXT).turn_over()
    save(store, target)
    on(store, after(181)).remove_due([])
    save(store, target)
    left = everything(target).values()
    assert not any(first.body in data or body in data for data in left)
    assert any(first.id.hex().encode() in data for data in left)


def test_a_backup_is_the_same_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    """The same things that came today in two orders make the same files, byte for byte, names apart."""
    envelopes, blocks, body = (
        [sealed(random.choice(list(Heap))) for _ in range(80)],
        [an_id() for _ in range(6)],
        block(),
    )
    left = []
    for name in ("one", "two"):
        store = opened(f"sqlite:///{tmp_path}/{name}.sqlite", tmp_path / name, SIZE)
        for id in random.sample(blocks, len(blocks)):
            store.put_block(id, body, Heap.REVIEWERS)
        for at, each in enumerate(random.sample(envelopes, len(envelopes))):
            store.commit([each], blocks if at == 0 else [])
        save(store, tmp_path / f"{name}-backup")
        files_of = index_of(tmp_path / f"{name}-backup")
        left.append({part: (file.size, file.hash, file.ids) for part, file in files_of.items()})
        store.close()
    assert left[0] == left[1]


MORNING, NOON, NIGHT, NEVER = 0, 1, 3, 9  # before the first and second of three backups of a day, and after all
Part = tuple[str, str, str]


def kept_files(made: list[Path], where: Path, moment: int) -> list[set[Part]]:
    """Back up three times on one day and twice on the next; something comes and is withdrawn at one moment of the
    first; for each backup, the parts whose files it kept from the last one.
    """
    where.mkdir()
    for file in made:
        shutil.copy(file, where)
    CLOCK.day = DAY
    store = opened(f"sqlite:///{where}/whistle.sqlite", where / "blocks")
    gone, slip, _ = report(store, blocks=1)
    report(store, blocks=1)
    on(store, NEXT).turn_over()
    report(store, blocks=1)
    save(store, where / "backup")
    kept, before = [], index_of(where / "backup")
    for backup in range(5):
        if backup == moment:
            store.withdraw(gone.id, slip.id)
            report(store, blocks=1)
        if backup == NIGHT:
            on(store, after(2)).turn_over()
        save(store, where / "backup")
        now = index_of(where / "backup")
        kept.append({part for part, file in now.items() if part in before and before[part].name == file.name})
        before = now
    store.close()
    return kept


def test_which_files_are_new_tells_no_time_of_day(made: list[Path], tmp_path: Path) -> None:
    """With several backups a day, the files that they wrote anew do not tell between which of them something came or
    was withdrawn: once it has happened, it makes no difference when.
    """
    morning, noon, night, never = (
        kept_files(made, tmp_path / str(moment), moment) for moment in (MORNING, NOON, NIGHT, NEVER)
    )
    assert morning[NOON:] == noon[NOON:]
    assert morning[NIGHT:] == noon[NIGHT:] == night[NIGHT:]
    withdrawn, today = ("bodies", "reviewers", DAY.isoformat()), ("bodies", "reviewers", NEXT.isoformat())
    assert all(withdrawn in kept for kept in never)  # the test sees a difference where there is one
    assert [withdrawn in kept for kept in noon] == [True, False, False, False, True]
    assert [today in kept for kept in noon] == [False] * 4 + [True]


def test_a_turn_over_amid_a_backup(
    store: Store, target: Path, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turned over after the ids were read, between pieces of bodies and of blocks: nothing is missing."""
    pairs = [report(store, blocks=1) for _ in range(5)]
    on(store, NEXT)
    real, turned = store.block_store.get, []

    def get(id: bytes) -> bytes | None:
        if not turned:
            turned.append(store.turn_over())
        return real(id)

    monkeypatch.setattr(store.block_store, "get", get)
    save(store, target)
    monkeypatch.undo()
    assert turned[0].blocks == 5
    restore(elsewhere, open_backup(target))
    assert merged(elsewhere) == merged(store)
    assert all(elsewhere.block(ids[0]) == store.block(ids[0]) for *_, ids in pairs)
    assert check(elsewhere).is_whole


def test_a_body_that_moves_while_it_is_read(here: Store, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's two files are read one after the other, so a body that moves between them is looked for again."""
    first, _, _ = report(here)
    real, missed = save_module.bodies_of, []

    def bodies_of(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        found = real(connection, ids)
        if not missed:
            missed.append(found.pop(ids[0]))
        return found

    monkeypatch.setattr(save_module, "bodies_of", bodies_of)
    save(here, target)
    assert missed and dict(open_backup(target).bodies())[first.id] == first.body


def test_what_changes_amid_a_backup(
    store: Store, target: Path, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is withdrawn meanwhile stays withdrawn after a restore, and what comes meanwhile is not there in part."""
    gone, slip, _ = report(store, blocks=1)
    real, came = store.block_store.get, []

    def get(id: bytes) -> bytes | None:
        if not came:
            came.append(id)
            assert store.withdraw(gone.id, slip.id) == "withdrawn"
            came.append(report(store)[0].id)
        return real(id)

    monkeypatch.setattr(store.block_store, "get", get)
    save(store, target)
    monkeypatch.undo()
    restore(elsewhere, open_backup(target))
    assert [elsewhere.has(each) for each in (gone.id, slip.id, came[1])] == [True, True, False]
    assert elsewhere.body(gone.id) is None and elsewhere.withdraw(gone.id, slip.id) == "withdrawn"
    assert check(elsewhere).is_whole


def test_a_lost_block_is_told_and_the_rest_is_saved(store: Store, target: Path, tmp_path: Path) -> None:
    """A block that the disk lost is counted, and hinders no backup."""
    _, _, (id,) = report(store, blocks=1)
    report(store, blocks=1)
    (tmp_path / "blocks" / "today" / id.hex()[0] / id.hex()).unlink()
    counts = back_up(store, target, ME, b"")
    assert (counts.lost, counts.envelopes, counts.blocks) == (1, 4, 2)


def test_a_full_disk_changes_nothing(store: Store, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever step the backup's disk is full, the last backup is as it was, and nothing else is left."""
    report(store, blocks=1)
    save(store, target)
    before = everything(target)
    report(store, blocks=1)
    real, left, steps = os.fsync, [0], 0

    def full(file: int) -> None:
        left[0] -= 1
        if left[0] < 0 and Path(f"/proc/self/fd/{file}").readlink().is_relative_to(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        while steps < 50:
            left[0] = steps
            steps += 1
            try:
                save(store, target)
            except BackupError as error:
                assert "disk is full" in str(error) and error.hint
                open_backup(target)
                if everything(target)[INDEX] == before[INDEX]:
                    assert everything(target) == before
            else:
                break
    assert 5 < steps < 50
    assert open_backup(target).public == b"public"


def test_killed_at_any_step(here: Store, made: list[Path], tmp_path: Path, target: Path) -> None:
    """Wherever a backup dies there is a whole one, the last or the new; a restore that dies is run again."""
    report(here, blocks=1)
    on(here, NEXT).turn_over()
    report(here, blocks=1)
    save(here, target)
    gone, slip, _ = report(here)
    here.withdraw(gone.id, slip.id)
    here.close()
    command = [
        sys.executable,
        "-m",
        "tests.store.killed_backup",
        str(tmp_path),
        str(made[0].parent),
        "1" if TRIAL else "7",
    ]
    ended = subprocess.run(command, capture_output=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr.decode()
    backups, restores = map(int, ended.stdout.split())
    assert backups > 10 and restores > 10


BAD = {
    "something else": (lambda folder: (folder / INDEX).rename(folder / "photo.jpg"), "something else"),
    "newer": (lambda folder: change(folder, b'"v": 1', b'"v": 2'), "newer version"),
    "older": (lambda folder: change(folder, b'"v": 1', b'"v": 0'), "that old"),
    "no index": (lambda folder: (folder / INDEX).write_bytes(b"\0"), "index is damaged"),
    "another kind": (lambda folder: (folder / INDEX).write_bytes(b'{"kind": "x", "v": 1}'), "index is damaged"),
    "a path": (lambda folder: change(folder, b'"name": "', b'"name": "../'), "index is damaged"),
}


def change(folder: Path, old: bytes, new: bytes) -> None:
    """Change the index."""
    data = (folder / INDEX).read_bytes()
    assert old in data
    (folder / INDEX).write_bytes(data.replace(old, new))


@pytest.mark.parametrize(("harm", "says"), BAD.values(), ids=BAD)
def test_a_folder_that_is_no_backup(
    here: Store, elsewhere: Store, target: Path, harm: Callable[[Path], object], says: str
) -> None:
    """Neither a backup nor a restore touches it, and the error says what it is."""
    report(here)
    save(here, target)
    harm(target)
    before = everything(target)
    for attempt in (lambda: save(here, target), lambda: restore(elsewhere, open_backup(target))):
        with pytest.raises(BackupError, match=says) as caught:
            attempt()
        assert caught.value.hint
    assert everything(target) == before
    assert not any(rows(elsewhere).values())


@pytest.mark.parametrize("harm", ["missing", "shorter", "altered"])
def test_a_damaged_file(here: Store, elsewhere: Store, target: Path, harm: str) -> None:
    """A restore reads all of a backup before it changes anything."""
    report(here, blocks=1)
    save(here, target)
    path = target / index_of(target)["blocks", "reviewers", DAY.isoformat()].name
    data = path.read_bytes()
    path.write_bytes(data[:-1] if harm == "shorter" else data[:-1] + b"!")
    if harm == "missing":
        path.unlink()
    with pytest.raises(BackupError, match="missing" if harm == "missing" else "damaged"):
        restore(elsewhere, open_backup(target))
    assert not any(rows(elsewhere).values())
    save(here, target)
    restore(elsewhere, open_backup(target))
    assert check(elsewhere).is_whole


def test_another_servers_backup_is_left_alone(here: Store, elsewhere: Store, target: Path) -> None:
    """A folder goes on being the backup of one server."""
    save(here, target)
    before = everything(target)
    with pytest.raises(BackupError, match="another server"):
        back_up(elsewhere, target, "another server", b"")
    assert everything(target) == before


def test_only_an_empty_store_is_filled(here: Store, elsewhere: Store, tmp_path: Path, target: Path) -> None:
    """Not one that holds something, not one that a server uses, not one with envelopes of another size."""
    first, _, _ = report(here)
    save(here, target)
    saved = open_backup(target)
    with elsewhere.job_lock("housekeeping"), pytest.raises(BackupError, match="running"):
        restore(elsewhere, saved)
    other = opened(f"sqlite:///{tmp_path}/other.sqlite", tmp_path / "other", SIZE * 2)
    with pytest.raises(BackupError, match="slots"):
        restore(other, saved)
    other.close()
    report(elsewhere)
    before = rows(elsewhere)
    with pytest.raises(BackupError, match="not empty"):
        restore(elsewhere, saved)
    assert rows(elsewhere) == before and not elsewhere.has(first.id)


def test_an_unfinished_first_backup(here: Store, elsewhere: Store, target: Path) -> None:
    """Without a whole backup nothing is restored, and the next backup begins anew."""
    target.mkdir()
    with pytest.raises(BackupError, match="no backup"):
        open_backup(target)
    backup_folder.Target(target, ME, SIZE).write("bodies", [bytes(100)])
    with pytest.raises(BackupError, match="did not end"):
        open_backup(target)
    report(here)
    save(here, target)
    restore(elsewhere, open_backup(target))
    assert len(files(target)) == 5


def test_a_week_later_the_clock_has_leapt(here: Store, elsewhere: Store, target: Path) -> None:
    """What is restored long after counts as a leap of the clock, so nothing is removed until the day is accepted."""
    first, _, _ = report(here)
    save(here, target)
    on(here, after(7))
    restore(elsewhere, open_backup(target))
    assert elsewhere.clock().leapt
    on(elsewhere, after(7)).turn_over()
    assert elsewhere.body(first.id) == first.body
