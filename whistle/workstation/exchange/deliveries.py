"""Messages that a courier reports as delivered, stored as they were sealed for as long as the server keeps replies.

There is no signed proof that the server has a message.  The courier says so, and the copy for the reviewers comes back
from the server.  A returned copy shows that nothing was lost by accident; it does not prove that the courier is honest,
which could have kept the copy itself.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.workstation.language import t
from whistle.workstation.vault.models import Outgoing, OutgoingEnvelope
from whistle.workstation.workstation import Workstation

EXPECTED = datetime.timedelta(days=14)  # from the reported delivery to the return of the reviewers' copy

Received = Mapping[bytes, bytes]  # by id, the SHA-256 of each envelope and block that came with a part


@dataclass(frozen=True)
class Sent:
    """A message: its hash, the day of its reported delivery, and the day on which its copy came back.

    Of one that was set `aside`, that copy is all that was delivered.
    """

    hash: str
    said: datetime.date
    back: datetime.date | None
    aside: bool = False

    def missed(self, today: datetime.date) -> bool:
        """Whether its copy should have come back by now."""
        return self.back is None and today - self.said >= EXPECTED

    def words(self, today: datetime.date) -> str:
        """Its delivery in a sentence, without the full stop."""
        if self.aside:
            return t("deliveries.aside")
        if self.back:
            return t("deliveries.back", said=self.said, back=self.back)
        if self.missed(today):
            return t("deliveries.missed", said=self.said)
        return t("deliveries.waits", said=self.said)


def all_of(workstation: Workstation) -> dict[str, Sent]:
    """All messages that were reported as delivered, by hash."""
    columns = select(Outgoing.hash, Outgoing.said, Outgoing.back, Outgoing.aside).where(Outgoing.said.is_not(None))
    rows = workstation.vault.session.execute(columns.order_by(Outgoing.id))
    return {row.hash: Sent(row.hash, row.said, row.back, row.aside) for row in rows}


def missed(workstation: Workstation) -> list[Sent]:
    """The messages whose copy should have come back by now."""
    today = workstation.today()
    return [each for each in all_of(workstation).values() if each.missed(today)]


def copies(item: Outgoing) -> dict[bytes, bytes]:
    """By id, the SHA-256 of an item's envelopes to reviewers: the copies that come back."""
    return {each.id: each.sha256 for each in item.envelopes if each.heap == "reviewers"}


def is_back(copies: Mapping[bytes, bytes], arrivals: Received) -> bool:
    """Whether one of these copies came back unchanged."""
    return any(arrivals.get(id) == sha256 for id, sha256 in copies.items())


def reconcile(workstation: Workstation, arrivals: Received, written: datetime.date) -> None:
    """Note the copies that came back, and remove what the server has removed by now.

    Both this computer's clock and the day on which the stick was `written` must say so, since either may be wrong.
    """
    session, today = workstation.vault.session, workstation.today()
    kept_since = min(today, written) - REPLIES_KEPT
    delivered = Outgoing.said.is_not(None)
    for item in session.scalars(select(Outgoing).where(delivered, Outgoing.day < kept_since)):
        session.delete(item)
    open_ = select(Outgoing.id, OutgoingEnvelope.id.label("envelope"), OutgoingEnvelope.sha256).join(
        OutgoingEnvelope, OutgoingEnvelope.outgoing_id == Outgoing.id
    )
    open_ = open_.where(delivered, Outgoing.back.is_(None), OutgoingEnvelope.heap == "reviewers")
    back = {row.id for row in session.execute(open_) if arrivals.get(row.envelope) == row.sha256}
    for id in back:
        session.get_one(Outgoing, id).back = today


def take(workstation: Workstation, hashes: Iterable[str]) -> list[str]:
    """Put messages whose envelopes are here back among those on their way; returns their hashes."""
    session, taken = workstation.vault.session, []
    for hash in hashes:
        delivered = Outgoing.said.is_not(None), Outgoing.aside.is_(False)
        item = session.scalar(select(Outgoing).where(Outgoing.hash == hash, *delivered))
        if item is None or any(each.body is None for each in item.envelopes):
            continue
        item.said = None
        for envelope in item.envelopes:
            envelope.arrived = False
        taken.append(hash)
    return taken
