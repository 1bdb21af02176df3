"""A server that is killed amid uploads, again and again, and mended by nothing but its next start."""

import contextlib
import hashlib
import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests import parties
from tests.server.visitor import Page
from tests.trial.counts import full
from tests.trial.serving import Server, Upload
from whistle.protocol.case import attachment, envelope
from whistle.protocol.case.message import Report
from whistle.protocol.errors import NotForMe
from whistle.server.config import Config
from whistle.server.instance import open_instance
from whistle.store import BLOCK, Heap, Store

KILLS = full("KILLS", 200, 3)
CLIENTS = 4
LARGEST = 3 * BLOCK  # bytes of a file
PAUSE = 0.1  # seconds between two reports of a client: a trial would fill the disk


@dataclass
class Clients:
    """Reporters who send one report after the other, each until it is acknowledged, whatever happens to the server."""

    server: Server
    sent: dict[str, bytes] = field(default_factory=dict)  # the SHA-256 of the file of each report that was begun
    acknowledged: dict[str, str] = field(default_factory=dict)  # the words of each report that is stored
    stop: bool = False

    def run(self, client: int) -> None:
        """Send until told to stop."""
        number = 0
        while not self.stop:
            content = random.randbytes(random.randrange(LARGEST))
            made = Upload(f"Report {client} {number}.", len(content), lambda content=content: [content])  # type: ignore[misc]
            self.sent[made.text] = hashlib.sha256(content).digest()
            while made.text not in self.acknowledged:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.acknowledged[made.text] = self.server.send(made)
                    break
                time.sleep(0.05)
            number += 1
            time.sleep(PAUSE)


def stands(server: Server, words: str) -> bool:
    """Whether the words find a report that waits."""
    body = f"step=look&words={words.replace(' ', '+')}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, page = server.post("/en/", [body], len(body), headers)
    return status == 200 and "Nobody has picked it up yet" in Page(page.decode()).text


def content_of(store: Store, record: attachment.Attachment) -> bytes:
    """The SHA-256 of an attachment, put together from the store."""
    opener, digest = attachment.Opener(record), hashlib.sha256()
    for id in attachment.block_ids(record):
        digest.update(opener.update(store.block(id, Heap.REVIEWERS) or b""))
    digest.update(opener.finish())
    return digest.digest()


def reports(store: Store, org: parties.Organisation) -> list[Report]:
    """All reports that lie on the server; every envelope and block that is listed must be whole."""
    found = []
    for counted in store.days():
        ids = store.day_ids(counted.day)
        assert all(len(store.block(id, Heap.REVIEWERS) or b"") == BLOCK for id in ids.blocks)
        for id in ids.envelopes:
            with contextlib.suppress(NotForMe):
                body = store.body(id) or b""
                message = envelope.open_(body, org.people["ombuds"].identities, org.manifest.slots).message
                assert isinstance(message, Report)
                found.append(message)
    return found


def test_killed_amid_uploads(tmp_path: Path) -> None:
    """Each acknowledged report is there once with its file, and none in part; a start is all the repair there is."""
    server = Server.make(tmp_path / "server", workers=2)
    clients = Clients(server)
    threads = [threading.Thread(target=clients.run, args=(client,)) for client in range(CLIENTS)]
    server.start()
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        time.sleep(0.3 + random.random())
        server.kill()
        acknowledged = list(clients.acknowledged.values())
        server.start()
        assert all(stands(server, words) for words in acknowledged[-20:])
    clients.stop = True
    for thread in threads:
        thread.join()
    server.stop()
    assert len(clients.acknowledged) >= KILLS
    instance = open_instance(Config.load(server.folder))
    found = reports(instance.store, server.org)
    assert Counter(report.text for report in found) == Counter(list(clients.acknowledged))
    for report in found:
        assert content_of(instance.store, report.attachments[0]) == clients.sent[report.text]
    instance.store.close()
