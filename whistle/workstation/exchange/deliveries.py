"""Messages that a courier reports as delivered, stored as they were sealed for as long as the server keeps replies.

There is no signed proof that the server has a message.  The courier says so, and the copy for the reviewers comes back
from the server.  A returned copy shows that nothing was lost by accident; it does not prove that the courier is honest,
which could have kept the copy itself.
"""

import datetime
import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from whistle.protocol.case.envelope import REPLIES_KEPT
from whistle.workstation.workstation import Workstation

EXPECTED = datetime.timedelta(days=14)  # from the reported delivery to the return of the reviewers' copy

Item = dict[str, Any]
Received = Mapping[bytes, bytes]  # by id, the SHA-256 of each envelope and block that came with a part


@dataclass(frozen=True)
class Sent:
    """A message: its hash, the day of its reported delivery, and the day on which its copy came back."""

    hash: str
    said: datetime.date
    back: datetime.date | None

    def missed(self, today: datetime.date) -> bool:
        """Whether its copy should have come back by now."""
        return self.back is None and today - self.said >= EXPECTED

    def words(self, today: datetime.date) -> str:
        """Its delivery in a sentence, without the full stop."""
        claim = f"the courier said on {self.said} that it was delivered"
        if self.back:
            return f"{claim}; its copy came back on {self.back}"
        return f"{claim}; " + ("NOT CONFIRMED: no copy came back" if self.missed(today) else "no copy came back yet")


def all_of(workstation: Workstation) -> dict[str, Sent]:
    """All messages that were reported as delivered, by hash."""
    day = datetime.date.fromisoformat
    return {
        hash: Sent(hash, day(entry["said"]), entry["back"] and day(entry["back"]))
        for hash, entry in _index(workstation).items()
    }


def missed(workstation: Workstation) -> list[Sent]:
    """The messages whose copy should have come back by now."""
    today = workstation.today()
    return [each for each in all_of(workstation).values() if each.missed(today)]


def copies(item: Item) -> dict[bytes, bytes]:
    """By id, the SHA-256 of an item's envelopes to reviewers: the copies that come back."""
    bodies = [(each["id"], each["body"]) for each in item["envelopes"] if each["heap"] == "reviewers"]
    return {bytes.fromhex(id): hashlib.sha256(b64decode(body)).digest() for id, body in bodies}


def is_back(copies: Mapping[bytes, bytes], arrivals: Received) -> bool:
    """Whether one of these copies came back unchanged."""
    return any(arrivals.get(id) == sha256 for id, sha256 in copies.items())


def save(workstation: Workstation, hash: str, item: Item) -> None:
    """Save an item reported as delivered today; its `back` is the day on which its copy came back, or None."""
    today = workstation.today()
    day = datetime.date.fromisoformat(item.get("day") or today.isoformat())  # earlier versions of Whistle stored none
    entry = {
        "said": today.isoformat(),
        "back": item["back"],
        "until": (day + REPLIES_KEPT).isoformat(),
        "copies": {id.hex(): sha256.hex() for id, sha256 in copies(item).items()},
    }
    workstation.vault.put(f"sent/{hash}", item)
    workstation.vault.put("sent", _index(workstation) | {hash: entry})


def reconcile(workstation: Workstation, arrivals: Received, written: datetime.date) -> None:
    """Note the copies that came back, and remove what the server has removed by now.

    Both this computer's clock and the day on which the stick was `written` must say so, since either may be wrong.
    """
    index, today = _index(workstation), workstation.today().isoformat()
    kept = {hash: entry for hash, entry in index.items() if entry["until"] >= min(today, written.isoformat())}
    for hash in index.keys() - kept.keys():
        workstation.vault.remove(f"sent/{hash}")
    for hash, entry in kept.items():
        copies_of_entry = {bytes.fromhex(id): bytes.fromhex(sha256) for id, sha256 in entry["copies"].items()}
        if entry["back"] is None and is_back(copies_of_entry, arrivals):
            kept[hash] = {**entry, "back": today}
    if kept != index:
        workstation.vault.put("sent", kept)


def take(workstation: Workstation, hashes: Iterable[str]) -> dict[str, Item]:
    """Take out the messages whose envelopes are here, to send them again: items by hash, with all envelopes."""
    index, items = _index(workstation), {}
    for hash in hashes:
        item = workstation.vault.get(f"sent/{hash}")
        if item is not None and hash in index:
            items[hash] = {**item, "arrived": [], "back": index.pop(hash)["back"]}
            workstation.vault.remove(f"sent/{hash}")
    workstation.vault.put("sent", index)
    return items


def records(workstation: Workstation) -> list[str]:
    """The names of the records that a backup needs: the index, and items whose copy has not come back."""
    return ["sent", *(f"sent/{each.hash}" for each in all_of(workstation).values() if each.back is None)]


def _index(workstation: Workstation) -> dict[str, Item]:
    index: dict[str, Item] = workstation.vault.get("sent", {})
    return index
