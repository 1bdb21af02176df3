"""A backup that outlives this program: stock `age`, `jq` and `tar` open all of it.

A new folder holds: the key file; each message sealed again to the reviewer's newest identity, as an age file whose
first line is the message; the rest of the vault's records, as an age file signed by the reviewer; the blocks as they
are; the manifests and roots, which are public.  So messages still open after the identity of their time is destroyed.
"""

import base64
import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from whistle.protocol import age, canonical, schema, signing
from whistle.protocol.age import HybridRecipient
from whistle.protocol.case import envelope
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.errors import Malformed, NotForMe, ProtocolError
from whistle.workstation import files
from whistle.workstation.cases import overview
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.tray import tray
from whistle.workstation.vault import identities, keyfile, search, state
from whistle.workstation.vault.keyfile import Keys
from whistle.workstation.vault.models import MessageRow
from whistle.workstation.workstation import Kept, Today, Workstation, utc_today

KEYS = "keys.age"
STATE = "state.age"
LABEL = b"whistle/v1 backup\n"  # before the signed text
PIECES = "pieces.age"
MESSAGES = "messages"
BLOCKS = "blocks"
BLOCK = re.compile(r"([0-9a-f]{32})(\.[0-9]+)?")  # with a number: what came earlier under the same id
README = """This is the backup of a Whistle workstation.  Stock tools open it: age 1.3 or later, and jq.

    age -d keys.age > keys.txt                      asks for the passphrase of the day of this backup;
                                                    letters with accents count in their composed form (NFC)
    age -d -i keys.txt messages/00001.age | head -1 | jq .
                                                    one message; line 2 is its signature
    age -d -i keys.txt pieces.age | jq .            which blocks each attachment is made of

How to put an attachment together is told step by step in SECURITY.md, "Breaking the glass".
keys.txt is secret: write it to memory (/dev/shm), not to a disk.
`whistle workstation restore` makes a workstation of all this again.
"""
VERSION = 2  # of the state; 1 was of versions before 0.1.0
OTHER_DAY = "use the folder of another day"
ARRIVALS = select(
    MessageRow.hash, MessageRow.via, MessageRow.arrived, MessageRow.server, MessageRow.stored, MessageRow.grantor
).order_by(MessageRow.id)
Progress = Callable[[int, int], None]


def write_keys(workstation: Workstation, folder: Path, passphrase: str, log_n: int = keyfile.LOG_N) -> Path:
    """Write the key file into `folder`.  Raises VaultReadOnly."""
    keys = Keys(workstation.signing, tuple(workstation.periods()))
    path = files.private_folder(folder) / KEYS
    files.write(path, keyfile.write(keys, passphrase, log_n))
    return path


def write(
    workstation: Workstation,
    to: Path,
    passphrase: str,
    log_n: int = keyfile.LOG_N,
    progress: Progress | None = None,
) -> Path:
    """Write a backup into a new folder in `to`; returns the folder.  Raises VaultReadOnly."""
    folder = _new_folder(to, f"whistle-backup-{workstation.today()}")
    newest = identities.newest(workstation.periods(), workstation.today()).identity.recipient
    write_keys(workstation, folder, passphrase, log_n)
    files.write(folder / "README.txt", README.encode())
    _write_public(workstation, folder)
    hashes = list(workstation.vault.session.scalars(select(MessageRow.hash).order_by(MessageRow.id)))
    files.private_folder(folder / MESSAGES)
    for count, hash in enumerate(hashes, start=1):
        files.write(folder / MESSAGES / f"{count:05}.age", _sealed_again(workstation, hash, newest))
        if progress:
            progress(count, len(hashes))
    for id in workstation.blocks.ids():
        path = files.private_folder(folder / BLOCKS) / id.hex()
        for count, version in enumerate(workstation.blocks.versions(id)):
            files.write(path.with_name(f"{path.name}.{count}") if count else path, version)
    files.write(folder / PIECES, age.encrypt([newest], b"".join(_pieces(workstation))))
    line = json.dumps(_state(workstation)).encode()
    signature = base64.b64encode(signing.sign(workstation.signing.signing, LABEL + line))
    files.write(folder / STATE, age.encrypt([newest], line + b"\n" + signature))  # last: it completes the backup
    return folder


def _new_folder(to: Path, name: str) -> Path:
    for count in range(1, 1000):
        folder = to / (name if count == 1 else f"{name}-{count}")
        if not folder.exists():
            return files.private_folder(folder)
    raise Refused("there are too many backups of this day", "move some of them away")


def _write_public(workstation: Workstation, folder: Path) -> None:
    for count, root in enumerate(workstation.trust.roots(), start=1):
        files.write(folder / f"root-{count}.pub", root.file())
    for serial in workstation.trust.serials():
        signed = workstation.trust.manifest(serial)
        files.write(folder / f"manifest-{serial}.json", signed.data)
        files.write(folder / f"manifest-{serial}.json.minisig", signed.signature)


def _sealed_again(workstation: Workstation, hash: str, newest: HybridRecipient) -> bytes:
    slots = workstation.trust.newest().manifest.slots
    return envelope.seal(workstation.message(hash), [newest], slots)


