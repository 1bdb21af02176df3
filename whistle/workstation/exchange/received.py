"""What came here of each server day, as its statement needs it: names of envelopes and blocks, with their hashes.

Under a name the newest content counts, since a courier may have brought another first; what was opened or kept of the
earlier one stays.  A vault of an earlier version kept no hashes: such a day counts as one of which nothing came, and is
stated when all of it has come once more.
"""

import datetime
from collections.abc import Iterable, Mapping

from whistle.protocol.transfer import bundle, statement
from whistle.protocol.transfer.listing import Member
from whistle.workstation.workstation import Workstation


def held(workstation: Workstation, day: str) -> dict[str, str]:
    """By name, the SHA-256 of each content that came of a server day, in hex."""
    found = workstation.vault.get(f"day/{day}", {})
    return found if isinstance(found, dict) else {}


def came(known: Mapping[str, str], member: Member) -> bool:
    """Whether this very content came before; `known` is what is `held` of its day."""
    return known.get(member.name) == member.sha256.hex()


def remember(workstation: Workstation, members: Iterable[Member]) -> int:
    """Keep what came; how many names had another content before."""
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
    """The ids of envelopes and blocks that came here of a server day."""
    return sorted({bundle.member_id(name) for name in held(workstation, day.isoformat())})


def day_hash(workstation: Workstation, day: str) -> bytes | None:
    """The hash that is stated of a day; None when nothing is known of it."""
    known = held(workstation, day)
    pairs = [(bundle.member_id(name), bytes.fromhex(sha256)) for name, sha256 in known.items()]
    return statement.day_hash(pairs) if pairs else None
