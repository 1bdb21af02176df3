"""Bare trial decapsulation on one core: what an import cannot do without.

A program of its own: reads what to open as JSON from its standard input, writes the seconds that it took.
"""

import json
import sys
import time
from pathlib import Path

from whistle.protocol import age


def decapsulate(path: Path, count: int, size: int, identities: list[age.HybridIdentity]) -> int:
    """Try every identity on every stanza until one opens, and nothing else; how many envelopes opened."""
    opened = 0
    with path.open("rb") as file:
        for _ in range(count):
            header, _ = age.parse_header(file.read(size))
            opened += any(identity.unwrap(header.stanzas) for identity in identities)
    return opened


def main() -> None:
    """Open all envelopes of a file that holds one after another."""
    asked = json.loads(sys.stdin.read())
    identities = [age.HybridIdentity.from_seed(bytes.fromhex(seed)) for seed in asked["seeds"]]
    begun = time.perf_counter()
    opened = decapsulate(Path(asked["path"]), asked["count"], asked["size"], identities)
    print(json.dumps({"seconds": time.perf_counter() - begun, "opened": opened}))


if __name__ == "__main__":
    main()
