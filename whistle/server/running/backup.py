"""Backups of a server: its store, and the public keys and manifests beside it. Not its settings: whistle.toml may hold
a database's password, and the operator has it where it was written.
"""

import base64
import json
import secrets
from pathlib import Path

from whistle import durable
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust.minisign import PublicKey
from whistle.server.errors import BadManifest, StartError
from whistle.server.instance import Instance
from whistle.server.key_files import Signed
from whistle.server.running import setup
from whistle.store import BackupCounts, BackupError, SavedBackup, back_up, check_can_restore, restore

NAME = "backup-id"  # in `data/`: a random name by which the server knows its own backups


def save(instance: Instance, folder: Path) -> BackupCounts:
    """Make `folder` a backup of a server that may be running."""
    return back_up(instance.store, folder, _name(instance.config.data), _encode(instance))


def load(instance: Instance, backup: SavedBackup) -> tuple[str, int, int]:
    """Restore an empty server; returns the roots' fingerprint, "" without any, and how many envelopes and blocks."""
    check_can_restore(instance.store, backup)
    roots, manifests = _decode(backup.public)
    fingerprint = ""
    if roots:
        try:
            fingerprint = setup.pin(instance.config, roots, manifests)
        except BadManifest as error:
            raise StartError(
                f"this backup is of another organisation's server: {error}", "restore into a new folder, without --keys"
            ) from error
    return fingerprint, *restore(instance.store, backup)


def _name(data: Path) -> str:
    path = data / NAME
    if not path.exists():
        durable.write(path, secrets.token_hex(16).encode())
    return path.read_text("ascii")


def _encode(instance: Instance) -> bytes:
    published = instance.published.now()
    manifests = [[_text(signed.data), _text(signed.signature)] for signed in published.manifests]
    return json.dumps({"roots": [root.text for root in published.roots], "manifests": manifests}).encode()


def _decode(public: bytes) -> tuple[list[PublicKey], list[Signed]]:
    try:
        fields = json.loads(public)
        roots = [PublicKey.from_text(text) for text in fields["roots"]]
        return roots, [(base64.b64decode(data), base64.b64decode(sign)) for data, sign in fields["manifests"]]
    except (ProtocolError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError("the backup's keys are damaged", "restore another copy of the backup") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
