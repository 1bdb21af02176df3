"""Where blocks lie: an interface, one file for each kind of place, one line each in `KINDS`.

A kind of place keeps two shelves: *today's*, in which blocks arrive, and the *settled* one, to which the turn-over
copies them. It knows nothing of heaps, days or envelopes; which blocks are wanted stands in the database.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from whistle.store.blocks.filesystem import FolderOfBlocks
from whistle.store.errors import StoreError


class Blocks(Protocol):
    """A place for blocks. Ids are 16 bytes. What fails for want of room raises Full and leaves nothing behind."""

    def put(self, id_: bytes, body: bytes) -> None:
        """Keep a block on today's shelf, durably; the same bytes again are accepted, others raise Taken."""

    def check_room(self) -> None:
        """Raise Full where a block would find no room now."""

    def get(self, id_: bytes) -> bytes | None:
        """The block, from either shelf, or None."""

    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        """Those of the ids that lie on neither shelf."""

    def today(self) -> Collection[bytes]:
        """The ids on today's shelf, in no order."""

    def settled(self) -> Collection[bytes]:
        """The ids on the settled shelf, in no order."""

    def settle(self, ids: Sequence[bytes]) -> None:
        """Copy blocks from today's shelf to the settled one, afresh and in random order, durably."""

    def drop_today(self, ids: Iterable[bytes]) -> None:
        """Take blocks off today's shelf, durably. Those that are not there are passed over."""

    def drop_settled(self, ids: Iterable[bytes]) -> None:
        """Take blocks off the settled shelf. Those that are not there are passed over."""

    def tidy(self) -> None:
        """Remove what broken writes left behind, and what an emptied shelf could still tell."""


KINDS: dict[str, Callable[[str], Blocks]] = {
    "folder": FolderOfBlocks,
}


def open_blocks(where: Path | str) -> Blocks:
    """The place that `kind://location` names; a path alone is a folder. Raises StoreError for an unknown kind."""
    kind, _, location = str(where).rpartition("://")
    if (kind or "folder") not in KINDS:
        raise StoreError(f"blocks cannot be kept in {kind}; the kinds of places known are: {', '.join(KINDS)}")
    return KINDS[kind or "folder"](location)


__all__ = ["KINDS", "Blocks", "FolderOfBlocks", "open_blocks"]
