"""Receives a bundle that a courier brings from a workstation: manifests, import statements, envelopes and blocks.

Each member's size and hash is checked against the listing as it streams in.  Blocks are pending like other uploads;
envelopes are committed in one transaction, once the whole bundle and nothing else has arrived.  Made-up messages
are stored with the reviewers' real ones, and look the same at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from whistle.protocol.case import envelope
from whistle.protocol.errors import ProtocolError
from whistle.protocol.transfer import bundle, tar
from whistle.protocol.transfer.statement import ImportStatement
from whistle.protocol.trust import manifest
from whistle.server.errors import BadManifest, Refusal
from whistle.server.instance import Instance
from whistle.server.key_files import SIGNATURE, Signed
from whistle.server.running import chaff
from whistle.server.sealing.multipart import discard
from whistle.store import Heap, Missing, Sealed, Taken

MAX_ENVELOPES = 16 * 1024**2  # bytes in one bundle; held in memory until all of it has arrived


@dataclass
class _Load:
    """The content of a bundle received so far."""

    files: dict[str, bytes] = field(default_factory=dict)
    envelopes: list[Sealed] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    listed: set[bytes] = field(default_factory=set)  # all ids of the bundle
    taken: set[bytes] = field(default_factory=set)  # blocks: something else has their ids
    made_up: list[Sealed] = field(default_factory=list)
    made_up_blocks: list[tuple[bytes, bytes, Heap]] = field(default_factory=list)  # not stored yet, in order of ids


def take(source: tar.Readable, digest: bytes, instance: Instance) -> dict[str, Any]:
    """Receive a bundle whose listing has the SHA-256 `digest`; returns the response to the courier.

    Raises Refusal, Malformed for content not as listed, Broken, or Full.  Nothing of the same bundle is stored again.
    """
    reader = bundle.Reader(source)
    if reader.digest != digest:
        raise Refusal(403, "the bundle is not what was signed", "push it again")
    _check(reader.listing)
    load = _Load()
    try:
        _make_up(load, instance)
        for member, body in reader:
            _receive(load, member, b"".join(body.pieces()), instance)
        _put_made_up(load, instance)
        installed = _install(load.files, instance)
        signed = _signed(reader.listing.imports, instance)
        stated = [(each.reviewer, each.day, each.hash) for each in signed]
        imports = instance.store.record_imports(stated) if stated else 0
        return {**_commit(load, instance), "manifest": installed, "imports": imports}
    finally:
        discard(instance.store, load.blocks)  # blocks of a refused bundle; committed ones stay


def _check(listing: bundle.Listing) -> None:
    sealed = [member for member in listing.members if member.id]
    if listing.to != "server" or any(member.heap is None for member in sealed):
        raise Refusal(400, "the bundle is not for a server", "push what is in the stick's outbox")
    if sum(member.size for member in sealed if member.is_envelope) > MAX_ENVELOPES:
        raise Refusal(413, "the bundle holds too many envelopes", "write it anew with the newest version of Whistle")


def _receive(load: _Load, member: bundle.Member, content: bytes, instance: Instance) -> None:
    if member.id is None or member.heap is None:
        load.files[member.name] = content
        return
    load.listed.add(member.id)
    if member.is_envelope:
        envelope.check_form(content, instance.config.slots)
        load.envelopes.append(Sealed(member.id, Heap(member.heap), content))
    else:
        _put_made_up(load, instance, member.id)
        try:
            instance.store.put_block(member.id, content, Heap(member.heap))
        except Taken:  # whoever saw the id may have put something there: it stops nothing else
            load.taken.add(member.id)
        else:
            load.blocks.append(member.id)


def _make_up(load: _Load, instance: Instance) -> None:
    today = instance.today
    pushed = chaff.pushed(instance.published.now().current(today), today, instance.config.chaff)
    load.made_up, load.made_up_blocks = list(pushed.envelopes), list(pushed.blocks)


def _put_made_up(load: _Load, instance: Instance, before: bytes | None = None) -> None:
    """Store the made-up blocks whose ids come before this one, as those of a bundle do; without it, all."""
    while load.made_up_blocks and (before is None or load.made_up_blocks[0][0] < before):
        id, body, heap = load.made_up_blocks.pop(0)
        instance.store.put_block(id, body, heap)
        load.blocks.append(id)


def _install(files: dict[str, bytes], instance: Instance) -> str:
    pairs: dict[str, Signed] = {
        name: (data, files[name + SIGNATURE]) for name, data in files.items() if not name.endswith(SIGNATURE)
    }
    if not pairs:
        return "none"
    try:
        for name, signed in pairs.items():
            manifest.check_name(name, manifest.verify(*signed, instance.published.roots))
        return instance.published.install(pairs.values())
    except (BadManifest, ProtocolError) as error:
        return f"refused: {error}"


def _signed(statements: Sequence[ImportStatement], instance: Instance) -> list[ImportStatement]:
    """The statements that their reviewers signed of what their workstations hold; they are compared at removal."""
    known, today = instance.published.now(), instance.today  # both may ask the database: once for all statements
    keys = {id: known.signing_keys(id, today) for id in {each.reviewer for each in statements}}
    return [each for each in statements if any(_is_by(each, key) for key in keys[each.reviewer])]


def _is_by(statement: ImportStatement, key: bytes) -> bool:
    try:
        statement.check(key)
    except ProtocolError:
        return False
    return True


def _commit(load: _Load, instance: Instance) -> dict[str, list[str]]:
    """Commit in one transaction all envelopes whose ids are free; taken ids do not stop the others.

    A block that somebody dropped since counts as taken, too: whoever knows its id could do so with every push.
    """
    stored = {each.id for each in load.envelopes if instance.store.has(each.id)}
    taken = set(load.taken)
    while True:
        left = [each for each in load.envelopes if each.id not in taken]
        try:
            instance.store.commit([*left, *load.made_up], load.blocks, is_known=True)
        except Taken as error:
            if not set(error.ids) - taken:
                raise
            taken.update(error.ids)
        except Missing as error:
            taken.update(error.ids)
            load.blocks = [id for id in load.blocks if id not in taken]
        else:
            return {
                "stored": sorted(each.id.hex() for each in left if each.id not in stored),
                "same": sorted(each.id.hex() for each in left if each.id in stored),
                "taken": sorted(id.hex() for id in taken & load.listed),  # of envelopes and of blocks
            }
