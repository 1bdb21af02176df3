"""A courier's request is accepted only from this courier, for this path and body, and at this time."""

from typing import Any

import pytest
from nacl.signing import SigningKey

from whistle.protocol.errors import Expired, Forged, Malformed
from whistle.protocol.transfer import courier_auth

KEY = SigningKey.generate()
NOW = 1_795_348_800
GOOD: dict[str, Any] = {"method": "POST", "path": "/courier/ids", "time": NOW, "digest": courier_auth.digest(b"{}")}
SIGNATURE = courier_auth.sign_request(KEY, **GOOD)


def check(now: int = NOW, signature: bytes = SIGNATURE, key: bytes = bytes(KEY.verify_key), **changes: Any) -> None:
    """Check the request with changes."""
    courier_auth.check_request(key, **{**GOOD, **changes}, signature=signature, now=now)


@pytest.mark.parametrize("late", [-300, 0, 300])
def test_a_request_holds_for_five_minutes(late: int) -> None:
    """Clocks may differ by 300 seconds either way."""
    check(now=NOW + late)


@pytest.mark.parametrize("late", [-301, 301, 10**9])
def test_a_request_from_another_time_has_expired(late: int) -> None:
    """A second more and it is refused, as expired and not as forged."""
    with pytest.raises(Expired):
        check(now=NOW + late)


@pytest.mark.parametrize(
    "changes",
    [{"method": "GET"}, {"path": "/courier/push"}, {"time": NOW + 1}, {"digest": courier_auth.digest(b"{ }")}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_signature_covers_all_of_it(changes: dict[str, Any]) -> None:
    """Another method, path, time or body needs another signature."""
    with pytest.raises(Forged):
        check(**changes)


def test_another_courier_cannot_sign_it() -> None:
    """The key is that of the courier whom the request names."""
    with pytest.raises(Forged):
        check(key=bytes(SigningKey.generate().verify_key))


def test_a_forged_request_is_not_told_about_the_time() -> None:
    """Whoever has no key learns nothing of the server's clock."""
    with pytest.raises(Forged):
        check(now=NOW + 10_000, path="/courier/push")


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/courier/ids\n1"},
        {"path": "courier"},
        {"path": "/\ud800"},
        {"path": "/" + "x" * 300},
        {"method": "post"},
        {"method": "POST\n"},
        {"digest": "AB" * 32},
        {"digest": ""},
        {"time": -1},
        {"time": 2**53},
        {"signature": SIGNATURE[1:]},
        {"key": bytes([1]) + bytes(31)},
    ],
    ids=lambda changes: f"{next(iter(changes))}",
)
def test_what_no_courier_sends_is_malformed(changes: dict[str, Any]) -> None:
    """Line ends in a path, other spellings and keys of small order never come as far as a comparison."""
    with pytest.raises(Malformed):
        check(**changes)
