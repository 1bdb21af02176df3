"""What a backup must hold now: its files by name, each of which always has the same content.

Rows and messages are cut into files where their own bytes say so, so that a new row changes one file and not all that
follow.  Names are hashes: which files a backup lacks is found without reading a message or a block.
"""

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from whistle.workstation.backup import tables
from whistle.workstation.language import t
from whistle.workstation.vault.models import CaseRow, MessageRow, OutgoingEnvelope
from whistle.workstation.workstation import Workstation

ROWS, MESSAGES, BODIES, BLOCKS = "rows/", "messages/", "bodies/", "blocks/"  # what names begin with
CUT = 0x7F  # a file ends after a line whose hash has these bits 0: one in 128
MOST_LINES = 512  # in a file
NAMED = {"cases": "backup.cases", "messages": "backup.messages", "blocks": "backup.blocks"}
MOST_BYTES = 4 * 1024**2  # of rows in a file; the last may be longer


@dataclass
class Contents:
    """The files: names of those of each table and of the messages, in order, and of all; `read` gives what they hold.

    `grew`: whether the last file of messages of the backup before only became longer.
    """

    workstation: Workstation
    tables: dict[str, list[str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    grew: bool = False
    _texts: dict[str, bytes] = field(default_factory=dict)  # rows
    _spans: dict[str, tuple[int, int]] = field(default_factory=dict)  # of messages: first and last id
    _bodies: dict[str, int] = field(default_factory=dict)
    _blocks: dict[str, Path] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """The names of all files but blocks."""
        return [*self._texts, *self._spans, *self._bodies]

    @property
    def blocks(self) -> list[str]:
        """The names of blocks."""
        return list(self._blocks)

    def read(self, name: str) -> bytes:
        """What a file holds.  Raises OSError."""
        if name in self._texts:
            return self._texts[name]
        if name in self._blocks:
            return self._blocks[name].read_bytes()
        session = self.workstation.vault.session
        if name in self._bodies:
            body = select(OutgoingEnvelope.body).where(OutgoingEnvelope.number == self._bodies[name])
            return session.scalars(body).one() or b""
        first, last = self._spans[name]
        columns = select(MessageRow.line, MessageRow.signature).where(MessageRow.id.between(first, last))
        rows = session.execute(columns.order_by(MessageRow.id))
        return b"".join([b"%b\n%b\n" % (line, base64.b64encode(signature)) for line, signature in rows])


def words(counts: Mapping[str, int]) -> str:
    """How many there are of everything."""
    cases, messages, blocks = (counted(counts[name], name) for name in NAMED)
    return t("backup.counts", cases=cases, messages=messages, blocks=blocks)


def counted(count: int, name: str) -> str:
    """A number of what NAMED names, in words."""
    return t(NAMED[name], count)


def survey(workstation: Workstation, last: str = "") -> Contents:
    """What a backup must hold; `last` is the last file of messages of the backup before."""
    contents = Contents(workstation)
    for model in tables.MODELS:
        lines = _messages(contents, last) if model is MessageRow else _only(tables.lines(workstation.vault, model))
        contents.tables[model.__tablename__] = [_note(contents, text) for text in cut(lines)]
    session = workstation.vault.session
    bodies = select(func.lower(func.hex(OutgoingEnvelope.sha256)), OutgoingEnvelope.number).where(tables.HAS_BODY)
    contents._bodies = {BODIES + sha256: number for sha256, number in session.execute(bodies)}
    contents._blocks = dict(_blocks(workstation))
    contents.counts |= {
        "cases": session.scalar(select(func.count()).select_from(CaseRow)) or 0,
        "blocks": len({name.partition(".")[0] for name in contents._blocks}),
    }
    return contents


def cut(lines: Iterable[str]) -> Iterator[bytes]:
    """Rows as files of some of them."""
    held, size = list[bytes](), 0
    for line in lines:
        held.append(line.encode() + b"\n")
        size += len(held[-1])
        if not zlib.crc32(held[-1]) & CUT or len(held) == MOST_LINES or size > MOST_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _only(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    return (line for (line,) in rows)


def _note(contents: Contents, text: bytes) -> str:
    name = ROWS + hashlib.sha256(text).hexdigest()
    contents._texts[name] = text
    return name


def _messages(contents: Contents, last: str) -> Iterator[str]:
    """The lines of the messages' table; notes the files of what the messages say, on the way."""
    digest, first, held, count = hashlib.sha256(), 0, 0, 0
    id = 0
    rows = tables.lines(contents.workstation.vault, MessageRow, MessageRow.id, MessageRow.hash)
    for line, id, hash in map(tuple, rows):
        first, held, count = first or id, held + 1, count + 1
        digest.update(bytes.fromhex(hash))
        ends = not int(hash[-2:], 16) & CUT or held == MOST_LINES
        name = MESSAGES + digest.hexdigest() if ends or last else ""
        contents.grew = contents.grew or name == last != ""
        if ends:
            contents._spans[name] = first, id
            digest, first, held = hashlib.sha256(), 0, 0
        yield line
    if held:
        contents._spans[MESSAGES + digest.hexdigest()] = first, id
    contents.messages = list(contents._spans)
    contents.counts["messages"] = count


def _blocks(workstation: Workstation) -> Iterator[tuple[str, Path]]:
    """The blocks; of one that came with several contents each, marked by its hash and whether it came last."""
    several = workstation.blocks.with_several()
    for id in workstation.blocks.ids():
        if id not in several:
            yield f"{BLOCKS}{id.hex()}", workstation.blocks.path(id)
            continue
        newest, *others = workstation.blocks.paths(id)
        yield f"{BLOCKS}{id.hex()}.0-{hashlib.sha256(newest.read_bytes()).hexdigest()[:16]}", newest
        for path in others:
            yield f"{BLOCKS}{id.hex()}.1-{path.name[:16]}", path
