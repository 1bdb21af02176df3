"""A backup's folder: files with random names, and an index that says which of them are the backup.

The index is replaced last, in one step, and files are never changed: whatever is interrupted, the index names a whole
backup. A file that it does not name was left by a backup that was interrupted; the next one removes it.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from whistle import durable
from whistle.store.backup.rows import Row, decode
from whistle.store.errors import BackupError
from whistle.store.models import BLOCK, ID

INDEX = "whistle-backup.json"
KIND = "whistle server backup"
VERSION = 1
NAME = re.compile(r"[0-9a-f]{32}")
PIECE = 1024 * 1024  # bytes read at once
MAX_LINE = 4096  # bytes of a row
DAMAGED = "restore another copy of the backup; a new one is made in an empty folder"
SOMETHING_ELSE = "there is something else in this folder", "choose an empty folder, or that of an earlier backup"


@dataclass(frozen=True)
class SavedFile:
    """One file. Of a day and heap: `bodies` or `blocks`, records of id and content in order of id. `rows`; `public`.

    `ids` is a hash over the ids, in hex; `settled` says whether the day was over and turned over when it was written.
    """

    kind: str
    name: str
    size: int  # bytes
    hash: str  # SHA-256, in hex
    heap: str = ""
    day: str = ""
    ids: str = ""
    settled: bool = False


@dataclass(frozen=True)
class Index:
    """What the index says. `open_day` is the first day that was not over; without files no backup was finished yet."""

    instance: str
    envelope_size: int  # bytes
    open_day: str = ""
    files: tuple[SavedFile, ...] = ()


def read_index(folder: Path) -> Index | None:
    """The index of a backup; None if the folder is empty or does not exist. Raises BackupError for anything else."""
    try:
        data = (folder / INDEX).read_bytes()
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise BackupError(*SOMETHING_ELSE) from None
        return None
    try:
        fields = json.loads(data)
        kind, version = fields.pop("kind"), fields.pop("v")
        if kind != KIND or type(version) is not int:
            raise ValueError
        _check_version(version)
        index = Index(**{**fields, "files": tuple(SavedFile(**each) for each in fields["files"])})
        _check_fields(index)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BackupError("the backup's index is damaged", DAMAGED) from None
    return index


def _check_version(version: int) -> None:
    if version > VERSION:
        raise BackupError("a newer version of Whistle made this backup", "install that version, or a newer one")
    if version < VERSION:
        raise BackupError("this version of Whistle no longer reads a backup that old", "restore it with an older one")


def _check_fields(index: Index) -> None:
    """Raise ValueError unless each field has its type, and each file a name that leads nowhere else."""
    if index.open_day or index.files:
        date.fromisoformat(index.open_day)
    values: tuple[Index | SavedFile, ...] = (index, *index.files)
    for value in values:
        for field in dataclasses.fields(value):
            expected = {"files": tuple, "size": int, "envelope_size": int, "settled": bool}.get(field.name, str)
            if type(getattr(value, field.name)) is not expected:
                raise ValueError(field.name)
    if not all(NAME.fullmatch(file.name) for file in index.files):
        raise ValueError("name")


class Target:
    """The folder that a backup is written to; raises OSError when that fails."""

    def __init__(self, folder: Path, instance: str, envelope_size: int) -> None:
        """Open the folder of an earlier backup of this instance, or begin one. Raises BackupError."""
        index = read_index(folder)
        if index is None:
            folder.mkdir(mode=0o700, exist_ok=True)
            index = Index(instance, envelope_size)
            _write_index(folder, index)
        elif (index.instance, index.envelope_size) != (instance, envelope_size):
            raise BackupError("this is the backup of another server", "choose another folder, an empty one")
        self.index, self._folder = index, folder
        self.remove_unlisted()

    def has(self, file: SavedFile) -> bool:
        """Whether a file of the index is there, with its size."""
        path = self._folder / file.name
        return path.is_file() and path.stat().st_size == file.size

    def write(self, kind: str, pieces: Iterable[bytes], **fields: Any) -> SavedFile:
        """Write a new file, durably."""
        name, size, digest = secrets.token_hex(16), 0, hashlib.sha256()
        file = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                size += len(piece)
            stream.flush()
            os.fsync(stream.fileno())
        return SavedFile(kind, name, size, digest.hexdigest(), **fields)

    def finish(self, open_day: date, files: Iterable[SavedFile]) -> None:
        """Make these files the backup, then remove all others."""
        durable.sync_folder(self._folder)
        index = dataclasses.replace(self.index, open_day=open_day.isoformat(), files=tuple(files))
        _write_index(self._folder, index)
        self.index = index
        self.remove_unlisted()

    def discard(self) -> None:
        """After an error, remove what was written, unless an index names it: that may be the new one already."""
        there = read_index(self._folder)
        self._remove_except((*self.index.files, *(there.files if there else ())))

    def remove_unlisted(self) -> None:
        """Remove the files that the index does not name."""
        self._remove_except(self.index.files)

    def _remove_except(self, files: Iterable[SavedFile]) -> None:
        """Remove all other files of a backup; those that are no backup's are left alone."""
        listed = {file.name for file in files}
        for path in sorted(self._folder.iterdir()):
            if NAME.fullmatch(path.name) and path.name not in listed:
                path.unlink()
        durable.sync_folder(self._folder)


