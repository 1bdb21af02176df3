"""Making a backup: what is new goes into new parts, and the index is replaced last.

What was deleted from the vault leaves the folder with the next backup: the parts that still hold some of it are written
again without it.  Parts are written again, too, once more than half of what they hold no longer counts, or once many
small ones have come together.

Whether an earlier part is there is told by its size; of some of them, chosen at random each time, all is read.
"""

import contextlib
import errno
import hashlib
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from whistle import sticks
from whistle.translations import cldr
from whistle.workstation import files, language
from whistle.workstation.backup import folder as folders
from whistle.workstation.backup import parts
from whistle.workstation.backup.contents import BLOCKS, Contents, survey, words
from whistle.workstation.backup.folder import KEYS, PARTS, Index, Part
from whistle.workstation.errors import Refused, VaultReadOnly
from whistle.workstation.language import t
from whistle.workstation.vault import identities, keyfile
from whistle.workstation.vault.identities import Period
from whistle.workstation.vault.keyfile import Keys
from whistle.workstation.vault.models import BackupRow
from whistle.workstation.workstation import Workstation

SMALL = 8 * 1024**2  # bytes; more than MOST_SMALL parts below this become one
MOST_SMALL = 12
READ_AGAIN = 64 * 1024**2  # bytes of earlier parts that each backup reads; one part at least
README = """This is the backup of a Whistle workstation.  Stock tools open it: age 1.3 or later, tar and jq.

    age -d keys.age > keys.txt                      asks for the passphrase of this backup;
                                                    letters with accents count in their composed form (NFC)
    age -d -i keys.txt index.age | head -n 1 | jq . what this backup consists of
    age -d -i keys.txt parts/NAME.age | tar -t      what is in a part

How messages are read and files put together is told step by step in SECURITY.md, "Breaking the glass".
keys.txt is secret: write it to memory (/dev/shm), not to a disk.
`whistle workstation restore` makes a workstation of all this again.  Change nothing in this folder.
"""
Progress = Callable[[int, int], None]


class PassphraseNeeded(Refused):
    """The key file must be written, for which the passphrase is needed."""


@dataclass(frozen=True)
class Saved:
    """A backup that was made: its folder, what it holds now, and how many bytes were written into how many parts.

    `earlier`: how many parts were there before; of these, `read` were read again, and `damaged` were not what they
    should be.
    """

    folder: Path
    counts: dict[str, int]
    written: int
    parts: int
    stale: int
    earlier: int
    read: int
    damaged: int

    def lines(self) -> list[str]:
        """What to tell of it."""
        new = t("backup.new", size=_size(self.written)) if self.written else t("backup.nothing_new")
        lines = [t("backup.holds", folder=str(self.folder), counts=words(self.counts)), new]
        if self.damaged:
            lines.append(t("backup.rewritten", self.damaged))
        if self.earlier:
            lines.append(t("backup.read", self.earlier, read=self.read))
        if self.stale:
            lines.append(t("backup.stale", size=_size(self.stale)))
        return list(lines)


