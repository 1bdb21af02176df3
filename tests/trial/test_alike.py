"""Two uploads that differ in what they say leave nothing at rest that tells them apart but the number of blocks."""

import random
import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import parties
from tests.server.visitor import Clock, Visitor, site, store_of
from tests.trial.conftest import Measure
from tests.trial.counts import full
from whistle.protocol import age
from whistle.server.instance import NAME
from whistle.server.running import housekeeping
from whistle.store import BLOCK, sqlite_files

PAIRS = full("ALIKE", 40, 1)  # of each kind
RANDOM = random.Random(4)
HEXADECIMAL = re.compile(r"[0-9a-f]+")
RANDOM_COLUMNS = {"id", "k"}
Files = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation."""
    return parties.organisation()


def files(sizes: Sequence[int], length: int) -> Files:
    """Files of these sizes, with names of that length."""
    return [(f"{n}".rjust(length, "x") + ".pdf", RANDOM.randbytes(size)) for n, size in enumerate(sizes)]


def text(length: int) -> str:
    """A text of that many letters."""
    return "".join(RANDOM.choice("aehilnorst ") for _ in range(length - 2)).join("ab")


def rest(folder: Path, org: parties.Organisation, said: str, sent: Files, over: bool) -> dict[str, Any]:
    """What is at rest after one report, on its day or after the turn-over."""
    folder.mkdir()
    clock = Clock()
    app = site(folder, org, clock)
    Visitor(app).tell(said, files=sent)
    if over:
        clock.day += timedelta(days=1)
        housekeeping.clean(app.extensions[NAME])
    database = app.extensions[NAME].config.database
    store_of(app).close()
    blocks: Counter[str] = Counter()
    found: dict[str, Any] = {"blocks": blocks, "bodies": [], "files": Counter(), "rows": {}}
    for path in sorted(folder.rglob("*")):
        shape = HEXADECIMAL.sub(lambda match: str(len(match[0])), str(path.relative_to(folder)))
        stat = path.stat()
        if path.is_file() and stat.st_size == BLOCK and "blocks" in path.parts:
            blocks[f"{shape} {stat.st_mode:o} {stat.st_mtime_ns}"] += 1
            assert len(zlib.compress(path.read_bytes(), 1)) > BLOCK
        elif path.is_file() and "keys" not in path.parts:
            found["files"][f"{shape} {stat.st_mode:o} {stat.st_size}"] += 1
    for file in sqlite_files(database):
        tables(file, found)
    return found


def tables(file: Path, found: dict[str, Any]) -> None:
    """The rows of a database file, without what is random in them; of bodies, their form."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        rows: Counter[tuple[Any, ...]] = Counter()
        for row in connection.execute(f"SELECT * FROM {name}"):
            values = dict(zip(columns, row, strict=True))
            if "body" in values:
                values["body"] = form(values["body"])
            rows[tuple(len(str(v)) > 0 if c in RANDOM_COLUMNS else v for c, v in values.items())] += 1
        found["rows"][name] = dict(rows) if "blocks" not in name else set(rows)
    connection.close()


def form(body: bytes) -> tuple[Any, ...]:
    """All of an envelope that is not random: its length, its stanzas' kinds and lengths; the rest does not compress."""
    header, end = age.parse_header(body)
    stanzas = tuple((stanza.args[0], len(stanza.args), len(stanza.body)) for stanza in header.stanzas)
    assert len(zlib.compress(body[end:], 9)) > len(body) - end
    return len(body), end, stanzas


KINDS = {
    "text": lambda: ((text(3), []), (text(4000), [])),
    "names": lambda: ((text(50), files([100], 5)), (text(50), files([100], 190))),
    "sizes": lambda: ((text(50), files([0], 5)), (text(50), files([200_000], 5))),
    "everything": lambda: ((text(5), files([1, 2, 3], 4)), (text(9000), files([100_000, 0, 250_000], 150))),
}


@pytest.mark.parametrize("over", [False, True], ids=["today", "turned over"])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_numbers_of_blocks_look_alike(
    tmp_path: Path, org: parties.Organisation, kind: str, over: bool, measured: Measure
) -> None:
    """Texts, names and sizes that need as many blocks leave the same files, sizes, rows and forms."""
    for number in range(PAIRS):
        one, two = KINDS[kind]()
        first = rest(tmp_path / f"{number} one", org, *one, over)
        assert first == rest(tmp_path / f"{number} two", org, *two, over)
        assert sum(first["blocks"].values()) == len(one[1])
    measured("pairs", PAIRS)


@pytest.mark.parametrize("over", [False, True], ids=["today", "turned over"])
def test_only_the_number_of_blocks_tells(tmp_path: Path, org: parties.Organisation, over: bool) -> None:
    """One small file and five, a short text and one that fills a block of its own: only blocks are counted."""
    first = rest(tmp_path / "one", org, text(5), files([10], 5), over)
    second = rest(tmp_path / "two", org, text(60_000), files([10, 0, 5, 100, 7], 100), over)
    assert (first.pop("blocks").total(), second.pop("blocks").total()) == (1, 6)
    assert first == second
