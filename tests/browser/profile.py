"""What a browser's profile on the disk holds: looked through for what was typed, in every form that it could have."""

import base64
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

MOZILLA = b"mozLz40\0"  # what Firefox's compressed files begin with
SHORTEST = 6  # bytes of base64 that are looked for


def found_in(profile: Path, planted: Iterable[str]) -> dict[str, list[str]]:
    """Which of the planted texts are in which files.

    Other compression than Firefox's keeps a random text as it is the first time that it comes, so that it is found.
    """
    forms = {text: written(text) for text in planted}
    hits: dict[str, list[str]] = {}
    for path, content in contents(profile):
        for text in (text for text, each in forms.items() if any(form in content for form in each)):
            hits.setdefault(text, []).append(str(path.relative_to(profile)))
    return hits


def contents(profile: Path, which: str = "*") -> Iterator[tuple[Path, bytes]]:
    """Every file, and those that Firefox compressed unpacked; some may go while one looks."""
    for path in sorted(profile.rglob(which)):
        try:
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        except FileNotFoundError:
            continue
        yield path, content + (unpacked(content) if content.startswith(MOZILLA) else b"")


def written(text: str) -> set[bytes]:
    """A text in every form that a browser could write it in."""
    plain = [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    sent = [quote(text).encode(), quote_plus(text).encode(), quote_plus(text).encode("utf-16-le")]
    return {*plain, *sent, *(form for raw in plain[:2] for form in _base64(raw))}


def _base64(raw: bytes) -> Iterator[bytes]:
    """The middle of its base64, wherever it began."""
    for before in range(3):
        middle = base64.b64encode(bytes(before) + raw)[-(-before * 8 // 6) : -4]
        if len(middle) >= SHORTEST:
            yield middle


def unpacked(data: bytes) -> bytes:
    """A file of Firefox's without its compression (LZ4, one block); as far as it goes, if it was cut off."""
    size = struct.unpack_from("<I", data, len(MOZILLA))[0]
    out, at = bytearray(), len(MOZILLA) + 4
    while at < len(data) and len(out) < size:
        token, at = data[at], at + 1
        literal, at = _length(data, at, token >> 4)
        out += data[at : at + literal]
        at += literal
        if at + 2 > len(data):
            break
        back, at = struct.unpack_from("<H", data, at)[0], at + 2
        copied, at = _length(data, at, token & 15)
        for _ in range(copied + 4):
            out.append(out[-back])
    return bytes(out)


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while at < len(data):
            more, at = data[at], at + 1
            length += more
            if more != 255:
                break
    return length, at
