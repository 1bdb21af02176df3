"""Whose connection it is: on Linux the system tells the user of every socket, so that a port is not open to all.

An address that holds a token stands in the arguments with which a browser is started, and those every user may read.
Where the system does not tell, the token is the only guard.
"""

import os
from collections.abc import Iterator
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"  # in any other state the system may have forgotten whose it was, and says 0
ROOT = 0  # may read everything anyway; some systems let it forward ports


def ours(theirs: int, here: int) -> bool:
    """Whether the connection from port `theirs` of this computer to port `here` is this user's, or nobody can tell."""
    if not any(table.exists() for table in TABLES):
        return True
    found = [(state, user) for local, remote, state, user in _sockets() if (local, remote) == (theirs, here)]
    return any(state == ESTABLISHED and user in (os.getuid(), ROOT) for state, user in found)


def _sockets() -> Iterator[tuple[int, int, str, int]]:
    """Port here, port there, state and user of every socket."""
    for table in filter(Path.exists, TABLES):
        for line in table.read_text("ascii").splitlines()[1:]:
            _, local, remote, state, _, _, _, user, *_ = line.split()
            yield int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16), state, int(user)
