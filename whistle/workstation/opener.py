"""Opens envelopes of a part: in this program, or in one that another asks through pipes, by `COMMAND`.

Such a program has the identities from its pipe, and nothing of them is written; it ends with the one that asks.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from whistle.protocol import envelope
from whistle.protocol.age import HybridIdentity
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.listing import BundleError, Member
from whistle.protocol.message import Signed
from whistle.workstation import hardening

# -I: a folder in which the user happens to stand, a stick's even, must not lend its files as modules.
COMMAND = (sys.executable, "-I", "-c", "from whistle.workstation.opener import serve; serve()")

Opened = Signed | NotForMe | Malformed


class Place(NamedTuple):
    """Where in a part an envelope stands, and what it must be: offset and size in bytes, SHA-256."""

    offset: int
    size: int
    sha256: bytes

    @classmethod
    def of(cls, member: Member, offset: int) -> "Place":
        """The place of a member whose content begins there."""
        return cls(offset, member.size, member.sha256)


@dataclass
class Opener:
    """Opens envelopes of one part, for whoever has these identities."""

    part: Path
    identities: Sequence[HybridIdentity]
    _file: BinaryIO | None = field(default=None, repr=False)

    def open(self, batch: Sequence[Place]) -> list[Opened]:
        """The messages of the envelopes, or the faults for which there is none.

        All are decrypted before any is read, and all read before any signature is looked at, since each of these
        drives the others out of the processor's memory.
        Raises BundleError where the part holds something else than its list says, OSError.
        """
        decrypted = list(map(self._decrypted, batch))
        opened = [_read(each) if isinstance(each, bytes) else each for each in decrypted]
        for each in opened:
            if isinstance(each, Signed):
                _ = each.is_by_reporter  # which it remembers, for whoever judges it
        return opened

    def _decrypted(self, place: Place) -> bytes | NotForMe | Malformed:
        self._file = self._file or self.part.open("rb")
        self._file.seek(place.offset)
        body = self._file.read(place.size)
        if hashlib.sha256(body).digest() != place.sha256:
            raise BundleError("a member's content is not the listed one")
        try:
            return envelope.decrypt(body, self.identities, place.size // envelope.SLOT)
        except (NotForMe, Malformed) as fault:
            return fault

    def close(self) -> None:
        """Let go of the part."""
        if self._file:
            self._file.close()
            self._file = None


def _read(plaintext: bytes) -> Signed | Malformed:
    try:
        return envelope.split(plaintext)
    except Malformed as fault:
        return fault


def serve() -> None:
    """Open what is asked for until the one who asks has ended, killed even: no process with identities stays behind.

    The first that comes on standard input is the part and the identities' seeds; then come batches, each answered, on
    the descriptor that the argument names, by what it holds or by the fault that `Opener.open` raised.
    """
    hardening.no_memory_on_disk()
    asked, answers = sys.stdin.buffer, os.fdopen(int(sys.argv[1]), "wb")
    with suppress(EOFError, OSError):
        part, seeds = pickle.load(asked)  # noqa: S301  here and below: from the program that started this one
        opener = Opener(Path(part), [HybridIdentity.from_seed(seed) for seed in seeds])
        while True:
            pickle.dump(_answered(opener, pickle.load(asked)), answers, pickle.HIGHEST_PROTOCOL)  # noqa: S301
            answers.flush()
    os._exit(0)  # at once: nobody waits for what is left in a buffer


def _answered(opener: Opener, batch: Sequence[tuple[int, int, bytes]]) -> list[Opened] | Exception:
    try:
        return opener.open([Place(*each) for each in batch])
    except (BundleError, OSError) as fault:
        return fault
