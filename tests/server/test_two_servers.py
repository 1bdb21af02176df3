"""Two servers on one PostgreSQL, and two processes on one SQLite: what a root signed reaches all of them."""

import contextlib
import dataclasses
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests import parties
from tests.patience import PATIENCE
from tests.postgresql import schema
from tests.server.test_courier import Carrier, files, listing
from tests.server.test_killed import reports
from tests.server.visitor import Page
from tests.trial.serving import Server
from whistle.protocol.case import envelope
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.minisign import SecretKey
from whistle.store import Store, open_store

ASKED = 6  # times, on a connection each: enough for both processes to answer
TEXT = "Money for the school was taken."


@dataclass
class Remote:
    """A server's address, to which a courier's requests are sent."""

    server: Server

    def post(self, path: str, data: bytes, headers: dict[str, str]) -> SimpleNamespace:
        """Status of the answer."""
        status, body = self.server.post(path, [data], len(data), headers)
        return SimpleNamespace(status_code=status, data=body)


def push(server: Server, signed: SignedManifest) -> bytes:
    """A courier brings the manifest to one server; its answer."""
    carrier = Carrier(Remote(server), server.org, time=int(time.time()))  # type: ignore[arg-type]
    answer = carrier.push(listing(files(signed)), files(signed))
    assert answer.status_code == 200, answer.data
    return answer.data


def get(server: Server, path: str) -> bytes:
    """A public file."""
    with urllib.request.urlopen(f"{server.url}{path}", timeout=PATIENCE) as answer:
        return bytes(answer.read())


def step(server: Server, name: str, **fields: str) -> tuple[int, Page]:
    """What a step of the reporter's pages answers."""
    body = urlencode({"step": name, **fields}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, html = server.post("/en/", [body], len(body), headers)
    return status, Page(html.decode())


def form_of(page: Page) -> dict[str, str]:
    """What the report's form holds, as typed."""
    return {**dict(page.form("send").fields), "text": TEXT}


@contextlib.contextmanager
def opened(url: str, folder: Path, server: Server) -> Iterator[Store]:
    """The store of the servers."""
    store = open_store(url, folder / "blocks", envelope.size(server.org.manifest.slots))
    yield store
    store.close()


@pytest.mark.postgresql
def test_a_manifest_pushed_to_one_is_the_others_too(tmp_path: Path) -> None:
    """A form of before is shown once more with who reads now, by either server, and then taken by the other.

    Whoever writes in the database adds no manifest, and takes one away only from a server that starts, until a courier
    brings it again.
    """
    with schema() as url:
        settings = f'database = "{url}"'
        one = Server.make(tmp_path / "one", 4, settings)
        two = Server.make(tmp_path / "two", 4, settings, org=one.org)
        new = one.org.next(collection=("friday",))
        with one.running(), two.running(), opened(url, tmp_path, one) as store:
            push_and_send(one, two, new)
            assert [each.keys.serial for each in reports(store, one.org)] == [2, 2]
            forged = dataclasses.replace(new.manifest, serial=3, previous=new.hash)
            signed = parties.signed(forged, SecretKey.generate())
            store.add_manifests([(3, signed.data, signed.signature)])
            assert [get(server, "/manifest.json") for server in (one, two)] == [new.data] * 2
            with store.database.write() as connection:
                connection.execute(text("DELETE FROM manifests WHERE serial > 1"))
            two.stop()
            two.start()
            assert [get(server, "/manifest.json") for server in (one, two)] == [new.data, one.org.known.data]
            assert b'"installed"' in push(two, new)
            assert get(two, "/manifest.json") == new.data
            assert "it is not used: serial 3" in (one.folder / "said.log").read_text()


def push_and_send(one: Server, two: Server, new: SignedManifest) -> None:
    """A courier brings a manifest to one, and both have it; what was shown before is not sealed by it unseen."""
    forms = [form_of(step(two, "tell", channel="harassment")[1]) for _ in range(2)]
    assert b'"installed"' in push(one, new)
    for server, other, form in ((one, two, forms[0]), (two, one, forms[1])):
        assert get(server, "/manifest.json") == new.data
        status, renewed = step(server, "send", **form)
        assert status == 422 and dict(renewed.form("send").fields)["text"] == TEXT
        assert step(other, "send", **form_of(renewed))[0] == 200
    assert b'"same"' in push(two, new)


def test_both_processes_of_one_server_have_it_at_once(tmp_path: Path) -> None:
    """Whichever process takes the push, the other shows the new manifest with its next answer; on SQLite."""
    server = Server.make(tmp_path / "server", 4, workers=2)
    with server.running():
        forms = [form_of(step(server, "tell", channel="harassment")[1]) for _ in range(ASKED)]
        new = server.org.next(collection=("friday",))
        assert b'"installed"' in push(server, new)
        assert {get(server, "/manifest.json") for _ in range(ASKED)} == {new.data}
        assert {step(server, "send", **form)[0] for form in forms} == {422}
        assert not list((server.folder / "keys").glob("manifest-2*"))
