"""What a full store costs: the same requests with 1,000 and with 200,000 envelopes in it."""

import base64
import datetime
import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import parties
from tests.bench import site as sites
from tests.bench.figures import Figure
from tests.bench.serving import TEXT, people, usual_time
from tests.bench.site import FORM, OCTETS, Site, fixed, records
from whistle.protocol import canonical
from whistle.protocol.case.envelope import size
from whistle.protocol.transfer import courier_auth
from whistle.store import sqlite_files

DAY = datetime.timedelta(days=1)
EPOCH = datetime.date(1970, 1, 1)
PER_DAY = 2000  # envelopes of a day, half of them reports and half slips; so that none is old enough to go
ROOM = 1.5  # times the size of what is filled in, free on the disk, before it is tried
JSON = "Content-Type: application/json"


def fill(site: Site, count: int, slots: int) -> None:
    """So many settled envelopes of the days before yesterday, laid into the main tables in order of id."""
    with site.instance() as instance:
        main, _ = sqlite_files(instance.config.database)
    body = bytearray(os.urandom(size(slots)))
    ids = sorted(os.urandom(16) for _ in range(count))
    base = sqlite3.connect(main, isolation_level=None)
    base.execute("PRAGMA synchronous=OFF")
    base.execute("BEGIN")
    for number, id_ in enumerate(ids):
        heap = ("reviewers", "reporters")[number % 2]
        day = (sites.today() - EPOCH).days - 2 - number // 2 % max(1, count // PER_DAY)
        body[:16] = id_
        base.execute("INSERT INTO envelopes VALUES (?, ?, ?, 'waiting', ?)", (id_, heap, day, day))
        base.execute("INSERT INTO bodies VALUES (?, ?)", (int.from_bytes(id_[:8], signed=True), bytes(body)))
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()


def listing(site: Site, path: str, question: object) -> tuple[list[dict[str, Any]], str]:
    """A courier's request: its body, and its headers with a signature that holds for five minutes."""
    body, now = canonical.dumps(question), int(time.time())
    digest = courier_auth.digest(body)
    signature = courier_auth.sign_request(site.org.courier, "POST", path, now, digest)
    headers: dict[str, object] = {
        "Whistle-Courier": "courier",
        "Whistle-Time": now,
        "Whistle-Digest": digest,
        "Whistle-Signature": base64.b64encode(signature).decode(),
    }
    return [fixed(body.decode())], "\r\n".join([JSON, *(f"{name}: {value}" for name, value in headers.items())])


def timed(folder: Path, site: Site, what: str) -> float:
    """The usual time in ms of one kind of request."""
    if what == "report":
        return usual_time(site, "/en/", site.report(TEXT), FORM)
    if what == "lookup":
        return usual_time(site, "/api/lookup", [{"file": str(folder / "ids"), "records": 16, "size": 16_416}], OCTETS)
    path, asked = "/courier/days", {}
    if what == "a day's list":
        path, asked = "/courier/ids", {"day": (sites.today() - 2 * DAY).isoformat(), "after": ""}
    parts, headers = listing(site, path, asked)
    return usual_time(site, path, parts, headers)


def measure(folder: Path, quick: bool) -> Iterator[Figure]:
    """Submit, look up and a courier's lists."""
    slots, many, few = 8, 20_000 if quick else 200_000, 1000
    if shutil.disk_usage(folder).free < ROOM * many * size(slots):
        yield Figure("a full store", "", 0, note="not tried: too little room on the disk")
        return
    org = parties.organisation(sites.today())
    full, empty = Site.make(folder / "full", org), Site.make(folder / "empty", org)
    for site, count in ((full, many), (empty, few)):
        fill(site, count, slots)
    sites.settle()
    records(folder / "ids", [b"".join(each.lookup_ids(slots)) for each in people(full, 8) + people(empty, 8)])
    asked = {"report": "", "lookup": "<= 3", "a day's list": "", "the list of days": ""}  # ms
    with full.served(), empty.served():
        for what, need in asked.items():
            pairs = [(timed(folder, full, what), timed(folder, empty, what)) for _ in range(3 if quick else 5)]
            value, usual = (statistics.median(side) for side in zip(*pairs, strict=True))
            note = f"{usual:.2f} ms with {few:,}"
            yield Figure(f"{what}, {many:,} envelopes stored", "ms", value, need=need, note=note)
