"""The coming days on which something is due, as a calendar file (RFC 5545) that tells nothing else.

It lies in clear wherever calendars are kept and carried to.  So a day is there once, however much is due on it, and
neither cases nor what is due are named, unless whoever exports it wants that.
"""

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from whistle.workstation import files
from whistle.workstation.duties.plan import Due
from whistle.workstation.errors import Refused

TITLE = "Whistle: something is due"
NAMED = {"acknowledge": "acknowledge receipt", "feedback": "feedback", "agreed": "as agreed"}
LINE = 75  # bytes, without its end


def write(path: Path, due: Iterable[Due], today: datetime.date, named: bool = False) -> int:
    """Write the file in place of the one before; how many days it holds or, if `named`, duties.

    Raises WorkstationError.
    """
    if path.is_dir() or path.suffix.lower() != ".ics":
        raise Refused("this is no name for a calendar file", "name a file that ends in .ics")
    events = _events(due, today, named)
    files.write(path, _text(events, today).encode())
    return len(events)


def _events(due: Iterable[Due], today: datetime.date, named: bool) -> Mapping[tuple[datetime.date, str], None]:
    return dict.fromkeys(
        (max(each.by, today), f"Whistle: {NAMED[each.what]}, {each.reference}" if named else TITLE) for each in due
    )


def _text(events: Iterable[tuple[datetime.date, str]], today: datetime.date) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Whistle//Duties//EN", "CALSCALE:GREGORIAN"]
    for day, title in events:
        # The same at each export, so that a calendar takes it for the same event; made of the day and the title alone.
        uid = hashlib.sha256(f"{day} {title}".encode()).hexdigest()[:32]
        lines += ["BEGIN:VEVENT", f"UID:{uid}@whistle.invalid", f"DTSTAMP:{today:%Y%m%d}T000000Z"]
        lines += [f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"SUMMARY:{_escaped(title)}", "TRANSP:TRANSPARENT", "END:VEVENT"]
    assert all(len(line.encode()) <= LINE for line in lines)
    return "".join(f"{line}\r\n" for line in [*lines, "END:VCALENDAR"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
