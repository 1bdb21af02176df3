"""The sealed pieces of attachments, as files, just as they came: ciphertext only, under their ids.

All blocks of the reviewers' heap are kept, not only those of one's own cases: a case granted later finds its
attachments here, and nobody who sees the folder learns which belong to a case that this reviewer reads.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import BLOCK, Attachment
from whistle.workstation import durable

NAME = re.compile(r"[0-9a-f]{32}")
ASIDE = re.compile(r"[0-9a-f]{64}")


class Blocks:
    """A folder of blocks, `ab/abcdef…`, and `aside/abcdef…/` for what came under an id before with another content."""

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
        """Keep a block, durably; what came under its id before with another content stays beside it.

        Which of them is right shows when the attachment is opened.  Raises VaultReadOnly.
        """
        if self.has(id_) and not self._put_aside(id_, body):
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

    def versions(self, id_: bytes) -> list[bytes]:
        """All that came under an id, the newest first.  Raises FileNotFoundError when nothing has come."""
        aside = self._aside(id_)
        others = sorted(path for path in aside.iterdir() if ASIDE.fullmatch(path.name)) if aside.is_dir() else []
        return [self.read(id_), *(each.read_bytes() for each in others)]

    def _put_aside(self, id_: bytes, body: bytes) -> bool:
        """Make room for another content; False when there is none, since it is the same."""
        there = self.read(id_)
        if there == body:
            return False
        aside = durable.private_folder(self._aside(id_))
        durable.write(aside / hashlib.sha256(there).hexdigest(), there)
        return True

    def _aside(self, id_: bytes) -> Path:
        return self.folder / "aside" / id_.hex()

    def ids(self) -> Iterator[bytes]:
        """The ids of all blocks that are here."""
        for path in sorted(self.folder.glob("??/*")):
            if NAME.fullmatch(path.name):  # systems lay files of their own beside them
                yield bytes.fromhex(path.name)
