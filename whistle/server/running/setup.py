"""Creates a server's folder: a commented whistle.toml, keys/ and data/."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.minisign import PublicKey
from whistle.server import key_files
from whistle.server.config import FILE, Config
from whistle.server.errors import BadManifest, StartError
from whistle.server.key_files import Signed
from whistle.server.manifests import add, verify_all

TEMPLATE = "whistle.toml"


def make(folder: Path, name: str = "Whistle", bind: str = Config.bind, slots: int = Config.slots) -> None:
    """Create a new server's folder.  StartError if it is one already; existing files are not changed."""
    if (folder / FILE).exists():
        raise StartError(
            "there is a server in this folder already", "choose another folder, or give --keys to add keys"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for inner in (folder / "keys", folder / "data"):
            inner.mkdir(mode=0o700, exist_ok=True)
        template = resources.files(__package__).joinpath(TEMPLATE)
        values = {"{name}": _quoted(name), "{bind}": _quoted(bind), "{slots}": str(slots)}
        text = template.read_text("utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        (folder / FILE).write_text(text, "utf-8")
    except OSError as error:
        raise StartError(
            "the folder cannot be created", "check that you may write there and that the disk is not full"
        ) from error


def install(folder: Path, keys: Path) -> str:
    """Pin the roots of a published folder, if none are pinned yet, and install its manifests; returns the fingerprint.

    BadManifest if other roots are pinned, or the manifests were not signed by a pinned root.
    """
    return pin(Config.load(folder), *key_files.read_published(keys))


def pin(config: Config, roots: Sequence[PublicKey], pairs: Sequence[Signed]) -> str:
    """As `install`, with roots and manifests that have been read already."""
    pinned = key_files.read_roots(config.keys)
    if pinned and set(pinned) != set(roots):
        raise BadManifest("other roots are pinned here")
    chain: dict[int, SignedManifest] = {}
    for signed in verify_all([*key_files.read_manifests(config.keys), *pairs], roots, config.slots):
        add(chain, signed)
    if not pinned:
        key_files.write_roots(config.keys, roots)
    key_files.write_manifests(config.keys, list(chain.values()))
    return manifest.fingerprint(roots)


def slots_of(keys: Path) -> int:
    """The number of slots of the manifests in a published folder; the default if there are none yet."""
    _, pairs = key_files.read_published(keys)
    try:
        return manifest.parse(pairs[0][0]).slots if pairs else Config.slots
    except ProtocolError as error:
        raise BadManifest("a manifest in the published folder is damaged") from error


def _quoted(text: str) -> str:
    """A TOML basic string; JSON strings are valid ones."""
    return json.dumps(text)
