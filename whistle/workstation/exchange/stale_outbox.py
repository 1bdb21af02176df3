"""Parts that an earlier vault of the same reviewer left in a stick's outbox, before it was restored from a backup.

They stay until all of their content has arrived, since the backup may not have it.  Then they are removed, because
their statements would tell the courier that this vault, too, has what came after the backup.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from whistle.protocol.errors import ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.workstation import files
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange.stick import bundles
from whistle.workstation.workstation import Workstation

PART = re.compile(r"([0-9a-f]{12})-[0-9]{4}-of-[0-9]{4}\.tar")


def tidy(workstation: Workstation, stick: Path, inbox: Iterable[Path]) -> None:
    """Remove the parts of earlier vaults of this reviewer whose envelopes and blocks have all arrived."""
    try:
        me = workstation.me
    except (Refused, Untrusted):  # not listed, or no manifest yet
        return
    stations: dict[str, dict[Path, Listing]] = {}
    for path, listing in _listings(bundles(stick / "outbox")).items():
        if (match := PART.fullmatch(path.name)) and match[1] != workstation.profile["station"]:
            stations.setdefault(match[1], {})[path] = listing
    arrived = {id for listing in _listings(inbox).values() for id in (*listing.stored, *listing.taken)}
    for parts in stations.values():
        stated = [statement for listing in parts.values() for statement in listing.imports]
        sent = {member.id for listing in parts.values() for member in listing.members}
        if stated and all(statement.reviewer == me for statement in stated) and sent <= arrived:
            _remove(parts)


def _listings(paths: Iterable[Path]) -> dict[Path, Listing]:
    listings = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                listings[path] = bundle.Reader(file).listing
        except (ProtocolError, OSError):
            continue
    return listings


def _remove(parts: Iterable[Path]) -> None:
    for path in parts:
        try:
            path.unlink()
        except OSError as exc:
            raise files.cannot_write(path.parent, exc) from exc
