"""Which replies met the legal duties of a case, as far as is known here.

What another reviewer's workstation sent to the reporter is that reviewer's word: their copy for colleagues comes back
from the server, and nobody but the reporter can see whether the reporter's own came too.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from whistle.workstation.cases.overview import Case


@dataclass(frozen=True)
class Met:
    """A duty that was met: acknowledge or feedback, on which day, by whose reply, and whether it is of this vault."""

    what: str
    day: datetime.date
    by: str
    is_own: bool


def of(case: Case) -> Iterator[Met]:
    """The duties that are met, each with the first reply that did; feedback acknowledges too."""
    delivered = [(entry.delivered, entry) for entry in case.marked if entry.delivered]
    ordered = sorted(delivered, key=lambda each: each[0])
    for what, marks in {"acknowledge": ("acknowledgement", "feedback"), "feedback": ("feedback",)}.items():
        first = next(((day, each) for day, each in ordered if getattr(each.message, "mark", "") in marks), None)
        if first:
            day, entry = first
            yield Met(what, day, entry.by, entry.via == "own")
