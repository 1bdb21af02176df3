"""The parts of a backup: sealed tar files that are written once, and read as far as they are whole.

A part is an age file.  Its plaintext ends in a file of zeros, so that its size tells little of what came.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from whistle import durable
from whistle.protocol import age
from whistle.protocol.age import HybridIdentity, HybridRecipient
from whistle.protocol.errors import Malformed
from whistle.protocol.transfer import tar
from whistle.workstation.backup.folder import PART, PIECE, Part, plain_file

MOST = 48 * 1024**2  # bytes of plaintext after which a part ends
STEP = 256 * 1024  # bytes; the plaintext is a multiple
FILLER = "padding"

Read = Callable[[str], bytes]


def write(folder: Path, to: HybridRecipient, period: str, names: Iterable[str], read: Read) -> Iterator[Part]:
    """Write what `names` names into as many parts as it takes, each complete and synced when it is given back.

    `period`: the first day of the recipient's.  Raises OSError.
    """
    queue = deque(names)
    while queue:
        path, holds, digest = folder / f"{secrets.token_hex(8)}{PART}", dict[str, int](), hashlib.sha256()
        beside = durable.stage(path, _hashed(_sealed(to, queue, read, holds), digest))
        beside.rename(path)
        durable.sync_folder(folder)
        size, held = path.stat().st_size, sum(holds.values())
        yield Part(path.name.removesuffix(PART), size, digest.hexdigest(), period, held, holds)


def _hashed(pieces: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _sealed(to: HybridRecipient, queue: deque[str], read: Read, holds: dict[str, int]) -> Iterator[bytes]:
    sealer, total = age.Sealer([to]), 0
    yield sealer.header
    while queue and total < MOST:
        name = queue.popleft()
        data = read(name)
        holds[name] = len(data)
        yield sealer.update(_member(name, data))
        total += tar.span(len(data))
    filler = bytes(-(total + tar.RECORD + len(tar.END)) % STEP)
    yield sealer.update(_member(FILLER, filler) + tar.END)
    yield sealer.finish()


def _member(name: str, data: bytes) -> bytes:
    return tar.header(name, len(data)) + data + tar.padding(len(data))


def read(
    path: Path, sha256: str, identities: Sequence[HybridIdentity], sizes: Mapping[str, int]
) -> Iterator[tuple[str, bytes]]:
    """The files of a part that have these names and sizes, one at a time.

    Raises OSError; ProtocolError where it does not open, or at its end if it is another one: anybody can seal one.
    """
    with plain_file(path) as file:
        reader = tar.Reader(_Plain(file, sha256, identities))
        while entry := reader.next():
            if sizes.get(entry.name) == entry.size:
                yield entry.name, entry.read()


class _Plain:
    """What an age file holds, as a stream."""

    def __init__(self, file: BinaryIO, sha256: str, identities: Sequence[HybridIdentity]) -> None:
        self._file = file
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self._opener = age.Opener(identities)
        self._ready = memoryview(b"")
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes of verified plaintext; none only at the end."""
        while not self._ready and not self._ended:
            sealed = self._file.read(PIECE)
            self._digest.update(sealed)
            if not sealed and self._digest.hexdigest() != self._sha256:
                raise Malformed("this part is not the one that was written")
            self._ended = not sealed
            self._ready = memoryview(self._opener.update(sealed) if sealed else self._opener.finish())
        data, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return data
