"""What has filled a disk that is nearly full, and what can be done, for the operator."""

import os
from pathlib import Path

from whistle.server.instance import Instance
from whistle.store import BLOCK, DayCount

MB = 1_000_000


def fullness(instance: Instance) -> list[str]:
    """A line if a disk is nearly full; nothing else."""
    store = instance.store
    if not store.is_low():
        return []
    days, unfinished = store.days(), store.unfinished() * BLOCK
    sizes = {day: _size(instance, day) for day in days}
    parts = []
    if days:
        most = max(days, key=lambda day: sizes[day])
        parts.append(
            f"of what is stored, {sizes[most] // MB} of {sum(sizes.values()) // MB} MB came on {most.day}: "
            f"{most.envelopes} messages and {most.blocks} blocks of files"
        )
    if unfinished:
        parts.append(f"unfinished uploads take {unfinished // MB} MB, and go by themselves")
    if _used(instance) > 2 * (sum(sizes.values()) + unfinished):
        parts.append("most of what is on the disk is not this server's")
    return [
        "a disk is nearly full, so files are refused, and then reports: "
        + "; ".join(parts or ["nothing is stored"])
        + ". A larger disk helps at once, and so does what you take off this one. What came goes when all reviewers "
        "have confirmed that they have it (ask them to exchange), or after 180 days"
    ]


def _size(instance: Instance, day: DayCount) -> int:
    """About how many bytes a day takes; each report has a slip of the same size."""
    return 2 * day.envelopes * instance.store.envelope_size + day.blocks * BLOCK


def _used(instance: Instance) -> int:
    """Bytes used on the disk that holds most."""
    config = instance.config
    folders = [config.data, *([config.blocks] if isinstance(config.blocks, Path) else [])]
    disks = [os.statvfs(folder) for folder in folders]
    return max((disk.f_blocks - disk.f_bfree) * disk.f_frsize for disk in disks)
