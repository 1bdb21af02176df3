"""Sealing in a page of Chromium, beside the package age-encryption in the same page, and what a long file adds."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, beside

SCRIPT = Path(__file__).with_name("browser.mjs")
MODULES = Path(__file__).parents[2] / "client" / "node_modules"
MIB = 1024 * 1024
SIZES = (50, 500)  # MiB of the files whose memory is compared
PROGRAM = "chromium"


def measure(folder: Path, quick: bool) -> Iterator[Figure]:
    """Speed and memory, where there is a browser."""
    name = "seal a file in Chromium"
    program = shutil.which(PROGRAM)
    if not program or not shutil.which("node") or not (MODULES / "age-encryption").is_dir():
        yield Figure(name, "", 0, note="Chromium, Node.js or client/node_modules are not installed")
        return
    asked = {"program": program, "mib": 100, "rounds": 3 if quick else 9, "files": list(map(str, files(folder)))}
    done = subprocess.run(["node", str(SCRIPT), json.dumps(asked)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    yield beside(name, "MiB/s", ">= 0.5", told["pairs"], "limit: age-encryption in the same page")
    small, large = told["peaks"]
    added = (large - small) / 1024
    yield Figure("memory added in Chromium", "MiB", added, need="<= 96", note="500 MiB after 50; its collector waits")


def files(folder: Path) -> Iterator[Path]:
    """A file of each size."""
    piece = os.urandom(MIB)
    for size in SIZES:
        path = folder / f"film-{size}"
        with path.open("wb") as file:
            for _ in range(size):
                file.write(piece)
        yield path
