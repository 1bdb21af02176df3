"""Whom the manifests list, taken together: whose signatures count on a day."""

import datetime

from whistle.protocol.trust.manifest_chain import ManifestChain


class People:
    """Everyone in these manifests."""

    def __init__(self, manifests: ManifestChain) -> None:
        self._manifests = manifests
        self._signers: dict[tuple[str, datetime.date], list[bytes]] = {}

    def signers(self, reviewer: str, day: datetime.date) -> list[bytes]:
        """The Ed25519 keys with which a reviewer could sign on a day; none when not active then."""
        if (reviewer, day) not in self._signers:
            self._signers[reviewer, day] = self._manifests.signing_keys(reviewer, day)
        return self._signers[reviewer, day]
