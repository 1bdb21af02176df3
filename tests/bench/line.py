"""A report over a slow line on an old phone: seconds from the first address to the twelve words, and what is asked for.

Chromium slows line and processor down; its workers' processors it does not, so their seconds are not slowed.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import parties
from tests.bench.browser import MODULES, PROGRAM
from tests.bench.figures import Figure, beside
from tests.bench.site import Site, today

SCRIPT = Path(__file__).with_name("line.mjs")
FILE = 5_000_000  # bytes
PATIENCE = 300  # seconds
Told = Mapping[str, Any]


def measure(folder: Path, quick: bool) -> Iterator[Figure]:
    """Script off and on, with one channel and with two; then a file."""
    program = shutil.which(PROGRAM)
    if not program or not shutil.which("node") or not (MODULES / "puppeteer-core").is_dir():
        yield Figure("a report over a slow line", "s", 0, note="Chromium, Node.js or client/node_modules are missing")
        return
    file = folder / "film.mp4"
    file.write_bytes(os.urandom(FILE))
    for name, several in (("one channel", False), ("two channels", True)):
        with _served(folder / name, several) as asked:
            for script in (False, True):
                rounds = [_visit(program, {**asked, "script": script}) for _ in range(1 if quick else 3)]
                yield from _figures(f"{name}, script {'on' if script else 'off'}", script, rounds)
            if not several:
                told = _visit(program, {**asked, "script": True, "file": str(file)})
                pairs = [(told["sending"], told["own"])]
                yield beside("a file of 5 MB", "s", "<= 1.15", pairs, "limit: as many bytes from a bare page")


@contextlib.contextmanager
def _served(folder: Path, several: bool) -> Iterator[Told]:
    org = parties.organisation(today())
    if not several:
        org.known = org.sign(channels=org.manifest.channels[:1])
    site = Site.make(folder, org)
    with site.served():
        yield {"address": f"http://127.0.0.1:{site.port}/"}


def _visit(program: str, asked: Told) -> Told:
    given = json.dumps({"program": program, "file": "", "patience": 1000 * PATIENCE, **asked})
    command = ["node", str(SCRIPT), given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    if done.returncode:
        raise SystemExit(f"the visit did not end well: {done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout)
    return told


def _figures(way: str, script: bool, rounds: Sequence[Told]) -> Iterator[Figure]:
    def seconds(name: str, moment: str, need: str) -> Figure:
        told = [each[moment] for each in rounds]
        return Figure(f"{name}, {way}", "s", statistics.median(told), need=need)

    first, form, sent = (rounds[0][part] for part in ("first", "form", "sent"))
    yield Figure(f"first page, {way}", "KB", first["bytes"] / 1000, need="<= 30", note=f"{first['requests']} requests")
    yield seconds("form usable", "usable", "<= 5")
    if script:
        yield seconds("program in charge", "inCharge", "<= 10")
        note = f"{form['requests']} requests, {form['chain']} one after the other"
        yield Figure(f"until then, {way}", "KB", form["bytes"] / 1000, note=note)
    note = f"after Send {sent['requests']} requests, {sent['chain']} one after the other"
    yield replace(seconds("twelve words", "words", f"<= {16 if script else 12}"), note=note)
