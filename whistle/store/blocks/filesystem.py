"""Blocks as files: `<folder>/today/ab/<id>` as they arrive, `<folder>/settled/ab/<id>` after the turn-over.

A file appears under its name only when it is whole and on the disk. Its times are constant, and reading leaves no
trace in them, so a listing tells nothing; the change time and the inode number of today's files still tell their
order, which is why the turn-over copies (SPEC 9.4).
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
RESERVE = 512 * 1024 * 1024  # bytes of the disk, or a twentieth of it if that is less, that arriving blocks leave free:
# a flood of files keeps room for envelopes, and for the turn-over, without which nothing would ever be swept
NO_TIME = (0, 0)  # ns, access and modification
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
SHARDS = [f"{number:02x}" for number in range(256)]
QUIETLY = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_ROOM:
            raise Full("no room for blocks") from exc
        raise StoreError("the folder of blocks cannot be used: " + os.strerror(exc.errno or 0)) from exc


class FolderOfBlocks:
    """A folder of blocks on a file system with POSIX renames and locks. It is made when it is not there."""

    @_room()
    def __init__(self, folder: Path | str) -> None:
        self._today, self._settled = Path(folder, "today"), Path(folder, "settled")
        for shelf in (self._today, self._settled):
            _make_shelf(shelf)

    @_room()
    def put(self, id_: bytes, body: bytes) -> None:
        path = _path(self._today, id_)
        held = self.get(id_)
        if held is None:
            held = self._write(path, id_, body)
        if held is not None and held != body:
            raise Taken([id_])
        with contextlib.suppress(FileNotFoundError):  # the turn-over has settled it meanwhile
            _sync_folder(path.parent)  # also for another's file, whose writer may have died before this line

    @_room()
    def check_room(self) -> None:
        _leave_room(self._today)

    def _write(self, path: Path, id_: bytes, body: bytes) -> bytes | None:
        """Write a block that was not there a moment ago. Returns what another writer put there meanwhile, or None."""
        _leave_room(self._today)
        part = path.with_name(path.name + PART)
        with _alone_in(part) as file:
            held = self.get(id_)
            if held is not None:
                part.unlink()
                return held
            try:
                _fill(file, body)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return None

    @_room()
    def get(self, id_: bytes) -> bytes | None:
        for shelf in (self._today, self._settled):  # in this order: a block moves from the first to the second
            body = _read(_path(shelf, id_))
            if body is not None:
                return body
        return None

    @_room()
    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        return [i for i in ids if not _path(self._today, i).exists() and not _path(self._settled, i).exists()]

    @_room()
    def today(self) -> list[bytes]:
        return _names(self._today)

    @_room()
    def settled(self) -> list[bytes]:
        return _names(self._settled)

    @_room()
    def settle(self, ids: Sequence[bytes]) -> None:
        wanted = [i for i in ids if not _path(self._settled, i).exists()]
        secrets.SystemRandom().shuffle(wanted)  # the new inodes' numbers follow this order, not the arrivals'
        for id_ in wanted:
            self._copy(id_)
        for shard in {_path(self._settled, i).parent for i in ids}:  # all: a killed run may have left some unsynced
            _sync_folder(shard)

    def _copy(self, id_: bytes) -> None:
        body, path = _read(_path(self._today, id_)), _path(self._settled, id_)
        if body is None:
            return  # a row without its block; the sweep's concern
        part = path.with_name(path.name + PART)
        with _alone_in(part) as file:
            try:
                _fill(file, body)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    @_room()
    def drop_today(self, ids: Iterable[bytes]) -> None:
        paths = [_path(self._today, id_) for id_ in ids]
        for path in paths:
            path.unlink(missing_ok=True)
        for shard in {path.parent for path in paths}:
            with contextlib.suppress(FileNotFoundError):  # `tidy` may be making it anew
                _sync_folder(shard)

    @_room()
    def drop_settled(self, ids: Iterable[bytes]) -> None:
        for id_ in ids:
            _path(self._settled, id_).unlink(missing_ok=True)

    @_room()
    def tidy(self) -> None:
        for shelf in (self._today, self._settled):
            for part in shelf.glob(f"*/*{PART}"):
                _remove_if_left(part)
        for shard in SHARDS:  # an emptied folder still holds its files' names, in order of arrival: make it anew
            with contextlib.suppress(OSError):
                (self._today / shard).rmdir()
        _make_shelf(self._today)


def _leave_room(shelf: Path) -> None:
    disk = os.statvfs(shelf)
    if disk.f_bavail < min(RESERVE // disk.f_frsize, disk.f_blocks // 20):
        raise Full("no room for more blocks")


def _path(shelf: Path, id_: bytes) -> Path:
    return shelf / id_[:1].hex() / id_.hex()


def _names(shelf: Path) -> list[bytes]:
    names: list[str] = []
    for shard in SHARDS:
        with contextlib.suppress(FileNotFoundError):
            names += os.listdir(shelf / shard)  # noqa: PTH208
    return [bytes.fromhex(name) for name in names if len(name) == 32]


def _make_shelf(shelf: Path) -> None:
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = False
    for shard in SHARDS:
        with contextlib.suppress(FileExistsError):
            (shelf / shard).mkdir(mode=0o700)
            made = True
    if made:
        _sync_folder(shelf)
        _sync_folder(shelf.parent)


def _read(path: Path) -> bytes | None:
    try:
        file = os.open(path, QUIETLY)
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
def _alone_in(part: Path) -> Iterator[int]:
    """Open `part` for writing, as the only writer among all threads and processes. A dead writer's lock is gone."""
    while True:
        with contextlib.suppress(FileExistsError):  # not exist_ok, which looks again: `tidy` may be making it anew
            part.parent.mkdir(mode=0o700)
        try:
            file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(part, file):
                yield file
                return
        finally:
            os.close(file)


def _is_still(part: Path, file: int) -> bool:
    """False when the writer before us has renamed or removed the file that we waited for."""
    try:
        return part.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _remove_if_left(part: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file = os.open(part, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(part, file):
                part.unlink()
        except BlockingIOError:
            pass  # someone is writing it
        finally:
            os.close(file)
