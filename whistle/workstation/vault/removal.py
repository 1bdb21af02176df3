"""Deleting a closed case from the vault: its messages, what the index knows of them, and its row.

Deleted rows are overwritten in the file.  Sealed blocks stay, and nothing here opens them any more.  Colleagues,
earlier backups and the server keep what they have; what has come is not taken in again from the server.
"""

from sqlalchemy import delete, select

from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.language import t
from whistle.workstation.vault import index, search
from whistle.workstation.vault.models import CaseRow, Draft, MessageRow, Outgoing, TrayItem, Undone, WaitingMessage
from whistle.workstation.workstation import UNSYNCED, Workstation

SLICE = 200  # messages removed by one statement


def check(workstation: Workstation, case: Case) -> None:
    """Raise Refused unless a case is closed and nothing of it is on its way."""
    if case.status != "closed" or case.reopened:
        raise Refused(t("removal.open"), t("removal.open_hint"))
    if {signed.hash for signed in case.messages} & set(outbox.pending(workstation)):
        raise Refused(t("removal.pending"), t("removal.pending_hint"))
    if workstation.vault.session.scalar(select(TrayItem.id).where(TrayItem.case == case.id).limit(1)):
        raise Refused(
            t("removal.tray"),
            t("removal.tray_hint"),
        )


def remove(workstation: Workstation, case: Case) -> None:
    """Delete a case.  Raises Refused like `check`."""
    check(workstation, case)
    hashes, session = [signed.hash for signed in case.messages], workstation.vault.session
    search.fill(workstation)  # so that the index knows the very texts that it is told to forget
    with workstation.change():
        if row := workstation.case_row(case.id):
            index.remove(session, {-row.id: text} if (text := search.described(row.title, row.labels)) else {})
        for start in range(0, len(hashes), SLICE):
            some = hashes[start : start + SLICE]
            texts = select(MessageRow.id, MessageRow.kept_text).where(MessageRow.hash.in_(some))
            index.remove(session, {id: text for id, text in session.execute(texts) if text is not None})
            for column in (MessageRow.hash, Outgoing.hash, Undone.hash):
                session.execute(delete(column.class_).where(column.in_(some)), **UNSYNCED)
        session.execute(delete(Undone).where(Undone.hash == case.id), **UNSYNCED)
        session.execute(delete(WaitingMessage).where(WaitingMessage.case == case.id), **UNSYNCED)
        session.execute(delete(Draft).where(Draft.case == case.id), **UNSYNCED)
        session.execute(delete(CaseRow).where(CaseRow.hash == case.id), **UNSYNCED)
    workstation.forget(hashes)
    workstation.last_opened = None
