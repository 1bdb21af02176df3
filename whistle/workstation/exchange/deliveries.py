"""What a courier says was delivered.  It is kept, sealed as it was, as long as the server keeps replies.

Nobody signs that the server has a message.  A courier says so, and the copy for the reviewers comes back with what the
server gives them.  A copy that came back shows that nothing was lost by accident; it proves nothing against a courier
that lies, for it could have kept the copy itself.
"""

import datetime
import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from whistle.workstation.workstation import Workstation

KEPT = datetime.timedelta(days=400)  # after the day of the message; as long as the server keeps replies
EXPECTED = datetime.timedelta(days=14)  # after it was said to be delivered, the copy for the reviewers

Item = dict[str, Any]
Came = Mapping[bytes, bytes]  # by id, the SHA-256 of each envelope and block that came with a part


@dataclass(frozen=True)
class Sent:
    """A message: its hash, the day on which it was said to be delivered, and that on which its copy came back."""

    hash: str
    said: datetime.date
    back: datetime.date | None

    def missed(self, today: datetime.date) -> bool:
        """Whether its copy should have come back by now."""
        return self.back is None and today - self.said >= EXPECTED

    def words(self, today: datetime.date) -> str:
        """What is known of it."""
        said = f"the courier said on {self.said} that it was delivered"
        if self.back:
            return f"{said}; its copy came back on {self.back}"
        return f"{said}; " + ("NOT CONFIRMED: no copy came back" if self.missed(today) else "no copy came back yet")


def all_of(workstation: Workstation) -> dict[str, Sent]:
    """By hash, all that is kept here."""
    day = datetime.date.fromisoformat
    return {
        hash_: Sent(hash_, day(each["said"]), each["back"] and day(each["back"]))
        for hash_, each in _index(workstation).items()
    }


def missed(workstation: Workstation) -> list[Sent]:
    """Those whose copy should have come back by now."""
    today = workstation.today()
    return [each for each in all_of(workstation).values() if each.missed(today)]


def copies(item: Item) -> dict[bytes, bytes]:
    """By id, the SHA-256 of an item's envelopes to reviewers: such as come back."""
    bodies = [(each["id"], each["body"]) for each in item["envelopes"] if each["heap"] == "reviewers"]
    return {bytes.fromhex(id_): hashlib.sha256(b64decode(body)).digest() for id_, body in bodies}


def is_back(copies: Mapping[bytes, bytes], came: Came) -> bool:
    """Whether one of these copies came, just as it was."""
    return any(came.get(id_) == sha256 for id_, sha256 in copies.items())


def keep(workstation: Workstation, hash_: str, item: Item) -> None:
    """Keep what was said to be delivered today; `back` of the item is the day on which its copy came, or None."""
    today = workstation.today()
    day = datetime.date.fromisoformat(item.get("day") or today.isoformat())  # earlier versions kept none
    entry = {
        "said": today.isoformat(),
        "back": item["back"],
        "until": (day + KEPT).isoformat(),
        "copies": {id_.hex(): sha256.hex() for id_, sha256 in copies(item).items()},
    }
    workstation.vault.put(f"sent/{hash_}", item)
    workstation.vault.put("sent", _index(workstation) | {hash_: entry})


def settle(workstation: Workstation, came: Came, written: datetime.date) -> None:
    """Note the copies that came back, and let go of what the server, too, would have removed by now.

    By now is by this computer's clock and by the day on which the stick was `written`: either clock may be wrong.
    """
    index, today = _index(workstation), workstation.today().isoformat()
    kept = {hash_: entry for hash_, entry in index.items() if entry["until"] >= min(today, written.isoformat())}
    for hash_ in index.keys() - kept.keys():
        workstation.vault.remove(f"sent/{hash_}")
    for hash_, entry in kept.items():
        told = {bytes.fromhex(id_): bytes.fromhex(sha256) for id_, sha256 in entry["copies"].items()}
        if entry["back"] is None and is_back(told, came):
            kept[hash_] = {**entry, "back": today}
    if kept != index:
        workstation.vault.put("sent", kept)


def take(workstation: Workstation, hashes: Iterable[str]) -> dict[str, Item]:
    """Take out those of which the envelopes are here, to send them again; by hash, with all their envelopes."""
    index, found = _index(workstation), {}
    for hash_ in hashes:
        item = workstation.vault.get(f"sent/{hash_}")
        if item is not None and hash_ in index:
            found[hash_] = {**item, "arrived": [], "back": index.pop(hash_)["back"]}
            workstation.vault.remove(f"sent/{hash_}")
    workstation.vault.put("sent", index)
    return found


def records(workstation: Workstation) -> list[str]:
    """The names of the records that a backup needs: the list, and the envelopes whose copy has not come back."""
    return ["sent", *(f"sent/{each.hash}" for each in all_of(workstation).values() if each.back is None)]


def _index(workstation: Workstation) -> dict[str, Item]:
    found: dict[str, Item] = workstation.vault.get("sent", {})
    return found
