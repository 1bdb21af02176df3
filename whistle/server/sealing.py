"""The reporter's half, done by the server for those who have script off: sealing on arrival.

For the moment of a request the server holds text and words in memory; nothing of them is written or outlives it.
"""

import datetime
import functools
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from whistle.protocol import envelope, message, words
from whistle.protocol.age import HybridIdentity, HybridRecipient
from whistle.protocol.attachment import Attachment, Block
from whistle.protocol.errors import Malformed
from whistle.protocol.manifest import RECOVERY, Known, Manifest
from whistle.protocol.message import FollowUp, Message, Report, Sender, Signed, Slip
from whistle.protocol.retrieval import Reporter, derive, thing_id
from whistle.server.errors import Empty, HoldsWords, NobodyLeft, NoRoom, TooLong
from whistle.server.looking import CaseView, FoundReply, look, open_attachment
from whistle.server.published import Published, offered
from whistle.server.receiving import Arrived, Bounds, receive
from whistle.store import Full, Heap, Sealed, Store, Taken

__all__ = [
    "Arrived",
    "Bounds",
    "CaseView",
    "Draft",
    "FoundReply",
    "follow_up",
    "follow_up_readers",
    "look",
    "open_attachment",
    "readers_of",
    "receive",
    "report",
    "withdraw",
]

SEALED = "arrival"
POOL = 32  # throwaway recipients
_RANDOM = random.SystemRandom()
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Draft:
    """What a reporter wrote.  `blocks` are the ids of the attachments' blocks, in the store but not committed.

    `readers`: empty for the channel's own, or for a follow-up the case's own; else whom the reporter chose.
    `continues`: whoever the reporter was under the words that somebody saw.
    """

    channel: str
    language: str
    text: str
    answers: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    blocks: tuple[bytes, ...] = ()
    continues: Reporter | None = None


def readers_of(manifest: Manifest, channel: str, without: Iterable[str]) -> tuple[str, ...]:
    """Who reads a report to a channel when some are left out: reviewers, then the recovery identity if there is one.

    Empty when no reviewer is left, whatever the recovery identity could open.
    """
    found = manifest.channel(channel)
    readers = tuple(id for id in found.readers if id not in set(without)) if found else ()
    return _with_recovery(manifest, readers, without) if readers else ()


def follow_up_readers(view: CaseView, manifest: Manifest) -> tuple[str, ...]:
    """Who reads a follow-up: the slip's readers and those of every valid reply, still active, less who was left out."""
    without = set(view.slip.without) if view.slip else set()
    named = [*(view.slip.readers if view.slip else ()), *(id for found in view.replies for id in found.reply.readers)]
    active = {reviewer.id for reviewer in manifest.active()} - without
    readers = tuple(id for id in dict.fromkeys(named) if id in active)
    room = manifest.slots - (manifest.recovery is not None)
    return _with_recovery(manifest, readers[:room], without) if readers else ()


def report(draft: Draft, code: bytes, published: Published, store: Store, day: datetime.date) -> Reporter:
    """Seal a report and its slip, store them; the reporter behind the code.  The same code again changes nothing.

    Raises Refused (Empty, HoldsWords, NobodyLeft, TooLong), NoManifest or NoRoom.
    """
    reporter = derive(code)
    if store.has(thing_id(reporter.report_token)):
        return reporter
    known = published.sealing(day)
    _check_content(draft, None)
    without = _without(known.manifest, draft.without)
    wanted = _chosen(known, draft.readers, without, day) or readers_of(known.manifest, draft.channel, without)
    readers = _chosen(known, wanted, without, day)
    shared = _Shared(reporter, readers, without, known, day, draft.language)
    whole = shared.of(
        Report,
        channel=draft.channel,
        text=_lines(draft.text),
        answers={id: _lines(text) for id, text in draft.answers.items() if text.strip()} or None,
        attachments=draft.attachments,
        continues=_continues(draft.continues, reporter),
    )
    slip = shared.of(Slip, channel=draft.channel)
    body, blocks = shared.seal(whole)
    own, _ = shared.seal(slip, [reporter.mailbox.recipient])
    sealed = [
        Sealed(thing_id(reporter.report_token), Heap.REVIEWERS, body),
        Sealed(thing_id(reporter.slip_token), Heap.REPORTERS, own),
    ]
    _commit(store, sealed, draft.blocks, blocks, day)
    return reporter


