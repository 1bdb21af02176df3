"""The manifests of one instance: which one is in force on a day, and whose signatures count (SPEC 7).

Nothing is verified here: whoever builds a chain has checked that a pinned root signed each manifest and that each
follows the one before it.
"""

import datetime
from dataclasses import dataclass

from whistle.protocol.errors import Expired
from whistle.protocol.trust.manifest import RECOVERY, Manifest, Reviewer, SignedManifest


@dataclass(frozen=True)
class ManifestChain:
    """The manifests in order of serials."""

    manifests: tuple[SignedManifest, ...]

    @property
    def newest(self) -> SignedManifest | None:
        """The one with the highest serial, whether in force yet or not."""
        return self.manifests[-1] if self.manifests else None

    def current(self, day: datetime.date) -> SignedManifest:
        """The one in force on a day: the newest that has begun, even past its end.  Expired if there is none."""
        begun = [signed for signed in self.manifests if signed.manifest.begins <= day]
        if not begun:
            raise Expired("no manifest has begun")
        return begun[-1]

    def sealing(self, day: datetime.date) -> SignedManifest:
        """The one in force on a day if sealing by it is still allowed; Expired from 30 days after its end."""
        signed = self.current(day)
        if signed.manifest.standing(day) == "closed":
            raise Expired("the manifest has ended")
        return signed

    def numbered(self, serial: int) -> SignedManifest | None:
        """The one with that serial."""
        return next((signed for signed in self.manifests if signed.manifest.serial == serial), None)

    def reviewer(self, id: str) -> Reviewer | None:
        """A reviewer, retired or not, from the newest manifest that lists them."""
        reviewers = (signed.manifest.reviewer(id) for signed in reversed(self.manifests))
        return next((reviewer for reviewer in reviewers if reviewer), None)

    def signing_keys(self, id: str, day: datetime.date) -> list[bytes]:
        """The Ed25519 keys whose signatures by a reviewer count for a message of that day (SPEC 7.5).

        ``day`` is the later of the message's own day and the earliest day on which it was at the server.
        """
        return [key for key, end in self.key_ends(id).items() if end is None or day <= end]

    def key_ends(self, id: str) -> dict[bytes, datetime.date | None]:
        """Every Ed25519 key that was ever listed for a reviewer, with the last day for which it counts, if any.

        The newest manifest that lists a key decides; earlier ones only add keys, and tell since when somebody who
        left has been away: no key of theirs counts for longer, whatever its own last day.
        """
        ends: dict[bytes, datetime.date | None] = {}
        away: set[bytes] = set()  # keys that only manifests in which their owner is retired have listed so far
        for signed in reversed(self.manifests):
            listed, begins = signed.manifest.reviewer(id), signed.manifest.begins
            for key in listed.signing if listed else ():
                if key.raw not in ends:
                    ends[key.raw] = key.last or (None if signed is self.newest else signed.manifest.expires)
                    away.add(key.raw)
                if listed and not listed.retired:
                    away.discard(key.raw)
                if key.raw in away:
                    ends[key.raw] = min(ends[key.raw] or begins, begins)
        return ends


def offered(manifest: Manifest, day: datetime.date) -> tuple[Reviewer, ...]:
    """The active reviewers to whom one can seal on a day; reporters may leave out any of them."""
    return tuple(each for each in manifest.active() if any(period.first <= day for period in each.recipients))


def people(manifest: Manifest) -> set[str]:
    """The ids of all who are listed, retired or not, the recovery identity among them if there is one."""
    return {reviewer.id for reviewer in manifest.reviewers} | ({RECOVERY} if manifest.recovery else set())
