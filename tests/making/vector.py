"""A vector: one artefact with one property or defect, and the result that every implementation must give."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

Content = bytes | Callable[[], bytes]


@dataclass(frozen=True)
class Vector:
    """``name`` is `area_defect`; ``files`` are the artefacts beside the record, those sealed afresh as functions."""

    name: str
    about: str
    expect: str
    input: dict[str, Any]
    output: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Content] = field(default_factory=dict)

    @property
    def area(self) -> str:
        """The area, the first part of the name."""
        return self.name.partition("_")[0]

    def record(self) -> dict[str, Any]:
        """The JSON object that describes the artefacts."""
        shown = {"area": self.area, "about": self.about, "expect": self.expect, "input": self.input}
        return {**shown, "output": self.output} if self.output else shown


def told(data: bytes) -> dict[str, str]:
    """Bytes as they are written in a record."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def secret(label: str, size: int = 32) -> bytes:
    """Bytes that are the same every time, and so protect nothing."""
    return hashlib.shake_256(b"whistle vectors/" + label.encode()).digest(size)


@contextmanager
def unsurprising(label: str) -> Iterator[None]:
    """Within this context, Python's randomness is derived from ``label``."""
    count = iter(range(1_000_000))

    def draw(size: int = 32) -> bytes:
        return secret(f"{label}/{next(count)}", size)

    with mock.patch("secrets.token_bytes", draw), mock.patch("os.urandom", draw):
        yield


def distinct(vectors: Iterable[Vector]) -> list[Vector]:
    """The vectors in order of their names, which must be distinct."""
    found = sorted(vectors, key=lambda vector: vector.name)
    assert len({vector.name for vector in found}) == len(found)
    return found
