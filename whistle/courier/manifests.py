"""The manifests that a courier has seen, each signed by a pinned root and following its predecessor.

A serial lower than one seen before, a gap, a foreign signature and a second manifest of one serial are refused.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from whistle import durable
from whistle.courier.errors import BadServer
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import manifest
from whistle.protocol.trust.minisign import PublicKey

FILE = re.compile(r"manifest-([1-9][0-9]{0,8})\.json")
DAMAGED = "tell the operator: somebody's editor changed what is published, and it has to be published again as it was"
SUSPECT = "do not go on; compare the root's digits with whoever keeps it, by another way than this server"

Get = Callable[[str], bytes | None]


class Manifests:
    """The folder `manifests` of a courier, and the roots pinned when it was made."""

    def __init__(self, folder: Path, roots: Sequence[PublicKey]) -> None:
        self._folder = folder
        self._roots = roots

    def newest(self) -> manifest.SignedManifest | None:
        """The manifest with the highest serial; None if there is none yet."""
        serials = self._serials()
        return self._load(serials[-1]) if serials else None

    def refresh(self, get: Get, today: datetime.date) -> manifest.SignedManifest:
        """Save the published manifests; returns the one in force. `get` fetches a public file. Raises BadServer."""
        published = self._published(get, "manifest")
        if published is None:
            raise BadServer("the server has no manifest yet", "the operator installs the first one; then come back")
        serial, newest = published.manifest.serial, self.newest()
        if newest is None or serial > newest.manifest.serial:
            self.reach(get, serial)
            self._take(published)
        elif published.data != self._load(serial).data:
            raise BadServer("the server shows another manifest than before, of the same serial", SUSPECT)
        in_force = [each for each in map(self._load, self._serials()) if each.manifest.begins <= today]
        if in_force and serial < in_force[-1].manifest.serial:
            raise BadServer("the server shows an older manifest than before", SUSPECT)
        return published

    def reach(self, get: Get, serial: int) -> None:
        """Save all manifests up to a serial, including old ones and ones signed in advance. Raises BadServer."""
        newest = self.newest()
        for number in range(newest.manifest.serial + 1 if newest else 1, serial + 1):
            published = self._published(get, f"manifest-{number}")
            if published is None and newest is not None:
                raise BadServer(f"the server does not show manifest {number}", SUSPECT)
            if published is not None:  # a server may have begun with a later one than the first
                newest = self._take(published)

    def files(self) -> dict[str, bytes]:
        """All manifests as a bundle's members: the newest as manifest.json, the others by serial."""
        files = {}
        *before, last = [self._load(serial) for serial in self._serials()]
        for name, signed in [("manifest", last), *((f"manifest-{each.manifest.serial}", each) for each in before)]:
            files[f"{name}.json"] = signed.data
            files[f"{name}.json.minisig"] = signed.signature
        return files

    def _published(self, get: Get, name: str) -> manifest.SignedManifest | None:
        data, signature = get(f"{name}.json"), get(f"{name}.json.minisig")
        return None if data is None or signature is None else self._verify(data, signature, f"{name}.json")

    def _take(self, signed: manifest.SignedManifest) -> manifest.SignedManifest:
        before = [self._load(serial) for serial in self._serials()]
        if before and before[-1].data != signed.data:
            _follow(before, signed)
        self._save(signed)
        return signed

    def _verify(self, data: bytes, signature: bytes, name: str) -> manifest.SignedManifest:
        try:
            signed = manifest.verify(data, signature, self._roots)
            manifest.check_name(name, signed)
            return signed
        except manifest.Altered as exc:
            raise BadServer(f"the server's manifest cannot be read: {exc}", DAMAGED) from exc
        except ProtocolError as exc:
            raise BadServer(f"the server's manifest is refused: {exc}", SUSPECT) from exc

    def _serials(self) -> list[int]:
        matches = [FILE.fullmatch(path.name) for path in self._folder.glob("manifest-*.json")]
        return sorted(int(match[1]) for match in matches if match)

    def _load(self, serial: int) -> manifest.SignedManifest:
        path = self._folder / f"manifest-{serial}.json"
        return self._verify(path.read_bytes(), path.with_name(path.name + ".minisig").read_bytes(), path.name)

    def _save(self, signed: manifest.SignedManifest) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"manifest-{signed.manifest.serial}.json"
        durable.write(path.with_name(path.name + ".minisig"), signed.signature)
        durable.write(path, signed.data)


def _follow(before: Sequence[manifest.SignedManifest], new: manifest.SignedManifest) -> None:
    try:
        manifest.check_after(before, new)
    except ProtocolError as exc:
        raise BadServer(f"the server's manifest is refused: {exc}", SUSPECT) from exc
