"""What strangers' bytes reach, for fuzzing: a target takes any bytes and raises nothing but its declared errors."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.make_vectors import FOLDER
from tests.making import cast
from whistle.protocol import age, canonical, schema
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.code import words
from whistle.protocol.errors import ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.trust import manifest
from whistle.protocol.trust.minisign import PublicKey, SecretKey
from whistle.server.errors import FormError
from whistle.server.sealing.multipart import Bounds, receive
from whistle.store import Heap

BOUNDS = Bounds(upload=1 << 20, text=4096, fields=20, files=5)
MANIFEST = cast.known().data
OMBUDS = cast.IDENTITIES["ombuds"][0]
PICTURE = cast.PHOTO


@dataclass(frozen=True)
class Target:
    """What is fuzzed: bytes of at most `longest`, beginning with the seeds."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    longest: int
    declared: type[Exception] = ProtocolError

    def __call__(self, data: bytes) -> None:
        """Try one input; whatever was not declared goes through."""
        try:
            self.run(data)
        except self.declared:
            pass


class Sink:
    """Takes blocks and keeps none."""

    def put_blocks(self, blocks: Sequence[tuple[bytes, bytes]], heap: Heap, upload: bytes) -> None:
        """Look at the sizes."""
        assert {(len(upload), len(id), len(body)) for id, body in blocks} == {(16, 16, attachment.BLOCK)}

    def drop(self, ids: Sequence[bytes]) -> None:
        """Let go of what a refused form has put."""
        assert all(len(id) == 16 for id in ids)


def vectors(*patterns: str, longest: int = 200_000) -> tuple[bytes, ...]:
    """The files of the test vectors with such names."""
    paths = sorted({path for pattern in patterns for path in FOLDER.glob(pattern)})
    return tuple(path.read_bytes() for path in paths if path.stat().st_size <= longest)


def age_file(data: bytes) -> None:
    """An age file: its header, and all of it."""
    opener = age.Opener([OMBUDS, age.X25519Identity(bytes(32))])
    opener.update(data[: len(data) // 2])
    opener.update(data[len(data) // 2 :])
    opener.finish()


def keys(data: bytes) -> None:
    """Keys of minisign, and a signature file."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (PublicKey.from_text, SecretKey.from_text):
        try:
            read(text)
        except ProtocolError:
            pass
    cast.ROOT.public.verify(MANIFEST, data)


def code(data: bytes) -> None:
    """Twelve words as somebody types them, and texts that may hold them."""
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"\xed" else "replace")
    words.holds_code(text)
    words.holds_code(text, bytes(16))
    assert len(words.decode(text)) == 16


def record(data: bytes) -> None:
    """An attachment's record."""
    attachment.Opener(schema.parse(attachment.Attachment, canonical.loads(data)))


def upload(data: bytes) -> None:
    """A form; the first byte says of which of the two kinds."""
    body, kind = data[1:], "multipart/form-data; boundary=x"
    if data[:1] == b"u":
        kind = "application/x-www-form-urlencoded"
    receive(io.BytesIO(body), kind, len(body), Sink(), BOUNDS)  # type: ignore[arg-type]


FIELD = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nIt rains.\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nPNG\r\n'
FORMS = (b"m" + FIELD + FILE + b"--x--\r\n", b"utext=It+rains.&step=send", b"m" + FILE + FIELD)
MESSAGES = (cast.report(), cast.follow_up(), cast.slip(), cast.reply(), cast.note(), cast.status(), cast.grant())
TARGETS = {
    "age": Target(age_file, vectors("envelope_*.age", "keyfile*"), 40_000),
    "header": Target(age.parse_header, vectors("envelope_*.age"), 20_000),
    "envelope": Target(lambda data: envelope.open_(data, [OMBUDS], 2), vectors("envelope_*.age"), 8192),
    "line": Target(message.parse, (*map(message.encode, MESSAGES), *vectors("message_*")), 20_000),
    "json": Target(canonical.loads, (*vectors("canonical_*"), MANIFEST), 20_000),
    "record": Target(record, (canonical.dumps(schema.to_json(PICTURE)),), 4000),
    "manifest": Target(manifest.parse, (MANIFEST, *vectors("manifest_*")), 40_000),
    "minisign": Target(keys, vectors("minisign_*", "signature_*", "publickey_*"), 4000),
    "bundle": Target(lambda data: bundle.verify(io.BytesIO(data)), vectors("bundle_*.tar"), 200_000),
    "words": Target(code, vectors("words_*", "holds_*"), 10_000),
    "upload": Target(upload, FORMS, 60_000, FormError),
}  # fmt: skip
