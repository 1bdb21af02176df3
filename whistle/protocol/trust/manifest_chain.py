"""The manifests of one instance: which one is in force on a day, and whose signatures count (SPEC 7).

Whoever makes one has checked that a pinned root signed each manifest and that each follows the one before it.
"""

import datetime
from dataclasses import dataclass

from whistle.protocol.errors import Expired
from whistle.protocol.trust.manifest import RECOVERY, Manifest, Reviewer, SignedManifest


@dataclass(frozen=True)
class ManifestChain:
    """Manifests by serial."""

    known: tuple[SignedManifest, ...]

    @property
    def newest(self) -> SignedManifest | None:
        """The one with the highest serial, be it in force yet or not."""
        return self.known[-1] if self.known else None

    def current(self, day: datetime.date) -> SignedManifest:
        """The one in force on a day: the newest that has begun, even past its end.  Expired if there is none."""
        begun = [known for known in self.known if known.manifest.begins <= day]
        if not begun:
            raise Expired("no manifest has begun")
        return begun[-1]

    def sealing(self, day: datetime.date) -> SignedManifest:
        """The one in force on a day if one may still seal by it; Expired 30 days after its end."""
        known = self.current(day)
        if known.manifest.standing(day) == "closed":
            raise Expired("the manifest has ended")
        return known

    def numbered(self, serial: int) -> SignedManifest | None:
        """The one with that serial."""
        return next((known for known in self.known if known.manifest.serial == serial), None)

    def reviewer(self, id: str) -> Reviewer | None:
        """A reviewer as the newest manifest that lists them does, retired or not."""
        found = (known.manifest.reviewer(id) for known in reversed(self.known))
        return next((reviewer for reviewer in found if reviewer), None)

    def signing_keys(self, id: str, day: datetime.date) -> list[bytes]:
        """The Ed25519 keys whose signatures by a reviewer count for a message of that day (SPEC 7.5).

        The newest manifest that lists a key decides until when it counts; predecessors only add keys, and tell since
        when somebody who left is away.
        """
        ends: dict[bytes, datetime.date | None] = {}
        away: set[bytes] = set()  # keys that only manifests in which their owner is retired have listed so far
        newest = self.newest
        for known in reversed(self.known):
            reviewer = known.manifest.reviewer(id)
            for key in reviewer.signing if reviewer else ():
                if key.raw not in ends:
                    ends[key.raw] = key.last or (None if known is newest else known.manifest.expires)
                    away |= {key.raw} if reviewer and reviewer.retired and not key.last else set()
                if reviewer and not reviewer.retired:
                    away.discard(key.raw)
                elif key.raw in away:
                    ends[key.raw] = known.manifest.begins
        return [key for key, end in ends.items() if end is None or day <= end]


def offered(found: Manifest, day: datetime.date) -> tuple[Reviewer, ...]:
    """Every active reviewer who can be sealed to on a day; reporters may leave out any of them."""
    return tuple(each for each in found.active() if any(period.first <= day for period in each.recipients))


def people(found: Manifest) -> set[str]:
    """The ids of all who are listed, retired or not, the recovery identity among them if there is one."""
    return {reviewer.id for reviewer in found.reviewers} | ({RECOVERY} if found.recovery else set())
