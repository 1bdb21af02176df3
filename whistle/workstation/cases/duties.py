"""The deadlines of a case: acknowledge it within seven days, give feedback within three months after that.

The two duties are those of Directive (EU) 2019/1937, articles 9 and 11.  Only replies that reached the reporter's place
fulfil them; a reply on its way, an agreed day or closing the case does not.
"""

import calendar
import datetime
from dataclasses import dataclass

ACKNOWLEDGE = 7  # days after the report
FEEDBACK = 3  # months after the acknowledgement, or after the seven days if there was none
DEFAULT = "en"
ACKNOWLEDGEMENTS = {
    "en": (
        "Thank you. We have received your report.\n\n"
        "We will tell you here what was done or is planned, within three months at the latest. If we have questions, "
        "we ask them here. Please come back with your twelve words; you can add to your report in the same place."
    ),
    "ar": (
        "شكرًا لك. لقد تلقّينا بلاغك.\n\n"
        "سنخبرك هنا بما تمّ أو بما نعتزم فعله، خلال ثلاثة أشهر على الأكثر. وإن كانت لدينا أسئلة فسنطرحها هنا. "
        "نرجو أن تعود بكلماتك الاثنتي عشرة؛ ويمكنك أن تضيف إلى بلاغك في المكان نفسه."
    ),
}  # texts that acknowledge a report, by language


@dataclass(frozen=True)
class Deadline:
    """A day, and what is due on it: acknowledge, feedback or agreed.

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


def spoken(language: str) -> str:
    """The language of the acknowledgement for a reporter's: that, its main one, or DEFAULT where there is no text."""
    main = language.partition("-")[0]
    return next((each for each in (language, main) if each in ACKNOWLEDGEMENTS), DEFAULT)


def duty(reported: datetime.date, answers: list[Answer]) -> Deadline | None:
    """The next legal duty; None once feedback was delivered.  Feedback counts as acknowledgement too."""
    marks = {answer.mark for answer in answers}
    done = [answer for answer in answers if answer.day]
    if any(answer.mark == "feedback" for answer in done):
        return None
    week = reported + datetime.timedelta(days=ACKNOWLEDGE)
    acknowledged = min((max(answer.day, reported) for answer in done if answer.day), default=None)
    if acknowledged is None:
        return Deadline(week, "acknowledge", bool(marks))
    return Deadline(add_months(min(acknowledged, week), FEEDBACK), "feedback", "feedback" in marks)


def add_months(day: datetime.date, months: int) -> datetime.date:
    """The same day of a later month, or that month's last day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
