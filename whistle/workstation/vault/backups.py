"""What the vault remembers of its backups: where they are, of which day, and when it is time for another."""

import datetime
from collections.abc import Sequence

from sqlalchemy import delete, func, select

from whistle.workstation.language import t
from whistle.workstation.vault.models import BackupRow, ServerDay
from whistle.workstation.vault.storage import Vault

OFTEN = datetime.timedelta(days=7)  # after which somebody is reminded


def remembered(vault: Vault) -> Sequence[BackupRow]:
    """The backups that were finished, the newest first."""
    rows = select(BackupRow).where(BackupRow.day.is_not(None)).order_by(BackupRow.day.desc(), BackupRow.place)
    return vault.session.scalars(rows).all()


def forget(vault: Vault, id: str) -> None:
    """Know a backup no longer; what lies in its folder stays as it is, and is not gone on with."""
    with vault.transaction():
        vault.session.execute(delete(BackupRow).where(BackupRow.id == id))


def ago(day: datetime.date, today: datetime.date) -> str:
    """How long ago a day was, in words."""
    days = (today - day).days
    return t("transcript.today") if days <= 0 else t("backup.yesterday") if days == 1 else t("backup.days_ago", days)


def reminder(vault: Vault, today: datetime.date) -> str:
    """What to say if the newest backup, or the first day on which something came without one, is too long ago."""
    newest, first = (select(each).scalar_subquery() for each in (func.max(BackupRow.day), func.min(ServerDay.written)))
    last, began = vault.session.execute(select(newest, first)).one()  # one statement, since every page asks
    if began is None or today - (last or began) < OFTEN:
        return ""
    return t("backup.reminder", day=last) if last else t("backup.reminder_none")