def _pieces(workstation: Workstation) -> Iterator[bytes]:
    """A line of JSON for each complete attachment, since no stock tool computes the ids of its blocks."""
    for case in overview.load_all(workstation, workstation.case_ids()):
        for entry in case.entries:
            rest = getattr(entry.signed.message, "rest", None)
            for record in filter(workstation.blocks.complete, [*entry.attachments, *([rest] if rest else [])]):
                ids = [id.hex() for id in block_ids(record)]
                yield canonical.dumps({"name": record.name, "seed": record.seed, "blocks": ids}) + b"\n"


def _state(workstation: Workstation) -> dict[str, Any]:
    profile = {name: workstation.profile[name] for name in ("name", "role", "languages")}
    return {
        "v": VERSION,
        "profile": profile,
        "clock": workstation.vault.station.clock.isoformat(),
        "manifests": workstation.trust.serials(),
        "messages": [_plain(row._mapping) for row in workstation.vault.session.execute(ARRIVALS)],
        "tables": state.dump(workstation.vault),
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime.date) else value for name, value in row.items()}


def restore(
    backup: Path, folder: Path, old: str, new: str, profile: str = "standard", today: Today = utc_today
) -> Workstation:
    """A workstation from a backup: `old` opens its key file, `new` locks the new vault.  Raises WorkstationError."""
    keys = keyfile.read(_bytes(backup / KEYS), old)
    kept = _read_state(backup, keys)
    person = kept["profile"]
    workstation = Workstation.create(
        folder,
        new,
        name=person["name"],
        role=person["role"],
        languages=person["languages"],
        profile=profile,
        today=today,
        signing=keys.signing,
        periods=keys.periods,
        unfinished=True,
    )
    try:
        _fill(workstation, backup, kept)
    except BaseException:
        workstation.vault.destroy()  # so that the folder is free for another attempt
        raise
    return workstation


def _read_state(backup: Path, keys: Keys) -> dict[str, Any]:
    if not (backup / STATE).exists():
        raise WorkstationError("this backup was not finished, or holds only keys", OTHER_DAY)
    try:
        plain = age.decrypt([period.identity for period in keys.periods], _bytes(backup / STATE))
        line, _, signature = plain.partition(b"\n")
        # Anyone can seal to a reviewer: without the signature, forged state could plant other roots.
        signing.verify(keys.signing.public.key, LABEL + line, schema.unbase64(signature.decode("ascii", "replace")))
        kept: dict[str, Any] = json.loads(line)
        if kept["v"] != VERSION:
            raise WorkstationError(
                "this backup was made by another version", "restore it with the version of Whistle that made it"
            )
    except (ProtocolError, ValueError, KeyError) as exc:
        raise WorkstationError(f"{STATE} of this backup is damaged", OTHER_DAY) from exc
    return kept


def _fill(workstation: Workstation, backup: Path, kept: dict[str, Any]) -> None:
    for path in sorted((backup / BLOCKS).iterdir() if (backup / BLOCKS).is_dir() else [], reverse=True):
        if match := BLOCK.fullmatch(path.name):  # skips files that systems add; the newest comes last
            workstation.blocks.write(bytes.fromhex(match[1]), _bytes(path))
    with workstation.change():
        try:
            state.load(workstation.vault, kept["tables"])
            _restore_manifests(workstation, backup, kept["manifests"])
            arrivals = {record["hash"]: record for record in kept["messages"]}
            _restore_messages(workstation, backup, arrivals)
            search.put_described(workstation)
            workstation.vault.station.clock = _day(kept["clock"])
        except (KeyError, TypeError, ValueError) as exc:
            raise WorkstationError(f"{STATE} of this backup is damaged", OTHER_DAY) from exc
        tray.hold_all(workstation)
        workstation.vault.station.restored = workstation.today()
        workstation.finish()


def _restore_manifests(workstation: Workstation, backup: Path, serials: list[int]) -> None:
    """Take the manifests as from a stick: signed by a pinned root, each after its predecessor."""
    names = [f"manifest-{serial}.json{ending}" for serial in serials for ending in ("", ".minisig")]
    workstation.trust.take({name: _bytes(backup / name) for name in names})


def _restore_messages(workstation: Workstation, backup: Path, arrivals: dict[str, dict[str, Any]]) -> None:
    held, left = workstation.identities(), dict(arrivals)
    for path in sorted((backup / MESSAGES).glob("[0-9]*.age")):
        try:
            signed = envelope.split(age.decrypt(held, _bytes(path)))
            record = left.pop(signed.hash)
        except (Malformed, NotForMe, KeyError) as exc:
            raise WorkstationError(f"{path.name} of this backup is damaged", OTHER_DAY) from exc
        arrived, (server, stored) = _day(record["arrived"]), map(_optional_day, (record["server"], record["stored"]))
        workstation.insert(Kept(signed, record["via"], arrived, server, stored, record["grantor"]))
    if left:
        raise WorkstationError(f"{len(left)} messages of this backup are missing", OTHER_DAY)


def _day(plain: str) -> datetime.date:
    return datetime.date.fromisoformat(plain)


def _optional_day(plain: str | None) -> datetime.date | None:
    return None if plain is None else _day(plain)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise WorkstationError(f"{path.name} of this backup cannot be read", "name the backup's own folder") from exc
