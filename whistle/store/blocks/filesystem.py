"""Blocks as files: `<folder>/today/ab/<id>` as they arrive, `<folder>/settled/ab/<id>` after the turn-over.

A file appears under its name only when it is complete and on the disk. Its times are constant, also after reading, so
a listing reveals nothing; the change time and inode number of today's files still reveal their order, which is why the
turn-over copies them (SPEC 9.4).
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from whistle.store.errors import Full, StoreError, Taken

PART = ".part"
RESERVE = 512 * 1024 * 1024  # bytes that new blocks leave free, or a twentieth of the disk if that is less:
# a flood of files must leave space for envelopes, and for the turn-over, without which nothing would ever be removed
NO_TIME = (0, 0)  # ns, access and modification
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
SHARDS = "0123456789abcdef"
READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)


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
        self._today, self._settled = Path(folder, "today"), Path(folder, "settled")
        for area in (self._today, self._settled):
            _make_area(area)

    @_translate_os_errors()
    def put(self, id: bytes, body: bytes) -> None:
        path = _path(self._today, id)
        stored = self.get(id)
        if stored is None:
            stored = self._write(path, id, body)
        if stored is not None and stored != body:
            raise Taken([id])
        with contextlib.suppress(FileNotFoundError):  # the turn-over has settled it in the meantime
            _sync_folder(path.parent)  # also for another writer's file: it may have died before this line

    @_translate_os_errors()
    def check_room(self) -> None:
        _check_free_space(self._today)

    def _write(self, path: Path, id: bytes, body: bytes) -> bytes | None:
        """Write a block that did not exist a moment ago. Returns what another writer has written by now, or None."""
        _check_free_space(self._today)
        part = path.with_name(path.name + PART)
        with _locked_part(part) as file:
            stored = self.get(id)
            if stored is not None:
                part.unlink()
                return stored
            try:
                _fill(file, body)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return None

    @_translate_os_errors()
    def get(self, id: bytes) -> bytes | None:
        for area in (self._today, self._settled):  # in this order: blocks move from the first to the second
            body = _read(_path(area, id))
            if body is not None:
                return body
        return None

    @_translate_os_errors()
    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        return [i for i in ids if not _path(self._today, i).exists() and not _path(self._settled, i).exists()]

    @_translate_os_errors()
    def today(self) -> list[bytes]:
        return _names(self._today)

    @_translate_os_errors()
    def settled(self) -> list[bytes]:
        return _names(self._settled)

    @_translate_os_errors()
    def settle(self, ids: Sequence[bytes]) -> None:
        unsettled = [i for i in ids if not _path(self._settled, i).exists()]
        secrets.SystemRandom().shuffle(unsettled)  # the new inode numbers follow this order, not that of arrival
        for id in unsettled:
            self._copy(id)
        for shard in {_path(self._settled, i).parent for i in ids}:  # all: an interrupted run may not have synced some
            _sync_folder(shard)

    def _copy(self, id: bytes) -> None:
        body, path = _read(_path(self._today, id)), _path(self._settled, id)
        if body is None:
            return  # a row without its block; left to the sweep
        part = path.with_name(path.name + PART)
        with _locked_part(part) as file:
            try:
                _fill(file, body)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    @_translate_os_errors()
    def drop_today(self, ids: Iterable[bytes]) -> None:
        paths = [_path(self._today, id) for id in ids]
        for path in paths:
            path.unlink(missing_ok=True)
        for shard in {path.parent for path in paths}:
            with contextlib.suppress(FileNotFoundError):  # `tidy` may be recreating it
                _sync_folder(shard)

    @_translate_os_errors()
    def drop_settled(self, ids: Iterable[bytes]) -> None:
        for id in ids:
            _path(self._settled, id).unlink(missing_ok=True)

    @_translate_os_errors()
    def tidy(self) -> None:
        for area in (self._today, self._settled):
            for part in area.glob(f"*/*{PART}"):
                _remove_if_abandoned(part)
        for shard in SHARDS:  # an emptied folder still holds its files' names in order of arrival: recreate it
            with contextlib.suppress(OSError):
                (self._today / shard).rmdir()
        _make_area(self._today)


def has_room(folder: Path, times: int = 1) -> bool:
    """Whether the folder's disk has free what new blocks leave free, or so many times that."""
    disk = os.statvfs(folder)
    return disk.f_bavail >= times * min(RESERVE // disk.f_frsize, disk.f_blocks // 20)


def _check_free_space(area: Path) -> None:
    if not has_room(area):
        raise Full("no space for more blocks")


def _path(area: Path, id: bytes) -> Path:
    return area / id.hex()[0] / id.hex()


def _names(area: Path) -> list[bytes]:
    names: list[str] = []
    for shard in SHARDS:
        with contextlib.suppress(FileNotFoundError):
            names += os.listdir(area / shard)  # noqa: PTH208
    return [bytes.fromhex(name) for name in names if len(name) == 32]


def _make_area(area: Path) -> None:
    area.mkdir(mode=0o700, parents=True, exist_ok=True)
    created = False
    for shard in SHARDS:
        with contextlib.suppress(FileExistsError):
            (area / shard).mkdir(mode=0o700)
            created = True
    if created:
        _sync_folder(area)
        _sync_folder(area.parent)


def _read(path: Path) -> bytes | None:
    try:
        file = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        return None
    with open(file, "rb") as stream:  # noqa: PTH123
        return stream.read()


def _fill(file: int, body: bytes) -> None:
    os.ftruncate(file, 0)
    left = memoryview(body)
    while left:
        left = left[os.write(file, left) :]
    os.utime(file, ns=NO_TIME)
    os.fsync(file)  # the times too


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def _locked_part(part: Path) -> Iterator[int]:
    """Open `part` for writing, as the only writer of all threads and processes. A process that dies releases it."""
    while True:
        with contextlib.suppress(FileExistsError):  # not exist_ok, which checks again: `tidy` may be recreating it
            part.parent.mkdir(mode=0o700)
        try:
            file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _still_exists(part, file):
                yield file
                return
        finally:
            os.close(file)


def _still_exists(part: Path, file: int) -> bool:
    """False if the previous writer has renamed or removed the file while we waited for the lock."""
    try:
        return part.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _remove_if_abandoned(part: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file = os.open(part, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_exists(part, file):
                part.unlink()
        except BlockingIOError:
            pass  # someone is writing it
        finally:
            os.close(file)
