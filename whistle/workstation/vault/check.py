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
from whistle.workstation.tray import tray
from whistle.workstation.vault import index, search
from whistle.workstation.vault.database import DATABASE
from whistle.workstation.vault.models import Came, CaseRow, KnownManifest, MessageRow, OutgoingBlock, WaitingMessage
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

SHOWN = 20  # faults of one kind that are named
DERIVED = (
    *("rank", "due", "status", "urgent", "reopened", "unread", "deadlines", "faulty"),
    *("claimed", "channel", "language", "stated", "muted"),
)
Progress = Callable[[int, int], None]


def faults(workstation: Workstation, progress: Progress | None = None) -> list[str]:
    """What is missing, damaged or without its other half, one line for each; empty if all is well."""
    case_list.refresh(workstation)
    lines: list[str] = []
    steps = (_database, _index, _keys, _manifests, _messages, _cases, _blocks)
    for count, step in enumerate(steps, start=1):
        found = list(step(workstation))
        lines += found[:SHOWN] + ([f"… and {len(found) - SHOWN} more like that."] if len(found) > SHOWN else [])
        if progress:
            progress(count, len(steps))
    return lines


def _database(workstation: Workstation) -> Iterator[str]:
    session = workstation.vault.session
    if session.execute(text("PRAGMA cipher_integrity_check")).first():
        yield f"{DATABASE}: a page was altered or is damaged."
    elif session.scalar(text("PRAGMA integrity_check(1)")) != "ok":
        yield f"{DATABASE}: its tables and their indexes disagree."
    if session.execute(text("PRAGMA foreign_key_check")).first():
        yield f"{DATABASE}: a row lacks the one to which it belongs."


def _index(workstation: Workstation) -> Iterator[str]:
    session = workstation.vault.session
    try:
        with workstation.change():
            index.check(session)
    except VaultError:
        yield "The index for searching is damaged."
        return
    whole = select(func.count()).select_from(MessageRow).where(MessageRow.indexed == MessageRow.WHOLE)
    named = select(func.count()).select_from(CASES).where(search.DESCRIBED)
    if (session.scalar(whole) or 0) + (session.scalar(named) or 0) != index.size(session):
        yield "The index for searching does not know the messages and titles that it should."


def _keys(workstation: Workstation) -> Iterator[str]:
    try:
        key, periods = workstation.signing, workstation.periods()
    except (ProtocolError, ValueError):
        yield "A secret key of this workstation is damaged: no backup made from now on would open."
        return
    if not any(period.first <= workstation.today() for period in periods):
        yield "No identity has begun: the backup has nobody to be sealed to."
    if workstation.trust.serials() and workstation.trust.listed(key.public) is None:
        yield "No manifest lists this workstation's signing key."


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
            yield f"Manifest {serial} is not signed by a pinned root, or does not follow the one before it."


def _messages(workstation: Workstation) -> Iterator[str]:
    """Each message is what its hash names, parses, and belongs to the case that its line names."""
    rows = select(MessageRow.hash, MessageRow.line, CaseRow.hash).join(CaseRow).order_by(MessageRow.id)
    for hash, line, case in workstation.vault.session.execute(rows.execution_options(yield_per=case_list.SLICE)):
        if not _is_whole(hash, line, case):
            yield f"A message of case {_named(case)} is not what was stored: {hash[:16]}."
    waiting = select(WaitingMessage.hash, WaitingMessage.line, WaitingMessage.case)
    for hash, line, case in workstation.vault.session.execute(waiting):
        if not _is_whole(hash, line, case):
            yield f"A message that waits for case {_named(case)} is not what was stored: {hash[:16]}."


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
            yield f"Case {_named(case)} has no messages."
            continue
        derived = case_list.derived(loaded, row.start)
        if any(getattr(row, name) != derived[name] for name in DERIVED):
            yield f"What the list shows of case {_named(case)} is not what its messages say."


def _blocks(workstation: Workstation) -> Iterator[str]:
    """Each block that came or was sealed here is in the folder, whole."""
    session, blocks = workstation.vault.session, workstation.blocks
    known = select(Came.name, Came.sha256).where(Came.name.startswith("blocks/", autoescape=True))
    wanted = {bundle.member_id(row.name): row.sha256 for row in session.execute(known)}
    own = session.execute(select(OutgoingBlock.id, OutgoingBlock.sha256))
    wanted |= {row.id: row.sha256 for row in own}
    for id, sha256 in sorted(wanted.items()):
        try:
            if not any(hashlib.sha256(each).digest() == sha256 for each in blocks.versions(id)):
                yield f"The piece of a file blocks/{id.hex()[:2]}/{id.hex()} is not what was stored."
        except OSError as exc:
            why = "is missing" if isinstance(exc, FileNotFoundError) else f"cannot be read ({exc.strerror})"
            yield f"The piece of a file blocks/{id.hex()[:2]}/{id.hex()} {why}."
    for item in (*tray.items(workstation), *tray.items(workstation, aside=True)):
        if not all(map(blocks.complete, item.files)):
            yield f"A file of your {item.what} in the tray, number {item.id}, is not whole."
    mine = select(MessageRow.hash).where(MessageRow.via == "own").order_by(MessageRow.id)
    for hash in session.scalars(mine).all():
        yield from _own_files(workstation, hash)


def _own_files(workstation: Workstation, hash: str) -> Iterator[str]:
    """What this workstation sent, and the server and its colleagues may have removed since."""
    signed = workstation.message(hash)
    content, rest = entries.open_rest(workstation, signed.message)
    case = _named(signed.message.case)
    if rest != "whole":
        yield f"The content of a message of yours in case {case} is {rest}."
    elif isinstance(content, Body):
        missing = [each.name for each in content.attachments if not workstation.blocks.complete(each)]
        if missing:
            yield f"{len(missing)} of your files in case {case} are not whole."


def _named(case: str) -> str:
    return reference(bytes.fromhex(case))
