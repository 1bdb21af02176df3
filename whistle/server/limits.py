"""How often something may be done, without knowing who does it.

An address becomes a keyed hash whose key lives in memory only and is thrown away within the hour.  Behind Tor all
visitors share one address, so each action also has a limit for everybody together, apart from the others: whoever
floods one leaves the others free, and those who come back to read are served while others cannot send.

Windows slide: what is refused now is taken as soon as enough of the last seconds or minutes is over, and is told when.
"""

import contextlib
import functools
import hashlib
import ipaddress
import math
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import flask
import limits
from flask_limiter import Limiter
from limits.errors import StorageError
from limits.storage import SlidingWindowCounterSupport
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests

from whistle.server import counting
from whistle.server.config import Config
from whistle.server.counting import EVERYBODY, Memory
from whistle.server.logs import LOG, describe

NAME = "whistle_limits"
HOUR = 3600  # seconds
PAUSE = 30.0  # seconds
PATIENCE = {"socket_timeout": 2, "socket_connect_timeout": 2}  # seconds, with Redis; what it says later is moot
COUNTING = f"{counting.Counting.STORAGE_SCHEME[0]}://"
UPLOADING = 3 / 4  # of the threads may take in much; the rest stays for those who read
GIVING_BACK = 1 / 8  # of the threads may read what cannot be kept, so that its texts can be given back

T = TypeVar("T")


