"""Sealing and opening age files as streams, in constant memory.

The payload is pieces of 64 KiB, each sealed with the payload key and a nonce that counts them and marks the last.
`Opener` returns only verified plaintext; a file that is cut off or altered raises an error instead of the rest.
"""

import copy
import secrets
from collections.abc import Callable, Iterator, Sequence

from whistle.protocol.age.errors import HeaderError, LowOrderError, MacError, PayloadError
from whistle.protocol.age.format import MAX_HEADER, Header, header_end, parse_header, sealed_header
from whistle.protocol.age.primitives import FILE_KEY, TAG, open_, seal
from whistle.protocol.age.recipients import Identity, Recipient
from whistle.protocol.errors import NotForMe, ProtocolError
from whistle.protocol.hkdf import hkdf

CHUNK = 65_536  # bytes of plaintext
SEALED_CHUNK = CHUNK + TAG
NONCE = 16  # bytes, random, between header and payload

Bytes = bytes | memoryview


class _Pieces:
    """Cuts a stream into pieces of `size` bytes, each released once `after` further bytes have arrived."""

    def __init__(self, size: int, after: int) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._size = size
        self._after = after

    def copy(self) -> "_Pieces":
        """An independent copy."""
        other = copy.copy(self)
        other._parts = list(self._parts)
        return other

    @property
    def rest(self) -> bytes:
        """What was taken and not yet released."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def take(self, data: Bytes) -> Iterator[bytes]:
        """The whole pieces that are ready; the remainder stays in `rest`."""
        view = memoryview(data)
        if self._length:
            missing = self._size - self._length
            self._add(data, view[:missing])
            view = view[missing:]
            if self._length < self._size or len(view) < self._after:
                return
            yield self.rest
            self._parts, self._length = [], 0
        whole = max(0, len(view) - self._after) // self._size * self._size
        for at in range(0, whole, self._size):
            yield bytes(view[at : at + self._size])
        self._add(data, view[whole:])

    def _add(self, data: Bytes, view: memoryview) -> None:
        if view:  # whole bytes objects need no copy
            self._parts.append(data if isinstance(data, bytes) and len(data) == len(view) else bytes(view))
            self._length += len(view)


class Sealer:
    """Seals one file to `recipients`; write `header` first, then what `update` and `finish` return.

    ValueError without a recipient, or for a passphrase beside any other.
    """

    def __init__(self, recipients: Sequence[Recipient]) -> None:
        file_key = secrets.token_bytes(FILE_KEY)
        nonce = secrets.token_bytes(NONCE)
        stanzas = [recipient.wrap(file_key) for recipient in recipients]
        self.header = sealed_header(stanzas, file_key) + nonce
        self._key = _payload_key(file_key, nonce)
        self._finished = False
        self._count = 0
        self._pieces = _Pieces(CHUNK, after=1)  # the last piece is sealed differently, even if it is full

    def update(self, data: bytes) -> bytes:
        """Take any number of bytes of plaintext; return as much ciphertext as is ready."""
        self._check_unfinished()
        return b"".join([self._seal(piece, last=False) for piece in self._pieces.take(data)])

    def finish(self) -> bytes:
        """The last piece of ciphertext; ValueError if anything is called after it."""
        self._check_unfinished()
        self._finished = True
        return self._seal(self._pieces.rest, last=True)

    def _seal(self, piece: bytes, last: bool) -> bytes:
        nonce = _nonce(self._count, last)
        self._count += 1
        return seal(self._key, nonce, piece)

    def _check_unfinished(self) -> None:
        if self._finished:
            raise ValueError("this file is finished")


class Opener:
    """Opens one file with one of `identities`.

    Identities are tried in order, and the first stanza that opens decides.  Any error is final: every later call raises
    it again.  `check` may refuse the header, by a ProtocolError, before any identity is tried.
    """

    def __init__(self, identities: Sequence[Identity], check: Callable[[Header], None] | None = None) -> None:
        self._identities, self._check = identities, check
        self._start = bytearray()
        self._header: int | None = None  # bytes, once the header has ended
        self._file_key = b""
        self._key: bytes | None = None
        self._count = 0
        self._ended = False  # whether the last piece has been seen
        self._pieces = _Pieces(SEALED_CHUNK, after=0)
        self._fault: ProtocolError | None = None
        self._finished = False

    def copy(self) -> "Opener":
        """An independent opener in the same state."""
        other = copy.copy(self)
        other._start, other._pieces = bytearray(self._start), self._pieces.copy()
        return other

    def update(self, data: bytes) -> bytes:
        """Take any number of bytes of the file; return as much verified plaintext as is ready.

        Raises HeaderError, NotForMe, MacError or PayloadError.
        """
        self._check_unfinished()
        try:
            rest = self._begin(data) if self._key is None else data
            return b"".join([self._open(piece) for piece in self._pieces.take(rest)])
        except ProtocolError as exc:
            self._fault = exc
            raise

    def finish(self) -> bytes:
        """The rest of the plaintext; HeaderError or PayloadError if the file is cut off."""
        self._check_unfinished()
        self._finished = True
        try:
            if self._key is None:
                raise HeaderError("the header is cut off")
            return self._open_rest(self._pieces.rest)
        except ProtocolError as exc:
            self._fault = exc
            raise

    def _check_unfinished(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._finished:
            raise ValueError("this file is finished")

    def _begin(self, data: Bytes) -> Bytes:
        """Collect the header and the nonce; return what follows them in `data`."""
        before = len(self._start)
        self._start += data[: MAX_HEADER + NONCE - before]
        if self._header is None:
            end = header_end(self._start)
            if end is None:
                return b""
            header, _ = parse_header(bytes(self._start[:end]))
            if self._check:
                self._check(header)
            self._file_key = _unwrap(header, self._identities)
            self._header = end
        begin = self._header + NONCE
        if len(self._start) < begin:
            return b""
        self._key = _payload_key(self._file_key, bytes(self._start[self._header : begin]))
        self._start.clear()
        return memoryview(data)[begin - before :]

    def _open(self, piece: bytes) -> bytes:
        """The plaintext of a full piece, which may or may not be the last."""
        if self._ended:
            raise PayloadError("the payload continues after its last piece")
        plaintext = self._try(piece, last=False)
        if plaintext is None:
            plaintext = self._try(piece, last=True)
            self._ended = True
        if plaintext is None:
            raise PayloadError("a piece of the payload is altered, missing or too many")
        self._count += 1
        return plaintext

    def _open_rest(self, piece: bytes) -> bytes:
        """The plaintext after the last full piece; empty if that was the last piece."""
        if self._ended and not piece:
            return b""
        if self._ended or len(piece) < TAG or (len(piece) == TAG and self._count):
            raise PayloadError("the payload is cut off, ends in an empty piece, or continues after its last")
        plaintext = self._try(piece, last=True)
        if plaintext is None:
            raise PayloadError("the last piece of the payload is altered or missing")
        return plaintext

    def _try(self, piece: bytes, last: bool) -> bytes | None:
        assert self._key is not None
        return open_(self._key, _nonce(self._count, last), piece)


def encrypt(recipients: Sequence[Recipient], plaintext: bytes) -> bytes:
    """A whole file at once; ValueError as from `Sealer`."""
    sealer = Sealer(recipients)
    return b"".join([sealer.header, sealer.update(plaintext), sealer.finish()])


def decrypt(identities: Sequence[Identity], data: bytes, check: Callable[[Header], None] | None = None) -> bytes:
    """A whole file at once; raises HeaderError, NotForMe, MacError or PayloadError, and what `check` raises."""
    opener = Opener(identities, check)
    return opener.update(data) + opener.finish()


def _unwrap(header: Header, identities: Sequence[Identity]) -> bytes:
    """Find the file key, and check the header's MAC with it before any payload is opened."""
    fault: ProtocolError = NotForMe("none of the identities opens this file")
    for identity in identities:
        try:
            file_key = identity.unwrap(header.stanzas)
        except LowOrderError as exc:
            fault = exc
            continue
        if file_key is None:
            continue
        if not header.is_sealed_with(file_key):
            raise MacError("the header was altered")
        return file_key
    raise fault


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return hkdf(file_key, nonce, b"payload")


def _nonce(count: int, last: bool) -> bytes:
    """11 bytes of count and one that marks the last piece; never repeated, since each payload key is fresh."""
    return count.to_bytes(11, "big") + bytes([last])
