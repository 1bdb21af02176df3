"""A courier's own folder: settings, a key that opens nothing, and receipts of past pushes."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from whistle import durable
from whistle.courier.errors import CourierError, disk
from whistle.protocol.errors import Malformed
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.minisign import PublicKey

SETTINGS, KEY, PUBLIC, RECEIPTS = "courier.json", "courier.key", "courier.public", "receipts.json"
SECRET = "WHISTLE-SECRET-COURIER-"  # noqa: S105 (the form of a secret, so that a leak can be searched for)
STICK = "stick"  # in place of a stick, for a workstation on this machine
KEPT = 64  # receipts of the newest pushes


@dataclass(frozen=True)
class Settings:
    """The server's address, the courier's name, the roots that it trusts, and a SOCKS proxy or None."""

    server: str
    name: str
    roots: tuple[PublicKey, ...]
    proxy: str | None


@dataclass(frozen=True)
class Receipt:
    """The server's answer to one part of an outbox: ids that it has, and ids that something else has taken."""

    stored: tuple[bytes, ...]
    taken: tuple[bytes, ...]


def create(folder: Path, settings: Settings) -> bytes:
    """Make a courier; returns its public file. Raises CourierError if there is one already."""
    if (folder / SETTINGS).exists():
        raise CourierError("there is a courier in this folder already", "name another folder with --folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = SigningKey.generate()
    public = enrolment.courier_file(settings.name, key)
    secret = SECRET + base64.b64encode(bytes(key)).decode("ascii") + "\n"
    durable.write(folder / KEY, secret.encode("ascii"))
    durable.write(folder / PUBLIC, public, 0o644)
    _write(folder, settings)
    return public


def move(folder: Path, server: str, proxy: str | None) -> None:
    """Point a courier at another address of its server. Raises CourierError if there is no courier."""
    _write(folder, replace(settings(folder), server=server, proxy=proxy))


def settings(folder: Path) -> Settings:
    """Read the settings. Raises CourierError if there is no courier in the folder, or its file is damaged."""
    try:
        record = json.loads((folder / SETTINGS).read_text("utf-8"))
        roots = tuple(PublicKey.from_text(root) for root in record["roots"])
        return Settings(record["server"], record["name"], roots, record["proxy"])
    except FileNotFoundError as exc:
        raise CourierError("there is no courier in this folder", "make one with: whistle courier init") from exc
    except (ValueError, KeyError, TypeError, Malformed) as exc:
        raise CourierError("the courier's settings cannot be understood", "mend courier.json, or make another") from exc


def own_stick(folder: Path) -> Path:
    """The folder in place of a stick; it is made if it is missing. Raises CourierError."""
    settings(folder)
    try:
        (folder / STICK).mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise disk("the courier's folder", exc) from exc
    return folder / STICK


def key(folder: Path) -> SigningKey:
    """The courier's signing key. Raises CourierError if its file is damaged."""
    try:
        text = (folder / KEY).read_text("ascii").strip()
        return SigningKey(base64.b64decode(text.removeprefix(SECRET), validate=True))
    except (OSError, ValueError, TypeError, binascii.Error) as exc:
        raise CourierError(
            "the courier's key is damaged or missing", "make another courier and have root list it"
        ) from exc


def receipts(folder: Path) -> dict[bytes, Receipt]:
    """Receipts by the SHA-256 of a part's list; empty if they cannot be read, since a push can be repeated."""
    try:
        record = json.loads((folder / RECEIPTS).read_text("utf-8"))
        return {bytes.fromhex(digest): Receipt(_ids(each["stored"]), _ids(each["taken"])) for digest, each in record}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def save_receipts(folder: Path, kept: dict[bytes, Receipt]) -> None:
    """Save the newest receipts durably."""
    record: list[tuple[str, dict[str, Any]]] = [
        (digest.hex(), {"stored": [id.hex() for id in each.stored], "taken": [id.hex() for id in each.taken]})
        for digest, each in list(kept.items())[-KEPT:]
    ]
    durable.write(folder / RECEIPTS, json.dumps(record).encode())


def _write(folder: Path, settings: Settings) -> None:
    record = {
        "server": settings.server,
        "name": settings.name,
        "roots": [root.text for root in settings.roots],
        "proxy": settings.proxy,
    }
    durable.write(folder / SETTINGS, json.dumps(record, indent=1).encode())


def _ids(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)
