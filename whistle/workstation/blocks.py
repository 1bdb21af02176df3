"""The sealed pieces of attachments, as files, just as they came: ciphertext only, under their ids.

All blocks of the reviewers' heap are kept, not only those of one's own cases: a case granted later finds its
attachments here, and nobody who sees the folder learns which belong to a case that this reviewer reads.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from whistle.protocol import attachment
from whistle.protocol.attachment import BLOCK, Attachment
from whistle.workstation import durable


class Blocks:
    """A folder of blocks, `ab/abcdef…`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, id_: bytes) -> Path:
        """Where the block of this id lies."""
        name = id_.hex()
        return self.folder / name[:2] / name

    def has(self, id_: bytes) -> bool:
        """Whether the whole block is here."""
        try:
            return self.path(id_).stat().st_size == BLOCK
        except OSError:
            return False

    def complete(self, record: Attachment) -> bool:
        """Whether all of an attachment is here; the first block that is not ends the search, however many there are."""
        seed = bytes.fromhex(record.seed)
        return all(self.has(attachment.block_id(seed, index)) for index in range(record.blocks))

    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        """Those that are not here yet."""
        return [id_ for id_ in ids if not self.has(id_)]

    def write(self, id_: bytes, body: bytes) -> None:
        """Keep a block, durably.  The first one under an id stays.  Raises VaultReadOnly."""
        if self.has(id_):
            return
        path = self.path(id_)
        if not path.parent.is_dir():
            durable.private_folder(path.parent)
            try:
                durable.sync_folder(self.folder)
            except OSError as exc:
                raise durable.cannot_write(self.folder, exc) from exc
        durable.write(path, body)

    def read(self, id_: bytes) -> bytes:
        """A block's bytes.  Raises FileNotFoundError when it has not come."""
        return self.path(id_).read_bytes()

    def ids(self) -> Iterator[bytes]:
        """The ids of all blocks that are here."""
        for path in sorted(self.folder.glob("??/*")):
            if len(path.name) == 32 and not path.name.startswith("."):
                yield bytes.fromhex(path.name)
