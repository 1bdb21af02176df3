"""Whether a message came after the key that signed it had ended: it is kept and shown, and has no effect (SPEC 7.5)."""

import datetime

from whistle.protocol.case.message import ByReviewer, Signed
from whistle.workstation.workstation import Kept, Workstation


def of_stored(workstation: Workstation, kept: Kept) -> datetime.date | None:
    """`ended_before` for a stored message."""
    return ended_before(workstation, kept.signed, kept.server or (kept.arrived if kept.via == "envelope" else None))


def ended_before(workstation: Workstation, signed: Signed, server: datetime.date | None) -> datetime.date | None:
    """The end of the key that signed a reviewer's message, if it was written or came to the server after that.

    Without a day at the server, as inside a grant, its own day alone counts.  Raises Forged.
    """
    content, people = signed.message, workstation.trust.people()
    if not isinstance(content, ByReviewer) or not people.is_any_ended(content.sender):
        return None
    return people.ended(signed, max(content.day, server or content.day))
