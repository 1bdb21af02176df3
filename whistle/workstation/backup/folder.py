"""A backup's folder: parts that are never changed, and an index that says which of them are the backup.

The index is replaced last, in one step: whatever is interrupted, it names a whole backup.  A part that it does not name
was left by a backup that was interrupted; the next one removes it.  A second copy is for a damaged sector.
"""

import base64
import datetime
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from whistle.protocol import age, schema, signing
from whistle.protocol.age import HybridIdentity, HybridRecipient
from whistle.protocol.errors import NotForMe, ProtocolError
from whistle.protocol.trust.minisign import PublicKey, SecretKey
from whistle.workstation import files
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.language import t

FOLDER = "whistle-backup"  # in the place that somebody names
KEYS = "keys.age"
INDEX, COPY = "index.age", "index-copy.age"
PARTS, PART = "parts", ".age"
NAME = re.compile(r"[0-9a-f]{16}")  # of a part, without its ending
LABEL = b"whistle/v1 backup\n"  # before the signed text
VERSION = 3  # of the index; 1 and 2 were of versions before 0.1.0, with other files
STEP = 64 * 1024  # bytes; the index's plaintext is a multiple
MAX_INDEX = 256 * 1024**2  # bytes: of millions of blocks
MAX_FILE = 32 * 1024**2  # bytes of a key file or manifest: more than any has
PIECE = 1024 * 1024  # bytes read at once
BINARY: int = getattr(os, "O_BINARY", 0)  # on Windows


@dataclass(frozen=True)
class Part:
    """A part: its `size` in bytes and SHA-256, the first day of the identity that opens it, how many bytes of files it
    `held` when it was written, and what of that still counts, with the size of each file.
    """

    name: str
    size: int
    sha256: str
    period: str
    held: int
    holds: Mapping[str, int]

    @property
    def stale(self) -> int:
        """Bytes of what it holds and no longer counts."""
        return self.held - sum(self.holds.values())


@dataclass(frozen=True)
class Index:
    """What a backup consists of.  `id` stays the same, `made` is another random number each time.

    `roots`: the pinned ones, as minisign writes their public keys.  `messages` and `tables` name files in the parts, in
    order.
    """

    id: str
    made: str
    day: datetime.date
    profile: Mapping[str, Any]
    clock: datetime.date
    roots: Sequence[str]
    manifests: Sequence[int]
    counts: Mapping[str, int]
    messages: Sequence[str]
    tables: Mapping[str, Sequence[str]]
    parts: Sequence[Part]


def another() -> str:
    """What to do about a backup that is not whole."""
    return t("backup.try_another")


def within(place: Path) -> Path:
    """The backup's folder in a place that somebody named, which may be that folder itself."""
    return place if any((place / name).exists() for name in (INDEX, COPY, KEYS)) else place / FOLDER


def read_index(folder: Path, identities: Sequence[HybridIdentity], key: PublicKey) -> Index | None:
    """The index of a backup; None if there is none.

    Raises Refused if it is another reviewer's, WorkstationError if it is damaged.
    """
    fault: WorkstationError | None = None
    for name in (INDEX, COPY):
        try:
            with plain_file(folder / name) as file:
                return _opened(file.read(MAX_INDEX), identities, key)
        except FileNotFoundError:
            continue
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            fault = fault or WorkstationError(t("backup.unread", file=name, reason=why), another())
        except NotForMe:
            fault = fault or Refused(t("backup.of_another"), t("backup.of_another_hint"))
        except (ProtocolError, ValueError, KeyError, TypeError, AttributeError):
            fault = WorkstationError(t("backup.damaged", file=name), another())
    if fault:
        raise fault
    return None


def _opened(sealed: bytes, identities: Sequence[HybridIdentity], key: PublicKey) -> Index:
    line, signature = age.decrypt(identities, sealed).split(b"\n")[:2]
    # Anyone can seal to a reviewer: without the signature, a forged index could plant other roots.
    signing.verify(key.key, LABEL + line, schema.unbase64(signature.decode("ascii", "replace")))
    fields: dict[str, Any] = json.loads(line)
    if fields.pop("v") != VERSION:
        raise WorkstationError(
            t("backup.other_version"),
            t("backup.other_version_hint"),
        )
    days = {name: datetime.date.fromisoformat(fields[name]) for name in ("day", "clock")}
    parts = tuple(Part(**each) for each in fields["parts"])
    if not all(NAME.fullmatch(part.name) for part in parts):
        raise ValueError("name")
    return Index(**{**fields, **days, "parts": parts})


def write_index(folder: Path, index: Index, to: HybridRecipient, key: SecretKey) -> None:
    """Replace the index, in one step, then its copy.  Raises VaultReadOnly."""
    fields = {**vars(index), "v": VERSION, "day": str(index.day), "clock": str(index.clock)}
    fields["parts"] = [vars(part) for part in index.parts]
    line = json.dumps(fields, separators=(",", ":")).encode()
    signature = base64.b64encode(signing.sign(key.signing, LABEL + line))
    plain = line + b"\n" + signature + b"\n"
    sealed = age.encrypt([to], plain.ljust(-(-len(plain) // STEP) * STEP))
    for name in (INDEX, COPY):
        files.write(folder / name, sealed)


def path(folder: Path, part: Part) -> Path:
    """Where a part lies."""
    return folder / PARTS / f"{part.name}{PART}"


def is_there(folder: Path, part: Part) -> bool:
    """Whether a part is there, with its size."""
    try:
        return path(folder, part).stat().st_size == part.size
    except OSError:
        return False


def is_whole(folder: Path, part: Part) -> bool:
    """Whether a part is what was written, byte for byte; reads all of it."""
    digest = hashlib.sha256()
    try:
        with plain_file(path(folder, part)) as file:
            for piece in iter(partial(file.read, PIECE), b""):
                digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == part.sha256


def unlisted(folder: Path, index: Index | None) -> Iterator[Path]:
    """The files among the parts that a program of ours wrote and the index does not name."""
    listed = {part.name for part in index.parts} if index else set()
    for each in sorted((folder / PARTS).glob(f"*{PART}*")):
        name = each.name.partition(".")[0]
        if NAME.fullmatch(name) and (name not in listed or not each.name.endswith(PART)):
            yield each


def data(folder: Path, name: str) -> bytes:
    """A small file of the backup.  Raises WorkstationError."""
    try:
        with plain_file(folder / name) as file:
            return file.read(MAX_FILE)
    except OSError as exc:
        raise WorkstationError(t("backup.no_file", file=name), t("backup.no_file_hint")) from exc


def plain_file(path: Path) -> BinaryIO:
    """A file, opened; whoever had the stick may have put a link, a pipe or a device there.  Raises OSError."""
    handle = os.open(path, os.O_RDONLY | BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no file")
    return os.fdopen(handle, "rb")


def check_folders(folder: Path) -> None:
    """Raise Refused if a link would lead what is written there elsewhere."""
    if folder.is_symlink() or (folder / PARTS).is_symlink():
        raise Refused(t("backup.linked"), t("backup.linked_hint"))
