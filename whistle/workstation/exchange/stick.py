"""Listing a stick, or any folder of bundles: plain files only, and no more than a courier would write."""

import itertools
import stat
from pathlib import Path

from whistle.workstation.errors import Untrusted
from whistle.workstation.language import t

MOST_PARTS = 9999  # as many as a list can count


def bundles(folder: Path) -> list[Path]:
    """The bundles in a folder, by name.  Raises Untrusted if it cannot be read or holds too many."""
    try:
        paths = list(itertools.islice(filter(_plain, folder.glob("*.tar")), MOST_PARTS + 1))
    except OSError as exc:
        raise Untrusted(t("exchange.unreadable", reason=exc.strerror), t("exchange.unreadable_hint")) from exc
    if len(paths) > MOST_PARTS:
        raise Untrusted(t("stick.too_many", MOST_PARTS), t("stick.too_many_hint"))
    return sorted(paths)


def _plain(path: Path) -> bool:
    """Whether it is a plain file; a link could lead elsewhere, a pipe or device could block this program."""
    return not path.name.startswith(".") and stat.S_ISREG(path.lstat().st_mode)
