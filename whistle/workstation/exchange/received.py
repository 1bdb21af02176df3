"""What was received of each server day, for its statement: names of envelopes and blocks, with their hashes.

The newest content of a name counts, since a courier may have brought another one first; messages and blocks saved from
the earlier one stay.  A vault of an earlier version has no hashes: such a day counts as not received, and is stated
once all of it has come again.
"""

import datetime
from collections.abc import Iterable, Mapping

from whistle.protocol.transfer import bundle, statement
from whistle.protocol.transfer.listing import Member
from whistle.workstation.workstation import Workstation


def held(workstation: Workstation, day: str) -> dict[str, str]:
    """By name, the SHA-256 in hex of what was received of a server day."""
    found = workstation.vault.get(f"day/{day}", {})
    return found if isinstance(found, dict) else {}


def was_received(known: Mapping[str, str], member: Member) -> bool:
    """Whether this very content came before; `known` is `held` of its day."""
    return known.get(member.name) == member.sha256.hex()


def remember(workstation: Workstation, members: Iterable[Member]) -> int:
    """Record what came; returns how many names had another content before."""
    by_day: dict[str, dict[str, str]] = {}
    for member in members:
        if member.day and member.id:
            by_day.setdefault(member.day.isoformat(), {})[member.name] = member.sha256.hex()
    replaced = 0
    for day, new in by_day.items():
        known = held(workstation, day)
        replaced += sum(known.get(name, sha256) != sha256 for name, sha256 in new.items())
        workstation.vault.put(f"day/{day}", known | new)
    workstation.vault.put("days", sorted({*workstation.vault.get("days", []), *by_day}))
    return replaced


def seen_ids(workstation: Workstation, day: datetime.date) -> list[bytes]:
    """The ids of envelopes and blocks received of a server day."""
    return sorted({bundle.member_id(name) for name in held(workstation, day.isoformat())})


def day_hash(workstation: Workstation, day: str) -> bytes | None:
    """The hash to state for a day; None if nothing is known of it."""
    known = held(workstation, day)
    pairs = [(bundle.member_id(name), bytes.fromhex(sha256)) for name, sha256 in known.items()]
    return statement.day_hash(pairs) if pairs else None