def _write_index(folder: Path, index: Index) -> None:
    fields = {"kind": KIND, "v": VERSION, **dataclasses.asdict(index)}
    durable.write(folder / INDEX, json.dumps(fields, indent=1).encode() + b"\n")


class SavedBackup:
    """A whole backup, all of whose files are as they were written."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder, self._index = folder, index
        self.envelope_size = index.envelope_size

    @property
    def public(self) -> bytes:
        """What the server put beside its store; its readers need no key."""
        return b"".join(piece for file in self._of("public") for piece in self._read(file, PIECE))

    def rows(self) -> Iterator[Row]:
        """Every row: of envelopes, then of blocks, then the others. Raises BackupError for a malformed one."""
        for file in self._of("rows"):
            with _translate_os_errors(), (self._folder / file.name).open("rb") as stream:
                while line := stream.readline(MAX_LINE):
                    yield decode(line)

    def bodies(self) -> Iterator[tuple[bytes, bytes]]:
        """The ids and bodies of envelopes."""
        return self._records("bodies", self.envelope_size)

    def blocks(self) -> Iterator[tuple[bytes, bytes]]:
        """The ids and contents of blocks; one that is in both heaps comes twice."""
        return self._records("blocks", BLOCK)

    def verify(self) -> None:
        """Read every file. Raises BackupError if one is missing or not as it was written."""
        for file in self._index.files:
            digest = hashlib.sha256()
            for piece in self._read(file, PIECE):
                digest.update(piece)
            if digest.hexdigest() != file.hash:
                raise BackupError("a file of the backup is damaged", DAMAGED)

    def _of(self, kind: str) -> list[SavedFile]:
        return [file for file in self._index.files if file.kind == kind]

    def _records(self, kind: str, size: int) -> Iterator[tuple[bytes, bytes]]:
        for file in self._of(kind):
            for record in self._read(file, ID + size):
                if len(record) != ID + size:
                    raise BackupError("a file of the backup is damaged", DAMAGED)
                yield record[:ID], record[ID:]

    def _read(self, file: SavedFile, size: int) -> Iterator[bytes]:
        with _translate_os_errors(), (self._folder / file.name).open("rb") as stream:
            while piece := stream.read(size):
                yield piece


def open_backup(folder: Path) -> SavedBackup:
    """Open and verify a backup, all of it. Raises BackupError."""
    with _translate_os_errors():
        index = read_index(folder)
    if index is None:
        raise BackupError("there is no backup in this folder", "name the folder that whistle server backup wrote")
    if not index.files:
        raise BackupError("the first backup into this folder did not end", "make it again: whistle server backup")
    backup = SavedBackup(folder, index)
    backup.verify()
    return backup


@contextlib.contextmanager
def _translate_os_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BackupError("a file of the backup is missing", DAMAGED) from None
    except OSError as exc:
        raise BackupError(f"the backup cannot be read: {exc.strerror}", "check the disk that it is on") from None
