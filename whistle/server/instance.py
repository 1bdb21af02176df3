"""What requests need from their server: configuration, store, manifests and the day."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import flask

from whistle.protocol.case import envelope
from whistle.server.config import Config
from whistle.server.manifests import Published
from whistle.store import Reading, Store, StoreError, open_store

NAME = "whistle"
Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Instance:
    """One server.  `now` returns the time in UTC; tests replace it."""

    config: Config
    store: Store
    published: Published
    now: Clock = utc_now

    @property
    def clock(self) -> Reading:
        """The store's reading of the clock; only the clock's day while the store fails."""
        return self.look_at_clock()[0]

    def look_at_clock(self) -> tuple[Reading, bool]:
        """The same, and whether the store failed."""
        try:
            return self.store.clock(), False
        except StoreError:  # pages that need nothing stored are still shown; writes read the clock again
            return Reading(self.now().date(), None), True

    @property
    def today(self) -> datetime.date:
        """The UTC day that the store uses."""
        return self.clock.day


def open_instance(config: Config, now: Clock | None = None, may_be_away: bool = False) -> Instance:
    """Open the store and the manifests of a configuration; StoreError or BadManifest on failure.

    ``now`` replaces the system's and PostgreSQL's clock.  With ``may_be_away``, the store waits for a database that
    does not answer yet, and is used once it does.
    """
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    today = (lambda: now().date()) if now else None
    store = open_store(config.database, config.blocks, envelope.size(config.slots), today, may_be_away)
    return Instance(config, store, Published(config.keys, config.slots, store), now or utc_now)


def attach(app: flask.Flask, instance: Instance) -> None:
    """Attach an instance to a new application."""
    app.extensions[NAME] = instance


def here() -> Instance:
    """The instance of the current request's application."""
    return of(flask.current_app)


def of(app: flask.Flask) -> Instance:
    """The instance of an application."""
    instance = app.extensions[NAME]
    assert isinstance(instance, Instance)
    return instance
