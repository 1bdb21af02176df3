"""Whom the reporter's device trusts: roots, manifests, dates and addresses."""

import datetime
from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from tests import parties
from tests.parties import DAY
from tests.reporter.device import TEXT, Device, instead, publish, typed
from tests.server.visitor import answer
from whistle.cli import reporter_options
from whistle.cli.reporter import reporter as command
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import Recovery


def test_roots_by_their_digits(device: Device) -> None:
    """The right digits, however they are written, let it go on; others and none do not, and say what is at stake."""
    digits = manifest.fingerprint([device.org.root.public])
    for right in (digits, digits.replace(" ", ""), digits.replace(" ", "-")):
        assert device.run("send", "--channel", "fraud", text=TEXT, trust=["--digits", right]).exit_code == 0
    other = manifest.fingerprint([parties.organisation().root.public])
    said = {"--digits=" + other: "are others", "--digits=12 34": "no root's digits", "--advice": "nobody compared"}
    for option, expected in said.items():
        done = device.run("send", "--channel", "fraud", text=TEXT, trust=[option])
        assert done.exit_code == 1 and expected in done.stderr
    assert digits in done.stderr and "Whoever controls the server could show another key" in done.stderr


def test_a_manifest_that_no_pinned_root_signed(device: Device) -> None:
    """A server that swaps the list of readers gets nothing from whoever pinned the root."""
    other = parties.organisation()
    swapped = {"/manifest.json": other.known.data, "/manifest.json.minisig": other.known.signature}
    device.between = instead(swapped)
    done = device.run("send", "--channel", "harassment", text=TEXT)
    assert done.exit_code == 1 and "not signed by a root that is pinned" in done.stderr
    assert not [path for path in device.requests if path.startswith("/api/")]


def test_manifests_must_follow_each_other(device: Device) -> None:
    """The predecessors that are published must lead to the newest, be it by a root's own signature."""
    first, second = device.org.known, device.org.next()
    publish(device, second)
    device.send()
    other = device.org.sign(collection=("friday",))
    device.between = instead({"/manifest-1.json": other.data, "/manifest-1.json.minisig": other.signature})
    done = device.run("send", "--channel", "harassment", text=TEXT)
    assert done.exit_code == 1 and "the manifests do not follow each other" in done.stderr
    assert first.data != other.data


@pytest.mark.parametrize(
    ("days", "code", "said"),
    [
        (-8, 1, "has not begun yet by this computer's date"),
        (83, 0, "It is stored"),
        (84, 0, "should have been renewed by"),
        (113, 0, "should have been renewed by"),
        (114, 1, "nothing can be sealed safely"),
    ],
)
def test_the_dates_of_the_manifest(
    device: Device, monkeypatch: pytest.MonkeyPatch, days: int, code: int, said: str
) -> None:
    """Before its first day and 30 days after its last nothing is sealed; in between, past the end, with a notice."""
    monkeypatch.setattr(reporter_options, "today", lambda: DAY + datetime.timedelta(days=days))
    done = device.run("send", "--channel", "harassment", text=TEXT)
    assert done.exit_code == code and said in done.output


def test_an_ended_manifest_still_lets_one_read(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading never stops."""
    who = device.send()
    answer(device.app, device.org, who, device.report)
    monkeypatch.setattr(reporter_options, "today", lambda: DAY + datetime.timedelta(days=200))
    assert "We read it." in device.run("replies", words=typed(who)).stdout


def test_the_recovery_identity_is_named_and_can_be_left_out(device: Device) -> None:
    """Whoever holds the key in reserve is among the readers, by name, unless left out."""
    spare = parties.person("spare", "Spare").identities[0]
    publish(device, device.org.next(recovery=Recovery("Three sealed envelopes", spare.recipient.text)))
    done = device.run("send", "--channel", "fraud", text=TEXT)
    assert "Will read it: Staff counsel and Three sealed envelopes (in reserve)." in done.stderr
    done = device.run("send", "--channel", "fraud", "--leave-out", "recovery", text=TEXT)
    assert "Will read it: Staff counsel.\nLeft out: Three sealed envelopes (in reserve)." in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server", "whistle.example"], "no address"),
        (["--server", "http://whistle.example"], "open to read on the way"),
        (["--server", "http://abc.onion"], "needs Tor"),
        (["--server", "https://user@whistle.example"], "no address"),
        (["--server", "https://whistle.example:x"], "no address"),
        (["--server", "http://abc.onion", "--proxy", "socks5://127.0.0.1:9050"], "must be a SOCKS proxy"),
        (["--server", "http://abc.onion", "--proxy", "http://127.0.0.1:9050"], "must be a SOCKS proxy"),
    ],
)
def test_addresses_that_are_refused(options: Sequence[str], said: str) -> None:
    """Nothing is sent where it could be read on the way, or where names would be looked up in the open."""
    done = CliRunner().invoke(command, ["replies", *options])
    assert done.exit_code == 1 and said in done.stderr
