"""Block stores: an interface, one file for each implementation, one line each in `KINDS`.

A block store has two areas: blocks arrive in *today's*, and the turn-over copies them to the *settled* one. It knows
nothing of heaps, days or envelopes; the database records which blocks are wanted.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from whistle.store.blocks.filesystem import FolderOfBlocks
from whistle.store.errors import StoreError


class Blocks(Protocol):
    """A block store. Ids are 16 bytes. A write without enough space raises Full and leaves nothing behind."""

    def put(self, id: bytes, body: bytes) -> None:
        """Write a block to today's area. The same bytes again are accepted, others raise Taken.

        It outlives this process, but perhaps not the machine: only `keep` makes it durable.
        """

    def keep(self, ids: Collection[bytes]) -> None:
        """Make blocks durable, at once for many. Missing lists those that are not there, and then must be put again."""

    def room(self) -> int:
        """Bytes of blocks that may still be put."""

    def is_low(self) -> bool:
        """Whether new blocks will be refused soon."""

    def free(self) -> int:
        """Bytes that are free for the turn-over, which may also use what new blocks leave."""

    def get(self, id: bytes) -> bytes | None:
        """The block, from either area, or None."""

    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        """Those of the ids that are not kept in either area."""

    def arrived(self, ids: Iterable[bytes]) -> dict[bytes, float]:
        """When blocks were put in today's area, or kept there, in seconds; without those that are not there."""

    def today(self) -> Iterable[Sequence[bytes]]:
        """The ids in today's area, also of what is not kept yet, some at a time and in no order."""

    def settled(self) -> Iterable[Sequence[bytes]]:
        """The ids in the settled area, some at a time and in no order."""

    def settle(self, ids: Sequence[bytes]) -> None:
        """Copy kept blocks from today's area to the settled one, as new files in random order, durably."""

    def drop_today(self, ids: Iterable[bytes]) -> None:
        """Remove blocks from today's area, those that are kept durably. Missing ones are ignored."""

    def drop_settled(self, ids: Iterable[bytes]) -> None:
        """Remove blocks from the settled area. Missing ones are ignored."""

    def tidy(self) -> None:
        """Remove what interrupted writes left behind, and traces of the order of arrival in an emptied area."""

    def close(self) -> None:
        """Let go of the store; it is opened anew by a new object."""


KINDS: dict[str, Callable[[str], Blocks]] = {
    "folder": FolderOfBlocks,
}


def open_blocks(where: Path | str) -> Blocks:
    """The block store at `kind://location`; a path alone is a folder. Raises StoreError for an unknown kind."""
    kind, _, location = str(where).rpartition("://")
    if (kind or "folder") not in KINDS:
        raise StoreError(f"unknown block store {kind}; supported are: {', '.join(KINDS)}")
    return KINDS[kind or "folder"](location)


__all__ = ["KINDS", "Blocks", "FolderOfBlocks", "open_blocks"]
