"""Limits that know nobody."""

import contextlib
import ipaddress
import math
import os
import random
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from limits import parse_many
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from tests import parties
from tests.patience import PATIENCE
from tests.server.visitor import config, still
from whistle.server import limits as counted
from whistle.server import queues
from whistle.server.config import Config, Rate
from whistle.server.counting import EVERYBODY, MemoryStorage
from whistle.server.limits import AddressHash, Limits, seconds_left

REDIS = os.environ.get("WHISTLE_TEST_REDIS", "")
RATES = {**Config(Path()).rates, "send": Rate("2 per hour", "5 per hour"), "lookup": Rate("2 per hour", "5 per hour")}


def limited(tmp_path: Path, **changes: object) -> tuple[flask.Flask, Limits]:
    """An application with small limits."""
    app = flask.Flask("limited")
    app.extensions["whistle_limits"] = found = Limits(config(tmp_path, **{"rates": RATES, **changes}))
    return (app, found) if "rates_storage" in changes else (still(app), found)


def asked(app: flask.Flask, limits: Limits, action: str, address: str = "192.0.2.1", forwarded: str = "") -> bool:
    """Whether a request from an address may take an action."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}, headers=headers):
        try:
            limits.count(action, flask.request.environ)
        except TooManyRequests:
            return False
        return True


def test_each_address_and_everybody_together(tmp_path: Path) -> None:
    """An address has its own limit, and all together have theirs; another action is not touched."""
    app, limits = limited(tmp_path, behind_tor=False)
    assert [asked(app, limits, "send") for _ in range(3)] == [True, True, False]
    assert [asked(app, limits, "send", "192.0.2.2") for _ in range(3)] == [True, True, False]
    assert [asked(app, limits, "send", "192.0.2.3") for _ in range(2)] == [True, False]
    assert asked(app, limits, "lookup")


def test_behind_tor_only_everybody_counts(tmp_path: Path) -> None:
    """Where all share one address, one visitor's limit is not everybody's; lookups keep their own share."""
    app, limits = limited(tmp_path, behind_tor=True)
    assert [asked(app, limits, "send", "127.0.0.1") for _ in range(6)] == [True] * 5 + [False]
    assert asked(app, limits, "lookup", "127.0.0.1")


def test_each_circuit_counts_by_itself(tmp_path: Path) -> None:
    """Where tor tells circuits, one that does too much locks out no other; each is a whole address, not a network."""
    rates = {**RATES, "lookup": Rate("2 per hour")}
    app, limits = limited(tmp_path, circuits=True)
    limits._config = config(tmp_path, rates=rates, circuits=True)
    for circuit in ("fc00:dead:beef:4dad::1:2", "fc00:dead:beef:4dad::1:3"):
        assert [asked(app, limits, "lookup", circuit) for _ in range(3)] == [True, True, False]


def test_nobody_is_refused_for_what_others_read(tmp_path: Path) -> None:
    """Behind tor, lookups, withdrawals, pages and blocks have no limit for everybody, however many come."""
    app, limits = limited(tmp_path)
    limits._config = config(tmp_path)
    for action in set(limits._config.rates) - {"send", "courier"}:
        assert all(asked(app, limits, action) for _ in range(1000)), action


def test_as_much_may_be_stored_as_the_disk_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free lasts for days of a flood, at least ten messages in ten seconds are taken, and some at most."""
    counts = []
    for free in (10**9, 100 * 10**9, 400 * 10**9, 10**15):
        monkeypatch.setattr(counted.shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(free, 0, free))
        [item] = parse_many(counted.storable(tmp_path / "not" / "there"))
        assert item.get_expiry() == 10
        counts.append(item.amount)
        assert item.amount == 10 or item.amount * 8640 * counted.DAYS * counted.MESSAGE <= free
    assert counts[0] == 10 < counts[1] < counts[2] < counts[3] == counted.MOST


def store(limits: Limits, environ: dict[str, Any] | None = None) -> None:
    """Store a message, which counts."""
    with limits.storing("send", environ or {}):
        pass


