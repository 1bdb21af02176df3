"""What the vault remembers of its backups: where they are, of which day, and when it is time for another."""

import datetime
from collections.abc import Sequence

from sqlalchemy import func, select

from whistle.workstation.vault.models import BackupRow, MessageRow
from whistle.workstation.vault.storage import Vault

OFTEN = datetime.timedelta(days=7)  # after which somebody is reminded


def remembered(vault: Vault) -> Sequence[BackupRow]:
    """The backups that were finished, the newest first."""
    rows = select(BackupRow).where(BackupRow.day.is_not(None)).order_by(BackupRow.day.desc(), BackupRow.place)
    return vault.session.scalars(rows).all()


def age(vault: Vault, today: datetime.date) -> str:
    """How old the newest backup is, in words."""
    last = vault.session.scalar(select(func.max(BackupRow.day)))
    days = (today - last).days if last else None
    return "none" if days is None else "today" if days <= 0 else "yesterday" if days == 1 else f"{days} days ago"


def reminder(vault: Vault, today: datetime.date) -> str:
    """What to say if messages came and the newest backup, or the first message without one, is too old."""
    last = vault.session.scalar(select(func.max(BackupRow.day)))
    first = vault.session.scalar(select(MessageRow.arrived).order_by(MessageRow.id).limit(1))
    if first is None or today - (last or first) < OFTEN:
        return ""
    since = f"The newest backup is of {last}" if last else "There is no backup of this workstation"
    return f"{since}: if this computer breaks, what came since is lost. Make a backup."
