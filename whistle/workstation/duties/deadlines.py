"""The deadlines of a case: acknowledge it, then give feedback, by the office's clocks.

The two duties are those of Directive (EU) 2019/1937, articles 9 and 11: within seven days, and within three months
after that, unless the office has set other clocks.  Only replies that reached the reporter's place fulfil them; a reply
on its way, an agreed day or closing the case does not.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from whistle.workstation.duties.clocks import DAY, Office

CHECK_IN, RISK = "check-in", "risk"
EARLY = 14 * DAY  # a check-in counts for a day that is planned up to so much later


@dataclass(frozen=True)
class Deadline:
    """A day, and what is due on it: acknowledge, feedback, agreed, check-in or risk.

    `written`: a reply that fulfils it is in the tray or signed, but no courier has reported it as stored yet.
    """

    day: datetime.date
    what: str
    written: bool = False

    def left(self, today: datetime.date) -> int:
        """Days that are left; negative if it has passed."""
        return (self.day - today).days


@dataclass(frozen=True)
class Answer:
    """A reply with a mark: acknowledgement or feedback; the day on which it was delivered, None before."""

    mark: str
    day: datetime.date | None


def duties(reported: datetime.date, answers: Sequence[Answer], office: Office, advice: bool = False) -> list[Deadline]:
    """The duties that stand, in their order; none once feedback was delivered, which acknowledges too.

    Feedback is counted from the acknowledgement, or from the last day for it if that was missed.  `advice`: asking for
    it starts no duty of a report; somebody answers it within the same time, and that is all.
    """
    marks = {answer.mark for answer in answers}
    done = [answer for answer in answers if answer.day]
    if any(answer.mark == "feedback" for answer in done):
        return []
    last = office.end(office.acknowledge, reported)
    acknowledged = min((max(answer.day, reported) for answer in done if answer.day), default=None)
    feedback = office.end(office.feedback, min(acknowledged or last, last))
    later = Deadline(feedback, "feedback", "feedback" in marks)
    if advice:
        return [] if acknowledged else [Deadline(last, "acknowledge", bool(marks))]
    return [later] if acknowledged else [Deadline(last, "acknowledge", bool(marks)), later]


def check_in(
    planned: Sequence[datetime.date], sent: Sequence[datetime.date | None], today: datetime.date
) -> list[Deadline]:
    """The next check-in of those that are planned, if one is left; `sent`: the days on which others were delivered.

    One that was delivered counts for all days up to it, and for one that is planned a little later.
    """
    last = max((day for day in sent if day), default=None)
    left = [day for day in sorted(planned) if last is None or day > last + EARLY]
    written = None in sent and bool(left) and left[0] <= today + EARLY
    return [Deadline(left[0], CHECK_IN, written)] if left else []


def nearest(deadlines: Sequence[Deadline]) -> tuple[Deadline, ...]:
    """Those that a list shows: without feedback while the acknowledgement stands."""
    first = any(each.what == "acknowledge" for each in deadlines)
    return tuple(each for each in deadlines if not (first and each.what == "feedback"))
