"""Backups that outlive this program, made bit by bit: stock `age`, `tar` and `jq` open all of them (SPEC 1.7)."""

from whistle.workstation.backup.folder import KEYS
from whistle.workstation.backup.places import Place, only, places
from whistle.workstation.backup.restoring import Lacking, NotWhole, open_backup, restore
from whistle.workstation.backup.saving import PassphraseNeeded, Saved, save
from whistle.workstation.backup.trial import Tried, try_backup

__all__ = [
    "KEYS",
    "Lacking",
    "NotWhole",
    "PassphraseNeeded",
    "Place",
    "Saved",
    "Tried",
    "only",
    "open_backup",
    "places",
    "restore",
    "save",
    "try_backup",
]
