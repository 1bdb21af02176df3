"""Names chosen by strangers, and files that are saved whole or not at all."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making.codes import NAMES
from tests.workstation.carrying import attach
from whistle import durable
from whistle.protocol import file_names
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import BLOCK, block_ids
from whistle.workstation.cases import saved_files
from whistle.workstation.errors import CannotSave
from whistle.workstation.vault.blocks import Blocks


def test_a_lone_surrogate_is_left_out() -> None:
    """Characters that cannot be written as UTF-8 are removed from a name."""
    assert file_names.safe_name("\ud800a.txt") == "a.txt"


@pytest.mark.parametrize("letter", ["a", "ش", "𝔸"])
def test_a_long_name_is_cut_and_keeps_its_ending(letter: str) -> None:
    """4,000 characters of any script become at most 200 bytes, whole characters, the ending kept, numbered or not."""
    for name in (file_names.safe_name(letter * 4000 + ".jpeg"), file_names.numbered(letter * 4000 + ".jpeg", 12)):
        assert len(name.encode()) <= 200 and name.endswith(".jpeg") and len(name.encode()) > 190
    assert file_names.numbered(letter * 4000 + ".jpeg", 12).endswith(" (12).jpeg")
    assert len(file_names.safe_name("a." + letter * 4000).encode()) <= 200


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("name", sorted({given for given, _ in NAMES.values()}))
def test_a_name_is_safe_with_any_number(name: str, count: int) -> None:
    """A numbered name stays short and safe and keeps its ending."""
    found = file_names.numbered(name, count)
    assert len(found.encode()) <= 200 and file_names.safe_name(found) == found
    _, dot, ending = file_names.safe_name(name).rpartition(".")
    assert not dot or len(ending) > file_names.LONGEST_ENDING or found.endswith(dot + ending)


@pytest.mark.parametrize("name", ["desktop.ini", "Report.lnk", "con.txt", "photo.jpg:x.exe"])
def test_what_windows_acts_on_is_saved_under_another_name(tmp_path: Path, blocks: Blocks, name: str) -> None:
    """No file in the folder has a name that Windows follows, or opens as something else."""
    sealed, record = attach(b"content", name)
    for id, body in sealed:
        blocks.write(id, body)
    path = saved_files.save(record, blocks, tmp_path / "to")
    assert path.name != name and path.read_bytes() == b"content" and ":" not in path.name
    assert path.suffix not in (".lnk", ".ini") or path.name.startswith("_")


@pytest.fixture
def blocks(tmp_path: Path) -> Blocks:
    """A folder of blocks."""
    return Blocks(tmp_path / "blocks")


def test_nothing_is_overwritten(tmp_path: Path, blocks: Blocks) -> None:
    """Two files of one name both stay, for their owner alone."""
    for content in (b"one", b"two"):
        sealed, record = attach(content)
        for id, body in sealed:
            blocks.write(id, body)
        saved_files.save(record, blocks, tmp_path / "to")
    found = {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()}
    assert found == {"photo.jpg": b"one", "photo (2).jpg": b"two"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "to").iterdir())


@pytest.mark.parametrize("harm", ["missing", "altered", "swapped"])
def test_a_faulty_attachment_leaves_nothing_behind(tmp_path: Path, blocks: Blocks, harm: str) -> None:
    """Nothing, not even the name, is left of an attachment that is incomplete or altered, even in its last block."""
    sealed, record = attach(bytes(600_000))
    for id, body in sealed:
        blocks.write(id, body)
    last, first = sealed[-1][0], sealed[0][0]
    if harm == "missing":
        blocks.path(last).unlink()
    elif harm == "altered":
        blocks.path(last).write_bytes(sealed[-1][1][:-1] + bytes([sealed[-1][1][-1] ^ 1]))
    else:
        blocks.path(last).write_bytes(blocks.read(first))
    with pytest.raises(CannotSave):
        saved_files.save(record, blocks, tmp_path / "to")
    assert not (tmp_path / "to").exists() or not list((tmp_path / "to").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
def test_a_kill_leaves_nothing_of_a_file(tmp_path: Path) -> None:
    """A process that is killed while it saves leaves neither a part of the file nor a name."""
    script = (
        "import os, pathlib; from whistle.durable import new_file\n"
        f"with new_file(pathlib.Path({str(tmp_path)!r})) as (file, name_it):\n"
        "    file.write(b'in clear' * 10_000); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.call([sys.executable, "-c", script]) == -9
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_is_nameless(tmp_path: Path, blocks: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems and sticks without nameless files, too, files are whole or not there, and nothing is overwritten."""
    monkeypatch.setattr(durable, "NAMELESS", None)
    test_nothing_is_overwritten(tmp_path / "one", blocks)
    test_a_faulty_attachment_leaves_nothing_behind(tmp_path / "two", blocks, "altered")
    test_a_link_in_the_way_is_not_followed(tmp_path / "three", blocks)


