"""What an installation takes: its own files and those of everything that it needs, without pip and setuptools."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from tests.bench.figures import Figure

OURS = "whistle"


def requirements(name: str, extras: frozenset[str] = frozenset()) -> list[Requirement]:
    """What a distribution asks for, with that of some of its extras."""
    found = [Requirement(text) for text in importlib.metadata.requires(name) or []]
    return [each for each in found if not each.marker or any(each.marker.evaluate({"extra": e}) for e in {"", *extras})]


def closure() -> set[str]:
    """All distributions that Whistle needs, directly or not, and not itself."""
    found: set[str] = set()
    ahead = requirements(OURS)
    while ahead:
        asked = ahead.pop()
        name = re.sub(r"[-_.]+", "-", asked.name).lower()
        if name not in found or asked.extras:
            found.add(name)
            ahead += requirements(name, frozenset(asked.extras))
    return found


def weight(name: str) -> int:
    """Bytes of a distribution's files on the disk."""
    files = importlib.metadata.files(name) or []
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def measure() -> Iterator[Figure]:
    """Bytes installed, and how many distributions are asked for by name."""
    import whistle

    own = sum(path.stat().st_size for path in Path(whistle.__file__).parent.rglob("*") if path.is_file())
    needed = closure()
    total = own + sum(map(weight, needed))
    yield Figure("installed", "MB", total / 1e6, need="<= 110", note=f"{len(needed)} distributions and itself")
    yield Figure("direct dependencies", "", len(requirements(OURS)), need="<= 15")
