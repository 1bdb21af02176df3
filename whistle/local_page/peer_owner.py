"""The owner of a connection: on Linux the system tells the user of every socket, which keeps other users out.

The token in the address is not enough, since it is in the browser's arguments, which every user can read.
Elsewhere the token is the only protection.
"""

import os
from collections.abc import Iterator
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"  # in other states the system may have forgotten the owner and report 0
ROOT = 0  # can read everything anyway, and forwards ports on some systems


def is_same_user(theirs: int, ours: int) -> bool:
    """Whether the connection from port `theirs` to port `ours` is this user's; True if the system does not tell."""
    if not any(table.exists() for table in TABLES):
        return True
    owners = [(state, user) for local, remote, state, user in _sockets() if (local, remote) == (theirs, ours)]
    return any(state == ESTABLISHED and user in (os.getuid(), ROOT) for state, user in owners)


def _sockets() -> Iterator[tuple[int, int, str, int]]:
    """Local port, remote port, state and user of every socket."""
    for table in filter(Path.exists, TABLES):
        for line in table.read_text("ascii").splitlines()[1:]:
            _, local, remote, state, _, _, _, user, *_ = line.split()
            yield int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16), state, int(user)
