"""The manifests that a courier has seen: each signed by a pinned root, each following the one before.

An older serial than one seen, a gap, a foreign signature or another manifest of the same serial is refused.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from whistle.courier import durable
from whistle.courier.errors import BadServer
from whistle.protocol import manifest
from whistle.protocol.errors import ProtocolError
from whistle.protocol.minisign import PublicKey

FILE = re.compile(r"manifest-([1-9][0-9]{0,8})\.json")
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.minisig"
SUSPECT = "do not go on; compare the root's digits with whoever keeps it, by another way than this server"

Get = Callable[[str], bytes | None]


class Manifests:
    """The folder `manifests` of a courier, and the roots pinned when it was made."""

    def __init__(self, folder: Path, roots: Sequence[PublicKey]) -> None:
        self._folder = folder
        self._roots = roots

    def newest(self) -> manifest.Known | None:
        """The one with the highest serial, None before the first."""
        serials = self._serials()
        return self._load(serials[-1]) if serials else None

    def refresh(self, get: Get) -> manifest.Known:
        """Take over what the server publishes; `get` gives a public file or None. Raises BadServer."""
        data, signature = get(MANIFEST), get(SIGNATURE)
        if data is None or signature is None:
            raise BadServer("the server has no manifest yet", "the operator installs the first one; then come back")
        new, old = self._verify(data, signature), self.newest()
        if old is None or new.data != old.data:
            for each in [*self._between(old, new, get), new]:
                if old:
                    _follow(old, each)
                self._save(each)
                old = each
        return new

    def files(self) -> dict[str, bytes]:
        """All of them as a bundle's members: the newest as manifest.json, the others by serial."""
        found = {}
        *before, last = [self._load(serial) for serial in self._serials()]
        for name, known in [("manifest", last), *((f"manifest-{each.manifest.serial}", each) for each in before)]:
            found[f"{name}.json"] = known.data
            found[f"{name}.json.minisig"] = known.signature
        return found

    def _between(self, old: manifest.Known | None, new: manifest.Known, get: Get) -> list[manifest.Known]:
        found = []
        for serial in range(old.manifest.serial + 1 if old else 1, new.manifest.serial):
            data, signature = get(f"manifest-{serial}.json"), get(f"manifest-{serial}.json.minisig")
            if data is None or signature is None:
                raise BadServer(f"the server does not show manifest {serial}", SUSPECT)
            found.append(self._verify(data, signature))
        return found

    def _verify(self, data: bytes, signature: bytes) -> manifest.Known:
        try:
            return manifest.verify(data, signature, self._roots)
        except ProtocolError as exc:
            raise BadServer(f"the server's manifest is refused: {exc}", SUSPECT) from exc

    def _serials(self) -> list[int]:
        matches = [FILE.fullmatch(path.name) for path in self._folder.glob("manifest-*.json")]
        return sorted(int(match[1]) for match in matches if match)

    def _load(self, serial: int) -> manifest.Known:
        path = self._folder / f"manifest-{serial}.json"
        return self._verify(path.read_bytes(), path.with_name(path.name + ".minisig").read_bytes())

    def _save(self, known: manifest.Known) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"manifest-{known.manifest.serial}.json"
        durable.write(path.with_name(path.name + ".minisig"), [known.signature])
        durable.write(path, [known.data])


def _follow(old: manifest.Known, new: manifest.Known) -> None:
    try:
        manifest.check_next(old, new)
    except ProtocolError as exc:
        raise BadServer(f"the server's manifest is refused: {exc}", SUSPECT) from exc
