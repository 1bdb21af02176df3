"""Blocks as files: `arriving-<boot>/a/<id>` when they are put, `today/a/<id>` once a commit keeps them, and
`settled/a/<id>` after the turn-over.

Putting syncs nothing. `keep` syncs what a commit needs and moves it to today's folder: in `today` and `settled` a file
appears under its name only when it is complete and on the disk. What another boot of the machine left in its arriving
folder may be torn, so it is removed. The folder belongs to one machine.
A file's times are constant, also after reading, so a listing reveals nothing; the change time and inode number of
today's files still reveal their order, which is why the turn-over copies them (SPEC 9.4).
"""

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from whistle.store import room
from whistle.store.blocks import files
from whistle.store.errors import Full, Missing, StoreError, Taken
from whistle.store.models import BLOCK

BOOT = Path("/proc/sys/kernel/random/boot_id")
ARRIVING = "arriving-"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
SHARDS = "0123456789abcdef"
FEW = 8  # blocks that are synced one by one; more cost less by syncing the file system
BATCH = 600  # ids that are listed at once
NOT_NAMELESS = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})  # from file systems without such files


@contextlib.contextmanager
def _translate_os_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_ROOM:
            raise Full("no space for blocks") from exc
        raise StoreError("the blocks folder cannot be used: " + os.strerror(exc.errno or 0)) from exc


