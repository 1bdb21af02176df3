"""What was received of each server day, for its statements: names of envelopes and blocks, with their hashes.

The newest content of a name counts, since a courier may have brought another one first; messages and blocks saved from
the earlier one stay.  Beside all that ever came, the newest whole list of a day is remembered: names that no part of
its bundle had are `absent` from it, so that a name that a courier made up does not spoil the day for good.
A vault of an earlier version has no hashes: such a day counts as not received, and is stated once all of it has come
again.
"""

from collections.abc import Collection, Mapping

from whistle.protocol.transfer import bundle, statement
from whistle.protocol.transfer.listing import Listing, Member
from whistle.workstation.workstation import Workstation


def held(workstation: Workstation, day: str) -> dict[str, str]:
    """By name, the SHA-256 in hex of what was received of a server day."""
    hashes = workstation.vault.get(f"day/{day}", {})
    return hashes if isinstance(hashes, dict) else {}


def was_received(hashes: Mapping[str, str], member: Member) -> bool:
    """Whether this very content came before; `hashes`: what `held` returns for its day."""
    return hashes.get(member.name) == member.sha256.hex()


def remember(workstation: Workstation, listing: Listing, left_out: Collection[Member] = ()) -> int:
    """Record what came, except `left_out`; returns how many names had different content before."""
    replaced, by_day = 0, _by_day(listing, left_out)
    for day, new in by_day.items():
        before = held(workstation, day)
        replaced += sum(before.get(name, sha256) != sha256 for name, sha256 in new.items())
        workstation.vault.put(f"day/{day}", before | new)
        _note_list(workstation, day, listing, new)
    workstation.vault.put("days", sorted({*workstation.vault.get("days", []), *by_day}))
    return replaced


def read_again(workstation: Workstation, listing: Listing) -> None:
    """Record that a part imported earlier belongs to the newest bundle; it brings nothing new."""
    for day, names in _by_day(listing, ()).items():
        hashes = held(workstation, day)
        _note_list(workstation, day, listing, {name for name, sha256 in names.items() if hashes.get(name) == sha256})


def _by_day(listing: Listing, left_out: Collection[Member]) -> dict[str, dict[str, str]]:
    by_day: dict[str, dict[str, str]] = {}
    for member in listing.members:
        if member.day and member.id and member not in left_out:
            by_day.setdefault(member.day.isoformat(), {})[member.name] = member.sha256.hex()
    return by_day


def _note_list(workstation: Workstation, day: str, listing: Listing, names: Collection[str]) -> None:
    """Note what the newest list of a day leaves out.  A bundle brings a whole day, in one or more parts (SPEC 8.2)."""
    last = workstation.vault.get(f"list/{day}", {"bundle": [], "parts": [], "absent": []})
    bundle_ = [listing.created.isoformat(), listing.of]
    goes_on = last["bundle"] == bundle_ and listing.part not in last["parts"]
    before = last["absent"] if goes_on else held(workstation, day)
    parts = [*last["parts"], listing.part] if goes_on else [listing.part]
    absent = [name for name in before if name not in names]
    workstation.vault.put(f"list/{day}", {"bundle": bundle_, "parts": parts, "absent": absent})


def day_hashes(workstation: Workstation, day: str) -> list[bytes]:
    """The hashes to state for a day: of all that ever came and, if that is less, of the newest list."""
    hashes = held(workstation, day)
    absent = set(workstation.vault.get(f"list/{day}", {"absent": []})["absent"])
    both = hashes, {name: sha256 for name, sha256 in hashes.items() if name not in absent}
    return list(dict.fromkeys(_hash(names) for names in both if names))


def _hash(names: Mapping[str, str]) -> bytes:
    return statement.day_hash((bundle.member_id(name), bytes.fromhex(sha256)) for name, sha256 in names.items())
