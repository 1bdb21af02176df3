"""Courier errors: what is wrong, and what to do about it. No message holds an address, key or path."""

import errno


class CourierError(Exception):
    """Base class; `hint` says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class ServerAway(CourierError):
    """The server cannot be reached, or the connection broke; what was transferred so far is kept."""


class Refused(CourierError):
    """The server refused the request."""


class BadStick(CourierError):
    """There is no stick, it cannot be written, or it holds something that is not a bundle."""


class Busy(CourierError):
    """Something else is at work in the courier's folder."""


class BadServer(CourierError):
    """The server sent something wrong: another manifest, or a bad answer."""


DISK = {
    errno.ENOSPC: (
        "there is no room left",
        "make room and run the same command again; what was carried so far is kept",
    ),
    errno.EDQUOT: (
        "there is no room left",
        "make room and run the same command again; what was carried so far is kept",
    ),
    errno.EROFS: ("it is read-only", "look for a small switch at its side, or mount it so that it can be written"),
    errno.EACCES: ("it may not be written by you", "check who owns the folder, or mount the stick as yourself"),
    errno.EPERM: ("it may not be written by you", "check who owns the folder, or mount the stick as yourself"),
    errno.EFBIG: ("a file is too large for it", "format the stick as exFAT or ext4, or take another"),
    errno.EIO: (
        "it cannot be read or written",
        "the stick may be failing, or was pulled out; take another and run again",
    ),
}
UNKNOWN = ("it cannot be read or written", "check that the stick is still in and run the same command again")


def disk(where: str, error: OSError) -> BadStick:
    """The error for a failing disk; `where` is "the stick" or "the courier's folder"."""
    what, hint = DISK.get(error.errno or 0, UNKNOWN)
    return BadStick(f"{where}: {what}", hint)
