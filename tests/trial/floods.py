"""What strangers do to a server, as a process of its own: slow connections, and clients that flood it.

`python -m tests.trial.floods` reads a plan as JSON from standard input, does it for so many seconds, and prints how
often each status came.
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from whistle.protocol.code.retrieval import derive, slip_id

BOUNDARY = "flood-flood-flood"
OCTETS = "application/octet-stream"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
BLOCK = 262_144  # bytes
JUNK = 2  # reports of junk of each client, whose slips it then asks for
TRICKLE = 100  # bytes a second
WAIT = 10.0  # seconds that a flooding client waits for an answer
FIRST = 0x101  # of the addresses 127.0.0.0/8: the first client's
_made = itertools.count(1 << 20)  # numbers of clients that come once


@dataclass(frozen=True)
class Plan:
    """Who does what: `circuits` puts the line before each connection that tor writes for its circuit."""

    port: int
    kind: str
    seconds: float
    clients: int = 16
    slow: int = 0
    circuits: bool = False
    envelopes: tuple[str, ...] = ()  # a whole report's, in hexadecimal
    keys: str = "1"


@dataclass
class Client:
    """One of those who flood, from an address and a circuit of its own."""

    plan: Plan
    number: int
    made: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """A new connection."""
        network, host = divmod(FIRST + self.number, 256)
        address = f"127.{network >> 8}.{network & 255}.{host}"
        with socket.create_connection(("127.0.0.1", self.plan.port), WAIT, (address, 0)) as it:
            if self.plan.circuits:
                it.sendall(circuit(0xF000 + self.number))
            yield it

    def ask(self, sent: bytes) -> bytes:
        """The first bytes of the answer, once all of it has come."""
        with self.connected() as connection:
            connection.sendall(sent)
            found = connection.recv(65_536)
            while connection.recv(65_536):
                pass
            return found


def circuit(number: int) -> bytes:
    """The line that tor writes before a connection of a circuit."""
    return (
        f"PROXY TCP6 fc00:dead:beef:4dad::{number >> 16:x}:{number & 0xFFFF:x} ::1 {number % 60000 + 1} 80\r\n".encode()
    )


def request(path: str, body: bytes = b"", kind: str = OCTETS, method: str = "POST", length: int | None = None) -> bytes:
    """A request after which the connection is closed."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", "Sec-Fetch-Site: same-origin"]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def report_form(keys: str) -> bytes:
    """A whole, well-formed report, as a page without script sends it."""
    fields = {"step": "send", "attempt": os.urandom(32).hex(), "keys": keys, "channel": "harassment"}
    fields |= {"shown": "harassment", "text": "Flood."}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def lookup_ids() -> bytes:
    """What a program asks for under words that nobody has."""
    return b"".join(derive(os.urandom(16)).lookup_ids(8))


def _empty(client: Client) -> bytes:
    return client.ask(request("/en/", kind=FORM))


def _broken(client: Client) -> bytes:
    with client.connected() as connection:
        connection.sendall(request("/en/", report_form(client.plan.keys)[:100], FORM, length=5000))
    return b""


