"""Hardening of the process: a crash leaves nothing readable on the disk."""

import ctypes
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PR_SET_DUMPABLE = 4


def no_memory_on_disk() -> None:
    """Disable core dumps, those handed to a program too; only root may inspect this process."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
