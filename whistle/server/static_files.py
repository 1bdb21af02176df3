"""The files of the browser's program, compressed: none holds a secret or anything that a visitor sent, so their lengths
tell nothing (BREACH).
"""

import functools
import struct
import zlib
from importlib import resources

import flask
from werkzeug.exceptions import NotFound

FOLDER = resources.files("whistle.server.reporter") / "static"
NAMES = frozenset(entry.name for entry in FOLDER.iterdir())
HEAD = struct.Struct("<4sIBBH")  # of gzip: magic number, method, flag of an extra field; time; level; system
SUBFIELD = struct.Struct("<2sH")  # in the extra field: what it is, and its length
TAIL = struct.Struct("<II")

blueprint = flask.Blueprint("static", __name__)


@blueprint.get("/static/<name>")
def file(name: str) -> flask.Response:
    """One of the files."""
    if name not in NAMES:
        raise NotFound
    return script(*_content(name))


def script(content: bytes, compressed: bytes) -> flask.Response:
    """A script in whichever form the browser takes."""
    packs = flask.request.accept_encodings.quality("gzip") > 0
    response = flask.Response(compressed if packs else content, mimetype="text/javascript")
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response


def compress(content: bytes, whole: int = 1) -> bytes:
    """Content by gzip, filled up with zeros in its head to a multiple of ``whole`` bytes (at most 64 KiB)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(content) + packer.flush() + TAIL.pack(zlib.crc32(content), len(content))
    filling = -(HEAD.size + SUBFIELD.size + len(body)) % whole
    head = HEAD.pack(b"\x1f\x8b\x08\x04", 0, 2, 255, SUBFIELD.size + filling)
    return head + SUBFIELD.pack(b"fi", filling) + bytes(filling) + body


@functools.cache
def _content(name: str) -> tuple[bytes, bytes]:
    content = (FOLDER / name).read_bytes()
    return content, compress(content)