class FolderOfBlocks:
    """A folder of blocks on a file system with POSIX renames and locks. It is created if it does not exist."""

    @_translate_os_errors()
    def __init__(self, folder: Path | str) -> None:
        boot = _boot()
        self._folder, self._knows_boot = Path(folder), boot is not None
        self._arriving = self._folder / f"{ARRIVING}{boot or 'unknown'}"
        self._today, self._settled = self._folder / "today", self._folder / "settled"
        self._kept = (self._today, self._settled)  # in this order: blocks move from the first to the second
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_others(self._folder, self._arriving if boot else None)
        for area in (*self._kept, self._arriving):
            _make_area(area)
        self._file_system = _FileSystem(self._folder)
        self._nameless = files.can_be_nameless()

    @_translate_os_errors()
    def put(self, id: bytes, body: bytes) -> None:
        stored = self.get(id)
        while stored is None:
            self.check_room()
            is_written = self._write(_path(self._arriving, id), body, files.no_sync)
            stored = _read_first(self._kept, id)
            if stored is not None:  # another writer was faster, and its block is kept by now
                files.unlink(_path(self._arriving, id))
            else:
                stored = body if is_written else self.get(id)
        if stored != body:
            raise Taken([id])
        if not self._knows_boot:  # then nothing may rest among what arrives
            self.keep([id])

    def check_room(self) -> None:
        if self.room() < BLOCK:
            raise Full("no space for more blocks")

    @_translate_os_errors()
    def room(self) -> int:
        return room.left(self._folder, room.BLOCKS)

    @_translate_os_errors()
    def is_low(self) -> bool:
        return not room.has_room(self._folder, room.LOW)

    @_translate_os_errors()
    def free(self) -> int:
        return room.free(self._folder)

    @_translate_os_errors()
    def keep(self, ids: Collection[bytes]) -> None:
        if not ids:
            return
        arrived = []
        for id in ids:
            if not _first(self._kept, id):
                arrived.append(id)
            else:
                files.unlink(_path(self._arriving, id))  # left by a process that died while it moved the block
        lost = [id for id in arrived if not _is_whole(_path(self._arriving, id)) and not _first(self._kept, id)]
        if lost:
            raise Missing(sorted(lost))
        moved: list[bytes] = []  # by this call: what another commit has moved is that one's to judge
        try:
            self._sync_files([_path(self._arriving, id) for id in arrived])
            for id in arrived:
                if self._link(_path(self._arriving, id), _path(self._today, id)):
                    moved.append(id)
                files.unlink(_path(self._arriving, id))
            self._sync_shards(self._today, ids)  # also of those that another commit has moved but perhaps not synced
        except OSError:
            # their names must not say that they are safe: after an error, another sync may wrongly succeed
            for area, gone in ((self._arriving, arrived), (self._today, moved)):
                for id in gone:
                    files.unlink(_path(area, id))
            raise
        lost = [id for id in ids if not _first(self._kept, id)]
        if lost:
            raise Missing(sorted(lost))

    def _sync_files(self, paths: Sequence[str]) -> None:
        if len(paths) <= FEW or not self._file_system.can_sync:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    files.sync(path)
            return
        self._file_system.sync(self._abandon)

    def _sync_shards(self, area: Path, ids: Collection[bytes]) -> None:
        shards = sorted({_shard(area, id) for id in ids})
        if len(shards) > FEW and self._file_system.can_sync:
            self._file_system.sync(self._abandon)
            return
        for shard in shards:
            with contextlib.suppress(FileNotFoundError):  # `tidy` may be recreating it
                files.sync(shard)

    def _abandon(self) -> None:
        """Remove all that arrives: the disk has lost something, and nobody knows of which file."""
        for ids in _batches(self._arriving):
            for id in ids:
                files.unlink(_path(self._arriving, id))

    @_translate_os_errors()
    def get(self, id: bytes) -> bytes | None:
        body = _read_first((*self._kept, self._arriving), id)
        return _read_first(self._kept, id) if body is None else body  # it may have been moved in between

    @_translate_os_errors()
    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        return [id for id in ids if not _first(self._kept, id)]

    @_translate_os_errors()
    def arrived(self, ids: Iterable[bytes]) -> dict[bytes, float]:
        times = {}
        for id in ids:
            for area in (self._arriving, self._today):
                with contextlib.suppress(FileNotFoundError):
                    times[id] = os.stat(_path(area, id)).st_ctime  # noqa: PTH116
                    break
        return times

    def today(self) -> Iterator[list[bytes]]:
        with _translate_os_errors():
            yield from _batches(self._arriving)
            yield from _batches(self._today)

    def settled(self) -> Iterator[list[bytes]]:
        with _translate_os_errors():
            yield from _batches(self._settled)

    @_translate_os_errors()
    def settle(self, ids: Sequence[bytes]) -> None:
        unsettled = [id for id in ids if not _first((self._settled,), id)]
        secrets.SystemRandom().shuffle(unsettled)  # the new inode numbers follow this order, not that of arrival
        for id in unsettled:
            body = files.read(_path(self._today, id))
            if body is not None:  # else a row without its block; left to the sweep
                self._write(_path(self._settled, id), body, os.fsync)
        for shard in {_shard(self._settled, id) for id in ids}:  # all: an interrupted run may not have synced some
            files.sync(shard)

    @_translate_os_errors()
    def drop_today(self, ids: Iterable[bytes]) -> None:
        shards = set()
        for id in ids:
            files.unlink(_path(self._arriving, id))
            if files.unlink(_path(self._today, id)):
                shards.add(_shard(self._today, id))
        for shard in shards:
            with contextlib.suppress(FileNotFoundError):  # `tidy` may be recreating it
                files.sync(shard)

    @_translate_os_errors()
    def drop_settled(self, ids: Iterable[bytes]) -> None:
        for id in ids:
            files.unlink(_path(self._settled, id))

    @_translate_os_errors()
    def tidy(self) -> None:
        for area in (self._arriving, *self._kept):
            for part in area.glob(f"*/*{files.PART}"):
                files.remove_if_abandoned(part)
        for area in (self._arriving, self._today):
            for shard in SHARDS:  # an emptied folder still holds its files' names in order of arrival: recreate it
                with contextlib.suppress(OSError):
                    (area / shard).rmdir()
            _make_area(area)

    def close(self) -> None:
        self._file_system.close()

    def _write(self, path: str, body: bytes, sync: Callable[[int], None]) -> bool:
        """Write a file and name it once it is complete; False if the name is taken."""
        while True:
            try:
                if self._nameless:
                    return files.write_nameless(path, body, sync)
                return files.write_part(path, body, sync)
            except FileNotFoundError:  # `tidy` is recreating the folder
                with contextlib.suppress(FileExistsError):
                    Path(path).parent.mkdir(mode=0o700)
            except OSError as exc:
                if not self._nameless or exc.errno not in NOT_NAMELESS:
                    raise
                self._nameless = False

    @staticmethod
    def _link(path: str, to: str) -> bool:
        """Give a file a second name, without ever overwriting one; False if it was kept or removed meanwhile."""
        with contextlib.suppress(FileExistsError):  # kept by another commit
            try:
                os.link(path, to)
            except FileNotFoundError:  # `tidy` is recreating the folder; or the file has been removed meanwhile
                with contextlib.suppress(FileExistsError):
                    Path(to).parent.mkdir(mode=0o700)
                try:
                    os.link(path, to)
                except FileNotFoundError:
                    return False
            return True
        return False


