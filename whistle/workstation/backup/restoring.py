"""A workstation from a backup, or into nothing, to see whether it would work.

Everything is checked against the signed index: a part that is damaged is named, and what else there is can be restored
without it.
"""

import datetime
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whistle.protocol import schema
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import message
from whistle.protocol.case.message import Signed
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.workstation import language
from whistle.workstation.backup import folder as folders
from whistle.workstation.backup import parts, proving, tables
from whistle.workstation.backup.contents import BLOCKS, BODIES, MESSAGES, ROWS, counted
from whistle.workstation.backup.folder import KEYS, Index, Part, another
from whistle.workstation.backup.tables import Rows
from whistle.workstation.errors import WorkstationError
from whistle.workstation.language import Text, t
from whistle.workstation.tray import tray
from whistle.workstation.vault import keyfile, search
from whistle.workstation.vault.keyfile import Keys
from whistle.workstation.vault.models import BackupRow, MessageRow, Root
from whistle.workstation.workstation import Kept, Today, Workstation, utc_today

SHOWN = 20  # files that are named
MAX_LINES = 1024  # of messages in a file: more than any of ours holds
Block = Callable[[bytes, bytes], object]  # takes an id and what lay under it
Progress = Callable[[int, int], None]


@dataclass
class Opened:
    """A backup whose key file was opened: its folder, keys and index."""

    folder: Path
    keys: Keys
    index: Index

    @property
    def identities(self) -> list[HybridIdentity]:
        """The identities of its reviewer, the newest first."""
        return [period.identity for period in reversed(self.keys.periods)]


class NotWhole(WorkstationError):
    """Some of a backup is damaged or missing; the rest can be restored."""


@dataclass
class Lacking:
    """What a backup does not give back: its damaged parts, and how many messages, other records and blocks.

    `lost`: ids of blocks that are not there; `doubtful`: of those that came out of damaged parts.  `files`: a line for
    each file of a case that is not whole because of that.
    """

    parts: list[str] = field(default_factory=list)
    messages: int = 0
    rows: int = 0
    blocks: int = 0
    lost: set[bytes] = field(default_factory=set)
    doubtful: set[bytes] = field(default_factory=set)
    files: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.parts or self.messages or self.rows or self.blocks)

    def words(self) -> str:
        """What is missing, in a phrase; empty if nothing is."""
        counts = {"messages": self.messages, "blocks": self.blocks}
        lost = [counted(count, name) for name, count in counts.items() if count]
        lost += [t("backup.lost_rows", self.rows)] if self.rows else []
        named = t("backup.damaged_parts", parts=Text(language.listed(self.parts))) if self.parts else ""
        return both(named, t("backup.lost", lost=Text(language.listed(lost))) if lost else "")

    def lines(self) -> list[str]:
        """What to tell of it once the rest was restored."""
        more = [t("backup.more", len(self.files) - SHOWN)] if len(self.files) > SHOWN else []
        return [t("backup.not_restored", what=self.words()), *self.files[:SHOWN], *more]


def both(one: str, other: str) -> str:
    """Two phrases as one, or the one that there is."""
    return t("backup.both", one=one, other=other) if one and other else one or other


def open_backup(place: Path, passphrase: str) -> Opened:
    """Open the key file and the index of a backup.  Raises WrongPassphrase, WorkstationError."""
    folder = folders.within(place)
    if not folder.is_dir():
        raise WorkstationError(t("backup.not_there"), t("backup.not_there_hint"))
    keys = keyfile.read(folders.data(folder, KEYS), passphrase)
    index = folders.read_index(folder, [period.identity for period in keys.periods], keys.signing.public)
    if index is None:
        raise WorkstationError(t("backup.unfinished"), another())
    return Opened(folder, keys, index)


