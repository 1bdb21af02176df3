"""Backups of a store: a folder that has whole days as files, how it becomes a store again, and whether one is whole.

A backup is made of rows and contents, not of database files: it is the same for SQLite and PostgreSQL, and nothing in
it follows the order of arrival.
"""

from whistle.store.backup.consistency import Check, check
from whistle.store.backup.folder import SavedBackup, open_backup
from whistle.store.backup.restore import check_can_restore, restore
from whistle.store.backup.save import BackupCounts, back_up

__all__ = ["BackupCounts", "Check", "SavedBackup", "back_up", "check", "check_can_restore", "open_backup", "restore"]
