"""Which manifest is in force on a day, and which new ones are accepted (SPEC 7).

Manifests lie in the store, so that all processes and servers of one database have the same.  Only what a root pinned
in `keys/` signed is ever used: whoever writes in the database can withhold manifests, but not add one.
"""

import contextlib
import datetime
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from whistle.protocol.errors import Expired, ProtocolError
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import Manifest, Reviewer, SignedManifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.server import key_files
from whistle.server.errors import BadManifest, NoManifest
from whistle.server.key_files import Signed, Stamp
from whistle.server.logs import LOG
from whistle.store import Store, StoreError

UNSIGNED = "a manifest in the database was not signed by a root in keys/, or does not follow; it is not used: serial "


class Manifests:
    """The manifests at one moment, in order of serial, and the roots that signed them."""

    def __init__(self, roots: Sequence[PublicKey], manifests: Iterable[SignedManifest]) -> None:
        self.roots, self.manifests = tuple(roots), tuple(manifests)

    @cached_property
    def chain(self) -> ManifestChain:
        """The manifests as a chain."""
        return ManifestChain(self.manifests)

    @property
    def newest(self) -> SignedManifest | None:
        """The manifest with the highest serial, in force yet or not."""
        return self.chain.newest

    def current(self, day: datetime.date) -> SignedManifest:
        """The manifest in force on a day: the newest that has begun, even if expired.  NoManifest if there is none."""
        try:
            return self.chain.current(day)
        except Expired as error:
            raise NoManifest(str(error)) from error

    def sealing(self, day: datetime.date) -> SignedManifest:
        """The manifest in force on a day if it may still be sealed by; NoManifest from 30 days after its end."""
        try:
            return self.chain.sealing(day)
        except Expired as error:
            raise NoManifest(str(error)) from error

    def numbered(self, serial: int) -> SignedManifest | None:
        """The manifest with that serial, or None."""
        return self.chain.numbered(serial)

    def reviewer(self, id: str) -> Reviewer | None:
        """A reviewer, retired or not, from the newest manifest that lists them."""
        return self.chain.reviewer(id)

    def signing_keys(self, id: str, day: datetime.date) -> list[bytes]:
        """A reviewer's Ed25519 keys that are valid for messages of that day."""
        return self.chain.signing_keys(id, day)


class Published:
    """The manifests of a server's store, and those that its operator puts into `keys/`.

    What was seen once stays: a database that loses manifests does not take them from a server that runs.
    """

    def __init__(self, folder: Path, slots: int, store: Store) -> None:
        """Read the folder, and the store if it answers; BadManifest if a file was not signed by a pinned root."""
        self._folder, self._slots, self._store = folder, slots, store
        self._lock = threading.Lock()
        self._seen: tuple[Stamp, tuple[int, int]] | None = None
        self._last = Manifests(key_files.read_roots(folder), ())
        verify_all(key_files.read_manifests(folder), self.roots, slots)
        with contextlib.suppress(StoreError):  # it is asked again at each use
            self._refresh()

    @property
    def roots(self) -> tuple[PublicKey, ...]:
        """The pinned roots."""
        return self._last.roots

    def now(self) -> Manifests:
        """The manifests as they are at this moment; one small query.

        While the store fails they are as they were last seen; StoreError if they never were.
        """
        try:
            with contextlib.suppress(BadManifest):  # a file that the operator is still copying, or a bad one
                self._refresh()
        except StoreError:
            if self._seen is None:
                raise
        return self._last

    def install(self, pairs: Iterable[Signed]) -> str:
        """Store manifests, in any order: "installed" if one was new, else "same".  BadManifest rejects all of them.

        Each must be signed by a pinned root and follow the one before it; the first of all may have any serial.
        StoreError if they cannot be stored.
        """
        with contextlib.suppress(BadManifest):
            self._refresh()
        with self._lock:
            chain = self._chain()
            brought = verify_all(pairs, self.roots, self._slots)
            added = [signed for signed in brought if add(chain, signed)]
            # Known ones too: the store may have lost them.
            self._keep(signed for signed in brought if signed.manifest.serial in chain)
            self._set(chain)
        return "installed" if added else "same"

    def _refresh(self) -> None:
        """Read what is new in the store and in the folder."""
        seen = key_files.stamp(self._folder), self._store.manifests_state()
        if seen == self._seen:
            return
        with self._lock:
            if self._seen is None or seen[0] != self._seen[0]:
                self._last = Manifests(key_files.read_roots(self._folder), self._last.manifests)
            chain = self._chain()
            self._read_store(chain)
            self._set(chain)
            files = verify_all(key_files.read_manifests(self._folder), self.roots, self._slots)
            added = [signed for signed in files if add(chain, signed)]
            self._set(chain)
            self._seen = seen
            self._keep(added)

    def _read_store(self, chain: dict[int, SignedManifest]) -> None:
        for serial, data, signature in self._store.manifests(after=max(chain, default=0)):
            try:
                [signed] = verify_all([(data, signature)], self.roots, self._slots)
                add(chain, signed)
            except BadManifest:
                LOG.error(f"{UNSIGNED}{serial}")

    def _keep(self, manifests: Iterable[SignedManifest]) -> None:
        rows = [(signed.manifest.serial, signed.data, signed.signature) for signed in manifests]
        if rows:
            self._store.add_manifests(rows)

    def _chain(self) -> dict[int, SignedManifest]:
        return {signed.manifest.serial: signed for signed in self._last.manifests}

    def _set(self, chain: Mapping[int, SignedManifest]) -> None:
        self._last = Manifests(self.roots, (chain[serial] for serial in sorted(chain)))


def verify_all(pairs: Iterable[Signed], roots: Sequence[PublicKey], slots: int) -> list[SignedManifest]:
    """The manifests in order of serial; BadManifest unless a root signed each, for a server with so many slots."""
    try:
        manifests = [manifest.verify(*pair, roots) for pair in pairs]
    except ProtocolError as error:
        raise BadManifest(str(error)) from error
    if any(signed.manifest.slots != slots for signed in manifests):
        raise BadManifest("the manifest has another number of slots than this server")
    return sorted(manifests, key=lambda signed: signed.manifest.serial)


def add(chain: dict[int, SignedManifest], signed: SignedManifest) -> bool:
    """Add a verified manifest to those by serial; False if it is there, BadManifest unless it follows the last."""
    serial = signed.manifest.serial
    if serial in chain and chain[serial].data == signed.data:
        return False
    if chain and serial < min(chain):
        return False  # older than this server's first; not needed here
    if chain:
        try:
            manifest.check_after([chain[each] for each in sorted(chain)], signed)
        except ProtocolError as error:
            raise BadManifest(str(error)) from error
    chain[serial] = signed
    return True


def next_collection(current: Manifest, day: datetime.date) -> datetime.date | None:
    """The next day, today included, on which a courier is due."""
    days = (day + datetime.timedelta(days=ahead) for ahead in range(7))
    return next((each for each in days if manifest.WEEKDAYS[each.weekday()] in current.collection), None)
