"""The sealed blocks of attachments as files: ciphertext only, under their ids, as they came.

All blocks of the reviewers' heap are stored, not only those of this reviewer's cases: so the attachments of a case
granted later are here, and the folder does not reveal which belong to a case that this reviewer reads.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from whistle import durable
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import BLOCK, Attachment
from whistle.workstation import files

NAME = re.compile(r"[0-9a-f]{32}")
ASIDE = re.compile(r"[0-9a-f]{64}")


class Blocks:
    """A folder of blocks, `ab/abcdef…`, and `aside/abcdef…/` for earlier, different contents under an id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, id: bytes) -> Path:
        """The path of a block, whether it is there or not."""
        name = id.hex()
        return self.folder / name[:2] / name

    def has(self, id: bytes) -> bool:
        """Whether the whole block is here."""
        try:
            return self.path(id).stat().st_size == BLOCK
        except OSError:
            return False

    def complete(self, record: Attachment) -> bool:
        """Whether all blocks of an attachment are here; stops at the first that is missing."""
        seed = bytes.fromhex(record.seed)
        return all(self.has(attachment.block_id(seed, index)) for index in range(record.blocks))

    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        """Of these ids, those whose blocks are not here yet."""
        return [id for id in ids if not self.has(id)]

    def write(self, id: bytes, body: bytes) -> None:
        """Save a block durably, and set aside a different one that came under its id before.

        Which of them is right is known only when the attachment is opened.  Raises VaultReadOnly.
        """
        if self.has(id) and not self._put_aside(id, body):
            return
        path = self.path(id)
        if not path.parent.is_dir():
            files.private_folder(path.parent)
            try:
                durable.sync_folder(self.folder)
            except OSError as exc:
                raise files.cannot_write(self.folder, exc) from exc
        files.write(path, body)

    def remove(self, ids: Iterable[bytes]) -> None:
        """Remove blocks that never left this workstation.  Raises VaultReadOnly."""
        for id in ids:
            try:
                self.path(id).unlink(missing_ok=True)
            except OSError as exc:
                raise files.cannot_write(self.folder, exc) from exc

    def read(self, id: bytes) -> bytes:
        """A block's bytes.  Raises FileNotFoundError if it has not come."""
        return self.path(id).read_bytes()

    def versions(self, id: bytes, oldest_first: bool = False) -> Iterator[bytes]:
        """All contents that came under an id, newest first, one at a time.  FileNotFoundError if none has come."""
        paths = self.paths(id)
        for path in reversed(paths) if oldest_first else paths:
            yield path.read_bytes()

    def paths(self, id: bytes) -> list[Path]:
        """Where the contents lie that came under an id: the newest, then the others by their SHA-256, in hex."""
        return [self.path(id), *self._others(id)]

    def with_several(self) -> set[bytes]:
        """The ids under which more than one content came."""
        return {bytes.fromhex(path.name) for path in self.folder.glob("aside/*") if NAME.fullmatch(path.name)}

    def has_several(self, id: bytes) -> bool:
        """Whether more than one content came under an id."""
        return bool(self._others(id))

    def _others(self, id: bytes) -> list[Path]:
        aside = self._aside(id)
        return sorted(path for path in aside.iterdir() if ASIDE.fullmatch(path.name)) if aside.is_dir() else []

    def _put_aside(self, id: bytes, body: bytes) -> bool:
        """Set aside the present block; False if it has this very content."""
        there = self.read(id)
        if there == body:
            return False
        aside = files.private_folder(self._aside(id))
        files.write(aside / hashlib.sha256(there).hexdigest(), there)
        return True

    def _aside(self, id: bytes) -> Path:
        return self.folder / "aside" / id.hex()

    def ids(self) -> Iterator[bytes]:
        """The ids of all blocks that are here."""
        for path in sorted(self.folder.glob("??/*")):
            if NAME.fullmatch(path.name):  # skips files that systems add
                yield bytes.fromhex(path.name)
