"""What reporters meet: uploads, reports, lookups, a crowd of half-sent requests; each beside the limit server."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import parties, postgresql
from tests.bench import site as sites
from tests.bench.figures import Figure, beside, interleaved
from tests.bench.site import FORM, LIMITS, OCTETS, Result, Site, fixed, memory, records
from whistle.protocol.code import retrieval
from whistle.protocol.code.retrieval import Reporter
from whistle.server.reporter import fields
from whistle.server.sealing import arrival
from whistle.server.sealing.arrival import Draft

MIB = 1024 * 1024
BLOCK = 262_144  # bytes
CLIENTS = 8
FLUSH = re.compile(r"(?:f(?:data)?sync|syncfs)\(")
TEXT = "They take money for places in the school. " * 48  # 2,016 bytes
FILE = [fixed(sites.field("files", "", "film.mp4").removesuffix("\r\n"))]
END = [fixed(f"\r\n--{sites.BOUNDARY}--\r\n")]


@contextlib.contextmanager
def both(folder: Path, database: str = "") -> Iterator[tuple[Site, Site, int]]:
    """Whistle and the limit server, both up, and Whistle's process id."""
    org = parties.organisation(sites.today())
    ours, limit = Site.make(folder / "whistle", org, database=database), Site.make(folder / "limit", org)
    with ours.served() as pid, limit.served(LIMITS):
        yield ours, limit, pid


def without_errors(result: Result) -> Result:
    """The result, once it is known that nothing failed."""
    if result.errors:
        raise SystemExit(f"{len(result.errors)} of {len(result.times)} requests failed: {result.errors[0]}")
    return result


def idle(folder: Path, quick: bool) -> Iterator[Figure]:
    """A server that has just started, and its first page."""
    ours = Site.make(folder / "whistle", parties.organisation(sites.today()))
    with ours.served() as pid:
        time.sleep(1)
        yield Figure("server and workers, idle", "MB", memory(pid), need="<= 95", note="PSS")
        yield first_page(ours)


def reports(folder: Path, quick: bool) -> Iterator[Figure]:
    """Reports of 2 KB, sealed on arrival, and how often each makes the disk write."""
    with both(folder) as (ours, limit, _):
        yield beside_rows(ours, limit, quick)
    yield syncs(ours)


def beside_rows(ours: Site, limit: Site, quick: bool) -> Figure:
    """Reports beside the rows that each leaves."""
    parts = ours.report(TEXT)
    count = 100 if quick else 250

    def send(site: Site, path: str, many: int) -> float:
        return without_errors(site.load(path, parts, many, clients=CLIENTS, headers=[FORM])).rate

    send(ours, "/en/", 30)
    before = stored(ours)
    rounds = 5 if quick else 9
    pairs = interleaved(lambda: send(ours, "/en/", count), lambda: send(limit, "/rows", 4 * count), rounds)
    lost = count * rounds - (stored(ours) - before)
    return beside("reports of 2 KB, 8 clients", "/s", ">= 0.14", pairs, f"{lost} lost")


def stored(site: Site) -> int:
    """How many envelopes wait for reviewers."""
    with site.instance() as instance:
        return sum(day.envelopes for day in instance.store.days())


def syncs(site: Site) -> Figure:
    """How often a report makes the disk write."""
    return flushes(site, "fsyncs of a report", "<= 2", 60, 60)


def flushes(site: Site, name: str, wanted: str, count: int, things: int, size: int = 0) -> Figure:
    """How often each of the things in so many reports, each with a file of that size, makes the disk write.

    Counted by strace, after the server has come to rest.
    """
    if not shutil.which("strace"):
        return Figure(name, "", 0, note="strace is not installed")
    trace = site.folder / "trace"
    under = ["strace", "-D", "-f", "--seccomp-bpf", "-o", str(trace), "-e", "trace=fsync,fdatasync,syncfs"]
    with site.served(under=under):
        without_errors(site.load("/en/", site.report(TEXT), 10, headers=[FORM]))
        parts = site.report(TEXT, size)
        before = len(FLUSH.findall(trace.read_text()))
        without_errors(site.load("/en/", parts, count, clients=CLIENTS, headers=[FORM], seconds=600))
        after = len(FLUSH.findall(trace.read_text()))
    return Figure(name, "", (after - before) / things, need=wanted, note="checkpoints included")


def people(site: Site, count: int) -> list[Reporter]:
    """Reporters whose reports lie on the server."""
    draft = Draft("harassment", "en", TEXT)
    with site.instance() as instance:
        found = [retrieval.derive(os.urandom(16)) for _ in range(count)]
        for each in found:
            arrival.report(draft, each, instance.published.now(), instance.store, sites.today())
        return found


def lookups(folder: Path, quick: bool) -> Iterator[Figure]:
    """Lookups by program and by page, of people half of whom have reported."""
    with both(folder) as (ours, limit, _):
        yield from beside_zeros(folder, ours, limit, quick)


