"""What was received of each server day, for its statements: names of envelopes and blocks, with their hashes.

The newest content of a name counts, since a courier may have brought another one first; messages and blocks saved from
the earlier one stay.  Beside all that ever came, the newest whole list of a day is remembered: names that no part of
its bundle had are `absent` from it, so that a name that a courier made up does not spoil the day for good.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from whistle.protocol.transfer import bundle, statement
from whistle.protocol.transfer.listing import Listing, Member
from whistle.workstation.vault.models import Came, ServerDay
from whistle.workstation.workstation import UNSYNCED, Workstation


def held(workstation: Workstation, day: datetime.date) -> dict[str, bytes]:
    """By name, the SHA-256 of what was received of a server day."""
    rows = workstation.vault.session.execute(select(Came.name, Came.sha256).where(Came.day == day))
    return {row.name: row.sha256 for row in rows}


def was_received(hashes: Mapping[str, bytes], member: Member) -> bool:
    """Whether this very content came before; `hashes`: what `held` returns for its day."""
    return hashes.get(member.name) == member.sha256


def days(workstation: Workstation, count: int) -> list[datetime.date]:
    """The newest server days of which something came, oldest first."""
    newest = select(ServerDay.day).order_by(ServerDay.day.desc()).limit(count)
    return list(reversed(workstation.vault.session.scalars(newest).all()))


def remember(workstation: Workstation, listing: Listing, left_out: Collection[Member] = ()) -> int:
    """Record what came, except `left_out`; returns how many names had different content before."""
    replaced = 0
    for day, new in _by_day(listing, left_out).items():
        before = held(workstation, day)
        replaced += sum(before.get(name, sha256) != sha256 for name, sha256 in new.items())
        goes_on = _note_part(workstation, day, listing)
        rows = [{"day": day, "name": name, "sha256": sha256, "absent": False} for name, sha256 in sorted(new.items())]
        came = insert(Came)
        newest = {"sha256": came.excluded.sha256}
        workstation.vault.session.execute(came.on_conflict_do_update(set_=newest), rows)
        _note_list(workstation, day, new, goes_on)
    return replaced


def read_again(workstation: Workstation, listing: Listing) -> None:
    """Record that a part imported earlier belongs to the newest bundle; it brings nothing new."""
    for day, names in _by_day(listing, ()).items():
        hashes = held(workstation, day)
        same = {name for name, sha256 in names.items() if hashes.get(name) == sha256}
        _note_list(workstation, day, same, _note_part(workstation, day, listing))


def _by_day(listing: Listing, left_out: Collection[Member]) -> dict[datetime.date, dict[str, bytes]]:
    by_day: dict[datetime.date, dict[str, bytes]] = {}
    for member in listing.members:
        if member.day and member.id and member not in left_out:
            by_day.setdefault(member.day, {})[member.name] = member.sha256
    return by_day


def _note_part(workstation: Workstation, day: datetime.date, listing: Listing) -> bool:
    """Note the part that brings something of a day; True if it goes on with the newest bundle.

    A bundle brings a whole day, in one or more parts (SPEC 8.2).
    """
    session = workstation.vault.session
    last = session.get(ServerDay, day)
    if last is None:
        session.add(ServerDay(day=day, written=listing.created, of=listing.of, parts=[listing.part]))
        session.flush()
        return True  # nothing came before
    goes_on = (last.written, last.of) == (listing.created, listing.of) and listing.part not in last.parts
    last.written, last.of = listing.created, listing.of
    last.parts = [*last.parts, listing.part] if goes_on else [listing.part]
    return goes_on


def _note_list(workstation: Workstation, day: datetime.date, names: Collection[str], goes_on: bool) -> None:
    """Note what the newest list of a day leaves out: all that came before, until its parts name it."""
    session = workstation.vault.session
    if not goes_on:
        session.execute(update(Came).where(Came.day == day).values(absent=True), **UNSYNCED)
    there = update(Came).where(Came.day == day, Came.name == bindparam("named"), Came.absent).values(absent=False)
    if names:
        session.connection().execute(there, [{"named": name} for name in sorted(names)])


def day_hashes(workstation: Workstation, day: datetime.date) -> list[bytes]:
    """The hashes to state for a day: of all that ever came and, if that is less, of the newest list."""
    rows = workstation.vault.session.execute(select(Came.name, Came.sha256, Came.absent).where(Came.day == day))
    came = [(name, sha256, absent) for name, sha256, absent in rows]
    both = came, [each for each in came if not each[2]]
    return list(dict.fromkeys(_hash(each) for each in both if each))


def _hash(came: Iterable[tuple[str, bytes, bool]]) -> bytes:
    return statement.day_hash((bundle.member_id(name), sha256) for name, sha256, _ in came)
