"""Store errors. No message contains an id, a body or a path."""

from collections.abc import Sequence


class StoreError(Exception):
    """The store could not do what it was asked. The call that raised this changed nothing, except perhaps Away."""


class WrongSize(StoreError):
    """An id, an envelope or a block has the wrong size. It can never be stored."""


class Full(StoreError):
    """The disk or the database is full. The same call succeeds once there is space again."""


class Away(StoreError):
    """The database does not answer, as while it restarts. The call may be repeated, even if it had succeeded."""


class Taken(StoreError):
    """Different content is already stored under some of the ids, listed in `ids`. Nothing was overwritten."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        super().__init__(f"{len(ids)} of the ids are taken")
        self.ids = tuple(ids)


class Missing(StoreError):
    """Blocks that an envelope needs are not stored; `ids` lists them. Put them (again), then commit again."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        super().__init__(f"{len(ids)} of the blocks are missing")
        self.ids = tuple(ids)


class Leapt(StoreError):
    """The clock is more than two days from the last day seen; nothing is removed until an operator accepts its day."""


class WrongDay(StoreError):
    """The day that an operator wants to accept differs from the clock's."""


class BackupError(StoreError):
    """A backup cannot be made or restored; `hint` says what to do. The last whole backup is as it was."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
