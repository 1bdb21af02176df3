"""Storage for sealed envelopes and blocks: opaque bytes by id. It knows neither what they mean nor who sent them."""

from whistle.store.backup import (
    BackupCounts,
    Check,
    SavedBackup,
    back_up,
    check,
    check_can_restore,
    open_backup,
    restore,
)
from whistle.store.blocks import Blocks, FolderOfBlocks
from whistle.store.clock import Reading, Today
from whistle.store.database import sqlite_files
from whistle.store.days import DayCount, DayIds
from whistle.store.envelopes import Sealed, StoredEnvelope
from whistle.store.errors import Away, BackupError, Full, Leapt, Missing, StoreError, Taken, WrongDay, WrongSize
from whistle.store.job_lock import JobLock
from whistle.store.models import BLOCK, ID, Heap, State
from whistle.store.retention import Limits
from whistle.store.room import has_room
from whistle.store.schema import current, downgrade, upgrade
from whistle.store.store import Store, open_store
from whistle.store.turnover import TurnoverCounts

__all__ = [
    "BLOCK",
    "ID",
    "Away",
    "BackupCounts",
    "BackupError",
    "Blocks",
    "Check",
    "DayCount",
    "DayIds",
    "FolderOfBlocks",
    "Full",
    "Heap",
    "JobLock",
    "Leapt",
    "Limits",
    "Missing",
    "Reading",
    "SavedBackup",
    "Sealed",
    "State",
    "Store",
    "StoreError",
    "StoredEnvelope",
    "Taken",
    "Today",
    "TurnoverCounts",
    "WrongDay",
    "WrongSize",
    "back_up",
    "check",
    "check_can_restore",
    "current",
    "downgrade",
    "has_room",
    "open_backup",
    "open_store",
    "restore",
    "sqlite_files",
    "upgrade",
]
