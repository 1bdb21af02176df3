"""A backup that outlives this program: stock `age`, `jq` and `tar` open all of it.

A new folder holds: the key file; each message sealed again to the reviewer's newest identity, as an age file whose
first line is the message; the rest of the vault's records, as an age file signed by the reviewer; the blocks as they
are; the manifests and roots, which are public.  So messages still open after the identity of their time is destroyed.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from whistle.protocol import age, canonical, schema, signing
from whistle.protocol.age import HybridRecipient
from whistle.protocol.case import envelope
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.errors import Malformed, NotForMe, ProtocolError
from whistle.workstation import files
from whistle.workstation.cases import overview
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.exchange import deliveries, imports, waiting
from whistle.workstation.trust import RESTORED
from whistle.workstation.vault import identities, keyfile
from whistle.workstation.vault.keyfile import Keys
from whistle.workstation.workstation import Today, Workstation, utc_today

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
SHARED = ("profile", "roots", "manifests", "days", "outbox", "imported", "waiting", "clock", *imports.UNDONE)
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
    hashes = [hash for case in workstation.case_ids() for hash in workstation.hashes(case)]
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
    for case in workstation.case_ids():
        for entry in overview.load(workstation, case).entries:
            rest = getattr(entry.signed.message, "rest", None)
            for record in filter(workstation.blocks.complete, [*entry.attachments, *([rest] if rest else [])]):
                ids = [id.hex() for id in block_ids(record)]
                yield canonical.dumps({"name": record.name, "seed": record.seed, "blocks": ids}) + b"\n"


def _state(workstation: Workstation) -> dict[str, Any]:
    vault = workstation.vault
    names = [name for name in SHARED if vault.get(name) is not None]
    names += [f"case/{case}" for case in workstation.case_ids()]
    names += [f"{kind}/{day}" for day in vault.get("days", []) for kind in ("day", "list")]
    names += [f"outbox/{hash}" for hash in vault.get("outbox", [])]
    names += deliveries.records(workstation)
    names += waiting.records(workstation)
    state = {name: vault.get(name) for name in names if vault.get(name) is not None}
    kept = {}
    for case in workstation.case_ids():
        for hash in workstation.hashes(case):
            record = workstation.record(hash)
            kept[hash] = {name: record.get(name) for name in ("via", "arrived", "server", "stored", "grantor")}
    return {"v": 1, "records": state, "kept": kept, "cases": workstation.case_ids()}


def restore(
    backup: Path, folder: Path, old: str, new: str, profile: str = "standard", today: Today = utc_today
) -> Workstation:
    """A workstation from a backup: `old` opens its key file, `new` locks the new vault.  Raises WorkstationError."""
    keys = keyfile.read(_bytes(backup / KEYS), old)
    state = _read_state(backup, keys)
    person = state["records"]["profile"]
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
        _fill(workstation, backup, state)
    except BaseException:
        workstation.vault.destroy()  # so that the folder is free for another attempt
        raise
    return workstation


def _read_state(backup: Path, keys: Keys) -> dict[str, Any]:
    if not (backup / STATE).exists():
        raise WorkstationError("this backup was not finished, or holds only keys", "use the folder of another day")
    try:
        plain = age.decrypt([period.identity for period in keys.periods], _bytes(backup / STATE))
        line, _, signature = plain.partition(b"\n")
        # Anyone can seal to a reviewer: without the signature, forged state could plant other roots.
        signing.verify(keys.signing.public.key, LABEL + line, schema.unbase64(signature.decode("ascii", "replace")))
        state: dict[str, Any] = json.loads(line)
    except (ProtocolError, ValueError) as exc:
        raise WorkstationError(f"{STATE} of this backup is damaged", "use the folder of another day") from exc
    return state


def _fill(workstation: Workstation, backup: Path, state: dict[str, Any]) -> None:
    for path in sorted((backup / BLOCKS).iterdir() if (backup / BLOCKS).is_dir() else [], reverse=True):
        if match := BLOCK.fullmatch(path.name):  # skips files that systems add; the newest comes last
            workstation.blocks.write(bytes.fromhex(match[1]), _bytes(path))
    with workstation.change():
        for serial in state["records"].get("manifests", []):
            pair = (backup / f"manifest-{serial}.json", backup / f"manifest-{serial}.json.minisig")
            data, signature = (base64.b64encode(_bytes(path)).decode() for path in pair)
            workstation.vault.put(f"manifest/{serial}", {"data": data, "signature": signature})
        _restore_messages(workstation, backup, state["kept"])
        for name, value in state["records"].items():
            if name != "profile":  # the new vault has its own name on sticks
                workstation.vault.put(name, value)
        workstation.vault.put("cases", state["cases"])
        workstation.vault.put(RESTORED, workstation.today().isoformat())
        workstation.finish()


def _restore_messages(workstation: Workstation, backup: Path, kept: dict[str, dict[str, Any]]) -> None:
    held, left = workstation.identities(), dict(kept)
    for path in sorted((backup / MESSAGES).glob("[0-9]*.age")):
        try:
            signed = envelope.split(age.decrypt(held, _bytes(path)))
            arrival = left.pop(signed.hash)
        except (Malformed, NotForMe, KeyError) as exc:
            raise WorkstationError(f"{path.name} of this backup is damaged", "use the folder of another day") from exc
        record = {"line": signed.line.decode(), "signature": base64.b64encode(signed.signature).decode()}
        workstation.vault.put(f"message/{signed.hash}", {**record, **arrival})
    if left:
        raise WorkstationError(f"{len(left)} messages of this backup are missing", "use the folder of another day")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise WorkstationError(f"{path.name} of this backup cannot be read", "name the backup's own folder") from exc
