"""The manifests on the server's disk: which one is in force on a day, and which new ones are accepted (SPEC 7).

The folder holds `root-1.pub` … (pinned by the operator), and each manifest as `manifest-<serial>.json` with its
signature; `manifest.json` is a copy of the newest.  Only what a pinned root signed is ever used or written.
"""

import contextlib
import datetime
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from whistle.protocol.errors import Expired, ProtocolError
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import Manifest, Reviewer, SignedManifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.server.errors import BadManifest, NoManifest

NEWEST = "manifest.json"
SIGNATURE = ".minisig"
NUMBERED = re.compile(r"manifest-([1-9][0-9]{0,15})\.json")
ROOT = re.compile(r"root-[1-9][0-9]?\.pub")

Signed = tuple[bytes, bytes]  # a manifest's bytes and its signature file


class Published:
    """The roots and manifests of a folder; notices at once what another process installs there."""

    def __init__(self, folder: Path, slots: int) -> None:
        """Read the folder; BadManifest if a file in it was not signed by a pinned root."""
        self._folder = folder
        self._slots = slots
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._manifests: tuple[SignedManifest, ...] = ()
        self.roots: tuple[PublicKey, ...] = ()
        self._refresh()

    @property
    def manifests(self) -> tuple[SignedManifest, ...]:
        """Every manifest, in order of serial."""
        with self._lock, contextlib.suppress(BadManifest):  # keep using the last valid state
            self._refresh()
        return self._manifests

    @property
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

    def install(self, pairs: Iterable[Signed]) -> str:
        """Install manifests, in any order: "installed" if one was new, else "same".  BadManifest rejects all of them.

        Each must be signed by a pinned root and follow the one before it; the first of all may have any serial.
        """
        with self._lock:
            self._refresh()
            chain = {signed.manifest.serial: signed for signed in self._manifests}
            new = sorted((self._verify(*pair) for pair in pairs), key=lambda signed: signed.manifest.serial)
            added = [signed for signed in new if self._adds(chain, signed)]
            for signed in added:
                _write(self._folder, f"manifest-{signed.manifest.serial}.json", signed)
            if added:
                _write(self._folder, NEWEST, added[-1])
            self._seen = None
            self._refresh()
        return "installed" if added else "same"

    def _adds(self, chain: dict[int, SignedManifest], signed: SignedManifest) -> bool:
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

    def _verify(self, data: bytes, signature: bytes) -> SignedManifest:
        try:
            signed = manifest.verify(data, signature, self.roots)
        except ProtocolError as error:
            raise BadManifest(str(error)) from error
        if signed.manifest.slots != self._slots:
            raise BadManifest("the manifest has another number of slots than this server")
        return signed

    def _refresh(self) -> None:
        seen = _stamp(self._folder)
        if seen == self._seen:
            return
        self.roots = tuple(_roots(self._folder))
        chain: dict[int, SignedManifest] = {}
        verified = [self._verify(*pair) for pair in _pairs(self._folder)]
        for signed in sorted(verified, key=lambda signed: signed.manifest.serial):
            self._adds(chain, signed)
        self._manifests = tuple(chain[serial] for serial in sorted(chain))
        self._seen = seen


def next_collection(current: Manifest, day: datetime.date) -> datetime.date | None:
    """The next day, today included, on which a courier is due."""
    days = (day + datetime.timedelta(days=ahead) for ahead in range(7))
    return next((each for each in days if manifest.WEEKDAYS[each.weekday()] in current.collection), None)


def read_keys(folder: Path) -> tuple[list[PublicKey], list[Signed]]:
    """The roots' public keys and the manifests of a published folder, unverified; BadManifest if it has no root."""
    roots, pairs = list(_roots(folder)), list(_pairs(folder))
    if not roots:
        raise BadManifest("there is no root-1.pub in this folder")
    return roots, pairs


def write_roots(folder: Path, roots: Iterable[PublicKey]) -> None:
    """Pin the roots: once, by the operator, after comparing their fingerprint."""
    for number, root in enumerate(roots, 1):
        _write_durably(folder / f"root-{number}.pub", root.file())


def _stamp(folder: Path) -> tuple[int, int]:
    try:
        stat = (folder / NEWEST).stat()
    except FileNotFoundError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_ino


def _roots(folder: Path) -> Iterable[PublicKey]:
    for path in sorted(folder.glob("root-*.pub")):
        if ROOT.fullmatch(path.name):
            try:
                yield PublicKey.from_file(path.read_bytes())
            except ProtocolError as error:
                raise BadManifest(f"{path.name} is not a public key") from error


def _pairs(folder: Path) -> Iterable[Signed]:
    for path in sorted(folder.glob("manifest*.json")):
        signature = path.with_name(path.name + SIGNATURE)
        if (path.name == NEWEST or NUMBERED.fullmatch(path.name)) and signature.exists():
            yield path.read_bytes(), signature.read_bytes()


def _write(folder: Path, name: str, signed: SignedManifest) -> None:
    # The signature first: a manifest without one is ignored.
    _write_durably(folder / (name + SIGNATURE), signed.signature)
    _write_durably(folder / name, signed.data)


def _write_durably(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.chmod(0o644)
    part.replace(path)
