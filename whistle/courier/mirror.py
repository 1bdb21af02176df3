"""A mirror of what the server offers: a folder for each server day, with files named like a bundle's members.

Each file name ends with the SHA-256 of what the server sent, so that altered files are noticed and fetched again.
The mirror lets an interrupted pull resume and a lost stick be written again. Everything in it is sealed.
"""

import datetime
import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from whistle import durable
from whistle.courier.errors import BadServer
from whistle.protocol.transfer import bundle, statement, tar

PIECE = 1024**2  # bytes
DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")
HASHED = re.compile(r"(.+)\.([0-9a-f]{64})")


class Mirror:
    """The folder `mirror` of a courier; the manifest's `slots` give the size of an envelope."""

    def __init__(self, folder: Path, slots: int) -> None:
        self._folder = folder
        self._envelope = slots * bundle.ENVELOPE_UNIT

    def days(self) -> list[datetime.date]:
        """The days with files, oldest first."""
        if not self._folder.exists():
            return []
        names = (path.name for path in self._folder.iterdir())  # skips files that systems add
        return sorted(datetime.date.fromisoformat(name) for name in names if DAY.fullmatch(name))

    def names(self, day: datetime.date) -> set[str]:
        """The names of the day's complete files."""
        return set(self._files(day))

    def put(self, day: datetime.date, entry: tar.Entry) -> None:
        """Save an entry of a tar. Raises BadServer if its size is wrong, OSError."""
        if entry.size != self._size(entry.name):
            raise BadServer("the server sent something of a size that does not exist", "ask the operator")
        path = self._folder / day.isoformat() / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        beside = durable.stage(path, _hashing(entry.pieces(), digest.update))
        beside.replace(path.with_name(f"{path.name}.{digest.hexdigest()}"))
        durable.sync_folder(path.parent)

    def retain(self, day: datetime.date, names: set[str]) -> None:
        """Remove all files of a day but these, which the server still has; unfinished ones too."""
        kept = {path for name, (path, _) in self._files(day).items() if name in names}
        for path in (self._folder / day.isoformat()).glob("*/*"):
            if path not in kept and path.is_file():
                path.unlink()

    def retain_days(self, days: Iterable[datetime.date]) -> None:
        """Remove all days but these, which the server still has."""
        for day in set(self.days()) - set(days):
            shutil.rmtree(self._folder / day.isoformat())

    def hash(self, day: datetime.date) -> bytes:
        """The hash that a workstation states if it has all of the day."""
        return statement.day_hash((bundle.member_id(name), sha256) for name, (_, sha256) in self._files(day).items())

    def members(self, day: datetime.date) -> list[bundle.Member]:
        """The day's files as a bundle lists them."""
        files = sorted(self._files(day).items())
        return [bundle.Member(name, path.stat().st_size, sha256, day) for name, (path, sha256) in files]

    def drop_altered(self, day: datetime.date) -> int:
        """Remove the files of a day that are not what the server sent; returns how many."""
        altered = [path for path, sha256 in self._files(day).values() if _sha256(path) != sha256]
        for path in altered:
            path.unlink()
        return len(altered)

    def path(self, member: bundle.Member) -> Path:
        """The path of one of `members`."""
        return self._folder / str(member.day) / f"{member.name}.{member.sha256.hex()}"

    def _files(self, day: datetime.date) -> dict[str, tuple[Path, bytes]]:
        """By name, the path of each complete file of the day and the SHA-256 of what the server sent."""
        files = {}
        for path in sorted((self._folder / day.isoformat()).glob("*/*")):
            match = HASHED.fullmatch(path.name)
            if match and path.stat().st_size == self._size(name := f"{path.parent.name}/{match[1]}"):
                files[name] = path, bytes.fromhex(match[2])
        return files

    def _size(self, name: str) -> int:
        if not bundle.NAME.fullmatch(name):
            return -1
        return bundle.BLOCK if name.startswith("blocks/") else self._envelope


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, in pieces of at most 1 MiB."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    for _ in _hashing(pieces(path), digest.update):
        pass
    return digest.digest()


def _hashing(content: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for piece in content:
        update(piece)
        yield piece
