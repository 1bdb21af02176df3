"""What a request costs the server, whatever it holds: half a second of processor for each MB sent at most."""

import base64
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.test_api import fill, sealed_report
from tests.server.test_cost import TEXTS
from tests.server.visitor import Visitor, site, store_of
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL, full
from whistle.protocol import canonical
from whistle.protocol.code import words
from whistle.server.config import Config, Rate
from whistle.server.instance import NAME

MB = full("COST", 1_000_000, 20_000)  # bytes of each body
FLOOR = 0.15  # seconds for any request: a look at a case full of junk opens 65 envelopes
A_FILE = 0.004  # seconds for each file, which is a block of 262,144 bytes however short it is
EACH = 0.5  # seconds for each MB
OFTEN = Rate("1000000 per second", "1000000 per second")
FORM, OCTETS = "multipart/form-data; boundary=b", "application/octet-stream"
Body = tuple[str, str, bytes, int]  # path, kind, content, and how many files it holds


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation."""
    return parties.organisation()


@pytest.fixture
def app(tmp_path: Path, org: parties.Organisation) -> Iterator[flask.Flask]:
    """A server that refuses nothing for being asked too often."""
    found = site(tmp_path, org, rates=dict.fromkeys(Config(tmp_path).rates, OFTEN))
    yield found
    store_of(found).close()


def part(name: str, value: bytes, more: bytes = b"") -> bytes:
    """A part of a form."""
    return b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), more, value)


def form(*parts: bytes) -> bytes:
    """A form."""
    return b"".join(parts) + b"--b--\r\n"


def repeated(piece: bytes) -> bytes:
    """So much of it."""
    return piece * (MB // len(piece) + 1)


def forms(visitor: Visitor, code: str) -> Iterator[tuple[str, Body]]:
    """Forms that are hard to read."""
    given = [part(name, value.encode()) for name, value in visitor.page.form("send").fields if name != "text"]
    step = part("step", b"send")
    for kind, piece in TEXTS.items():
        text = "".join(map(piece, range(MB // 2)))[:MB].encode()[:MB].decode("utf-8", "ignore").encode()
        yield f"report: {kind}", ("/en/", FORM, form(step, *given, part("text", text)), 0)
        back = (part("step", b"follow-up"), part("words", code.encode()), part("attempt", b"ab" * 32))
        yield f"follow-up: {kind}", ("/en/", FORM, form(*back, part("text", text)), 0)
        yield f"words: {kind}", ("/en/", FORM, form(part("step", b"look"), part("words", text)), 0)
        asked = [part(f"word-{place}", text[: MB // 12]) for place in range(1, 13)]
        yield (
            f"asked back: {kind}",
            ("/en/", FORM, form(part("step", b"kept"), part("words", code.encode()), *asked), 0),
        )
    yield "parts without end", ("/en/", FORM, form(repeated(part("x", b""))), 0)
    yield "heads", ("/en/", FORM, form(*[part("x", b"", b";a=b" * 1000)] * (MB // 4100)), 0)
    yield "quoted heads", ("/en/", FORM, form(*[part("x", b"", b';a="\\"' * 9000)] * (MB // 63_000 + 1)), 0)
    yield "a file of line ends", ("/en/", FORM, form(step, part("files", repeated(b"\r\n--"), b'; filename="a"')), 1)
    names = b'; filename="%s"' % ("e\u0301" * 1000).encode()
    yield "names of files", ("/en/", FORM, form(step, *[part("files", b"x", names)] * (MB // 3100)), MB // 3100)
    yield "tiny files", ("/en/", FORM, form(step, *[part("files", b"x", b'; filename="a"')] * 100), 100)
    yield "fields of an old form", ("/en/", "application/x-www-form-urlencoded", b"step=look&" + b"a=&" * 9000, 0)


def programs(org: parties.Organisation) -> Iterator[tuple[str, Body]]:
    """What programs send, and is hard to read."""
    envelope, chance = sealed_report(parties.reporter(), org)[0], random.Random(1)
    many = [chance.randbytes(16).hex() for _ in range(MB // 50)]
    heads = {
        "blocks that nobody put": canonical.dumps({"blocks": many, "token": "00" * 16}),
        "lists": b'{"blocks":[' + b"[]," * (MB // 3) + b'[]],"token":""}',
        "numbers": b'{"blocks":[' + b"9," * (MB // 2) + b'9],"token":""}',
        "depth": b"[" * MB,
        "a number": b"9" * MB,
        "escapes": b'"' + b"\\u0001" * (MB // 6) + b'"',
    }
    for kind, data in heads.items():
        yield f"store: {kind}", ("/api/store", OCTETS, data + b"\n" + envelope, 0)
    yield "drop", ("/api/drop", OCTETS, b"".join(map(bytes.fromhex, many)), 0)


def test_no_request_costs_more(app: flask.Flask, org: parties.Organisation, measured: Measure) -> None:
    """Hostile forms and programs' requests, each of a megabyte: none is worth its cost as a flood."""
    visitor = Visitor(app).tell()
    code, instance = visitor.words, app.extensions[NAME]
    visitor.open("/en/").step("report", {"channel": "harassment"})
    junk = parties.reporter()
    fill(instance, junk)
    look = b"step=look&words=" + "+".join(map(str, words.numbers(junk.code))).encode()
    bodies = dict([*forms(visitor, code), *programs(org)])
    bodies["a look at junk"] = ("/en/", "application/x-www-form-urlencoded", look, 0)
    bodies["base64"] = ("/en/", FORM, form(part("step", b"send"), part("text", base64.b64encode(os.urandom(MB)))), 0)
    client, worst = app.test_client(), (0.0, "")
    for name, (path, kind, body, files) in bodies.items():
        begun = time.process_time()
        client.post(path, data=body, content_type=kind, headers={"Sec-Fetch-Site": "same-origin"}).get_data()
        took = time.process_time() - begun
        share = took / (FLOOR + A_FILE * files + EACH * len(body) / 1_000_000)
        worst = max(worst, (share, name))
        assert share < 1 or not TRIAL, f"{name}: {took:.2f} s for {len(body):,} bytes"
    measured("the nearest to its bound", f"{worst[1]}, {worst[0]:.0%}")
