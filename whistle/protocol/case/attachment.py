"""Attachments as blocks of 256 KiB of pure ciphertext (SPEC 6).

An attachment is an age file sealed to one fresh X25519 identity.  Its header and nonce travel in the message, so that
all blocks look alike and no public key is visible outside a sealed message.  Everything streams.
"""

import base64
import copy
import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from whistle.protocol import schema
from whistle.protocol.age import Opener as AgeOpener
from whistle.protocol.age import Sealer as AgeSealer
from whistle.protocol.age import X25519Identity
from whistle.protocol.errors import Malformed, NotForMe

BLOCK = 262_144  # bytes
PIECE = 65_536  # bytes of plaintext in a chunk of the age stream
TAG = 16  # bytes
HEADER = 184  # bytes: age header and nonce
SEED = 32  # bytes
ID = 16  # bytes
MAX_SIZE = 2**36  # bytes of content
MAX_BLOCKS = 262_208  # in all attachments of a message; as many as MAX_SIZE takes
IDENTITY = 74  # characters of an identity's text
MAX_NAME = 255  # characters
MAX_TYPE = 127  # characters
ZEROS = bytes(BLOCK)
HASHED_AT_ONCE = 1_048_576  # bytes of content, or
MAX_PIECES = 1024  # if they are small

Block = tuple[bytes, bytes]


def identity(value: object) -> str:
    """The form of an X25519 identity's text."""
    if not isinstance(value, str) or len(value) != IDENTITY:
        raise Malformed("not an identity")
    return X25519Identity.from_text(value).text


@dataclass(frozen=True)
class Attachment:
    """An attachment's record in a message; whoever has it can fetch and open the blocks."""

    kind: str = schema.field(schema.one_of("file", "rest"))
    name: str = schema.field(schema.text(MAX_NAME))
    type: str = schema.field(schema.text(MAX_TYPE))
    size: int = schema.field(schema.integer(0, MAX_SIZE))
    sha256: str = schema.field(schema.hexadecimal(32))
    blocks: int = schema.field(schema.integer(1, MAX_BLOCKS))
    seed: str = schema.field(schema.hexadecimal(SEED))
    header: str = schema.field(schema.base64_of(HEADER))
    identity: str = schema.field(identity)

    def __post_init__(self) -> None:
        if self.blocks != blocks_for(self.size):
            raise Malformed("an attachment's size and number of blocks disagree")


