"""What the process asks of the system, so that a crash leaves nothing readable on the disk."""

import ctypes
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PR_SET_DUMPABLE = 4


def no_memory_on_disk() -> None:
    """No core dump, not even one that is handed to a program; nobody but root may look into this process."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
