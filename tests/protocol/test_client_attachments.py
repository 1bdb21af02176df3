"""The browser's half and this one: attachments, their blocks and the names of files."""

import base64
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.protocol import browser
from tests.protocol.browser import Peer, outcome
from whistle.protocol import age, schema
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment

peer, chance = browser.peer, browser.chance
pytestmark = browser.needs_node


EDGE = attachment.capacity(1)
SIZES = [0, 1, 65_535, 65_536, 65_537, EDGE - 1, EDGE, EDGE + 1, attachment.capacity(2), attachment.capacity(2) + 1]


def pieces_of(chance: random.Random, size: int) -> list[int]:
    """Random sizes that make up a whole."""
    pieces = []
    while size:
        pieces.append(min(size, chance.choice([1, 65_536, 262_144, chance.randint(1, 300_000)])))
        size -= pieces[-1]
    return pieces


@pytest.mark.parametrize("size", SIZES)
def test_attachments_over_the_edges_of_blocks(peer: Peer, chance: random.Random, size: int) -> None:
    """An attachment of any size that one side seals in pieces opens on the other to the same bytes."""
    content, pieces = chance.randbytes(size), pieces_of(chance, size)
    sealed = peer.ask("sealAttachment", content=content.hex(), pieces=pieces, name="a" * 300 + ".pdf", type="x/y")
    record = schema.parse(Attachment, sealed["record"])
    assert record.name == attachment.shortened_name("a" * 300 + ".pdf")
    assert [id for id, _ in sealed["blocks"]] == [id.hex() for id in attachment.block_ids(record)]
    opener = attachment.Opener(record)
    opened = b"".join(opener.update(bytes.fromhex(body)) for _, body in sealed["blocks"]) + opener.finish()
    assert opened == content

    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish("b.txt", "x/y")
    bodies = [body.hex() for _, body in blocks + last]
    assert peer.ask("openAttachment", record=schema.to_json(record), blocks=bodies) == content.hex()


def test_the_number_of_blocks(peer: Peer, chance: random.Random) -> None:
    """Both sides count the same blocks for any size, and skip those that would end in an empty chunk."""
    ends = [attachment.capacity(1024 + 4097 * k) + over for k in range(3) for over in range(-70_000, 20, 997)]
    sizes = SIZES + ends + [chance.randrange(attachment.MAX_SIZE + 1) for _ in range(500)]
    assert peer.ask("blocksFor", sizes=sizes) == [attachment.blocks_for(size) for size in sizes]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda r, b: (r, [b[0][:-1] + bytes([b[0][-1] ^ 1]), *b[1:]]), id="altered"),
        pytest.param(lambda r, b: (r, b[:-1]), id="cut off"),
        pytest.param(lambda r, b: (r, b + b[:1]), id="one too many"),
        pytest.param(lambda r, b: (r, [b[1], b[0]]), id="out of order"),
        pytest.param(lambda r, b: (r, [b[0][:-1], *b[1:]]), id="short block"),
        pytest.param(lambda r, b: (r | {"sha256": "00" * 32}, b), id="other content"),
        pytest.param(lambda r, b: (r | {"size": r["size"] - 1}, b), id="filling not zero"),
        pytest.param(lambda r, b: (r | {"identity": age.X25519Identity.generate().text}, b), id="other identity"),
        pytest.param(lambda r, b: (r | {"header": base64.b64encode(bytes(184)).decode()}, b), id="no header"),
    ],
)
def test_an_altered_attachment_is_refused_by_both(peer: Peer, change: Callable[..., Any]) -> None:
    """What is not the attachment that was sealed is malformed on both sides."""
    sealer = attachment.Sealer()
    blocks = sealer.update(os.urandom(EDGE) + b"x")
    last, record = sealer.finish("a", "b")
    changed, bodies = change(schema.to_json(record), [body for _, body in blocks + last])

    def here() -> bytes:
        opener = attachment.Opener(Attachment(**changed))
        return b"".join([*map(opener.update, bodies), opener.finish()])

    assert outcome(here) == {"refused": "malformed"}
    assert peer.ask("openAttachment", record=changed, blocks=[body.hex() for body in bodies]) == outcome(here)


@pytest.mark.parametrize(
    "name", ["a.txt", "x" * 300, "y" * 300 + ".jpeg", "." + "z" * 300, "n." + "😀" * 300, "\ud800.é", ""], ids=range(7)
)
def test_names_of_files_are_cut_alike(peer: Peer, name: str) -> None:
    """Both sides make the same fitting name of a file."""
    assert peer.ask("shortenedName", name=name) == attachment.shortened_name(name)
