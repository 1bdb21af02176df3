"""What the store refuses, and why. No message holds an id, a body or a path."""

from collections.abc import Sequence


class StoreError(Exception):
    """The store could not do what it was asked. Nothing was changed by the call that raised it."""


class Unfit(StoreError):
    """The thing is of a wrong size: an id, an envelope or a block. It can never be stored."""


class Full(StoreError):
    """The disk or the database has no room. The same call works once there is some again."""


class Taken(StoreError):
    """Something else already lies under one of the ids. `ids` names them; nothing was overwritten."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        super().__init__(f"{len(ids)} of the ids are taken")
        self.ids = tuple(ids)


class Missing(StoreError):
    """Blocks that an envelope needs are not here. `ids` names them; put them (again), then commit again."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        super().__init__(f"{len(ids)} of the blocks are missing")
        self.ids = tuple(ids)


class Leapt(StoreError):
    """The clock is more than two days from the last day seen; until an operator accepts it, nothing is removed."""


class WrongDay(StoreError):
    """The day that an operator wants to accept is not the one that the clock says."""
