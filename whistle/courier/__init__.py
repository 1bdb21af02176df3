"""Carries sealed bundles between a server and a stick; holds a key that opens nothing."""

from whistle.courier.connection import Progress
from whistle.courier.errors import BadServer, BadStick, Busy, CourierError, Refused, ServerAway
from whistle.courier.exchange import LEAPT, Courier, Exchanged, Pulled, Pushed, quiet
from whistle.courier.folder import PUBLIC, Settings, create, move, own_stick

__all__ = [
    "LEAPT",
    "PUBLIC",
    "BadServer",
    "BadStick",
    "Busy",
    "Courier",
    "CourierError",
    "Exchanged",
    "Progress",
    "Pulled",
    "Pushed",
    "Refused",
    "ServerAway",
    "Settings",
    "create",
    "move",
    "own_stick",
    "quiet",
]
