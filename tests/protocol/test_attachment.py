"""Attachments: blocks of ciphertext alike, opened whole or not at all."""

import dataclasses
import hashlib
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import BLOCK, MAX_SIZE, Attachment, Block, Opener, Sealer, blocks_for, capacity
from whistle.protocol.errors import Malformed

CHUNK = 65_536 + 16


def sealed(content: bytes, piece: int = 100_000, name: str = "a.pdf") -> tuple[list[Block], Attachment]:
    """An attachment whose content came in pieces."""
    sealer = Sealer()
    blocks = [block for at in range(0, len(content), piece) for block in sealer.update(content[at : at + piece])]
    last, record = sealer.finish(name, "application/pdf")
    return blocks + last, record


def opened(record: Attachment, blocks: list[Block]) -> bytes:
    """The content, once all of it is certain."""
    opener = Opener(record)
    return b"".join([*(opener.update(block) for _, block in blocks), opener.finish()])


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, BLOCK - 64, BLOCK - 63, BLOCK, 2 * BLOCK, 1_000_000])
def test_content_comes_back(size: int) -> None:
    """Any content, none at all and each edge of chunk and block included, comes back from whole blocks."""
    content = os.urandom(size)
    blocks, record = sealed(content)
    assert {len(block) for _, block in blocks} == {BLOCK}
    assert (record.size, record.sha256, record.blocks) == (size, hashlib.sha256(content).hexdigest(), len(blocks))
    assert [id for id, _ in blocks] == attachment.block_ids(record)
    assert opened(record, blocks) == content


def test_an_empty_file_takes_a_block() -> None:
    """A file of no bytes looks like any other small one."""
    blocks, record = sealed(b"")
    assert (len(blocks), record.size) == (1, 0)


def test_the_number_of_blocks_is_the_least_that_can_be() -> None:
    """One byte beyond a capacity takes one block more; no final chunk ever has 16 bytes or fewer."""
    for blocks in range(1, 6000):
        if 0 < blocks * BLOCK % CHUNK <= 16:
            assert blocks_for(capacity(blocks)) == blocks + 1
        else:
            assert (blocks_for(capacity(blocks)), blocks_for(capacity(blocks) + 1) > blocks) == (blocks, True)


def test_one_block_number_in_4097_is_passed_over() -> None:
    """The numbers of blocks that no attachment has are 1024 + 4097 j."""
    passed = [blocks for blocks in range(1, 30_000) if blocks_for(capacity(blocks)) != blocks]
    assert passed == [1024 + 4097 * j for j in range(8)]


@given(st.integers(0, MAX_SIZE))
def test_any_size_has_its_number_of_blocks(size: int) -> None:
    """The content fits, the last chunk is neither empty nor cut, and fewer blocks would not do."""
    blocks = blocks_for(size)
    assert size <= capacity(blocks)
    assert not 0 < blocks * BLOCK % CHUNK <= 16
    assert blocks <= attachment.MAX_BLOCKS
    fewer = blocks - 2 if blocks % 4097 == 1025 else blocks - 1
    assert fewer < 1 or capacity(fewer) < size


def test_a_large_file_streams_in_constant_memory() -> None:
    """40 MiB are sealed and opened with less than 3 MiB held at any time."""
    piece, sealer, stored = bytes(BLOCK), Sealer(), []
    tracemalloc.start()
    for _ in range(160):
        stored += [id for id, _ in sealer.update(piece)]
    last, record = sealer.finish("zeros", "")
    stored += [id for id, _ in last]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**20
    assert stored == attachment.block_ids(record)


def test_opening_holds_no_more_than_a_block_and_a_chunk() -> None:
    """What was opened is given out at once."""
    blocks, record = sealed(bytes(40 * BLOCK))
    opener = Opener(record)
    tracemalloc.start()
    given_out = sum(len(opener.update(block)) for _, block in blocks) + len(opener.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert given_out == 40 * BLOCK
    assert peak < 3 * 2**20


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_attachment_without_one_of_its_blocks_is_refused(missing: int) -> None:
    """A block that is left out is noticed before the end is given out."""
    blocks, record = sealed(os.urandom(3 * BLOCK - 500))
    assert len(blocks) == 3
    with pytest.raises(Malformed):
        opened(record, [block for index, block in enumerate(blocks) if index != missing])


def test_blocks_in_another_order_are_refused() -> None:
    """Each chunk is bound to its place."""
    blocks, record = sealed(os.urandom(3 * BLOCK - 500))
    with pytest.raises(Malformed):
        opened(record, [blocks[1], blocks[0], blocks[2]])


def test_nothing_may_follow() -> None:
    """A block more than the record says is refused."""
    blocks, record = sealed(b"x")
    with pytest.raises(Malformed):
        opened(record, [*blocks, *blocks])


@given(st.integers(0, BLOCK * 8 - 1))
def test_a_bit_turned_anywhere_is_noticed(bit: int) -> None:
    """No bit of a block is free, those of the filling included."""
    blocks, record = SMALL
    data = bytearray(blocks[0][1])
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Malformed):
        opened(record, [(blocks[0][0], bytes(data))])


SMALL = sealed(b"a photograph")


def test_a_record_that_says_otherwise_is_refused() -> None:
    """Another hash, a size that the number of blocks does not give, another identity or header."""
    blocks, record = SMALL
    other = sealed(b"another")[1]
    for wrong in (
        dataclasses.replace(record, sha256="00" * 32),
        dataclasses.replace(record, size=record.size + 1),
        dataclasses.replace(record, identity=other.identity),
        dataclasses.replace(record, header=other.header),
    ):
        with pytest.raises(Malformed):
            opened(wrong, blocks)
    with pytest.raises(Malformed):
        dataclasses.replace(record, size=BLOCK)


def test_only_zeros_fill_a_block() -> None:
    """Content that stands beyond the size which the record gives is refused: nothing is hidden there."""
    blocks, record = sealed(b"seen" + b"hidden")
    shorter = dataclasses.replace(record, size=4, sha256=hashlib.sha256(b"seen").hexdigest())
    with pytest.raises(Malformed, match="zeros"):
        opened(shorter, blocks)


def test_blocks_of_two_attachments_share_nothing() -> None:
    """The same content twice has other ids, another identity and another ciphertext."""
    (one, first), (two, second) = sealed(b"same"), sealed(b"same")
    assert (first.identity, first.seed, first.header) != (second.identity, second.seed, second.header)
    assert one[0][0] != two[0][0]
    assert one[0][1] != two[0][1]


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("short.pdf", "short.pdf"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("." + "x" * 300, "." + "x" * 254),
        ("x" * 300 + "." + "y" * 17, "x" * 255),
        ("ü\ud800.txt", "ü?.txt"),
        ("", ""),
    ],
)
def test_names_are_cut_and_made_valid(name: str, cut: str) -> None:
    """A name keeps its ending when it is cut to 255 characters, and holds no lone surrogate."""
    assert sealed(b"", name=name)[1].name == cut