def save(
    workstation: Workstation,
    place: Path,
    passphrase: str | None = None,
    log_n: int = keyfile.LOG_N,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Saved:
    """Make or renew the backup in a folder of `place`; `fresh` writes all of it anew.

    `passphrase` is the vault's, which the caller has checked; it is needed where the key file is not there yet, or not
    up to date.  Raises PassphraseNeeded, Refused, VaultReadOnly, WorkstationError; the backup before stays whole then.
    """
    folder = files.private_folder(folders.within(place))
    folders.check_folders(folder)
    before = folders.read_index(folder, workstation.identities(), workstation.signing.public)
    row = _row(workstation, before, fresh)
    sealed = _keys(workstation, folder, row, passphrase, log_n)
    contents = survey(workstation, before.messages[-1] if before and before.messages else "")
    earlier, read, damaged = _earlier(workstation, folder, None if fresh else before)
    kept = _kept(before, earlier, contents) if before else []
    _remove(folders.unlisted(folder, before))
    period = identities.newest(workstation.periods(), workstation.today())
    new = _write_parts(folder, period, contents, kept, progress)
    _write_open(workstation, folder)
    index = _index(workstation, row.id, contents, [*kept, *new])
    stale = sum(part.stale for part in index.parts)
    name = sticks.marked(place).name
    with workstation.vault.transaction():
        row.tried = index.made
        workstation.vault.session.add(row)
    folders.write_index(folder, index, period.identity.recipient, workstation.signing)
    with workstation.vault.transaction():
        row.made, row.keys, row.day, row.place, row.stale = index.made, sealed, index.day, str(place.absolute()), stale
        row.name = name
    _remove(folders.unlisted(folder, index))
    return Saved(folder, contents.counts, sum(part.size for part in new), len(new), stale, len(earlier), read, damaged)


def _row(workstation: Workstation, before: Index | None, fresh: bool) -> BackupRow:
    """What the vault remembers of this backup.

    Raises Refused if the folder holds what came later, or from elsewhere, and would be replaced by what is older here.
    """
    if before is None:
        return BackupRow(id=secrets.token_hex(16), place="", tried="", made="")
    row = workstation.vault.session.get(BackupRow, before.id)
    if not fresh and (row is None or before.made not in (row.made, row.tried)):
        raise Refused(
            t("backup.newer_there"),
            t("backup.newer_there_hint"),
        )
    return row or BackupRow(id=before.id, place="", tried="", made="")


def _keys(workstation: Workstation, folder: Path, row: BackupRow, passphrase: str | None, log_n: int) -> str:
    """Write the key file unless it is there, with these keys; a hash of both."""
    keys, path = Keys(workstation.signing, tuple(workstation.periods())), folder / KEYS
    plain = keyfile.plain(keys).encode()
    with contextlib.suppress(OSError):
        with folders.plain_file(path) as file:
            there = hashlib.sha256(plain + file.read(folders.MAX_FILE)).hexdigest()
        if there == row.keys:
            return there
    if passphrase is None:
        raise PassphraseNeeded(
            t("backup.needs_passphrase"),
            t("backup.needs_passphrase_hint"),
        )
    sealed = keyfile.write(keys, passphrase, log_n)
    files.write(path, sealed)
    return hashlib.sha256(plain + sealed).hexdigest()


def _earlier(workstation: Workstation, folder: Path, before: Index | None) -> tuple[list[Part], int, int]:
    """The parts of the backup before that are there and can be opened; how many were read, and how many of these were
    damaged, which are written again.
    """
    opened = {str(each.first) for each in workstation.periods()}
    parts = before.parts if before else ()
    there = [part for part in parts if part.period in opened and folders.is_there(folder, part)]
    some = _some(there)
    damaged = [part for part in some if not folders.is_whole(folder, part)]
    return [part for part in there if part not in damaged], len(some), len(damaged)


def _some(there: Sequence[Part]) -> list[Part]:
    """Parts to read again, any of them, as many as READ_AGAIN allows."""
    shuffled, room = random.SystemRandom().sample(there, len(there)), READ_AGAIN
    chosen: list[Part] = []
    for part in shuffled:
        room -= part.size
        if room < 0 and chosen:
            break
        chosen.append(part)
    return chosen


def _kept(before: Index, there: Sequence[Part], contents: Contents) -> list[Part]:
    """The parts of the backup before that stay as they are, each with what still counts of it."""
    live = {*contents.texts, *contents.blocks}
    held = [replace(part, holds={name: size for name, size in part.holds.items() if name in live}) for part in there]
    gone = set(before.messages) - set(contents.messages)
    deleted = bool(gone - ({before.messages[-1]} if contents.grew else set()))
    whole = [part for part in held if part.holds and 2 * part.stale <= part.held and not (deleted and part.stale)]
    for is_blocks in (True, False):
        small = [part for part in whole if part.size < SMALL and _holds_blocks(part) == is_blocks]
        if len(small) > MOST_SMALL:
            whole = [part for part in whole if part not in small]
    return whole


def _holds_blocks(part: Part) -> bool:
    return next(iter(part.holds)).startswith(BLOCKS)


def _write_parts(
    folder: Path, period: Period, contents: Contents, kept: Sequence[Part], progress: Progress | None
) -> list[Part]:
    there = {name for part in kept for name in part.holds}
    names = [[name for name in some if name not in there] for some in (contents.texts, contents.blocks)]
    total, done, new = sum(map(len, names)), 0, list[Part]()
    files.private_folder(folder / PARTS)
    try:
        for some in names:
            written = parts.write(folder / PARTS, period.identity.recipient, str(period.first), some, contents.read)
            for part in written:
                new.append(part)
                done += len(part.holds)
                if progress:
                    progress(done, total)
    except OSError as exc:
        _remove(folders.path(folder, part) for part in new)
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise VaultReadOnly(
                t("backup.no_room"),
                t("backup.no_room_hint"),
            ) from exc
        raise files.cannot_write(folder, exc) from exc
    return new


def _write_open(workstation: Workstation, folder: Path) -> None:
    """What anybody may read: how to open it, the pinned roots, and the manifests."""
    wanted = {"README.txt": README.encode()}
    for count, root in enumerate(workstation.trust.roots(), start=1):
        wanted[f"root-{count}.pub"] = root.file()
    for serial in workstation.trust.serials():
        signed = workstation.trust.manifest(serial)
        wanted |= {f"manifest-{serial}.json": signed.data, f"manifest-{serial}.json.minisig": signed.signature}
    for name, data in wanted.items():
        path = folder / name
        if not _holds(path, data):
            files.write(path, data)


def _holds(path: Path, data: bytes) -> bool:
    try:
        with folders.plain_file(path) as file:
            return file.read(len(data) + 1) == data
    except OSError:
        return False


def _index(workstation: Workstation, id: str, contents: Contents, all_parts: Sequence[Part]) -> Index:
    return Index(
        id=id,
        made=secrets.token_hex(16),
        day=workstation.today(),
        profile={name: workstation.profile[name] for name in ("name", "role", "languages")},
        clock=workstation.vault.station.clock,
        roots=[root.text for root in workstation.trust.roots()],
        manifests=workstation.trust.serials(),
        counts=contents.counts,
        messages=contents.messages,
        tables=contents.tables,
        parts=tuple(all_parts),
    )


def _remove(paths: Iterable[Path]) -> None:
    """Give room back; what cannot be removed now is by the next backup."""
    with contextlib.suppress(OSError):
        for path in list(paths):
            path.unlink(missing_ok=True)


def _size(count: int) -> str:
    if count >= 100_000:
        return t("language.megabytes", size=cldr.number(language.current().code, count / 1_000_000))
    return t("language.kilobytes", size=max(1, count // 1000))
