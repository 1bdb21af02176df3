"""Which of a case's messages a page shows at once: bounded in number, in files, and in content to open."""

from collections.abc import Callable
from dataclasses import dataclass

from whistle.protocol.case.attachment import block_id
from whistle.protocol.case.message import Body
from whistle.workstation.cases.entries import Entry
from whistle.workstation.cases.overview import Case
from whistle.workstation.vault.blocks import Blocks

MESSAGES = 50
FILES = 100
LOOKS = 4096  # pieces of files that a page looks for; whoever saves a larger file is told what has not come
OPENED = 262_144  # bytes of content that lies in blocks, of all messages of a page together


@dataclass(frozen=True)
class Page:
    """The messages of a page in order; `folded` are the hashes of those shown by their heading only.

    `earlier` and `later` count the messages before and after them.
    """

    entries: tuple[Entry, ...]
    folded: frozenset[str]
    earlier: int
    later: int


def page(case: Case, before: int) -> Page:
    """The newest of the first `before` messages; those too long to open with the others are folded."""
    end = min(max(before, 0), len(case.entries))
    entries = case.entries[max(0, end - MESSAGES) : end]
    return Page(entries, folded(entries), end - len(entries), len(case.entries) - end)


def alone(case: Case, number: int) -> Page:
    """One message, whole, by its number from 0; nothing if there is none."""
    entries = case.entries[max(number, 0) :][:1]
    return Page(entries, frozenset(), number, len(case.entries) - number - 1)


def folded(entries: tuple[Entry, ...]) -> frozenset[str]:
    """The hashes of messages with too much to open or list; the newest are opened first."""
    room, files, hashes = OPENED, FILES, set()
    for entry in reversed(entries):
        size = length(entry)
        if size > room:
            hashes.add(entry.signed.hash)
            continue
        room -= size
        if len(entry.attachments) > files:
            hashes.add(entry.signed.hash)
            continue
        files -= len(entry.attachments)
    return frozenset(hashes)


def length(entry: Entry) -> int:
    """The bytes of content of a message that lie in blocks."""
    rest = entry.message.rest if isinstance(entry.message, Body) else None
    return rest.size if rest else 0


def incomplete(blocks: Blocks) -> Callable[[Entry, int], bool]:
    """A function that tells whether a file has not come yet, as far as its first piece and LOOKS others show it."""
    left = LOOKS

    def is_incomplete(entry: Entry, number: int) -> bool:
        nonlocal left
        record = entry.attachments[number]
        if not blocks.has(block_id(bytes.fromhex(record.seed), 0)):
            return True
        left -= record.blocks
        return left >= 0 and not blocks.complete(record)

    return is_incomplete