def test_those_who_are_too_many_wait_in_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message waits until more may be stored, leaves its turn to compute to others, and is refused at the end."""
    _, limits = limited(tmp_path, rates={**RATES, "send": Rate("1 per hour", "1 per 10 seconds")}, patience=60.0)
    now = [1000.0]
    monkeypatch.setattr(counted.time, "monotonic", lambda: now[0])
    limits._limiter.limiter.storage._now = lambda: now[0]  # type: ignore[attr-defined]
    slept: list[float] = []

    def rest(_: object, seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(queues, "rest", rest)
    store(limits)
    assert not slept
    store(limits, {"gunicorn.socket": Socket(slept)})
    assert 5 < sum(slept) <= 20 and slept[0] == 0 and slept[-1] == 0
    assert len(slept) < 30, "it asks when it may succeed, and once a second whether its client is there"
    slept.clear()
    gone = Socket(slept)
    gone.has_ended = True
    with pytest.raises(TooManyRequests) as refused:
        store(limits, {"gunicorn.socket": gone})
    assert not any(slept), "whoever went away waits no more"
    assert isinstance(refused.value.retry_after, int), "who has closed one half alone is told when to come again"
    others = Socket(slept)
    others.queues = False
    with pytest.raises(TooManyRequests):
        store(limits, {"gunicorn.socket": others})
    assert not any(slept), "a thread of readers waits for no place"
    limits._config = config(tmp_path, rates={**RATES, "send": Rate("1 per hour", "1 per hour")}, patience=3.0)
    store(limits)
    slept.clear()
    with pytest.raises(TooManyRequests) as refused:
        store(limits)
    assert 3 <= sum(slept) < 4 and isinstance(refused.value.retry_after, int) and refused.value.retry_after > 1000


def test_whoever_meets_their_own_limit_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many messages at once, one visitor is let in as often as alone; the rest leave the queue at once."""
    rates = {**RATES, "send": Rate("1 per hour", "9 per 10 seconds")}
    _, limits = limited(tmp_path, behind_tor=False, patience=60.0, rates=rates)
    environ = {"REMOTE_ADDR": "192.0.2.1"}
    limits._queue._places.append(other := queues.Place())  # so that it waits first

    def rest(_: object, __: float) -> None:
        assert other in limits._queue._places, "whoever cannot be let in waits on, before everybody else"
        limits.count("send", environ)  # by another connection of the same visitor
        limits._queue._places.remove(other)

    monkeypatch.setattr(queues, "rest", rest)
    with pytest.raises(TooManyRequests):
        store(limits, environ)
    assert not limits._queue._places
    store(limits, {"REMOTE_ADDR": "192.0.2.2"})


def test_whoever_leaves_lets_the_next_try_at_once(tmp_path: Path) -> None:
    """Many who come together are let in one after the other, each when the one before is, and no more than may be."""
    rates = {**RATES, "send": Rate("1 per hour", "3 per hour")}
    _, limits = limited(tmp_path, patience=PATIENCE, rates=rates)
    inside, over, failed = threading.Semaphore(0), threading.Event(), []

    def go(number: int) -> None:
        with contextlib.suppress(TooManyRequests), limits.storing("send", {}):
            inside.release()
            assert over.wait(PATIENCE)
            if number in failed:
                raise TooManyRequests  # what fails counts for nothing

    threads = [threading.Thread(target=go, args=(number,), daemon=True) for number in range(5)]
    for thread in threads:
        thread.start()
    assert all(inside.acquire(timeout=PATIENCE) for _ in range(3)), "each wakes the next"
    assert not inside.acquire(timeout=0.1), "what is being stored counts already"
    failed += range(5)
    over.set()
    assert all(inside.acquire(timeout=PATIENCE) for _ in range(2)), "what fails makes room for the next"
    for thread in threads:
        thread.join(PATIENCE)


def test_whoever_asks_before_sending_is_not_refused_for_a_short_queue(tmp_path: Path) -> None:
    """A message would wait that long; the question does not, and is refused only where waiting would not help."""
    rates = {**RATES, "send": Rate("1 per hour", "1 per 10 seconds")}
    _, limits = limited(tmp_path, rates=rates, patience=30.0)
    limits.count("send", {})
    limits.check_queue("send", {})
    limits._config = config(tmp_path, rates=rates, patience=0.0)
    with pytest.raises(TooManyRequests):
        limits.check_queue("send", {})