class Passing:
    """The keyed hash under which an address is counted; a new key every hour, the old one forgotten."""

    KEY = struct.Struct("<q32s")  # the hour, from 1, and its key, where the counters' memory begins

    def __init__(self, now: Callable[[], float] = time.monotonic, memory: Memory | None = None) -> None:
        self._now = now
        self._memory = memory or Memory()

    def __call__(self, address: str) -> str:
        """32 hexadecimal digits, the same for an address within the hour and for all addresses of one IPv6 network."""
        with self._memory.alone() as data:
            known, key = self.KEY.unpack_from(data)
            hour = int(self._now() // HOUR) + 1
            if hour != known:
                key = os.urandom(32)
                self.KEY.pack_into(data, 0, hour, key)
        return hashlib.blake2b(_network(address), key=key, digest_size=16).hexdigest()


class Limits:
    """The limits of one application, in memory or in Redis."""

    def __init__(self, config: Config, passing: Passing | None = None, memory: Memory | None = None) -> None:
        """`memory` where several processes count together."""
        memory = memory or Memory()
        self._config = config
        self._passing = passing or Passing(memory=memory)
        ours = config.rates_storage == Config.rates_storage
        options: dict[str, Any] = {"memory": memory} if ours else dict(PATIENCE)
        self._limiter = Limiter(
            lambda: "",  # who it is, which `count` knows
            app=flask.Flask(__name__),  # not ours, of which it would ask at every request what `count` knows
            storage_uri=COUNTING if ours else config.rates_storage,
            storage_options={"wrap_exceptions": True, **options},
            strategy="sliding-window-counter",
        )
        self._away = 0.0  # until when the storage is not asked, for it has just failed
        self._uploads = threading.BoundedSemaphore(max(1, int(config.threads * UPLOADING)))
        self._back = threading.BoundedSemaphore(max(1, int(config.threads * GIVING_BACK)))

    def count(self, action: str, environ: dict[str, Any]) -> None:
        """Count a request; TooManyRequests when the visitor, or everybody together, has done it too often."""
        # The visitor first: whoever is over that limit takes nothing from what everybody shares.
        for item, who in self._counters(action, environ):
            if not self._asked(self._limiter.limiter.hit, True, item, action, who):
                raise self._refusal(item, action, who)

    def check(self, action: str, environ: dict[str, Any]) -> None:
        """TooManyRequests when `count` would raise it now; counts nothing."""
        for item, who in self._counters(action, environ):
            if not self._asked(self._limiter.limiter.test, True, item, action, who):
                raise self._refusal(item, action, who)

    def uploading(self) -> contextlib.AbstractContextManager[None]:
        """Hold one of the places for large bodies; ServiceUnavailable when all are taken."""
        return _place(self._uploads)

    def giving_back(self) -> contextlib.AbstractContextManager[None]:
        """Hold one of the few places for bodies that are read without being kept; ServiceUnavailable as above."""
        return _place(self._back)

    def _counters(self, action: str, environ: dict[str, Any]) -> Iterator[tuple[limits.RateLimitItem, str]]:
        rate = self._config.rates[action]
        if not self._config.behind_tor:
            visitor = self._passing(_address(environ, self._config.trusted_proxies))
            yield from ((item, visitor) for item in _parsed(rate.each))
        yield from ((item, EVERYBODY) for item in _parsed(rate.all))

    def _asked(self, ask: Callable[..., T], otherwise: T, *given: Any) -> T:
        """What the counters say, or `otherwise` while they are away: better without limits than closed to everybody."""
        if time.monotonic() < self._away:
            return otherwise
        try:
            answer = ask(*given)
        except StorageError as error:
            if not self._away:  # a line at every request would keep the times of visits in the system's log
                LOG.warning(describe(error))
            self._away = time.monotonic() + PAUSE
            return otherwise
        self._away = 0.0
        return answer

    def _refusal(self, item: limits.RateLimitItem, action: str, who: str) -> TooManyRequests:
        storage, nothing = self._limiter.limiter.storage, (0, 0.0, 0, 0.0)
        assert isinstance(storage, SlidingWindowCounterSupport)
        windows = self._asked(storage.get_sliding_window, nothing, item.key_for(action, who), item.get_expiry())
        return TooManyRequests(retry_after=told(item, *windows))


def told(item: limits.RateLimitItem, before: int, before_left: float, count: int, left: float) -> int:
    """In how many seconds one more is taken, if nobody else comes: the window before fades, then this one does.

    Both windows as `SlidingWindowCounterSupport` gives them.
    """
    expiry, seconds = item.get_expiry(), 0.0
    if count >= item.amount:
        seconds = left - expiry * item.amount / count
    elif before:
        seconds = before_left - expiry * (item.amount - count) / before
    return max(0, math.floor(seconds)) + 1


def init(app: flask.Flask, config: Config, memory: Memory | None = None) -> None:
    """Give an application its limits; they are those of all applications with the same memory."""
    app.extensions[NAME] = Limits(config, memory=memory)


def count(action: str) -> None:
    """Count an action of the request at hand, one of `Config.rates`; TooManyRequests when there were too many."""
    _here().count(action, flask.request.environ)


def check(action: str) -> None:
    """TooManyRequests when `count` would raise it now; counts nothing."""
    _here().check(action, flask.request.environ)


@contextlib.contextmanager
def storing(again: bool = False) -> Iterator[None]:
    """Around whatever stores a message: what comes to nothing takes nothing from the share of those that are stored.

    TooManyRequests before anything is done; never for what is stored already and comes `again`.  It is counted when it
    is done, so those that are under way at the same moment may be a few more than the limit.
    """
    if not again:
        check("send")
    yield
    if not again:
        with contextlib.suppress(TooManyRequests):
            count("send")


def wait(error: HTTPException) -> int:
    """After how many seconds the same may be taken, where that is known; else 0."""
    told = error.retry_after if isinstance(error, TooManyRequests) else None
    return told if isinstance(told, int) else 0


def uploading() -> contextlib.AbstractContextManager[None]:
    """Hold one of the places for large bodies while one streams in; ServiceUnavailable when all are taken."""
    return _here().uploading()


def giving_back() -> contextlib.AbstractContextManager[None]:
    """Hold one of the places for bodies of which only texts are wanted; ServiceUnavailable when all are taken."""
    return _here().giving_back()


@contextlib.contextmanager
def _place(places: threading.BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        yield
    finally:
        places.release()


@functools.cache
def _parsed(rates: str) -> list[limits.RateLimitItem]:
    return limits.parse_many(rates)


def of(app: flask.Flask) -> Limits:
    """The limits of an application."""
    found = app.extensions[NAME]
    assert isinstance(found, Limits)
    return found


def _here() -> Limits:
    return of(flask.current_app)


def _address(environ: dict[str, Any], proxies: int) -> str:
    """The address that the outermost trusted proxy saw; what a visitor writes in front of it does not count."""
    passed = [each.strip() for each in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if each.strip()]
    if proxies and len(passed) >= proxies:
        return str(passed[-proxies])
    return str(environ.get("REMOTE_ADDR") or "")


def _network(address: str) -> bytes:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return b""
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped.packed if found.ipv4_mapped else found.packed[:8]
    return found.packed