@pytest.mark.parametrize("where", [0, 131_072, 262_143], ids=["first byte", "middle", "last byte"])
def test_of_several_versions_of_blocks_those_are_taken_that_open(tmp_path: Path, blocks: Blocks, where: int) -> None:
    """Whichever came last: the last bytes of a block belong to a piece that only the next block completes."""
    content = os.urandom(900_000)
    sealed, record = attach(content)
    for index, (id, body) in enumerate(sealed):
        altered = body[:where] + bytes([body[where] ^ 1]) + body[where + 1 :]
        for version in [(altered, body), (body, altered), (body, altered, bytes(BLOCK)), (body,)][index % 4]:
            blocks.write(id, version)
    assert blocks.missing(block_ids(record)) == []
    assert saved_files.save(record, blocks, tmp_path / "to").read_bytes() == content
    assert list(blocks.ids()) == sorted(block_ids(record))


def test_what_systems_lay_beside_blocks_is_no_block(tmp_path: Path, blocks: Blocks) -> None:
    """`.DS_Store` and its kind, in each folder of blocks, are neither a version of one nor listed."""
    sealed, record = attach(b"content")
    for id, body in sealed:
        blocks.write(id, bytes([body[0] ^ 1]) + body[1:])
        blocks.write(id, body)
    for folder in [blocks.folder, *(path for path in blocks.folder.rglob("*") if path.is_dir())]:
        for name in (".DS_Store", "Thumbs.db", "._" + "a" * 30, "x" * 32):
            (folder / name).write_bytes(b"Bud1")
    assert list(blocks.ids()) == [id for id, _ in sealed]
    assert [len(list(blocks.versions(id))) for id, _ in sealed] == [2]
    assert saved_files.save(record, blocks, tmp_path / "to").read_bytes() == b"content"


def test_when_no_version_of_a_block_opens_nothing_is_saved(tmp_path: Path, blocks: Blocks) -> None:
    """Two altered versions of a block are no better than one."""
    sealed, record = attach(bytes(600_000))
    for id, body in sealed:
        blocks.write(id, body[:-1] + bytes([body[-1] ^ 1]))
        blocks.write(id, body[:-1] + bytes([body[-1] ^ 2]))
    with pytest.raises(CannotSave, match="damaged"):
        saved_files.save(record, blocks, tmp_path / "to")
    assert not list((tmp_path / "to").iterdir())


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, blocks: Blocks) -> None:
    """A symbolic link of the file's name stays as it is, and so does what it points to."""
    sealed, record = attach(b"new")
    for id, body in sealed:
        blocks.write(id, body)
    target, folder = tmp_path / "target", tmp_path / "to"
    folder.mkdir(parents=True)
    target.write_bytes(b"old")
    (folder / "photo.jpg").symlink_to(target)
    assert saved_files.save(record, blocks, folder).name == "photo (2).jpg"
    assert target.read_bytes() == b"old"


def crafted(content: bytes, other: bytes) -> tuple[list[tuple[bytes, bytes]], list[bytes], attachment.Attachment]:
    """Two contents sealed under one key, as only whoever knows an attachment's key can."""
    sealers = [attachment.Sealer()]
    sealers.append(copy.copy(sealers[0]))
    sealers[1]._block, sealers[1]._hash = bytearray(BLOCK), attachment._Hash()
    sealers[1]._age = copy.copy(sealers[0]._age)
    sealers[1]._age._pieces = copy.deepcopy(sealers[0]._age._pieces)
    sealed = []
    for sealer, data in zip(sealers, (content, other), strict=True):
        blocks = sealer.update(data)
        last, record = sealer.finish("a", "text/plain")
        sealed.append((blocks + last, record))
    return sealed[0][0], [body for _, body in sealed[1][0]], sealed[0][1]


@pytest.mark.parametrize("last", ["right", "crafted"])
def test_many_blocks_in_two_versions_cost_little_more_than_one(
    tmp_path: Path, blocks: Blocks, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Whoever knows the key makes a second version of every block that opens in any combination: 2 to the number."""
    content = os.urandom(12 * BLOCK)
    other = bytearray(content)
    for index in range(12):
        other[index * BLOCK + 100_000] ^= 1  # in a piece that lies in one block
    sealed, wrong, record = crafted(content, bytes(other))
    for (id, body), altered in zip(sealed, wrong, strict=True):
        for version in (altered, body) if last == "right" else (body, altered):
            blocks.write(id, version)
    tried, update = [], attachment.Opener.update
    monkeypatch.setattr(
        attachment.Opener, "update", lambda self, block: tried.append(len(block)) or update(self, block)
    )
    assert saved_files.save(record, blocks, tmp_path / "to").read_bytes() == content
    assert len(tried) <= 2 * 2 * 2 * len(sealed)