def restore(
    place: Path,
    folder: Path,
    old: str,
    new: str,
    profile: str = "standard",
    today: Today = utc_today,
    *,
    partly: Callable[[Lacking], object] | None = None,
    progress: Progress | None = None,
) -> Workstation:
    """A workstation from a backup: `old` opens its key file, `new` locks the new vault.  Raises WorkstationError.

    Of a damaged backup the rest is restored only with `partly`, which is told what is lacking.
    """
    opened = open_backup(place, old)
    workstation = make(opened, folder, new, profile, today)
    try:
        lacking = fill(workstation, opened, workstation.blocks.write, progress)
        if lacking and partly:
            proving.check_pieces(workstation, lacking)
            partly(lacking)
        elif lacking:
            raise NotWhole(
                t("backup.partly", lacking=lacking.words()),
                t("backup.partly_hint"),
            )
        _conclude(workstation, opened, place)
    except BaseException:
        workstation.vault.destroy()  # so that the folder is free for another attempt
        raise
    return workstation


def make(opened: Opened, folder: Path, secret: str, profile: str, today: Today) -> Workstation:
    """An empty workstation with the keys of a backup, marked unfinished."""
    person = opened.index.profile
    return Workstation.create(
        folder,
        secret,
        name=person["name"],
        role=person["role"],
        languages=person["languages"],
        profile=profile,
        today=today,
        signing=opened.keys.signing,
        periods=opened.keys.periods,
        unfinished=True,
    )


def fill(workstation: Workstation, opened: Opened, block: Block, progress: Progress | None = None) -> Lacking:
    """Put all that a backup holds into an empty workstation, and hand out its blocks; what it lacks.

    Raises WorkstationError if it cannot be restored at all.
    """
    reader = _Reader(opened, progress)
    texts = dict(reader.files(ROWS, BODIES))
    hashes = {hashlib.sha256(data).hexdigest(): data for data in texts.values()}
    bodies = {hash: data for hash, data in hashes.items() if BODIES + hash in texts}  # a forged part holds others
    with workstation.change():
        try:
            held = {name: _rows(names, texts, reader.lacking) for name, names in opened.index.tables.items()}
            reader.lacking.rows += tables.load(workstation.vault, held, bodies)
            _manifests(workstation, opened)
            came = _messages(workstation, reader, held[MessageRow.__tablename__])
            reader.lacking.messages = opened.index.counts["messages"] - came
            workstation.vault.station.clock = opened.index.clock
        except (KeyError, TypeError, ValueError) as exc:
            raise WorkstationError(t("backup.damaged_rows"), another()) from exc
        workstation.vault.session.flush()
    for name, data in reader.files(BLOCKS, last=True):
        block(_id(name), data)
    missed, doubtful = reader.missed(BLOCKS), reader.doubtful(BLOCKS)
    reader.lacking.blocks = len(missed)
    reader.lacking.lost, reader.lacking.doubtful = set(map(_id, missed)), set(map(_id, doubtful))
    return reader.lacking


def _id(name: str) -> bytes:
    """The id of a block, from its name."""
    return bytes.fromhex(name.removeprefix(BLOCKS).partition(".")[0])


def _conclude(workstation: Workstation, opened: Opened, place: Path) -> None:
    """Mark a filled workstation as restored, and have it go on with this backup."""
    with workstation.change():
        search.put_described(workstation)
        tray.hold_all(workstation)
        workstation.vault.station.restored = workstation.today()
        index, path = opened.index, str(place.absolute())
        workstation.vault.session.add(BackupRow(id=index.id, place=path, made=index.made, day=index.day))
        workstation.finish()


