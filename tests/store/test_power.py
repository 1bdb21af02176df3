"""A power cut at any moment: what was acknowledged is whole, and no name says that a torn block is there."""

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store import uploader
from tests.store.test_kills import has_whole
from tests.store.things import SIZE, TRIAL, files, opened
from tests.store.uploader import blocks_of
from whistle.store.blocks import filesystem

CUTS = 40 if TRIAL else 1  # for each size of report
DISK = (256 if TRIAL else 96) * 1024 * 1024
COPIES = 20  # tries to copy the image while nothing writes to it
LONGEST = 1.0 if TRIAL else 0.1  # seconds from the first report to the cut


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The disk of an image."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An ext4 disk; skips where it cannot be mounted."""
    found = tmp_path / "image"
    with found.open("wb") as file:
        file.truncate(DISK)
    try:
        subprocess.run(["mkfs.ext4", "-q", found], check=True, capture_output=True)
        with mounted(found, tmp_path / "disk"):
            pass
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount an image, and mkfs.ext4 must be there")
    return found


def acknowledged(child: "subprocess.Popen[bytes]") -> list[int]:
    """What the child has said so far."""
    assert child.stdout
    said = b""
    while select.select([child.stdout], [], [], 0)[0] and (more := os.read(child.stdout.fileno(), 65536)):
        said += more
    return [int(line) for line in said.split()]


def cut(image: Path, to: Path) -> None:
    """Copy what the disk itself has at this moment, and nothing of what only the machine knows."""
    before = b""
    for _ in range(COPIES):
        copy = image.read_bytes()
        if copy == before:
            to.write_bytes(copy)
            return
        before = copy
    raise AssertionError("the disk does not come to rest")


@pytest.mark.parametrize("blocks", [2, 12], ids=["few blocks", "many blocks"])
def test_a_power_cut(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """The image of the disk is taken while reports arrive; each that was acknowledged by then is whole on it."""
    monkeypatch.setattr(uploader, "BLOCKS", blocks)
    environment = {**os.environ, "UPLOADER_BLOCKS": str(blocks)}
    (tmp_path / "boot").write_text("another")
    for number in range(CUTS):
        with mounted(image, tmp_path / "disk") as disk:
            url = f"sqlite:///{disk}/{number}.sqlite"
            command = [
                sys.executable,
                "-m",
                "tests.store.uploader",
                url,
                str(disk / f"blocks-{number}"),
                "0",
                "upload",
                "0",
            ]
            with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
                assert child.stdout
                select.select([child.stdout], [], [])
                time.sleep(random.random() * LONGEST)
                child.send_signal(signal.SIGSTOP)
                said = acknowledged(child)
                cut(image, tmp_path / "copy")
                child.kill()
            for path in files(disk):
                path.unlink()
        with mounted(tmp_path / "copy", tmp_path / "after") as disk, monkeypatch.context() as patch:
            patch.setattr(filesystem, "BOOT", tmp_path / "boot")
            with contextlib.closing(
                opened(f"sqlite:///{disk}/{number}.sqlite", disk / f"blocks-{number}", SIZE)
            ) as store:
                assert said and all(has_whole(store, each) for each in said)
            whole = {id.hex(): body for each in range(max(said) + 3) for id, body in blocks_of(each)}
            assert all(path.read_bytes() == whole[path.name] for path in files(disk / f"blocks-{number}"))
