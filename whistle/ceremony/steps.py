"""The steps of setting up an organisation, one function each: root, workstation, courier, manifest, server.

The ceremony leads a person through them; the demo runs them by itself.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from whistle import courier
from whistle.ceremony import root as roots
from whistle.ceremony.organisation import Decisions
from whistle.ceremony.root import Draft, Keys
from whistle.protocol.age.passphrase import LOG_N
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.enrolment import CourierKey, ReviewerKeys
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.minisign import SecretKey
from whistle.server.running import setup as servers
from whistle.workstation.workstation import Workstation


@dataclass(frozen=True)
class Layout:
    """The folders of a new organisation while it is on one machine."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root's key file."""
        return self.folder / "root.key"

    @property
    def keys(self) -> Path:
        """The folder of published keys and manifests."""
        return self.folder / "keys"

    @property
    def courier(self) -> Path:
        """The courier's own folder."""
        return self.folder / "courier"

    @property
    def server(self) -> Path:
        """The server's own folder."""
        return self.folder / "server"

    @property
    def stick(self) -> Path:
        """A folder that stands for the stick."""
        return self.folder / "stick"

    @property
    def public(self) -> Path:
        """The reviewers' public files, as they were handed to root."""
        return self.folder / "public"

    def workstation(self, id: str) -> Path:
        """A reviewer's vault."""
        return self.folder / f"workstation-{id}"


@dataclass(frozen=True)
class Person:
    """A future reviewer: name, role as reporters see it, languages."""

    name: str
    role: str
    languages: tuple[str, ...]


def make_root(layout: Layout, passphrase: str, log_n: int = LOG_N) -> SecretKey:
    """Make a root: its key file and its public half. Raises RootError if there is one."""
    secret = SecretKey.generate()
    roots.write_secret(layout.root, roots.key_file(secret, passphrase, log_n))
    Keys.read(layout.keys).add_root(secret.public)
    return secret


def make_workstation(
    layout: Layout, id: str, person: Person, passphrase: str, profile: str = "standard"
) -> Workstation:
    """Make a reviewer's vault and pin the roots; returns it open, for the caller to close. Raises WorkstationError."""
    station = Workstation.create(
        layout.workstation(id),
        passphrase,
        name=person.name,
        role=person.role,
        languages=person.languages,
        profile=profile,
    )
    station.trust.pin(Keys.read(layout.keys).roots)
    return station


def make_courier(layout: Layout, url: str, name: str, proxy: str | None = None) -> bytes:
    """Make a courier that trusts the roots; returns its public file. Raises CourierError if there is one."""
    pinned = Keys.read(layout.keys).roots
    return courier.create(layout.courier, courier.Settings(url, name, pinned, proxy))


def sign(
    layout: Layout,
    secret: SecretKey,
    files: Iterable[bytes],
    decisions: Decisions,
    day: datetime.date,
    days: int = manifest.MAX_DAYS,
    carries: str = "",
) -> SignedManifest:
    """Sign the next manifest, with the people of these public files. Raises RootError, ProtocolError.

    `carries` is the id of the reviewer who owns the courier; empty if none does.
    """
    published = Keys.read(layout.keys)
    draft = Draft(published.manifests)
    for data in files:
        enrolled = enrolment.read(data)
        if isinstance(enrolled, ReviewerKeys):
            draft.enrol(enrolled)
        elif isinstance(enrolled, CourierKey):
            draft.admit(enrolled, reviewer=carries)
    decisions.apply(draft)
    return published.sign(draft.encode(day, day + datetime.timedelta(days=days)), secret)


def make_server(layout: Layout, name: str, port: int) -> str:
    """Make a server's folder with roots and manifests; returns the roots' digits. Raises ServerError."""
    servers.make(layout.server, name, f"127.0.0.1:{port}", manifest_slots(layout))
    return servers.install(layout.server, layout.keys)


def manifest_slots(layout: Layout) -> int:
    """The slots of the newest manifest. Raises RootError if there is none."""
    newest = Keys.read(layout.keys).newest
    if newest is None:
        raise roots.RootError("no manifest was signed yet", "sign the first one")
    return newest.manifest.slots
