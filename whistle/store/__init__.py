"""Where sealed things rest: opaque bytes under ids. Nothing here knows what they mean, or who brought them."""

from whistle.store.blocks import Blocks, FolderOfBlocks
from whistle.store.clock import Reading, Today
from whistle.store.database import sqlite_files
from whistle.store.days import DayCount, DayIds
from whistle.store.envelopes import Found, Sealed
from whistle.store.errors import Full, Leapt, Missing, StoreError, Taken, Unfit, WrongDay
from whistle.store.models import BLOCK, ID, Heap, State
from whistle.store.retention import Limits
from whistle.store.schema import current, downgrade, upgrade
from whistle.store.store import Store, open_store
from whistle.store.turnover import Turned

__all__ = [
    "BLOCK",
    "ID",
    "Blocks",
    "DayCount",
    "DayIds",
    "FolderOfBlocks",
    "Found",
    "Full",
    "Heap",
    "Leapt",
    "Limits",
    "Missing",
    "Reading",
    "Sealed",
    "State",
    "Store",
    "StoreError",
    "Taken",
    "Today",
    "Turned",
    "Unfit",
    "WrongDay",
    "current",
    "downgrade",
    "open_store",
    "sqlite_files",
    "upgrade",
]
