"""What the courier pulled and the server still has: a folder a server day, in it files named like a bundle's members.

It lets an interrupted pull go on where it was and a lost stick be written again. Everything in it is sealed.
"""

import datetime
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from whistle.courier import durable
from whistle.courier.errors import BadServer
from whistle.protocol import bundle, statement, tar

PIECE = 1024**2  # bytes


class Mirror:
    """The folder `mirror` of a courier; `slots` is the manifest's, which fixes an envelope's size."""

    def __init__(self, folder: Path, slots: int) -> None:
        self._folder = folder
        self._envelope = slots * bundle.ENVELOPE_UNIT

    def days(self) -> list[datetime.date]:
        """The days of which there is anything, oldest first."""
        if not self._folder.exists():
            return []
        return sorted(datetime.date.fromisoformat(path.name) for path in self._folder.iterdir())

    def names(self, day: datetime.date) -> set[str]:
        """The names of the day's whole files."""
        folder = self._folder / day.isoformat()
        found = {f"{path.parent.name}/{path.name}": path.stat().st_size for path in folder.glob("*/*")}
        return {name for name, size in found.items() if size == self._size(name)}

    def put(self, day: datetime.date, entry: tar.Entry) -> None:
        """Keep what a tar gives under its own name. Raises BadServer when the size is wrong, OSError."""
        if entry.size != self._size(entry.name):
            raise BadServer("the server sent something of a size that does not exist", "ask the operator")
        path = self._folder / day.isoformat() / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write(path, entry.pieces())

    def keep(self, day: datetime.date, names: set[str]) -> None:
        """Remove what the server no longer has of a day, and what was left unfinished."""
        folder = self._folder / day.isoformat()
        for path in folder.glob("*/*"):
            if f"{path.parent.name}/{path.name}" not in names:
                path.unlink()

    def keep_days(self, days: Iterable[datetime.date]) -> None:
        """Remove the days that the server no longer has."""
        for day in set(self.days()) - set(days):
            shutil.rmtree(self._folder / day.isoformat())

    def hash(self, day: datetime.date) -> bytes:
        """The hash that a workstation which has all of the day states."""
        return statement.day_hash(_id(name) for name in self.names(day))

    def members(self, day: datetime.date) -> Iterator[bundle.Member]:
        """The day's files as a bundle lists them."""
        for name in sorted(self.names(day)):
            path, digest = self.path(day, name), hashlib.sha256()
            for piece in pieces(path):
                digest.update(piece)
            yield bundle.Member(name, path.stat().st_size, digest.digest(), day)

    def path(self, day: datetime.date, name: str) -> Path:
        """Where a file of the day lies."""
        return self._folder / day.isoformat() / name

    def _size(self, name: str) -> int:
        if not bundle.NAME.fullmatch(name):
            return -1
        return bundle.BLOCK if name.startswith("blocks/") else self._envelope


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file in pieces of 1 MiB."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _id(name: str) -> bytes:
    return bytes.fromhex(name.partition("/")[2].removesuffix(".age"))
