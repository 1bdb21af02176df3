"""The reporter's half of the protocol, done by the server for reporters without script: sealing on arrival.

The server holds text and words in memory for the duration of a request; they are never written.
"""

import datetime
import functools
import os
from collections.abc import Sequence

from whistle.protocol.age import Throwaway
from whistle.protocol.case.message import MAX_SLOTS, Slip
from whistle.protocol.code.retrieval import Reporter, message_id, slip_id
from whistle.protocol.reporter import reply_validation
from whistle.protocol.reporter.compose import Draft, Writer, follow_up_readers, readers_of
from whistle.protocol.reporter.submission import Submission
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.errors import DiskFull, NotStored
from whistle.server.manifests import Manifests
from whistle.server.sealing.case_view import CaseView, FoundReply, open_attachment, view_case
from whistle.server.sealing.multipart import Arrived, Bounds, discard, receive
from whistle.store import ID, Full, Heap, Missing, Sealed, Store, Taken

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
    "open_attachment",
    "readers_of",
    "receive",
    "report",
    "report_readers",
    "save",
    "slip",
    "under",
    "view_case",
    "withdraw",
]

SEALED = "arrival"


def report(draft: Draft, reporter: Reporter, published: Manifests, store: Store, day: datetime.date) -> None:
    """Seal and store a report and its slip.  Does nothing if the reporter's report is already stored.

    Raises Refused (Empty, HoldsWords, NobodyLeft, TooLong), NoManifest or NotStored.
    """
    if not is_stored(reporter, store):
        first_report(draft, reporter, published, store, day)


def is_stored(reporter: Reporter, store: Store) -> bool:
    """Whether this reporter's report was ever stored, whatever its state."""
    return store.has(reporter.report_id)


def is_added(reporter: Reporter, attempt: bytes, digest: bytes, store: Store) -> bool:
    """Whether this form's follow-up is stored."""
    return store.has(message_id(reporter.follow_up_token(attempt, digest)))


def first_report(draft: Draft, reporter: Reporter, published: Manifests, store: Store, day: datetime.date) -> None:
    """As `report`, for a reporter without one a moment ago; if one was stored in the meantime, it stays."""
    submission = _writer(published.sealing(day), day).report(draft, reporter)
    _save_first(submission, draft.blocks, store)


def follow_up(
    draft: Draft,
    reporter: Reporter,
    view: CaseView,
    attempt: bytes,
    digest: bytes,
    published: Manifests,
    store: Store,
    day: datetime.date,
) -> None:
    """Seal and store a follow-up to the readers of the case as seen, or to `draft.readers`.

    The same form again changes nothing.

    Raises Refused (Empty, HoldsWords, NobodyLeft, TooLong), NoManifest or NotStored.
    """
    if is_added(reporter, attempt, digest, store):
        return
    signed = published.sealing(day)
    _save_first(_writer(signed, day).follow_up(draft, reporter, view, attempt, digest), draft.blocks, store)


def save(submission: Submission, blocks: tuple[bytes, ...], store: Store) -> None:
    """Store a submission whose other ``blocks`` were put before; the same submission again changes nothing.

    Raises NotStored, or Taken if its token is in use for something else; then none of its own blocks stay.
    """
    own = [id for id, _ in submission.blocks]
    try:
        try:
            _put_and_commit(submission, blocks, store)
        except Missing as error:
            if set(error.ids) - set(own):
                raise NotStored("blocks of the form are gone") from error
            _put_and_commit(submission, blocks, store)  # these are still at hand
    except Full as error:
        raise DiskFull("the disk is full") from error
    except Missing as error:
        raise NotStored("blocks of the form are gone") from error


def _put_and_commit(submission: Submission, blocks: tuple[bytes, ...], store: Store) -> None:
    put: list[bytes] = []
    upload = os.urandom(ID)
    try:
        for id, block in submission.blocks:
            store.put_block(id, block, Heap.REVIEWERS, upload)
            put.append(id)
        store.commit(under(submission.token, submission.envelopes), [*blocks, *put])
    finally:
        discard(store, put)  # committed blocks stay


def under(token: bytes, envelopes: Sequence[bytes]) -> list[Sealed]:
    """What lies under a token, as the store takes it: a message to reviewers and a report's slip (SPEC 3.2)."""
    places = ((message_id(token), Heap.REVIEWERS), (slip_id(token), Heap.REPORTERS))
    return [Sealed(id, heap, body) for (id, heap), body in zip(places, envelopes, strict=False)]


def slip(reporter: Reporter, store: Store, slots: int) -> Slip | None:
    """The slip of a stored report; None if there is none or it is damaged."""
    stored = next(iter(store.lookup([reporter.slip_id])), None)
    body = reply_validation.StoredBody(stored.day, stored.body) if stored and stored.body is not None else None
    return reply_validation.open_slip(body, reporter, slots)


def report_readers(draft: Draft, signed: SignedManifest, day: datetime.date) -> tuple[str, ...]:
    """The ids of those who would read a report.  Raises NobodyLeft."""
    return _writer(signed, day).readers(draft)[0]


def withdraw(reporter: Reporter, store: Store) -> str:
    """Withdraw the report and its slip unless they were collected: `withdrawn`, `collected` or `unknown`."""
    return store.withdraw(reporter.report_id, reporter.slip_id)


@functools.cache
def throwaways() -> tuple[Throwaway, ...]:
    """Recipients for the unused slots of an envelope; encapsulations to them are fresh each time and unlinkable."""
    return tuple(Throwaway() for _ in range(MAX_SLOTS))


def _writer(signed: SignedManifest, day: datetime.date) -> Writer:
    return Writer(signed, day, SEALED, throwaways())


def _save_first(submission: Submission, blocks: tuple[bytes, ...], store: Store) -> None:
    """Save a submission unless the same form was already saved, by another request with other randomness."""
    try:
        save(submission, blocks, store)
    except Taken:
        if not store.has(message_id(submission.token)):
            raise