def capacity(blocks: int) -> int:
    """How many bytes of plaintext fit into that number of blocks."""
    sealed = blocks * BLOCK
    return sealed - TAG * -(-sealed // (PIECE + TAG))


def blocks_for(size: int) -> int:
    """The number of blocks for a content of ``size`` bytes; never one whose last chunk would be empty."""
    blocks = max(1, size // BLOCK)
    while capacity(blocks) < size or 0 < blocks * BLOCK % (PIECE + TAG) <= TAG:
        blocks += 1
    return blocks


def block_id(seed: bytes, index: int) -> bytes:
    """The id of 16 bytes of a block."""
    return hashlib.blake2b(index.to_bytes(4), digest_size=ID, key=seed).digest()


def block_ids(attachment: Attachment) -> list[bytes]:
    """The ids of all blocks, in order."""
    seed = bytes.fromhex(attachment.seed)
    return [block_id(seed, index) for index in range(attachment.blocks)]


def shortened_name(name: str) -> str:
    """A file's name as valid Unicode of at most 255 characters, its ending kept if it has at most 16."""
    valid = _valid(name)
    if len(valid) <= MAX_NAME:
        return valid
    stem, dot, ending = valid.rpartition(".")
    tail = dot + ending if stem and len(ending) <= 16 else ""
    return valid[: MAX_NAME - len(tail)] + tail


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class _Hash:
    """SHA-256 of a stream, on a second thread once there is enough to be worth it.

    Pieces are collected first, so that the threads synchronise once in a million bytes and not at every piece.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._length = 0  # bytes in `_pieces`
        self._thread: ThreadPoolExecutor | None = None  # ends with this object
        self._last: Future[None] | None = None

    def update(self, data: bytes) -> None:
        self._pieces.append(bytes(data))  # copies only what is mutable
        self._length += len(data)
        if self._length >= HASHED_AT_ONCE or len(self._pieces) == MAX_PIECES:
            self._wait()
            self._thread = self._thread or ThreadPoolExecutor(1, "whistle-hash")
            self._last = self._thread.submit(self._take, self._pieces)
            self._pieces, self._length = [], 0

    def hexdigest(self) -> str:
        """The hash of the whole stream; no `update` may follow."""
        self._wait()
        self._take(self._pieces)
        return self._hash.hexdigest()

    def _take(self, pieces: list[bytes]) -> None:
        self._hash.update(b"".join(pieces))  # in one call, since each call waits for the interpreter lock

    def _wait(self) -> None:
        if self._last:
            self._last.result()


class Sealer:
    """Seals one stream of content, holding at most about four MiB of it.

    ``update`` and ``finish`` return blocks as pairs of id and 262,144 bytes.
    """

    def __init__(self) -> None:
        self._identity = X25519Identity.generate()
        self._age = AgeSealer([self._identity.recipient])
        self._seed = os.urandom(SEED)
        self._hash = _Hash()
        self._size = self._count = 0
        self._block = bytearray(BLOCK)
        self._filled = 0  # bytes of the block

    def update(self, data: bytes) -> list[Block]:
        """Take the next bytes of the content; return the blocks that are complete.  ValueError above 2**36 bytes."""
        self._size += len(data)
        if self._size > MAX_SIZE:
            raise ValueError("an attachment is too large")
        self._hash.update(data)
        return self._cut(self._age.update(data))

    def finish(self, name: str, type: str, kind: str = "file") -> tuple[list[Block], Attachment]:
        """Fill the last block with zeros; return the last blocks and the record for the message."""
        blocks, total = [], blocks_for(self._size)
        missing = capacity(total) - self._size
        while missing:
            piece = min(missing, BLOCK)
            blocks += self._cut(self._age.update(ZEROS[:piece]))
            missing -= piece
        blocks += self._cut(self._age.finish())
        return blocks, Attachment(
            kind=kind,
            name=shortened_name(name),
            type=_valid(type)[:MAX_TYPE],
            size=self._size,
            sha256=self._hash.hexdigest(),
            blocks=total,
            seed=self._seed.hex(),
            header=base64.b64encode(self._age.header).decode(),
            identity=self._identity.text,
        )

    def _cut(self, sealed: bytes) -> list[Block]:
        blocks, view = [], memoryview(sealed)
        while view:
            part, view = view[: BLOCK - self._filled], view[BLOCK - self._filled :]
            self._block[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled == BLOCK:
                blocks.append((block_id(self._seed, self._count), bytes(self._block)))
                self._filled = 0
                self._count += 1
        return blocks


class Opener:
    """Opens one attachment from its blocks, in order.

    Every piece that ``update`` returns is authentic, but the whole only once ``finish`` has returned: write to a
    temporary file and rename it then.
    """

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        self._age = AgeOpener([X25519Identity.from_text(attachment.identity)])
        try:
            self._age.update(schema.unbase64(attachment.header))
        except NotForMe as error:
            raise Malformed("an attachment's header is not sealed to its identity") from error
        self._hash = hashlib.sha256()
        self._left = attachment.size
        self._blocks = 0

    def copy(self) -> "Opener":
        """An independent opener in the same state, to try a block that may be altered."""
        other = copy.copy(self)
        other._age, other._hash = self._age.copy(), self._hash.copy()
        return other

    def update(self, block: bytes) -> bytes:
        """The content that the next block completes; Malformed if it was altered."""
        self._blocks += 1
        if len(block) != BLOCK or self._blocks > self._attachment.blocks:
            raise Malformed("an attachment has the wrong number or size of blocks")
        return self._content(self._age.update(block))

    def finish(self) -> bytes:
        """The end of the content; Malformed unless everything was there and the hash is the message's."""
        last = self._content(self._age.finish())
        if self._left or self._blocks != self._attachment.blocks:
            raise Malformed("an attachment is cut off")
        if self._hash.hexdigest() != self._attachment.sha256:
            raise Malformed("an attachment's content is not what its message says")
        return last

    def _content(self, plaintext: bytes) -> bytes:
        content, padding = plaintext[: self._left], plaintext[self._left :]
        if padding.strip(b"\0"):
            raise Malformed("an attachment is padded with something other than zeros")
        self._left -= len(content)
        self._hash.update(content)
        return content
