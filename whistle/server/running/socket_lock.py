"""One server for each unix socket: of two that start at once, gunicorn would let the second replace the first's."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gunicorn import util  # type: ignore[import-untyped]

from whistle.server.errors import StartError
from whistle.store.locks import locked


@contextlib.contextmanager
def socket_lock(bind: str) -> Iterator[None]:
    """Hold the lock of the unix socket that `bind` names, if it names one.  StartError if another server has it.

    Processes that are forked meanwhile hold it too.
    """
    address = util.parse_address(bind)
    if isinstance(address, tuple):  # the system gives a port to one
        yield
        return
    path = Path(os.fsdecode(address))
    with locked(path.with_name(path.name + ".lock"), wait=False) as acquired:
        if not acquired:
            raise StartError("another server is using this socket", "stop it first, or choose another in whistle.toml")
        yield
