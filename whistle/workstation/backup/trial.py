"""Trying a backup: it is restored into a temporary vault under a key that nobody keeps, and compared with the vault.

The vault is a sealed one in a private folder, and its key is in memory alone: what a cut-off trial leaves opens for
nobody.  Blocks are compared as they are read, and written nowhere.
"""

import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from whistle.workstation.backup.contents import counted, survey, words
from whistle.workstation.backup.restoring import Lacking, Opened, fill, make, open_backup
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.vault.models import MessageRow
from whistle.workstation.workstation import Workstation

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Tried:
    """What came of trying a backup of `day`: what it gave back, what it lacks, and how it differs from the vault.

    `newer`: messages of the vault that it does not have.  `others`: blocks that are not what the vault has.
    """

    day: str
    counts: dict[str, int]
    lacking: Lacking
    newer: int
    others: int

    @property
    def works(self) -> bool:
        """Whether it gives back all that it says it holds."""
        return not self.lacking and not self.others

    def lines(self) -> list[str]:
        """What to tell of it."""
        held = words(self.counts)
        if self.works:
            newer = f"What came after it is not in it: {counted(self.newer, 'messages')}." * bool(self.newer)
            worked = f"It works: the backup of {self.day} gave back its {held}, all as they are here."
            return list(filter(None, [worked, newer]))
        others = f"other than here: {counted(self.others, 'blocks')}" * bool(self.others)
        lacks = "; ".join(filter(None, (self.lacking.words(), others)))
        failed = f"It does not work: the backup of {self.day} does not give back all of its {held}; {lacks}."
        return [failed, "Start anew to write all of it again."]


def try_backup(
    workstation: Workstation,
    place: Path,
    passphrase: str,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Tried:
    """Restore a backup into nothing and compare.  Raises WrongPassphrase, Refused, WorkstationError.

    `scratch`: where the temporary folder is made; the system's place otherwise.
    """
    opened = open_backup(place, passphrase)
    if opened.keys.signing != workstation.signing:
        raise Refused("this is the backup of another workstation", "try it there")
    try:
        folder = Path(tempfile.mkdtemp(prefix="whistle-", dir=scratch))
    except OSError as exc:
        raise WorkstationError("there is no room for a temporary folder", "free some on this computer") from exc
    try:
        return _tried(workstation, opened, folder, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(workstation: Workstation, opened: Opened, folder: Path, progress: Progress | None) -> Tried:
    others, blocks = 0, workstation.blocks

    def compare(id: bytes, data: bytes) -> None:
        nonlocal others
        # A block that was removed here since is no fault of the backup's.
        others += blocks.path(id).exists() and all(each != data for each in blocks.versions(id))

    restored = make(opened, folder / "vault", secrets.token_hex(32), "test", workstation.today)
    try:
        lacking = fill(restored, opened, compare, progress)
        again = survey(restored)
        wanted = {name: list(names) for name, names in opened.index.tables.items()}
        if not lacking and (again.tables != wanted or again.messages != list(opened.index.messages)):
            lacking.rows += 1
        hashes = [set(each.vault.session.scalars(select(MessageRow.hash))) for each in (workstation, restored)]
        return Tried(str(opened.index.day), dict(opened.index.counts), lacking, len(hashes[0] - hashes[1]), others)
    finally:
        restored.vault.destroy()
