"""Connections through a proxy, connections that break, and servers that answer wrongly."""

import hashlib
import itertools
import re
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import flask
import pytest

from tests import parties
from tests.patience import PATIENCE
from tests.reporter.device import NAME, TEXT, Device, content, instead, photo, typed
from tests.server.visitor import answer
from tests.serving import WSGI, running
from tests.stock.programs import need
from tests.wire import wire
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter
from whistle.reporter import connection


def test_everything_goes_through_the_proxy(device: Device) -> None:
    """Only the proxy is asked, by name, with credentials of each run's own; nothing that it carries can be read."""
    path = photo(device)
    with wire(device.url, socks=True) as tor:
        there = {"url": "http://abcdefghijklmnop.onion"}
        proxy = ["--proxy", f"socks5h://127.0.0.1:{tor.port}"]
        who = device.send(*proxy, str(path), **there)
        answer(device.app, device.org, who, device.report, "Are you safe?")
        assert "Are you safe?" in device.run("replies", *proxy, words=typed(who), **there).stdout
        device.run("follow-up", *proxy, words=typed(who), text="Yes, I am.", **there)
        assert device.run("withdraw", "--yes", *proxy, words=typed(who), **there).exit_code == 0
    assert {(kind, host) for kind, host, _ in tor.asked} == {(3, "abcdefghijklmnop.onion")}
    assert len(tor.users) == 4
    _unreadable(bytes(tor.heard), who, path)


def _unreadable(heard: bytes, who: Reporter, path: Path) -> None:
    """Neither text, words, names, content nor keys are among the bytes."""
    keys = [who.code, who.sent, who.replies, who.mailbox.seed, bytes(who.signing), who.verify_key, who.case]
    shown = [words.encode(who.code, language) for language in words.LANGUAGES] + [
        list(map(str, words.numbers(who.code)))
    ]
    secret = [TEXT.encode(), TEXT[:12].encode(), b"Yes, I am", NAME.encode(), b"rz.pdf", path.read_bytes()[:64]]
    secret += [" ".join(pair).encode() for twelve in shown for pair in itertools.pairwise(twelve)]
    secret += [form for key in keys for form in (key, key.hex().encode())]
    secret += [who.mailbox.recipient.raw[:64], who.mailbox.recipient.text.encode()[:64]]
    assert len(heard) > 700_000
    assert not [part for part in secret if part in heard]
    assert who.report_token.hex().encode() in heard  # so that the bytes are those that were meant


def test_a_connection_that_breaks_is_taken_up_again(device: Device) -> None:
    """Blocks that were cut off are sent again; the report is stored once, its file whole."""
    path = photo(device, 3_000_000)
    with wire(device.url) as loose:
        loose.cuts = [0, 5_000, 300_000, 10_000, 700_000, 262_200, 1]
        device.send(str(path), url=f"http://127.0.0.1:{loose.port}")
        assert loose.cuts == []
    [record] = device.report.attachments
    assert content(device, record) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lost_answer_stores_nothing_twice(device: Device) -> None:
    """When the report is stored and the answer is lost, the same bytes go again and are taken."""
    lost = [2]

    def forgetful(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        list(application(environ, lambda *_: None) if environ["PATH_INFO"] == "/api/store" and lost[0] else [])
        if environ["PATH_INFO"] == "/api/store" and lost[0]:
            lost[0] -= 1
            return flask.Response(status=503)(environ, start)
        return application(environ, start)

    device.between = forgetful
    who = device.send()
    assert device.requests.count("/api/store") == 3
    assert device.report.case == who.case.hex()


@pytest.mark.parametrize(
    ("path", "said"),
    [("/manifest.json", "the server cannot answer now (500)"), ("/api/store", "it is not known whether your message")],
)
def test_a_server_that_never_answers_well(device: Device, path: str, said: str) -> None:
    """After many tries it gives up in one line, shows no words and holds no text."""
    device.between = instead({path: b""}, 500)
    done = device.run("send", "--channel", "harassment", text=TEXT)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr and TEXT[:12] not in done.output
    assert device.requests.count(path) == 1 + (connection.UNMET if path == "/manifest.json" else len(connection.WAITS))


def test_a_server_that_stands_still(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come, or ends early, is given up and asked for again."""
    monkeypatch.setattr(connection, "TIMEOUT", (PATIENCE, 1))
    slow, ended = [True, True], threading.Event()

    def slowly(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] == "/api/store" and slow:
            slow.pop()
            ended.wait(2)
        return application(environ, start)

    device.between = slowly
    who = device.send()
    ended.set()
    assert device.report.case == who.case.hex()

    def short(application: WSGI, environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] != "/api/lookup":
            return application(environ, start)
        start("200 OK", [("Content-Length", "262144"), ("Content-Type", connection.OCTETS)])
        return [bytes(1000)]

    device.between = short
    done = device.run("replies", words=typed(who))
    assert done.exit_code == 1 and "the connection broke" in done.stderr


LOOKUPS = {
    "nothing": b"",
    "another length": bytes(1000),
    "too many": (9).to_bytes(4) + bytes(262_140),
    "strangers": (1).to_bytes(4) + b"\0" + b"i" * 16 + bytes(262_123),
    "more of nothing": bytes(4) + b"\1" + bytes(262_139),
    "filling": bytes(262_143) + b"x",
    "no end": bytes(262_144 * 200),
    "a page": b"<html>" + b" " * (262_144 - 6),
}


@pytest.mark.parametrize("body", LOOKUPS.values(), ids=LOOKUPS)
def test_an_answer_of_another_form(device: Device, body: bytes) -> None:
    """An answer to a lookup that is none is told as such, and no trace is shown."""
    device.between = instead({"/api/lookup": body})
    done = device.run("replies", words=typed(parties.reporter()))
    assert done.exit_code == 1
    assert "the server's answer" in done.stderr and done.stderr.count("\n") == 3


@pytest.mark.parametrize("answered", [b"", b"\3", b"\0\0"])
def test_a_withdrawal_that_is_not_answered(device: Device, answered: bytes) -> None:
    """Nothing is said to be withdrawn unless the server said so."""
    device.between = instead({"/api/withdraw": answered})
    done = device.run("withdraw", "--yes", words=typed(parties.reporter()))
    assert done.exit_code == 1 and "the server's answer" in done.stderr


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410])
def test_a_server_that_is_something_else(device: Device, status: int) -> None:
    """Redirects are not followed, and a strange status ends the command in one line."""
    device.between = instead({"/api/lookup": b""}, status)
    done = device.run("replies", words=typed(parties.reporter()))
    assert done.exit_code == 1 and re.search("does not understand|no such address", done.stderr)


def test_a_certificate_that_nobody_vouches_for(device: Device, tmp_path: Path) -> None:
    """It is refused at once, and nothing is sent; a port that speaks no TLS is a connection that broke."""
    openssl = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=localhost"]
    subprocess.run([*openssl, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with running(device.answer, context) as url:
        done = device.run("send", "--channel", "harassment", text=TEXT, url=url)
    assert done.exit_code == 1 and "the server's certificate is not good" in done.stderr
    done = device.run("send", "--channel", "harassment", text=TEXT, url=device.url.replace("http:", "https:"))
    assert done.exit_code == 1 and "the connection broke" in done.stderr
    assert device.requests == []