def beside_zeros(folder: Path, ours: Site, limit: Site, quick: bool) -> Iterator[Figure]:
    """Lookups beside zeros, as many of them as a lookup answers with."""
    known = people(ours, 16) + [retrieval.derive(os.urandom(16)) for _ in range(16)]
    ids = records(folder / "ids", [b"".join(each.lookup_ids(8)) for each in known])
    count, rounds = (300, 5) if quick else (800, 11)

    def look(site: Site, path: str, clients: int) -> float:
        return without_errors(site.load(path, ids, count, clients=clients, headers=[OCTETS])).rate

    look(ours, "/api/lookup", 1)
    pairs = interleaved(lambda: look(ours, "/api/lookup", 4), lambda: look(limit, "/zeros", 4), rounds)
    yield beside("lookups by program, 4 clients", "/s", ">= 0.26", pairs)
    page = lookup_page(folder, known)

    def by_page() -> float:
        return without_errors(ours.load("/en/", page, count // 2, clients=32, headers=[FORM])).rate

    pairs = interleaved(by_page, lambda: look(limit, "/zeros", 4), rounds)
    yield beside("lookups by page, script off, 32 clients", "/s", "", pairs)


def lookup_page(folder: Path, known: Sequence[Reporter]) -> list[dict[str, Any]]:
    """The form of somebody who comes back, for each of these."""
    typed = [fields.hidden_code(each.code).ljust(70) for each in known]
    filled = [(sites.field("step", "look") + sites.field("words", words)).encode() for words in typed]
    return [*records(folder / "words", filled), fixed(f"--{sites.BOUNDARY}--\r\n")]


def crowd(folder: Path, quick: bool) -> Iterator[Figure]:
    """A lookup and a report while 200 requests stand half-sent."""
    ours = Site.make(folder / "whistle", parties.organisation(sites.today()))
    with ours.served():
        yield from among_half_sent(folder, ours, quick)


def among_half_sent(folder: Path, ours: Site, quick: bool) -> Iterator[Figure]:
    """Both, without them and with them."""
    ids = records(folder / "crowd", [b"".join(each.lookup_ids(8)) for each in people(ours, 8)])
    parts = ours.report(TEXT)
    asked = {
        "lookup": ("/api/lookup", ids, OCTETS),
        "report": ("/en/", parts, FORM),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(3 if quick else 5):
        usual = {name: usual_time(ours, *each) for name, each in asked.items()}
        with ours.half_sent(200):
            for name, each in asked.items():
                times[name].append((usual_time(ours, *each), usual[name]))
    for name, pairs in times.items():
        yield beside(f"{name}, 200 half-sent requests held", "ms", "<= 3", pairs, "limit: without them")


def usual_time(site: Site, path: str, parts: list[dict[str, Any]], header: str, count: int = 60) -> float:
    """The median time of an answer to one client, in ms."""
    return without_errors(site.load(path, parts, count, headers=[header])).usual


def first_page(site: Site) -> Figure:
    """How much a visitor loads before the first page stands, uncompressed."""
    import requests

    base = f"http://127.0.0.1:{site.port}"
    page = requests.get(f"{base}/en/")
    wanted = {page.url}
    for tag, given in site.page().tags:
        wanted |= {base + given["src"]} if "src" in given else set()
        wanted |= {base + given["href"]} if tag == "link" and given.get("rel") in ("stylesheet", "icon") else set()
    wanted = {address for address in wanted if "data:" not in address}  # such a one is in the page itself
    total = sum(len(requests.get(address).content) for address in wanted)
    return Figure("first page", "KB", total / 1000, note=f"{len(wanted)} requests")


def upload(folder: Path, quick: bool) -> Iterator[Figure]:
    """One large file in a form, sealed as it arrives; on PostgreSQL too where one is named."""
    with both(folder / "sqlite") as (ours, limit, pid):
        yield from beside_sealing(ours, limit, pid, (128 if quick else 1024) * MIB)
    if postgresql.POSTGRESQL:
        with postgresql.schema() as url, both(folder / "postgresql", url) as (there, limit, pid):
            yield from beside_sealing(there, limit, pid, (128 if quick else 1024) * MIB, "upload, PostgreSQL")
    size = (64 if quick else 256) * MIB
    yield flushes(ours, "fsyncs of a block", "<= 0.02", 1, size // BLOCK, size)


def beside_sealing(
    ours: Site, limit: Site, pid: int, size: int, name: str = "upload, sealed on arrival"
) -> Iterator[Figure]:
    """An upload beside parsing and sealing alone, and what it adds to the memory in use."""
    without_errors(ours.load("/en/", ours.report(TEXT, 16 * MIB), 8, clients=4, headers=[FORM]))  # all workers
    before = memory(pid, "VmHWM", "status")

    def whistle() -> float:
        return send(ours, "/en/", ours.report(TEXT, size), size)

    def best() -> float:
        return send(limit, "/upload", [*FILE, {"fill": size}, *END], size)

    pairs = interleaved(whistle, best, 3)
    note = f"{size // MIB} MiB"
    yield beside(name, "MiB/s", ">= 0.4", pairs, note)
    added = memory(pid, "VmHWM", "status") - before
    yield Figure(
        "memory added by uploading more", "MB", added, need="<= 16", note=f"{note} after 16 MiB; threads differ"
    )


def send(site: Site, path: str, parts: list[dict[str, Any]], size: int) -> float:
    """MiB a second of one upload; the disk comes to rest before the next.

    What it left stays: ext4 makes new files far slower for minutes after many were removed.
    """
    result = without_errors(site.load(path, parts, 1, headers=[FORM], seconds=600))
    sites.settle()
    return size / MIB / result.seconds