def follow_up(
    draft: Draft,
    reporter: Reporter,
    attempt: bytes,
    digest: bytes,
    published: Published,
    store: Store,
    day: datetime.date,
) -> None:
    """Seal a follow-up to whoever reads the case, or to `draft.readers`.  The same form again changes nothing.

    Raises Refused (Empty, HoldsWords, NobodyLeft, TooLong), NoManifest or NoRoom.
    """
    id = thing_id(reporter.follow_up_token(attempt, digest))
    if store.has(id):
        return
    known = published.sealing(day)
    _check_content(draft, reporter.code)
    view = look(reporter, published, store, day)
    slip = view.slip if view else None
    without = slip.without if slip else _without(known.manifest, draft.without)
    wanted = _chosen(known, draft.readers, without, day) or (follow_up_readers(view, known.manifest) if view else ())
    readers = _chosen(known, wanted, without, day)
    shared = _Shared(reporter, readers, without, known, day, draft.language)
    whole = shared.of(FollowUp, text=_lines(draft.text), attachments=draft.attachments)
    body, blocks = shared.seal(whole)
    _commit(store, [Sealed(id, Heap.REVIEWERS, body)], draft.blocks, blocks, day)


def withdraw(reporter: Reporter, store: Store, day: datetime.date) -> str:
    """Take the report and its slip back while nobody has collected them: withdrawn, collected or unknown."""
    return store.withdraw([thing_id(reporter.report_token), thing_id(reporter.slip_token)], day)


@functools.cache
def throwaways() -> tuple[HybridRecipient, ...]:
    """Recipients whose identities nobody kept; encapsulations to them are fresh each time."""
    return tuple(HybridIdentity.generate().recipient for _ in range(POOL))


def some_throwaways() -> list[HybridRecipient]:
    """The pool in another order each time."""
    return _RANDOM.sample(throwaways(), POOL)


class _Shared:
    """What the messages of one reporter on one day have in common."""

    def __init__(
        self,
        reporter: Reporter,
        readers: tuple[str, ...],
        without: tuple[str, ...],
        known: Known,
        day: datetime.date,
        language: str,
    ) -> None:
        if not any(id != RECOVERY for id in readers):
            raise NobodyLeft("nobody is left to read it")
        self._reporter, self._known, self._day, self._readers = reporter, known, day, readers
        sender = Sender(reporter.verify_key.hex(), reporter.mailbox.recipient.text, reporter.replies.hex())
        self._fields: dict[str, Any] = {
            "case": reporter.case.hex(),
            "readers": readers,
            "without": without,
            "keys": known.keys,
            "sender": sender,
            "sealed": SEALED,
            "day": day,
            "language": language,
        }

    def of(self, kind: type[M], **more: Any) -> M:
        return kind(**self._fields, **more)

    def seal(self, whole: Message, recipients: list[HybridRecipient] | None = None) -> tuple[bytes, list[Block]]:
        slots = self._known.manifest.slots
        try:
            folded, blocks = envelope.fold(whole, slots)
        except Malformed as error:
            raise TooLong("a message is too long for its envelope") from error
        recipients = recipients or self._known.manifest.recipients(self._readers, self._day)
        signed: Signed = message.sign(folded, self._reporter.signing)
        return envelope.seal(signed, recipients, slots, some_throwaways()), blocks


def _commit(
    store: Store, sealed: list[Sealed], blocks: tuple[bytes, ...], rest: list[Block], day: datetime.date
) -> None:
    try:
        for id, block in rest:
            store.put_block(id, block, Heap.REVIEWERS, day)
        store.commit(sealed, [*blocks, *(id for id, _ in rest)], day)
    except Full as error:
        raise NoRoom("the disk is full") from error
    except Taken:
        # The same form came twice at once: whichever is sealed first is the message.
        if not store.has(sealed[0].id):
            raise


def _check_content(draft: Draft, code: bytes | None) -> None:
    texts = [draft.text, *draft.answers.values()]
    if not draft.attachments and not any(text.strip() for text in texts):
        raise Empty("there is neither text nor a file")
    if any(words.holds_code(text, code) for text in texts):
        raise HoldsWords("the text holds the twelve words")


def _chosen(known: Known, readers: Iterable[str], without: Iterable[str], day: datetime.date) -> tuple[str, ...]:
    """Those of the readers who can be sealed to on a day and were not left out, as many as there are slots."""
    able = {reviewer.id for reviewer in offered(known, day)} | ({RECOVERY} if known.manifest.recovery else set())
    found = [id for id in dict.fromkeys(readers) if id in able - set(without)]
    return tuple(found[: known.manifest.slots])


def _without(manifest: Manifest, ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the ids that the manifest knows, each once, in a fixed order."""
    known = {reviewer.id for reviewer in manifest.reviewers} | ({RECOVERY} if manifest.recovery else set())
    return tuple(sorted(known & set(ids)))


def _with_recovery(manifest: Manifest, readers: tuple[str, ...], without: Iterable[str]) -> tuple[str, ...]:
    return (*readers, RECOVERY) if manifest.recovery and RECOVERY not in set(without) else readers


def _continues(old: Reporter | None, new: Reporter) -> message.Continues | None:
    return message.continue_case(old.signing, old.case, new.case) if old else None


def _lines(text: str) -> str:
    """Line ends as this program writes them; browsers send CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
