"""Whom the manifests list, taken together: whose signatures count on a day, and which ids are one person's."""

import datetime
from collections.abc import Iterator
from functools import cached_property

from whistle.protocol.manifest import RECOVERY, Manifest
from whistle.protocol.succession import Succession


class People:
    """Everyone in these manifests."""

    def __init__(self, manifests: Succession) -> None:
        self._manifests = manifests
        self._signers: dict[tuple[str, datetime.date], list[bytes]] = {}

    def signers(self, reviewer: str, day: datetime.date) -> list[bytes]:
        """The Ed25519 keys with which a reviewer could sign on a day; none when not active then."""
        if (reviewer, day) not in self._signers:
            self._signers[reviewer, day] = self._manifests.signing_keys(reviewer, day)
        return self._signers[reviewer, day]

    @cached_property
    def aliases(self) -> tuple[frozenset[str], ...]:
        """Each set of ids that share a key: one person, whatever a manifest calls them."""
        people: list[tuple[set[str], set[str]]] = []  # ids, and their keys
        for known in self._manifests.known:
            for id_, keys in _keys(known.manifest):
                same = [each for each in people if id_ in each[0] or keys & each[1]]
                ids, theirs = {id_}.union(*(each[0] for each in same)), keys.union(*(each[1] for each in same))
                people = [*(each for each in people if each not in same), (ids, theirs)]
        return tuple(frozenset(ids) for ids, _ in people if len(ids) > 1)


def _keys(manifest: Manifest) -> Iterator[tuple[str, set[str]]]:
    """Every id that can be sealed to or sign, with the text of all its keys."""
    for reviewer in manifest.reviewers:
        yield reviewer.id, {*(key.key for key in reviewer.signing), *(each.recipient for each in reviewer.recipients)}
    if manifest.recovery:
        yield RECOVERY, {manifest.recovery.recipient}
