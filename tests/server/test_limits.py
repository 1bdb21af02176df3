"""Limits that know nobody."""

import socket
import time
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests

from tests import parties
from tests.server.visitor import config
from whistle.server.config import Config, Rate
from whistle.server.limits import Limits, Passing

RATES = {**Config(Path()).rates, "send": Rate("2 per hour", "5 per hour"), "look": Rate("2 per hour", "5 per hour")}


def limited(tmp_path: Path, **changes: object) -> tuple[flask.Flask, Limits]:
    """An application with small limits."""
    app = flask.Flask("limited")
    return app, Limits(config(tmp_path, rates=RATES, **changes))


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
    assert asked(app, limits, "look")


def test_behind_tor_only_everybody_counts(tmp_path: Path) -> None:
    """Where all share one address, one visitor's limit is not everybody's; looks keep their own share."""
    app, limits = limited(tmp_path, behind_tor=True)
    assert [asked(app, limits, "send", "127.0.0.1") for _ in range(6)] == [True] * 5 + [False]
    assert asked(app, limits, "look", "127.0.0.1")


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
    passing = Passing(lambda: time[0])
    first = passing("192.0.2.1")
    assert first == passing("192.0.2.1") != passing("192.0.2.2")
    assert "192" not in first[:3] or bytes.fromhex(first) != b"192.0.2.1"
    assert Passing(lambda: 0.0)("192.0.2.1") != first
    time[0] = 3600.0
    assert passing("192.0.2.1") != first


def test_networks_of_ipv6_count_as_one() -> None:
    """Someone with a whole IPv6 network is one visitor; addresses of IPv4 within IPv6 are told apart."""
    passing = Passing(lambda: 0.0)
    assert passing("2001:db8::1") == passing("2001:db8::ffff") != passing("2001:db8:0:1::1")
    assert passing("::ffff:192.0.2.1") == passing("192.0.2.1") != passing("::ffff:192.0.2.2")
    assert passing("") == passing("no address")


def test_some_places_stay_for_those_who_read(tmp_path: Path) -> None:
    """Uploads take three quarters of the threads at most."""
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
    limits = app.extensions["whistle_limits"]
    once = Rate("1 per day", "1 per day")
    limits._config = config(Path(), rates={**RATES, "look": once, "withdraw": once})
    for path, body in (("withdraw", bytes(32)), ("look", b"".join(parties.reporter().look_ids(8)))):
        asked = [client.post(f"/api/{path}", data=body, content_type="application/octet-stream") for _ in range(2)]
        assert [each.status_code for each in asked] == [200, 429]
        assert "wait" in asked[1].get_json()["hint"]
