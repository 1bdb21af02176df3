"""Hardening of the process: neither a crash nor swapping leaves anything readable on the disk."""

import ctypes
import mmap
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PR_SET_DUMPABLE = 4
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # all that is mapped, now and later, as soon as it is used
ENOUGH = 16 * 1024**3  # bytes of addresses, far more than these programs ever map


def no_memory_on_disk() -> None:
    """Disable core dumps, those handed to a program too; only root may inspect this process."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_memory() -> bool:
    """Keep the memory of this process out of swap, on Linux and without a limit that matters; whether that is so.

    With a limit (RLIMIT_MEMLOCK), the program would fail once it needs more, so then nothing is locked.  A fork has to
    lock its own memory.  Hibernation writes locked memory too.
    """
    if resource is None or sys.platform != "linux":
        return False
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    libc = ctypes.CDLL(None)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        return False
    try:
        mmap.mmap(-1, ENOUGH, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()  # counts, and takes no memory
    except OSError:
        libc.munlockall()
        return False
    return True
