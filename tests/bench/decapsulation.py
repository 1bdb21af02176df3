"""Bare trial decapsulation on all cores: what an import cannot do without.

A program of its own, so that its processes start as light as those of a workstation: reads what to open as JSON from
its standard input, writes the seconds that it took, the start of the processes included.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from whistle.protocol import age

IDENTITIES: list[age.HybridIdentity] = []


def begin(seeds: Sequence[str]) -> None:
    """What each process has at hand."""
    IDENTITIES[:] = [age.HybridIdentity.from_seed(bytes.fromhex(seed)) for seed in seeds]


def decapsulate(path: str, start: int, count: int, size: int) -> int:
    """Try every identity on every stanza until one opens, and nothing else; how many envelopes opened."""
    opened = 0
    with Path(path).open("rb") as file:
        file.seek(start * size)
        for _ in range(count):
            header, _ = age.parse_header(file.read(size))
            opened += any(identity.unwrap(header.stanzas) for identity in IDENTITIES)
    return opened


def main() -> None:
    """Open all envelopes of a file that holds one after another."""
    asked = json.loads(sys.stdin.read())
    path, count, size = asked["path"], asked["count"], asked["size"]
    cores, begun = os.cpu_count() or 1, time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, initializer=begin, initargs=(asked["seeds"],)) as pool:
        step = max(1, count // (8 * cores))
        parts = [pool.submit(decapsulate, path, at, min(step, count - at), size) for at in range(0, count, step)]
        opened = sum(part.result() for part in parts)
    print(json.dumps({"seconds": time.perf_counter() - begun, "opened": opened}))


if __name__ == "__main__":
    main()