class _FileSystem:
    """Syncs a whole file system, with the errors of whatever was written since the last time."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.can_sync = hasattr(libc, "syncfs")
        self._syncfs = libc.syncfs if self.can_sync else None
        # Kept open: Linux tells an error once to each open file, and not to those that are opened after another saw it
        self._handle, self._lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC), threading.Lock()

    def sync(self, on_error: Callable[[], None]) -> None:
        """Sync, one thread at a time; `on_error` is called before another thread may take its files for safe."""
        assert self._syncfs
        with self._lock:
            if self._syncfs(self._handle):
                code = ctypes.get_errno()
                on_error()
                raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Let go of the folder, which may then be unmounted."""
        with contextlib.suppress(OSError):
            os.close(self._handle)


def _boot() -> str | None:
    """What tells this boot of the machine from others; None where nothing does."""
    try:
        return BOOT.read_text("ascii").strip()
    except OSError:
        return None


def _remove_others(folder: Path, ours: Path | None) -> None:
    """Remove what arrived before this boot: nobody knows what of it has reached the disk."""
    for path in folder.glob(f"{ARRIVING}*"):
        if path != ours:
            shutil.rmtree(path, ignore_errors=True)  # another worker may be doing the same


def _shard(area: Path, id: bytes) -> str:
    return f"{area}/{id.hex()[0]}"


def _path(area: Path, id: bytes) -> str:
    name = id.hex()
    return f"{area}/{name[0]}/{name}"


def _first(areas: Iterable[Path], id: bytes) -> Path | None:
    """The first of the areas that has the block."""
    return next((area for area in areas if os.path.exists(_path(area, id))), None)  # noqa: PTH110


def _is_whole(path: str) -> bool:
    """Whether a file has a block's size: where a disk came and went within one boot, it may have lost the content."""
    try:
        return os.stat(path).st_size == BLOCK  # noqa: PTH116
    except FileNotFoundError:
        return False


def _batches(area: Path) -> Iterator[list[bytes]]:
    """The ids of an area, some hundreds at once."""
    ids: list[bytes] = []
    for shard in SHARDS:
        with contextlib.suppress(FileNotFoundError), os.scandir(area / shard) as entries:
            for entry in entries:
                if len(entry.name) == 32:
                    ids.append(bytes.fromhex(entry.name))
                if len(ids) == BATCH:
                    yield ids
                    ids = []
    if ids:
        yield ids


def _make_area(area: Path) -> None:
    created = False
    for folder in (area, *(area / shard for shard in SHARDS)):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            created = True
    if created:
        files.sync(str(area))
        files.sync(str(area.parent))


def _read_first(areas: Iterable[Path], id: bytes) -> bytes | None:
    for area in areas:
        body = files.read(_path(area, id))
        if body is not None:
            return body
    return None