def _block(client: Client) -> bytes:
    return client.ask(request("/api/block", os.urandom(32) + os.urandom(64) * (BLOCK // 64)))


def _junk(client: Client) -> bytes:
    if len(client.made) < JUNK:
        token = os.urandom(16)
        head = json.dumps({"blocks": [], "token": token.hex()}, separators=(",", ":")).encode()
        envelopes = b"".join(bytes.fromhex(each) for each in client.plan.envelopes)
        found = client.ask(request("/api/store", head + b"\n" + envelopes))
        client.made += [slip_id(token)] * found.startswith(b"HTTP/1.1 204")
        return found
    others = [os.urandom(16) for _ in range(1026 - len(client.made))]
    return client.ask(request("/api/lookup", b"".join(sorted(client.made + others))))


def _lookup(client: Client) -> bytes:
    return client.ask(request("/api/lookup", lookup_ids()))


def _new_visitor(client: Client) -> bytes:
    return _lookup(Client(client.plan, next(_made)))


def _withdraw(client: Client) -> bytes:
    return client.ask(request("/api/withdraw", os.urandom(16)))


def _page(client: Client) -> bytes:
    return client.ask(request("/en/", method="GET"))


def _missing(client: Client) -> bytes:
    return client.ask(request("/nothing/here", method="GET"))


def _half_head(client: Client) -> bytes:
    with contextlib.ExitStack() as many:
        for _ in range(20):
            many.enter_context(client.connected()).sendall(b"POST /en/ HTTP/1.1\r\nHost: x\r\nX-")
        time.sleep(0.5)
    return b""


def _slow_reader(client: Client) -> bytes:
    with contextlib.ExitStack() as many:
        for _ in range(10):
            connection = many.enter_context(client.connected())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.sendall(request("/api/lookup", lookup_ids()))
        time.sleep(2)
    return b""


def _boundaries(client: Client) -> bytes:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    body = (part * (1_000_000 // len(part))).encode()
    return client.ask(request("/en/", body, FORM))


def _edges(client: Client) -> bytes:
    return client.ask(request("/en/", f"\r\n--{BOUNDARY}".encode() * 40_000, FORM))


def _report(client: Client) -> bytes:
    return client.ask(request("/en/", report_form(client.plan.keys), FORM))


KINDS: dict[str, Callable[[Client], bytes]] = {
    "empty posts": _empty,
    "broken forms": _broken,
    "blocks": _block,
    "junk": _junk,
    "lookups": _lookup,
    "ever new visitors": _new_visitor,
    "withdrawals": _withdraw,
    "pages": _page,
    "404": _missing,
    "half heads": _half_head,
    "slow readers": _slow_reader,
    "many parts": _boundaries,
    "boundaries": _edges,
    "whole reports": _report,
}


def flood(plan: Plan) -> "subprocess.Popen[bytes]":
    """A process that does what a plan says; it prints how often each status came, as JSON."""
    command = [sys.executable, "-m", "tests.trial.floods"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)).encode())
    process.stdin.close()
    process.stdin = None  # so that `communicate` does not flush it
    return process


def _loop(client: Client, end: float, counts: "Counter[str]") -> None:
    while time.monotonic() < end:
        try:
            found = KINDS[client.plan.kind](client)
            counts[found[9:12].decode() or "sent"] += 1
        except OSError as error:
            counts[type(error).__name__] += 1
            time.sleep(0.01)


async def _trickle(plan: Plan, number: int, end: float) -> None:
    """A large form, a block or a head at a hundred bytes a second, begun again whenever the server gives it up."""
    begun = (
        request("/en/", report_form(plan.keys)[:50], FORM, length=3_000_000),
        request("/api/block", bytes(32), length=BLOCK + 32),
        request("/en/", report_form(plan.keys)[:50], FORM, length=1500),
        b"POST /en/ HTTP/1.1\r\nHost: x\r\nX-",
    )[number % 4]
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            address = (f"127.0.3.{number % 250 + 1}", 0)
            _, writer = await asyncio.open_connection("127.0.0.1", plan.port, local_addr=address)
            with contextlib.closing(writer):
                writer.write((circuit(0x10000 + number) if plan.circuits else b"") + begun)
                while time.monotonic() < end:
                    await writer.drain()
                    await asyncio.sleep(1)
                    writer.write(b"a" * TRICKLE)
        await asyncio.sleep(0.2)


async def _slow(plan: Plan, end: float) -> None:
    await asyncio.gather(*(_trickle(plan, number, end) for number in range(plan.slow)))


def main(plan: Plan) -> None:
    """Do what the plan says."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + plan.seconds
    clients = [Client(plan, number) for number in range(plan.clients)]
    threads = [threading.Thread(target=_loop, args=(client, end, counts)) for client in clients]
    for thread in threads:
        thread.start()
    asyncio.run(_slow(plan, end))
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Plan(**json.load(sys.stdin)))
