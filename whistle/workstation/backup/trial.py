"""Trying a backup: it is restored into a temporary vault under a key that nobody keeps, and compared with the vault.

The vault is a sealed one in a private folder, and its key is in memory alone: what a cut-off trial leaves opens for
nobody.  Blocks are compared as they are read, and written nowhere.
"""

import datetime
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from whistle.workstation.backup.contents import survey, words
from whistle.workstation.backup.restoring import Lacking, Opened, both, fill, make, open_backup
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.vault.models import MessageRow
from whistle.workstation.workstation import Workstation

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Tried:
    """What came of trying a backup of `day`: what it gave back, what it lacks, and how it differs from the vault.

    `newer`: messages of the vault that it does not have.  `others`: blocks that are not what the vault has.
    """

    day: datetime.date
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
            worked = t("backup.works", day=self.day, counts=held)
            return [worked, t("backup.newer", self.newer)] if self.newer else [worked]
        lacking = both(self.lacking.words(), t("backup.others", self.others) if self.others else "")
        return [t("backup.fails", day=self.day, counts=held, lacking=lacking), t("backup.anew_do")]


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
        raise Refused(t("backup.of_another"), t("backup.try_there"))
    try:
        folder = Path(tempfile.mkdtemp(prefix="whistle-", dir=scratch))
    except OSError as exc:
        raise WorkstationError(t("backup.no_scratch"), t("backup.no_scratch_hint")) from exc
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
        return Tried(opened.index.day, dict(opened.index.counts), lacking, len(hashes[0] - hashes[1]), others)
    finally:
        restored.vault.destroy()
