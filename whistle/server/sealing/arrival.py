"""The reporter's half, done by the server for those who have script off: sealing on arrival.

For the moment of a request the server holds text and words in memory; nothing of them is written or outlives it.
"""

import datetime
import functools

from whistle.protocol.age import Throwaway
from whistle.protocol.case.message import MAX_SLOTS, Slip
from whistle.protocol.code.retrieval import Reporter, id_from_token
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.compose import Draft, Writer, follow_up_readers, readers_of
from whistle.protocol.reporter.submission import Submission
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.errors import NoRoom
from whistle.server.manifests import Published
from whistle.server.sealing.case_view import CaseView, FoundReply, look, open_attachment
from whistle.server.sealing.multipart import Arrived, Bounds, discard, receive
from whistle.store import Full, Heap, Sealed, Store, Taken

__all__ = [
    "Arrived",
    "Bounds",
    "CaseView",
    "Draft",
    "FoundReply",
    "first_report",
    "follow_up",
    "follow_up_readers",
    "is_added",
    "is_stored",
    "keep",
    "look",
    "open_attachment",
    "readers_of",
    "receive",
    "report",
    "report_readers",
    "slip",
    "withdraw",
]

SEALED = "arrival"


def report(draft: Draft, reporter: Reporter, published: Published, store: Store, day: datetime.date) -> None:
    """Seal a report and its slip, store them.  The same reporter's again changes nothing.

    Raises Refused (Empty, HoldsWords, NobodyLeft, TooLong), NoManifest or NoRoom.
    """
    if not is_stored(reporter, store):
        first_report(draft, reporter, published, store, day)


def is_stored(reporter: Reporter, store: Store) -> bool:
    """Whether there is a report of this reporter, whatever has become of it."""
    return store.has(id_from_token(reporter.report_token))


def is_added(reporter: Reporter, attempt: bytes, digest: bytes, store: Store) -> bool:
    """Whether there is the follow-up of this form."""
    return store.has(id_from_token(reporter.follow_up_token(attempt, digest)))


def first_report(draft: Draft, reporter: Reporter, published: Published, store: Store, day: datetime.date) -> None:
    """As `report`, for one who had none a moment ago: if there is one by now, that one stays."""
    parcel = _writer(published.sealing(day), day).report(draft, reporter)
    _keep_one(parcel, draft.blocks, store)


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
    if is_added(reporter, attempt, digest, store):
        return
    known = published.sealing(day)
    view = look(reporter, published, store, day)
    _keep_one(_writer(known, day).follow_up(draft, reporter, view, attempt, digest), draft.blocks, store)


def keep(parcel: Submission, blocks: tuple[bytes, ...], store: Store) -> None:
    """Store a parcel whose other ``blocks`` were put before; the same again changes nothing.

    Raises NoRoom, or Taken when something else lies, or lay, under one of its tokens; then none of its own blocks stay.
    """
    heaps = (Heap.REVIEWERS, Heap.REPORTERS)
    named = zip(parcel.tokens, heaps, parcel.envelopes, strict=False)
    sealed = [Sealed(id_from_token(token), heap, body) for token, heap, body in named]
    put: list[bytes] = []
    try:
        for id, block in parcel.blocks:
            store.put_block(id, block, Heap.REVIEWERS)
            put.append(id)
        store.commit(sealed, [*blocks, *put])
    except Full as error:
        raise NoRoom("the disk is full") from error
    finally:
        discard(store, put)  # what a commit has named stays


def slip(reporter: Reporter, store: Store, slots: int) -> Slip | None:
    """What the slip of a stored report says; None where there is none, or it is damaged."""
    found = next(iter(store.look([id_from_token(reporter.slip_token)])), None)
    thing = reply_validation.StoredBody(found.day, found.body) if found and found.body is not None else None
    return reply_validation.open_slip(thing, reporter, slots)


def report_readers(draft: Draft, known: SignedManifest, day: datetime.date) -> tuple[str, ...]:
    """Who would read a report.  Raises NobodyLeft."""
    return _writer(known, day).readers(draft)[0]


def withdraw(reporter: Reporter, store: Store) -> str:
    """Take the report and its slip back while nobody has collected them: withdrawn, collected or unknown."""
    return store.withdraw([id_from_token(reporter.report_token), id_from_token(reporter.slip_token)])


@functools.cache
def throwaways() -> tuple[Throwaway, ...]:
    """As many as an envelope may need; encapsulations to them are fresh each time, and tell nobody whose they are."""
    return tuple(Throwaway() for _ in range(MAX_SLOTS))


def _writer(known: SignedManifest, day: datetime.date) -> Writer:
    return Writer(known, day, SEALED, throwaways())


def _keep_one(parcel: Submission, blocks: tuple[bytes, ...], store: Store) -> None:
    """The same where the form, and not its sealing, is what counts: whichever came first is the message."""
    try:
        keep(parcel, blocks, store)
    except Taken:
        if not store.has(id_from_token(parcel.tokens[0])):
            raise
