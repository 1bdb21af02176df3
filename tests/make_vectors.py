"""Writes `tests/vectors/`: `make vectors`, or `python -m tests.make_vectors [--all]`.

Everything in it follows from labels and is the same every time, save what is sealed post-quantum, for which no
randomness can be given: such files are made only where they are missing, and all of them again with `--all`, which
is needed when what they hold has changed.  Files that belong to no vector any more are removed.
"""

import argparse
import json
from pathlib import Path

from tests.making import carried, codes, manifests, messages, missing, pasted, people, replies, sealed
from tests.making.vector import Vector, distinct

FOLDER = Path(__file__).parent / "vectors"
KEPT = {"README.md"}


def vectors() -> list[Vector]:
    """Every vector, in order of names."""
    areas = (codes, messages, missing, replies, sealed, manifests, people, carried, pasted)
    return distinct(vector for area in areas for vector in area.vectors())


def record(vector: Vector) -> bytes:
    """The file that tells what a vector is of and what must become of it."""
    return json.dumps(vector.record(), ensure_ascii=False, indent=1).encode() + b"\n"


def write(folder: Path, all_: bool) -> int:
    """Bring the folder up to date; the number of vectors."""
    found, names = vectors(), set(KEPT)
    for vector in found:
        (folder / f"{vector.name}.json").write_bytes(record(vector))
        names |= {f"{vector.name}.json", *vector.files}
        for name, content in vector.files.items():
            path = folder / name
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif all_ or not path.exists():
                path.write_bytes(content())
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    return len(found)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="make_vectors", description="Writes tests/vectors/.")
    parser.add_argument("--all", action="store_true", help="seal again what is sealed afresh each time")
    print(f"{write(FOLDER, parser.parse_args().all)} vectors in {FOLDER}")


if __name__ == "__main__":
    main()
