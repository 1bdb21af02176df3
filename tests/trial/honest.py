"""Honest clients of a server that is flooded: how often each is served, and how soon."""

import base64
import contextlib
import hashlib
import http.client
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.trial import floods
from tests.trial.serving import Server
from whistle.protocol.code.retrieval import TOKEN
from whistle.protocol.transfer import courier_auth

PAUSE = 0.2  # seconds between two requests of one kind
BETWEEN_REPORTS = 2.0
PAD = 262_144  # bytes
_numbers = itertools.count(1)


@dataclass
class Served:
    """What became of one kind of request: whether each was served, and the seconds that it took."""

    found: list[tuple[bool, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of all requests, how many were served."""
        return sum(ok for ok, _ in self.found) / max(1, len(self.found))

    @property
    def p99(self) -> float:
        """Seconds within which 99 % were answered."""
        return self._within(0.99)

    @property
    def median(self) -> float:
        """Seconds within which half were answered."""
        return self._within(0.5)

    def _within(self, share: float) -> float:
        times = sorted(taken for _, taken in self.found)
        return times[min(len(times) - 1, int(len(times) * share))] if times else float("inf")

    def __str__(self) -> str:
        return (
            f"{100 * self.share:.0f} % of {len(self.found)}, p99 {self.p99:.2f} s {'; '.join(set(self.faults))[:150]}"
        )


@dataclass
class People:
    """Those who come to a server; each of them from an address and a circuit of their own at each visit."""

    server: Server
    circuits: bool

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        number = next(_numbers)
        address = (f"127.0.2.{number % 250 + 1}", 0)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=40, source_address=address)
        with contextlib.closing(connection):
            connection.connect()
            if self.circuits:
                connection.sock.sendall(floods.circuit(number))
            usual = {"Content-Type": floods.OCTETS, "Sec-Fetch-Site": "same-origin", "Connection": "close"}
            connection.request(method, path, body, {**usual, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def lookup(self) -> str:
        """Nothing if it was served as it should be, else what was wrong."""
        status, body = self.ask("POST", "/api/lookup", floods.lookup_ids())
        return "" if status == 200 and len(body) == PAD else str(status)

    def withdrawal(self) -> str:
        """The same of a token that nobody has."""
        status, body = self.ask("POST", "/api/withdraw", os.urandom(TOKEN))
        return "" if (status, body) == (200, b"\2") else str(status)

    def first_page(self) -> str:
        """The same of the first page."""
        status, body = self.ask("GET", "/en/")
        return "" if status == 200 and b"<form" in body else str(status)

    def report(self) -> str:
        """The same of a report without files."""
        keys = str(self.server.org.manifest.serial)
        status, body = self.ask("POST", "/en/", floods.report_form(keys), **{"Content-Type": floods.FORM})
        return "" if status == 200 and b'name="words"' in body else str(status)

    def courier(self) -> str:
        """The same of a courier's question, which is signed."""
        organisation, body, now = self.server.org, b"{}", int(time.time())
        digest = hashlib.sha256(body).hexdigest()
        signature = courier_auth.sign_request(organisation.courier, "POST", "/courier/days", now, digest)
        headers = {"Whistle-Courier": organisation.manifest.couriers[0].id, "Whistle-Time": str(now)}
        headers |= {"Whistle-Digest": digest, "Whistle-Signature": base64.b64encode(signature).decode()}
        status, found = self.ask("POST", "/courier/days", body, **headers)
        return "" if status == 200 and b"days" in found else str(status)


@contextlib.contextmanager
def coming(server: Server, circuits: bool) -> Iterator[dict[str, Served]]:
    """Honest people come one after the other, five kinds at once, while the context lasts; what became of them.

    At least one of each kind comes.
    """
    people, over = People(server, circuits), threading.Event()
    kinds = (people.lookup, people.withdrawal, people.courier, people.first_page, people.report)
    served = {each.__name__: Served() for each in kinds}
    pauses = {people.report: BETWEEN_REPORTS}
    threads = [
        threading.Thread(target=_come, args=(each, served[each.__name__], over, pauses.get(each, PAUSE)))
        for each in kinds
    ]
    for thread in threads:
        thread.start()
    try:
        yield served
    finally:
        over.set()
        for thread in threads:
            thread.join()


def visit(server: Server, count: int) -> None:
    """So many reports, and as many lookups, by four people at a time; each must be served."""
    people, numbers = People(server, False), iter(range(count))
    wrong: list[str] = []

    def go() -> None:
        for _ in numbers:  # a step of a range's iterator is one for all threads
            wrong.extend(filter(None, (people.report(), people.lookup())))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def _come(visit: Callable[[], str], served: Served, over: threading.Event, pause: float) -> None:
    is_over = False
    while not is_over:
        is_over = over.wait(pause)
        begun = time.monotonic()
        try:
            wrong = visit()
        except (OSError, http.client.HTTPException) as error:
            wrong = type(error).__name__
        served.found.append((not wrong, time.monotonic() - begun))
        if wrong:
            served.faults.append(wrong)


@dataclass(frozen=True)
class Held:
    """What one process holds: memory in KiB (its share of what is shared), descriptors and threads."""

    memory: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Held":
        """What a process holds now."""
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return cls(memory, *(sum(1 for _ in Path(f"/proc/{pid}", each).iterdir()) for each in ("fd", "task")))
