"""Rate limits that do not identify visitors.

Addresses, or the circuits of tor, are counted by a keyed hash whose key is kept in memory only and discarded within the
hour.  Where neither is known, one visitor's limit would be everybody's.  So nobody is refused for what others compute:
`server/running/lanes` shares the processor by turns.  Only what is kept has a limit for everybody together, since a
disk is filled for long; those who come when it is met wait for their turn.

Windows slide: a refused request succeeds as soon as enough of the window has passed; the response says when.
"""

import contextlib
import functools
import hashlib
import ipaddress
import math
import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

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
from whistle.server.queues import Queue, Room

NAME = "whistle_limits"
HOUR = 3600  # seconds
STORAGE_RETRY = 30.0  # seconds
REDIS_TIMEOUTS = {"socket_timeout": 2, "socket_connect_timeout": 2}  # seconds, for Redis
MESSAGE = 128 * 1024  # bytes that a report takes, with its slip and what the database adds
DAYS = 4  # in which strangers may fill what is free at the start, if they send without pause
SLICE = 10  # seconds of the window for what everybody stores
LEAST, MOST = 10, 200  # messages in that window, however much is free
SOCKET = "gunicorn.socket"  # a request's connection, as `server/running/connection` has it
COUNTING = f"{counting.MemoryStorage.STORAGE_SCHEME[0]}://"
TEXTS = 32 * 1024 * 1024  # bytes of long texts that all forms of a process hold, from their arrival to the answer
AGAIN = 20  # seconds after which whoever found no room may try again
REREAD_SHARE = 1 / 8  # of the threads may read a body that is not stored, to show its texts again

CIRCUITS = ipaddress.IPv6Network("fc00:dead:beef:4dad::/64")  # tor's: each is a circuit, none is an address

T = TypeVar("T")


