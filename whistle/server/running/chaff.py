"""Chaff: made-up messages that nobody can open, indistinguishable from real ones.

They take the same paths as real ones, through the same code: reports and follow-ups at random times, replies and
notes with what a courier pushes.  They hide on which days something real arrived, not a trend.
"""

import os
import random
from dataclasses import dataclass
from datetime import date

from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.attachment import Block
from whistle.protocol.case.message import Sender, Slip
from whistle.protocol.code.retrieval import ID, TOKEN, derive, message_id, slip_id
from whistle.protocol.code.words import CODE
from whistle.protocol.reporter.submission import REPORT, Submission
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.sealing import arrival
from whistle.store import Heap, Sealed, Store

DAY = 86_400  # seconds
RANDOM = random.SystemRandom()
REPORTS = 2 / 3  # share of reports among what made-up reporters send; the others are follow-ups
WITHDRAWALS = 0.1  # for each message of theirs
REMEMBERED = 8  # reports that made-up reporters could still withdraw
PUSHED = 0.5  # made-up messages in a push, for each that made-up reporters send in a day
MAX_PUSHED = 16  # of them in one push, since they are in memory at once
REPLIES = 0.5  # share of replies among these; the others are notes
WITH_BLOCKS = 0.4  # share of messages with a file
ONE_MORE = 0.75  # probability of each further block, so that a file has four on average


def pause(mean: float) -> float:
    """Random seconds until the next message, for `mean` a day on average (Poisson)."""
    return RANDOM.expovariate(mean / DAY)


class Reporters:
    """Made-up reporters.  They keep the tokens of a few reports in memory, to withdraw some."""

    def __init__(self) -> None:
        self._reports: list[bytes] = []

    def act(self, store: Store, signed: SignedManifest, day: date) -> None:
        """Report or follow up, as if on this day, and perhaps withdraw.  Raises DiskFull or StoreError."""
        if self._reports and RANDOM.random() < WITHDRAWALS:
            token = self._reports.pop(RANDOM.randrange(len(self._reports)))
            store.withdraw(message_id(token), slip_id(token))
        token, is_report = os.urandom(TOKEN), RANDOM.random() < REPORTS
        sealed = tuple(_envelope(signed, day) for _ in range(REPORT if is_report else 1))
        arrival.save(Submission(token, sealed, tuple(_blocks(_count()))), (), store)
        if is_report:
            self._reports = [*self._reports, token][-REMEMBERED:]


@dataclass(frozen=True)
class Pushed:
    """Made-up messages of reviewers: envelopes, and blocks with their heaps, in order of ids."""

    envelopes: tuple[Sealed, ...]
    blocks: tuple[tuple[bytes, bytes, Heap], ...]


def pushed(signed: SignedManifest, day: date, mean: float) -> Pushed:
    """What workstations would have sent with a push, for `mean` messages of reporters a day."""
    heaps: list[Heap] = []
    blocks: list[tuple[bytes, bytes, Heap]] = []
    for _ in range(min(_poisson(mean * PUSHED), MAX_PUSHED)):
        count, is_reply = _count(), RANDOM.random() < REPLIES
        kinds: list[tuple[Heap, ...]] = [(Heap.REPORTERS, Heap.REVIEWERS)] if is_reply else []
        if count or not is_reply:  # a note; a reply's files go to colleagues with one, under other ids
            kinds.append((Heap.REVIEWERS,))
        for message_heaps in kinds:
            heaps += message_heaps
            blocks += [(id, body, message_heaps[0]) for id, body in _blocks(count)]
    sealed = (Sealed(os.urandom(ID), heap, _envelope(signed, day)) for heap in heaps)
    return Pushed(tuple(sealed), tuple(sorted(blocks)))


def _poisson(mean: float) -> int:
    count, at = 0, RANDOM.expovariate(1)
    while at < mean:
        count, at = count + 1, at + RANDOM.expovariate(1)
    return count


def _count() -> int:
    """How many blocks a message has."""
    if RANDOM.random() >= WITH_BLOCKS:
        return 0
    count = 1
    while RANDOM.random() < ONE_MORE:
        count += 1
    return count


def _blocks(count: int) -> list[Block]:
    if not count:
        return []
    sealer = attachment.Sealer()
    blocks = []
    size = attachment.capacity(count - 1) + 1
    while size:
        piece = min(size, attachment.BLOCK)
        blocks += sealer.update(bytes(piece))
        size -= piece
    return blocks + sealer.finish("", "")[0]


def _envelope(signed: SignedManifest, day: date) -> bytes:
    nobody = derive(os.urandom(CODE))
    sender = Sender(nobody.verify_key.hex(), nobody.mailbox.recipient.text, nobody.replies.hex())
    whole = Slip(
        case=nobody.case.hex(),
        readers=(),
        without=(),
        keys=signed.keys,
        sender=sender,
        sealed="arrival",
        day=day,
        language="en",
        channel="none",
    )
    spare = arrival.throwaways()
    return envelope.seal(message.sign(whole, nobody.signing), spare[:1], signed.manifest.slots, spare[1:])