class Socket:
    """A connection whose thread can leave its turn."""

    queues, has_ended = True, False

    def __init__(self, noted: list[float]) -> None:
        self._noted = noted

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Note the beginning and the end, as 0."""
        self._noted.append(0)
        yield
        self._noted.append(0)


def test_only_what_a_trusted_proxy_wrote_counts(tmp_path: Path) -> None:
    """A visitor cannot get a fresh limit by writing another address in front of what the proxy adds."""
    app, limits = limited(tmp_path, behind_tor=False, trusted_proxies=1)
    seen = [asked(app, limits, "send", "10.0.0.1", f"203.0.113.{n}, 192.0.2.9") for n in range(3)]
    assert seen == [True, True, False]
    app, limits = limited(tmp_path, behind_tor=False)
    seen = [asked(app, limits, "send", "192.0.2.1", f"203.0.113.{n}") for n in range(3)]
    assert seen == [True, True, False]


def test_an_address_becomes_a_hash_that_is_forgotten() -> None:
    """The hash tells addresses apart within the hour, holds none of them, and is another one an hour later."""
    time = [0.0]
    address_hash = AddressHash(lambda: time[0])
    first = address_hash("192.0.2.1")
    assert first == address_hash("192.0.2.1") != address_hash("192.0.2.2")
    assert "192" not in first[:3] or bytes.fromhex(first) != b"192.0.2.1"
    assert AddressHash(lambda: 0.0)("192.0.2.1") != first
    time[0] = 3600.0
    assert address_hash("192.0.2.1") != first


def test_networks_of_ipv6_count_as_one() -> None:
    """Someone with a whole IPv6 network is one visitor; addresses of IPv4 within IPv6 are told apart."""
    address_hash = AddressHash(lambda: 0.0)
    assert address_hash("2001:db8::1") == address_hash("2001:db8::ffff") != address_hash("2001:db8:0:1::1")
    assert address_hash("::ffff:192.0.2.1") == address_hash("192.0.2.1") != address_hash("::ffff:192.0.2.2")
    assert address_hash("") == address_hash("no address")


@pytest.mark.parametrize("rate", ["2 per second", "10 per 10 seconds", "7 per 3 minutes", "1 per 2 minutes"])
def test_who_waits_as_told_is_let_in(rate: str) -> None:
    """What a refusal says is how long it is, to the second."""
    now, [item] = [1000.0], parse_many(rate)
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage(now=lambda: now[0]))
    chance = random.Random(rate)
    for _ in range(200):
        now[0] += chance.uniform(0, item.get_expiry() / 3)
        while limiter.hit(item, "send", EVERYBODY):
            pass
        storage = limiter.storage
        assert isinstance(storage, MemoryStorage)
        windows = storage.get_sliding_window(item.key_for("send", EVERYBODY), item.get_expiry())
        wait = math.floor(seconds_left(item, *windows)) + 1
        assert 1 <= wait <= 2 * item.get_expiry()
        begun = now[0]
        now[0] = begun + max(0.0, wait - 1.01)
        assert wait == 1 or not limiter.test(item, "send", EVERYBODY)
        now[0] = begun + wait
        assert limiter.test(item, "send", EVERYBODY)


@pytest.mark.skipif(not REDIS, reason="WHISTLE_TEST_REDIS names no Redis")
def test_windows_slide_in_redis_too(tmp_path: Path) -> None:
    """Who waits as told is let in where Redis counts."""
    once = Rate("1 per second", "1 per second")
    limits = Limits(config(tmp_path, rates={**RATES, "send": once}, rates_storage=REDIS, behind_tor=False))
    environ = {"REMOTE_ADDR": str(ipaddress.IPv4Address(secrets.randbits(32)))}
    with pytest.raises(TooManyRequests) as refused:
        for _ in range(100):
            limits.check("send", environ)
            limits.count("send", environ)
    assert isinstance(refused.value.retry_after, int) and 0 < refused.value.retry_after <= 3
    time.sleep(refused.value.retry_after)
    limits.check("send", environ)


def test_a_check_counts_nothing(tmp_path: Path) -> None:
    """Whether it may be done is asked as often as anybody likes."""
    _, limits = limited(tmp_path)
    for _ in range(20):
        limits.check("send", {})
    for _ in range(5):
        limits.count("send", {})
    with pytest.raises(TooManyRequests):
        limits.check("send", {})


def test_no_window_is_longer_than_minutes() -> None:
    """Whoever is refused can go on within minutes."""
    rates = [rate for pair in Config(Path()).rates.values() for rate in (pair.each, pair.all)]
    assert all(item.get_expiry() <= 120 for rate in rates if rate for item in parse_many(rate))


def test_some_places_stay_for_texts_given_back(tmp_path: Path) -> None:
    """Uploads take all but an eighth of the threads for large bodies; the rest gives texts back."""
    _, limits = limited(tmp_path, threads=4)
    with limits.uploading(), limits.uploading(), limits.uploading(), pytest.raises(ServiceUnavailable):
        limits.uploading().__enter__()
    with limits.uploading():
        pass


def test_without_its_store_the_server_stays_open(tmp_path: Path) -> None:
    """When Redis is away nobody is locked out."""
    app, limits = limited(tmp_path, rates_storage="redis://127.0.0.1:1")
    assert asked(app, limits, "send")


def test_a_store_that_does_not_answer_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When Redis is there and silent everybody is let through soon; and the log tells it once, not at every visit."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        app, limits = limited(tmp_path, rates_storage=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        assert all(asked(app, limits, "send") for _ in range(5))
        assert time.monotonic() - begun < 8
    assert len(caplog.records) == 1


def test_a_program_is_told_to_wait(client: FlaskClient, app: flask.Flask) -> None:
    """Too much gets 429 with a hint."""
    limits = still(app).extensions["whistle_limits"]
    once = Rate("1 per day", "1 per day")
    limits._config = config(Path(), rates={**RATES, "lookup": once, "withdraw": once})
    for path, body in (("withdraw", bytes(16)), ("lookup", b"".join(parties.reporter().lookup_ids(8)))):
        asked = [client.post(f"/api/{path}", data=body, content_type="application/octet-stream") for _ in range(2)]
        assert [each.status_code for each in asked] == [200, 429]
        assert asked[1].headers["Retry-After"] == str(86_400 - 30 + 1)
        assert asked[1].get_json()["hint"] == "nothing of this was stored; try again in 1440 minutes"
