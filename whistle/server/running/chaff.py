"""Chaff: envelopes and blocks that nobody can open, indistinguishable from real ones, stored at random times.

It hides on which days something real arrived, not a trend."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.attachment import Block
from whistle.protocol.case.message import Sender, Slip
from whistle.protocol.code.retrieval import TOKEN, derive
from whistle.protocol.code.words import CODE
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.sealing.arrival import throwaways
from whistle.store import Heap, Sealed, Store

DAY = 86_400  # seconds
RANDOM = random.SystemRandom()
WITH_BLOCKS = 0.4  # share of messages with a file
ONE_MORE = 0.75  # probability of each further block, so that a file has four on average


@dataclass(frozen=True)
class MessageShape:
    """What a kind of message stores: the heap of each envelope, and the heaps of its blocks."""

    envelopes: tuple[Heap, ...]
    blocks: tuple[Heap, ...]


REPORT = MessageShape((Heap.REVIEWERS, Heap.REPORTERS), (Heap.REVIEWERS,))
FOLLOW_UP = MessageShape((Heap.REVIEWERS,), (Heap.REVIEWERS,))
REPLY = MessageShape((Heap.REVIEWERS, Heap.REPORTERS), (Heap.REVIEWERS, Heap.REPORTERS))
SHAPES = (REPORT, REPORT, FOLLOW_UP, REPLY)  # chosen with equal probability


def pause(mean: float) -> float:
    """Random seconds until the next message, for `mean` a day on average (Poisson)."""
    return RANDOM.expovariate(mean / DAY)


def add(store: Store, known: SignedManifest, day: date) -> None:
    """Store one chaff message, as if written on this day.  Raises StoreError as for a real one."""
    kind = RANDOM.choice(SHAPES)
    ids = []
    if RANDOM.random() < WITH_BLOCKS:
        for id, body in _blocks(_count()):
            for heap in kind.blocks:
                store.put_block(id, body, heap)
            ids.append(id)
    sealed = [Sealed(os.urandom(TOKEN), heap, _envelope(known, day)) for heap in kind.envelopes]
    store.commit(sealed, ids)


def _count() -> int:
    count = 1
    while RANDOM.random() < ONE_MORE:
        count += 1
    return count


def _blocks(count: int) -> Iterator[Block]:
    sealer = attachment.Sealer()
    size = attachment.capacity(count - 1) + 1
    while size:
        piece = min(size, attachment.BLOCK)
        yield from sealer.update(bytes(piece))
        size -= piece
    yield from sealer.finish("", "")[0]


def _envelope(known: SignedManifest, day: date) -> bytes:
    nobody = derive(os.urandom(CODE))
    sender = Sender(nobody.verify_key.hex(), nobody.mailbox.recipient.text, nobody.replies.hex())
    whole = Slip(
        case=nobody.case.hex(),
        readers=(),
        without=(),
        keys=known.keys,
        sender=sender,
        sealed="arrival",
        day=day,
        language="en",
        channel="none",
    )
    spare = throwaways()
    return envelope.seal(message.sign(whole, nobody.signing), spare[:1], known.manifest.slots, spare[1:])