class AddressHash:
    """The keyed hash by which an address is counted; with a new key every hour."""

    KEY = struct.Struct("<q32s")  # the hour, from 1, and its key, at the start of the shared memory

    def __init__(self, now: Callable[[], float] = time.monotonic, memory: Memory | None = None) -> None:
        self._now = now
        self._memory = memory or Memory()

    def __call__(self, address: str) -> str:
        """32 hexadecimal digits, the same within the hour for an address, a circuit or all addresses of an IPv6 /64."""
        with self._memory.locked() as data:
            key_hour, key = self.KEY.unpack_from(data)
            hour = int(self._now() // HOUR) + 1
            if hour != key_hour:
                key = os.urandom(32)
                self.KEY.pack_into(data, 0, hour, key)
        return hashlib.blake2b(network(address), key=key, digest_size=16).hexdigest()


class Limits:
    """The limits of one application, in memory or in Redis."""

    def __init__(self, config: Config, address_hash: AddressHash | None = None, memory: Memory | None = None) -> None:
        """`memory`: shared by processes that count together."""
        memory = memory or Memory()
        self._config = config
        self._address_hash = address_hash or AddressHash(memory=memory)
        in_memory = config.rates_storage == Config.rates_storage
        options: dict[str, Any] = {"memory": memory} if in_memory else dict(REDIS_TIMEOUTS)
        self._limiter = Limiter(
            lambda: "",  # the key function is unused: `count` passes the visitor
            app=flask.Flask(__name__),  # a dummy: with the real one it would run before every request
            storage_uri=COUNTING if in_memory else config.rates_storage,
            storage_options={"wrap_exceptions": True, **options},
            strategy="sliding-window-counter",
        )
        self._retry_storage_at = 0.0  # when to ask the storage again after it has failed
        self._sized = {"send": storable(config.data)}
        rereads = max(1, int(config.threads * REREAD_SHARE))
        self._uploads = threading.BoundedSemaphore(max(1, config.threads - rereads))
        self._rereads = threading.BoundedSemaphore(rereads)
        self._queue = Queue()  # those who wait until more may be stored
        self._storing: list[str] = []  # what is being stored, and counts when it is
        self.texts = Room(TEXTS)

    def count(self, action: str, environ: dict[str, Any], client_id: str = "") -> None:
        """Count a request; TooManyRequests if the visitor, or everybody together, exceeds the limit.

        A client with a `client_id` has a limit of its own, and does not count towards everybody's.
        """
        # The visitor first: requests over that limit do not count towards everybody's.
        for item, who in self._counters(action, environ, client_id):
            if not self._ask(self._limiter.limiter.hit, True, item, action, who):
                raise self._too_many(item, action, who)

    def check(self, action: str, environ: dict[str, Any], everybody: bool = True) -> None:
        """TooManyRequests if `count` would raise it now; counts nothing.  Not `everybody`: for this visitor alone."""
        for item, who in self._counters(action, environ):
            if (everybody or who != EVERYBODY) and not self._ask(self._limiter.limiter.test, True, item, action, who):
                raise self._too_many(item, action, who)

    @contextlib.contextmanager
    def storing(self, action: str, environ: dict[str, Any]) -> Iterator[None]:
        """A context that counts a request at its end, if it succeeds; before, it waits where everybody's limit is met.

        TooManyRequests if that takes too long.  Whoever meets their own limit leaves the queue at once, since they
        would hold up all who wait behind them; so does whoever closes the connection, and a thread of a lane that must
        not wait.
        """
        client = environ.get(SOCKET)
        end = time.monotonic() + (self._config.patience if getattr(client, "queues", True) else 0)
        with _turn_left(client):
            is_let_in = self._queue.wait(lambda: self._let_in(action, environ), end, lambda: _has_ended(client))
        if not is_let_in and (_has_ended(client) or self._let_in(action, environ) is not None):
            self.check(action, environ)
            raise TooManyRequests(retry_after=1)
        try:
            yield
            with contextlib.suppress(TooManyRequests):
                self.count(action, environ)
        finally:
            self._storing.remove(action)
            self._queue.wake()

    def _let_in(self, action: str, environ: dict[str, Any]) -> float | None:
        """Let a request in, which counts from now on; or the seconds until that may be possible."""
        self.check(action, environ, everybody=False)
        cost = 1 + self._storing.count(action)
        for item, who in self._counters(action, environ):
            if who == EVERYBODY and not self._ask(self._test, True, item, cost, action, who):
                return self._seconds(item, action, who)
        self._storing.append(action)
        return None

    def check_queue(self, action: str, environ: dict[str, Any]) -> None:
        """TooManyRequests if the visitor's limit is met, or everybody's for longer than `storing` waits."""
        self.check(action, environ, everybody=False)
        try:
            self.check(action, environ)
        except TooManyRequests as refused:
            if not isinstance(refused.retry_after, int) or refused.retry_after > self._config.patience:
                raise

    def uploading(self) -> contextlib.AbstractContextManager[None]:
        """Hold one of the slots for large bodies; ServiceUnavailable if all are taken."""
        return _slot(self._uploads)

    def giving_back(self) -> contextlib.AbstractContextManager[None]:
        """Hold one of the slots for bodies that are read but not stored; ServiceUnavailable if all are taken."""
        return _slot(self._rereads)

    @contextlib.contextmanager
    def holding(self, environ: dict[str, Any]) -> Iterator["Share"]:
        """What a form takes of the room for long texts, given back at the end."""
        share = Share(self.texts, environ.get(SOCKET), self._config.patience)
        try:
            yield share
        finally:
            share.keep(0)

    def _counters(
        self, action: str, environ: dict[str, Any], client_id: str = ""
    ) -> Iterator[tuple[limits.RateLimitItem, str]]:
        rate = self._config.rates[action]
        if client_id:
            yield from ((item, f"known {client_id}") for item in _parsed(rate.each))
            return
        if self._config.circuits or not self._config.behind_tor:
            visitor = self._address_hash(visitor_address(environ, self._config.trusted_proxies))
            yield from ((item, visitor) for item in _parsed(rate.each))
        if everybody := rate.all or self._sized.get(action, ""):
            yield from ((item, EVERYBODY) for item in _parsed(everybody))

    def _ask(self, ask: Callable[..., T], otherwise: T, *given: Any) -> T:
        """The storage's answer, or `otherwise` while it fails: better without limits than closed to everybody."""
        if time.monotonic() < self._retry_storage_at:
            return otherwise
        try:
            answer = ask(*given)
        except StorageError as error:
            if not self._retry_storage_at:  # once: a line for each request would log the times of visits
                LOG.warning(describe(error))
            self._retry_storage_at = time.monotonic() + STORAGE_RETRY
            return otherwise
        self._retry_storage_at = 0.0
        return answer

    def _test(self, item: limits.RateLimitItem, cost: int, *who: str) -> bool:
        return self._limiter.limiter.test(item, *who, cost=cost)

    def _too_many(self, item: limits.RateLimitItem, action: str, who: str) -> TooManyRequests:
        return TooManyRequests(retry_after=math.floor(self._seconds(item, action, who)) + 1)

    def _seconds(self, item: limits.RateLimitItem, action: str, who: str) -> float:
        storage, nothing = self._limiter.limiter.storage, (0, 0.0, 0, 0.0)
        assert isinstance(storage, SlidingWindowCounterSupport)
        windows = self._ask(storage.get_sliding_window, nothing, item.key_for(action, who), item.get_expiry())
        return seconds_left(item, *windows)


class Share:
    """What one form takes of the room for long texts."""

    def __init__(self, room: Room, client: Any, patience: float) -> None:
        self._room, self._client, self._patience, self._held = room, client, patience, 0

    def take(self, count: int) -> bool:
        """Take so many bytes, after waiting for them; False if that takes too long."""
        end = time.monotonic() + self._patience
        with _turn_left(self._client):
            found = self._room.take(count, end, lambda: False)
        self._held += count * found
        return found

    def keep(self, count: int) -> None:
        """Give back what is more than this."""
        if count < self._held:
            self._room.give_back(self._held - count)
            self._held = count


def seconds_left(item: limits.RateLimitItem, before: int, before_left: float, count: int, left: float) -> float:
    """Seconds until one more request is allowed, if there are no others: the windows expire one after the other.

    The previous and the current window, as `SlidingWindowCounterSupport` returns them.
    """
    expiry, seconds = item.get_expiry(), 0.0
    if count >= item.amount:
        seconds = left - expiry * item.amount / count
    elif before:
        seconds = before_left - expiry * (item.amount - count) / before
    return max(0.0, seconds)


def init(app: flask.Flask, config: Config, memory: Memory | None = None) -> None:
    """Attach limits to an application; applications with the same memory share them."""
    app.extensions[NAME] = Limits(config, memory=memory)


def count(action: str, client_id: str = "") -> None:
    """Count an action of `Config.rates` for the current request; TooManyRequests if it exceeds a limit.

    `client_id`: the id of an authenticated client, which has a limit of its own.
    """
    _here().count(action, flask.request.environ, client_id)


def check(action: str) -> None:
    """TooManyRequests if `count` would raise it now; counts nothing."""
    _here().check(action, flask.request.environ)


def check_queue(action: str) -> None:
    """TooManyRequests if `storing` would raise it even after waiting in the queue; does not wait, counts nothing."""
    _here().check_queue(action, flask.request.environ)


def storing(again: bool = False) -> contextlib.AbstractContextManager[None]:
    """A context that stores a message, waits in the queue before and counts it if it succeeds.

    Raises TooManyRequests on entry, but never for a message that is already stored and comes `again`.
    """
    return contextlib.nullcontext() if again else _here().storing("send", flask.request.environ)


def wait(error: HTTPException) -> int:
    """Seconds until the same request is allowed, or 0 if unknown."""
    seconds = error.retry_after if isinstance(error, TooManyRequests) else None
    return seconds if isinstance(seconds, int) else 0


def uploading() -> contextlib.AbstractContextManager[None]:
    """Hold one of the slots for large bodies; ServiceUnavailable if all are taken."""
    return _here().uploading()


def giving_back() -> contextlib.AbstractContextManager[None]:
    """Hold one of the slots for bodies of which only the texts are used; ServiceUnavailable if all are taken."""
    return _here().giving_back()


def holding() -> contextlib.AbstractContextManager[Share]:
    """What the current request's form takes of the room for long texts."""
    return _here().holding(flask.request.environ)


def rest(seconds: float) -> None:
    """Wait with the answer to the current request; where `server/running` serves, others compute meanwhile."""
    with _turn_left(flask.request.environ.get(SOCKET)):
        time.sleep(seconds)


def storable(folder: Path) -> str:
    """How much everybody together may send, so that what is free on a folder's disk lasts for some days of a flood."""
    free = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
    count = free // (MESSAGE * DAYS * 86_400 // SLICE)
    return f"{min(MOST, max(LEAST, count))} per {SLICE} seconds"


def _turn_left(client: Any) -> contextlib.AbstractContextManager[None]:
    """A context that waits, and lets others compute meanwhile, where `server/running` serves."""
    waiting = getattr(client, "waiting", contextlib.nullcontext)
    return cast("contextlib.AbstractContextManager[None]", waiting())


def _has_ended(client: Any) -> bool:
    """Whether a client has closed its connection, or its half; a closed one cannot be told from that."""
    return bool(getattr(client, "has_ended", False))


@contextlib.contextmanager
def _slot(slots: threading.BoundedSemaphore) -> Iterator[None]:
    if not slots.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        yield
    finally:
        slots.release()


@functools.cache
def _parsed(rates: str) -> list[limits.RateLimitItem]:
    return limits.parse_many(rates)


def of(app: flask.Flask) -> Limits:
    """The limits of an application."""
    attached = app.extensions[NAME]
    assert isinstance(attached, Limits)
    return attached


def _here() -> Limits:
    return of(flask.current_app)


def visitor_address(environ: dict[str, Any], proxies: int) -> str:
    """The address that the outermost trusted proxy saw; entries before it could be forged and are ignored."""
    passed = [each.strip() for each in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if each.strip()]
    if proxies and len(passed) >= proxies:
        return str(passed[-proxies])
    return str(environ.get("REMOTE_ADDR") or "")


def network(address: str) -> bytes:
    """By what an address is told from others: a whole /64 of IPv6 is one; empty for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return b""
    if isinstance(ip, ipaddress.IPv6Address) and ip in CIRCUITS:
        return ip.packed
    if isinstance(ip, ipaddress.IPv6Address):
        return ip.ipv4_mapped.packed if ip.ipv4_mapped else ip.packed[:8]
    return ip.packed
