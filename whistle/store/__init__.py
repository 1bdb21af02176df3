"""Where sealed things rest: opaque bytes under ids. Nothing here knows what they mean, or who brought them."""

from whistle.store.blocks import Blocks, FolderOfBlocks
from whistle.store.database import sqlite_files
from whistle.store.days import DayCount, DayIds
from whistle.store.envelopes import Found, Sealed
from whistle.store.errors import Full, Missing, StoreError, Taken, Unfit
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
    "Limits",
    "Missing",
    "Sealed",
    "State",
    "Store",
    "StoreError",
    "Taken",
    "Turned",
    "Unfit",
    "current",
    "downgrade",
    "open_store",
    "sqlite_files",
    "upgrade",
]
