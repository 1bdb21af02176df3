"""The coming days on which something is due, as a calendar file (RFC 5545) that tells nothing else.

It lies in clear wherever calendars are kept and carried to.  So a day is there once, however much is due on it, and
neither cases nor what is due are named, unless whoever exports it wants that.
"""

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from whistle.translations.catalogues import ENGLISH
from whistle.workstation import files, language
from whistle.workstation.duties.plan import Due
from whistle.workstation.errors import Refused
from whistle.workstation.language import t

Event = tuple[datetime.date, str, str]  # day, key of its title, reference of the case if that is named
EVENT = "calendar.event"
NAMED = {
    "acknowledge": "calendar.event_acknowledge",
    "feedback": "calendar.event_feedback",
    "agreed": "calendar.event_agreed",
    "check-in": "care.event_check_in",
    "risk": "care.event_risk",
}
LINE = 75  # bytes, without its end


def write(path: Path, due: Iterable[Due], today: datetime.date, named: bool = False) -> int:
    """Write the file in place of the one before; how many days it holds or, if `named`, duties.

    Raises WorkstationError.
    """
    if path.is_dir() or path.suffix.lower() != ".ics":
        raise Refused(t("calendar.no_name"), t("calendar.no_name_hint"))
    events = _events(due, today, named)
    files.write(path, _text(events, today).encode())
    return len(events)


def _events(due: Iterable[Due], today: datetime.date, named: bool) -> Mapping[Event, None]:
    keys = (
        (max(each.by, today), NAMED[each.what], each.reference) if named else (max(each.by, today), EVENT, "")
        for each in due
    )
    return dict.fromkeys(keys)


def _title(key: str, reference: str) -> str:
    return t(key, reference=reference) if reference else t(key)


def _text(events: Iterable[Event], today: datetime.date) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Whistle//Duties//EN", "CALSCALE:GREGORIAN"]
    for day, key, reference in events:
        title = _title(key, reference)
        # The same at each export, in any language, so that a calendar takes it for the same event.
        with language.on_page(ENGLISH):
            uid = hashlib.sha256(f"{day} {_title(key, reference)}".encode()).hexdigest()[:32]
        lines += ["BEGIN:VEVENT", f"UID:{uid}@whistle.invalid", f"DTSTAMP:{today:%Y%m%d}T000000Z"]
        lines += [f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"SUMMARY:{_escaped(title)}", "TRANSP:TRANSPARENT", "END:VEVENT"]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _folded(line: str) -> str:
    """A line in pieces of at most LINE bytes, each but the first after a space (RFC 5545, 3.1)."""
    pieces, size = [""], 0
    for character in line:
        if size + len(character.encode()) > LINE:
            pieces, size = [*pieces, " "], 1
        pieces[-1] += character
        size += len(character.encode())
    return "\r\n".join(pieces)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
