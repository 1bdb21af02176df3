"""What of a case's messages a page shows at once: bounded in number, in files, and in what has to be opened."""

from dataclasses import dataclass

from whistle.protocol.case.message import Body
from whistle.workstation.cases.overview import Case, Entry

MESSAGES = 50
FILES = 100
OPENED = 262_144  # bytes of content that lies in blocks, of all messages of a page together


@dataclass(frozen=True)
class Page:
    """The messages of a page in order; `folded` are the hashes of those of which only the heading is shown.

    `earlier` and `later` count the messages before and after them.
    """

    entries: tuple[Entry, ...]
    folded: frozenset[str]
    earlier: int
    later: int


def page(case: Case, before: int) -> Page:
    """The newest messages of the first `before`.  What is too long to be opened with the others is folded."""
    end = min(max(before, 0), len(case.entries))
    some = case.entries[max(0, end - MESSAGES) : end]
    return Page(some, folded(some), end - len(some), len(case.entries) - end)


def alone(case: Case, number: int) -> Page:
    """One message, whole, by its number from 0; nothing if there is none."""
    some = case.entries[max(number, 0) :][:1]
    return Page(some, frozenset(), number, len(case.entries) - number - 1)


def folded(entries: tuple[Entry, ...]) -> frozenset[str]:
    """The hashes of those of which too much would have to be opened or listed, the newest being opened first."""
    room, files, found = OPENED, FILES, set()
    for entry in reversed(entries):
        size = length(entry)
        if size > room:
            found.add(entry.signed.hash)
            continue
        room -= size
        if len(entry.attachments) > files:
            found.add(entry.signed.hash)
            continue
        files -= len(entry.attachments)
    return frozenset(found)


def length(entry: Entry) -> int:
    """The bytes of content of a message that lie in blocks."""
    rest = entry.message.rest if isinstance(entry.message, Body) else None
    return rest.size if rest else 0