class _Reader:
    """Reads the files of a backup out of its parts, and notes which parts are not whole."""

    def __init__(self, opened: Opened, progress: Progress | None) -> None:
        self.lacking = Lacking()
        self._opened = opened
        self._progress = progress
        self._read = {part.name: set[str]() for part in opened.index.parts}
        self._damaged: set[str] = set()  # parts

    def files(self, *kinds: str, last: bool = False) -> Iterator[tuple[str, bytes]]:
        """The files whose names begin like this; of a block with several contents the one that came last is last.

        Of each part that has some, so that a part is read at most once for each call.
        """
        late: list[tuple[str, bytes]] = []
        count = 0
        for part in self._opened.index.parts:
            names = {name: size for name, size in part.holds.items() if name.startswith(kinds)}
            for name, data in self._of(part, names):
                self._read[part.name].add(name)
                count += 1
                if last and ".0-" in name:
                    late.append((name, data))
                else:
                    yield name, data
            if self._progress and names:
                self._progress(*self._done())
        yield from late

    def _of(self, part: Part, names: dict[str, int]) -> Iterator[tuple[str, bytes]]:
        path = folders.path(self._opened.folder, part)
        try:
            if names:
                yield from parts.read(path, part.sha256, self._opened.identities, names)
        except (OSError, ProtocolError):
            if part.name not in self._damaged:
                self._damaged.add(part.name)
                self.lacking.parts.append(f"{folders.PARTS}/{path.name}")

    def _done(self) -> tuple[int, int]:
        return sum(map(len, self._read.values())), sum(len(part.holds) for part in self._opened.index.parts)

    def missed(self, kind: str) -> list[str]:
        """The files of this kind that were not read."""
        return [
            name
            for part in self._opened.index.parts
            for name in part.holds
            if name.startswith(kind) and name not in self._read[part.name]
        ]

    def doubtful(self, kind: str) -> list[str]:
        """The files of this kind that were read from damaged parts: anybody can seal one under the name of ours."""
        return [name for part in self._damaged for name in self._read[part] if name.startswith(kind)]


def _rows(names: Sequence[str], texts: dict[str, bytes], lacking: Lacking) -> Rows:
    """The rows of a table's files; those of a file that is missing are counted once, since nobody knows how many."""
    rows: Rows = []
    for name in names:
        text = texts.get(name)
        if text is None or ROWS + hashlib.sha256(text).hexdigest() != name:
            lacking.rows += 1
            continue
        rows += map(json.loads, text.splitlines())
    return rows


def _manifests(workstation: Workstation, opened: Opened) -> None:
    """Take the manifests as from a stick: signed by a pinned root, each after its predecessor."""
    workstation.vault.session.add_all(Root(key=key) for key in opened.index.roots)
    workstation.vault.session.flush()
    serials = opened.index.manifests
    names = [f"manifest-{serial}.json{ending}" for serial in serials for ending in ("", ".minisig")]
    workstation.trust.take({name: folders.data(opened.folder, name) for name in names})


def _messages(workstation: Workstation, reader: _Reader, rows: Rows) -> int:
    """Insert the messages; returns how many."""
    left: dict[str, dict[str, Any]] = {row["hash"]: row for row in rows}
    by_file: dict[str, list[str]] = {}
    for name, text in reader.files(MESSAGES):
        listed = {signed.hash: signed for signed in _signed(text) if signed.hash in left}
        by_file[name] = [*listed]
        if listed:
            workstation.insert(*[_kept(signed, left.pop(hash)) for hash, signed in listed.items()])
    doubtful = [hash for name in reader.doubtful(MESSAGES) for hash in by_file[name]]
    return len(rows) - len(left) - proving.drop_unsigned(workstation, doubtful)


def _signed(text: bytes) -> Iterable[Signed]:
    """The messages of a file: each is a line, and its signature in base64 another."""
    lines = text.split(b"\n", 2 * MAX_LINES)
    for line, signature in zip(lines[::2], lines[1::2], strict=False):
        try:
            yield Signed(line, schema.unbase64(signature.decode("ascii", "replace")), message.parse(line))
        except Malformed:
            continue


def _kept(signed: Signed, row: dict[str, Any]) -> Kept:
    server, stored = map(_day, (row["server"], row["stored"]))
    arrived = datetime.date.fromisoformat(row["arrived"])
    return Kept(signed, row["via"], arrived, server, stored, row["grantor"], row["id"])


def _day(plain: str | None) -> datetime.date | None:
    return None if plain is None else datetime.date.fromisoformat(plain)
