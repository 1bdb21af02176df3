"""The folder `keys/` of a server: the roots that the operator pinned, and manifests that the operator put beside them.

It holds `root-1.pub` …, and manifests as `manifest-<serial>.json` or `manifest.json`, each with its signature. Only the
operator's commands write here; a running server reads.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from whistle import durable
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.minisign import PublicKey
from whistle.server.errors import BadManifest

NEWEST = "manifest.json"
SIGNATURE = ".minisig"
NUMBERED = re.compile(r"manifest-([1-9][0-9]{0,15})\.json")
ROOT = re.compile(r"root-[1-9][0-9]?\.pub")
PUBLIC = 0o644

Signed = tuple[bytes, bytes]  # a manifest's bytes and its signature file
Stamp = tuple[tuple[int, int], ...]


def stamp(folder: Path) -> Stamp:
    """Changes whenever a file is added to the folder or replaced, or `manifest.json` is written over."""
    return tuple(_stamp(path) for path in (folder, folder / NEWEST))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_ino


def read_roots(folder: Path) -> tuple[PublicKey, ...]:
    """The pinned roots; BadManifest if the file of one is no public key."""
    return tuple(_root(path) for path in sorted(folder.glob("root-*.pub")) if ROOT.fullmatch(path.name))


def _root(path: Path) -> PublicKey:
    try:
        return PublicKey.from_file(path.read_bytes())
    except ProtocolError as error:
        raise BadManifest(f"{path.name} is not a public key") from error


def read_manifests(folder: Path) -> list[Signed]:
    """The manifests of the folder that have a signature beside them, neither verified nor in order."""
    return list(_pairs(folder))


def _pairs(folder: Path) -> Iterator[Signed]:
    for path in sorted(folder.glob("manifest*.json")):
        signature = path.with_name(path.name + SIGNATURE)
        if (path.name == NEWEST or NUMBERED.fullmatch(path.name)) and signature.exists():
            yield path.read_bytes(), signature.read_bytes()


def read_published(folder: Path) -> tuple[tuple[PublicKey, ...], list[Signed]]:
    """The roots and manifests, unverified, of a folder as the root published it; BadManifest if it has no root."""
    roots = read_roots(folder)
    if not roots:
        raise BadManifest("there is no root-1.pub in this folder")
    return roots, read_manifests(folder)


def write_roots(folder: Path, roots: Iterable[PublicKey]) -> None:
    """Pin the roots: once, by the operator, after comparing their fingerprint."""
    for number, root in enumerate(roots, 1):
        durable.write(folder / f"root-{number}.pub", root.file(), PUBLIC)


def write_manifests(folder: Path, manifests: Sequence[SignedManifest]) -> None:
    """Put manifests into the folder, verified and in order of serial."""
    for signed in manifests:
        _write(folder / f"manifest-{signed.manifest.serial}.json", signed)
    for signed in manifests[-1:]:
        _write(folder / NEWEST, signed)


def _write(path: Path, signed: SignedManifest) -> None:
    # The signature first: a manifest without one is ignored.
    durable.write(path.with_name(path.name + SIGNATURE), signed.signature, PUBLIC)
    durable.write(path, signed.data, PUBLIC)
