"""Whether everything in a workstation's folder is there and whole: what `whistle workstation check` tells.

Every opening does the quick half: each page of the database and the links between its rows (`database`), and whether
the files that are on their way have all their pieces (`Workstation.notices`).
"""

import hashlib
from collections.abc import Callable, Iterator

from sqlalchemy import func, select, text

from whistle.protocol.case import message
from whistle.protocol.case.message import Body
from whistle.protocol.code.retrieval import reference
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.trust import manifest as manifests
from whistle.protocol.trust.manifest import SignedManifest
from whistle.workstation.cases import case_list, entries, overview
from whistle.workstation.errors import VaultError
from whistle.workstation.language import t
from whistle.workstation.tray import tray
from whistle.workstation.vault import index, search
from whistle.workstation.vault.database import DATABASE
from whistle.workstation.vault.models import Came, CaseRow, KnownManifest, MessageRow, OutgoingBlock, WaitingMessage
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

SHOWN = 20  # faults of one kind that are named
DERIVED = (
    *("rank", "due", "status", "urgent", "reopened", "unread", "deadlines", "faulty"),
    *("claimed", "channel", "language", "stated", "named", "muted", "away"),
)
RESTS = {"missing": "check.rest_missing", "damaged": "check.rest_damaged"}
Progress = Callable[[int, int], None]


def faults(workstation: Workstation, progress: Progress | None = None) -> list[str]:
    """What is missing, damaged or without its other half, one line for each; empty if all is well."""
    case_list.refresh(workstation)
    lines: list[str] = []
    steps = (_database, _index, _keys, _manifests, _messages, _cases, _blocks)
    for count, step in enumerate(steps, start=1):
        found = list(step(workstation))
        lines += found[:SHOWN] + ([t("check.more", len(found) - SHOWN)] if len(found) > SHOWN else [])
        if progress:
            progress(count, len(steps))
    return lines


def _database(workstation: Workstation) -> Iterator[str]:
    session = workstation.vault.session
    if session.execute(text("PRAGMA cipher_integrity_check")).first():
        yield t("check.page", file=DATABASE)
    elif session.scalar(text("PRAGMA integrity_check(1)")) != "ok":
        yield t("check.tables", file=DATABASE)
    if session.execute(text("PRAGMA foreign_key_check")).first():
        yield t("check.rows", file=DATABASE)


def _index(workstation: Workstation) -> Iterator[str]:
    session = workstation.vault.session
    try:
        with workstation.change():
            index.check(session)
    except VaultError:
        yield t("check.index")
        return
    whole = select(func.count()).select_from(MessageRow).where(MessageRow.indexed == MessageRow.WHOLE)
    named = select(func.count()).select_from(CASES).where(search.DESCRIBED)
    if (session.scalar(whole) or 0) + (session.scalar(named) or 0) != index.size(session):
        yield t("check.index_lacks")


def _keys(workstation: Workstation) -> Iterator[str]:
    try:
        key, periods = workstation.signing, workstation.periods()
    except (ProtocolError, ValueError):
        yield t("check.key")
        return
    if not any(period.first <= workstation.today() for period in periods):
        yield t("check.identity")
    if workstation.trust.serials() and workstation.trust.listed(key.public) is None:
        yield t("check.unlisted")


def _manifests(workstation: Workstation) -> Iterator[str]:
    roots, chain = workstation.trust.roots(), list[SignedManifest]()
    columns = select(KnownManifest.serial, KnownManifest.data, KnownManifest.signature).order_by(KnownManifest.serial)
    for serial, data, signature in workstation.vault.session.execute(columns):
        try:
            signed = manifests.verify(data, signature, roots)
            if chain:
                manifests.check_after(chain, signed)
            chain.append(signed)
        except ProtocolError:
            yield t("check.manifest", serial=serial)


def _messages(workstation: Workstation) -> Iterator[str]:
    """Each message is what its hash names, parses, and belongs to the case that its line names."""
    rows = select(MessageRow.hash, MessageRow.line, CaseRow.hash).join(CaseRow).order_by(MessageRow.id)
    for hash, line, case in workstation.vault.session.execute(rows.execution_options(yield_per=case_list.SLICE)):
        if not _is_whole(hash, line, case):
            yield t("check.message", reference=_named(case), hash=hash[:16])
    waiting = select(WaitingMessage.hash, WaitingMessage.line, WaitingMessage.case)
    for hash, line, case in workstation.vault.session.execute(waiting):
        if not _is_whole(hash, line, case):
            yield t("check.message_waits", reference=_named(case), hash=hash[:16])


def _is_whole(hash: str, line: bytes, case: str) -> bool:
    try:
        return hashlib.sha256(line).hexdigest() == hash and message.parse(line).case == case
    except Malformed:
        return False


def _cases(workstation: Workstation) -> Iterator[str]:
    """Each case has messages, and what the list shows of it is what they say."""
    shown = select(CASES.c.start, *(CASES.c[name] for name in DERIVED))
    for case in workstation.case_ids():
        loaded = overview.load(workstation, case)
        row = workstation.vault.connection.execute(shown.where(CASES.c.hash == case)).one()
        if not loaded.entries:
            yield t("check.no_messages", reference=_named(case))
            continue
        derived = case_list.derived(loaded, row.start)
        if any(getattr(row, name) != derived[name] for name in DERIVED):
            yield t("check.list", reference=_named(case))


def noted_blocks(workstation: Workstation) -> dict[bytes, bytes]:
    """By id, the SHA-256 of each block that came or was sealed here, as far as that was noted."""
    session = workstation.vault.session
    known = select(Came.name, Came.sha256).where(Came.name.startswith("blocks/", autoescape=True))
    came = {bundle.member_id(row.name): row.sha256 for row in session.execute(known)}
    own = session.execute(select(OutgoingBlock.id, OutgoingBlock.sha256))
    return came | {row.id: row.sha256 for row in own}


def _blocks(workstation: Workstation) -> Iterator[str]:
    """Each block that came or was sealed here is in the folder, whole."""
    session, blocks = workstation.vault.session, workstation.blocks
    for id, sha256 in sorted(noted_blocks(workstation).items()):
        path = f"blocks/{id.hex()[:2]}/{id.hex()}"
        try:
            if not any(hashlib.sha256(each).digest() == sha256 for each in blocks.versions(id)):
                yield t("check.block", path=path)
        except OSError as exc:
            if isinstance(exc, FileNotFoundError):
                yield t("check.block_missing", path=path)
            else:
                yield t("check.block_unread", path=path, reason=str(exc.strerror))
    for item in (*tray.items(workstation), *tray.items(workstation, aside=True)):
        if not all(map(blocks.complete, item.files)):
            yield t("check.tray", number=item.id)
    mine = select(MessageRow.hash).where(MessageRow.via == "own").order_by(MessageRow.id)
    for hash in session.scalars(mine).all():
        yield from _own_files(workstation, hash)


def _own_files(workstation: Workstation, hash: str) -> Iterator[str]:
    """What this workstation sent, and the server and its colleagues may have removed since."""
    signed = workstation.message(hash)
    content, rest = entries.open_rest(workstation, signed.message)
    case = _named(signed.message.case)
    if rest != "whole":
        yield t(RESTS[rest], reference=case)
    elif isinstance(content, Body):
        missing = [each.name for each in content.attachments if not workstation.blocks.complete(each)]
        if missing:
            yield t("check.own_files", len(missing), reference=case)


def _named(case: str) -> str:
    return reference(bytes.fromhex(case))
