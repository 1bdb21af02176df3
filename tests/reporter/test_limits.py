"""Where more arrives at the server than it takes, and what is given up."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.reporter.device import TEXT, Device, content, instead, photo
from tests.server.test_receiving import on_disk
from tests.server.visitor import config, lose_pending, still
from tests.serving import WSGI
from whistle.server.config import Rate
from whistle.server.instance import NAME
from whistle.store import Heap

SEND = ("--channel", "harassment")


def test_the_server_is_asked_before_an_upload(device: Device) -> None:
    """Who is refused reads why and for how long, and that nothing is stored; nothing was sent."""
    hourly = Rate("1 per hour", "1 per hour")
    rates = {**config(Path()).rates, "send": hourly}
    still(device.app).extensions["whistle_limits"]._config = config(Path(), rates=rates)
    device.send()
    device.requests.clear()
    done = device.run("send", *SEND, str(photo(device)), text=TEXT)
    assert done.exit_code == 1
    assert "whistle: error: more arrives at the server than it takes; nothing of this was stored" in done.stderr
    assert "hint: try again in 60 min\n" in done.stderr
    assert device.requests.count("/api/ready") == 1 and "/api/block" not in device.requests
    assert "Traceback" not in done.output


@pytest.mark.parametrize("path", ["/api/block", "/api/store"])
def test_what_is_refused_is_gone(device: Device, path: str) -> None:
    """The blocks of a report that the server does not take are taken back before the command says so."""

    def full(application: WSGI, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == path and device.requests.count("/api/block") >= 4:
            return instead({path: b""}, 507)(application, environ, start)
        return application(environ, start)

    device.between = full
    done = device.run("send", *SEND, str(photo(device, 1_000_000)), text=TEXT)
    assert done.exit_code == 1 and "the server is full" in done.stderr
    assert device.requests.count("/api/drop") == 1
    assert on_disk(device.app.extensions[NAME]) == 0


@pytest.mark.parametrize("losses", [1, 2])
def test_blocks_that_the_server_loses(device: Device, losses: int) -> None:
    """A program whose blocks are gone before the last request sends them again by itself, once, and else says so."""

    def lose(application: WSGI, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/api/store" and device.requests.count("/api/store") <= losses:
            lose_pending(device.app.extensions[NAME].store)
        return application(environ, start)

    device.between = lose
    path = photo(device, 1_000_000)
    done = device.run("send", *SEND, str(path), text=TEXT)
    assert device.requests.count("/api/store") == 2
    lose_pending(device.app.extensions[NAME].store, of=0)
    if losses == 1:
        assert done.exit_code == 0
        assert content(device, device.report.attachments[0]) == hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        assert done.exit_code == 1 and "hint: send it again" in done.stderr


def test_nothing_else_is_taken_back(device: Device) -> None:
    """What others have put, and what is stored, stays."""
    store, other = device.app.extensions[NAME].store, (os.urandom(16), bytes(262_144))
    store.put_block(*other, Heap.REVIEWERS)
    device.send(str(photo(device, 1_000_000)))
    assert "/api/drop" not in device.requests
    assert on_disk(device.app.extensions[NAME]) == 2 * device.report.attachments[0].blocks + 3
