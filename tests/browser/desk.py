"""A reviewer's page with files to look at, and a listener that must hear nothing."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.browser.remote import Remote
from tests.browser.serving import Line, serving
from tests.workstation.carrying import World, attach
from whistle.workstation.app.app import create_app
from whistle.workstation.app.pages import name_of
from whistle.workstation.cases import overview

A_MESSAGE = 15  # files, whose records have room in one envelope


@dataclass
class Desk:
    """A served page: its address, what it is asked, the folder for what is saved, and the addresses of its files."""

    address: str
    line: Line
    saved: Path
    files: list[str]

    def look(self, page: Remote, number: int) -> str:
        """Look at a file until something has come of it; what."""
        page("goto", self.address + self.files[number])
        page("see", "#look[data-state]:not([data-state=opening])")
        return str(page("told", "document.querySelector('#look').dataset.state"))


@contextlib.contextmanager
def desk(folder: Path, files: Sequence[tuple[str, bytes]]) -> Iterator[Desk]:
    """One with these files, names and contents."""
    world, sealed = World(folder), [attach(content, name) for name, content in files]
    for blocks, _ in sealed:
        world.carrier.put_blocks(blocks)
    for at in range(0, len(files), A_MESSAGE):
        world.report(attachments=tuple(record for _, record in sealed[at : at + A_MESSAGE]))
    world.round("ombuds")
    app = create_app(world.station("ombuds"), world.stick, saved=folder / "saved", token="t")
    places: dict[str, str] = {}
    with app.app_context():
        for case in overview.queue(world.station("ombuds")):
            for entry in case.entries:
                message = f"/t/case/{name_of(case.id)}/file/{name_of(entry.signed.hash)}"
                places |= {record.seed: f"{message}/{number}/" for number, record in enumerate(entry.attachments)}
    with serving(app) as (address, line):
        yield Desk(address, line, folder / "saved", [places[record.seed] for _, record in sealed])
    world.close()


@dataclass
class Listener:
    """A place to which a file or a program could call: what came there, by TCP or UDP."""

    port: int
    heard: list[bytes]

    @property
    def address(self) -> str:
        """For links."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """One that hears until the end."""
    with socket.create_server(("127.0.0.1", 0)) as calls, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as letters:
        port = calls.getsockname()[1]
        letters.bind(("127.0.0.1", port))
        heard: list[bytes] = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    call, _ = calls.accept()
                    call.settimeout(1)
                    heard.append(b"called")
                    with call, contextlib.suppress(OSError):
                        heard.append(call.recv(4096))

        def read() -> None:
            with contextlib.suppress(OSError):
                while True:
                    heard.append(letters.recv(4096))

        threads = [threading.Thread(target=each, daemon=True) for each in (answer, read)]
        for each in threads:
            each.start()
        yield Listener(port, heard)
        for each in (calls, letters):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
