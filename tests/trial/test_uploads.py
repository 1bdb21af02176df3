"""Files of every size, many at once, come out at the workstation as they went in."""

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.trial.conftest import Measure
from tests.trial.counts import full
from tests.trial.serving import PIECE, Server, Upload, today
from tests.workstation.carrying import station
from whistle.protocol.case.attachment import BLOCK, capacity
from whistle.workstation.cases import overview
from whistle.workstation.cases.saved_files import save
from whistle.workstation.exchange.exchange import exchange

COUNT = full("UPLOADS", 2000, 40)
LARGEST = full("UPLOADS_LARGEST", 30_000_000, 1_200_000)  # bytes
CLIENTS = 16
SPARE = 1_000_000
RANDOM = random.Random(20)
MATERIAL = RANDOM.randbytes(LARGEST + SPARE)


def edges() -> list[int]:
    """Nothing, one byte, and what fills chunks and blocks just so, with the neighbours of each."""
    corners = [0, 1, 65_536, 65_552, BLOCK, 2 * BLOCK, 4 * BLOCK, 8 * 1024 * 1024]
    corners += [capacity(blocks) for blocks in (1, 2, 3, 4, 64, 110)]
    found = {size + near for size in corners for near in (-1, 0, 1)}
    return sorted(size for size in found if 0 <= size <= LARGEST)


def sizes() -> list[int]:
    """Edges, and sizes spread evenly in their logarithm; in no order."""
    near = edges()
    spread = max(COUNT - len(near), COUNT // 2)
    found = near[: COUNT - spread] if len(near) > COUNT - spread else near
    found += [round(LARGEST ** (place / (spread - 1))) for place in range(spread)]
    RANDOM.shuffle(found)
    return found


def content(number: int, size: int) -> memoryview:
    """The content of a numbered file."""
    start = number * 499 % SPARE
    return memoryview(MATERIAL)[start : start + size]


def upload(number: int, size: int) -> Upload:
    """A numbered report with its file."""

    def pieces() -> Iterator[bytes]:
        whole = content(number, size)
        for start in range(0, size, PIECE):
            yield bytes(whole[start : start + PIECE])

    return Upload(f"upload {number}", size, pieces, f"{number}.bin")


def test_every_size_arrives_as_it_was(tmp_path: Path, measured: Measure) -> None:
    """What sixteen clients upload at once is, byte for byte, what the workstation saves."""
    wanted = list(enumerate(sizes()))
    with Server.make(tmp_path / "server").running() as server:
        with ThreadPoolExecutor(CLIENTS) as clients:
            words = list(clients.map(lambda each: server.send(upload(*each)), wanted))
        assert len(set(words)) == len(wanted)
        workstation = station(tmp_path / "ombuds", server.org.people["ombuds"], today)
        workstation.trust.pin([server.org.root.public])
        (tmp_path / "stick").mkdir()
        server.courier(tmp_path / "courier").exchange(tmp_path / "stick")
    exchange(workstation, tmp_path / "stick")
    seen = {}
    for case in overview.queue(workstation):
        [(entry, record)] = overview.files(case)
        path = save(record, workstation.blocks, tmp_path / "saved")
        seen[int(entry.content.text.split()[1])] = hashlib.sha256(path.read_bytes()).digest()
        path.unlink()
    workstation.close()
    assert seen == {number: hashlib.sha256(content(number, size)).digest() for number, size in wanted}
    measured("files", len(seen))
    measured("bytes", f"{sum(size for _, size in wanted):,}")
