"""The steps by which an organisation comes into being, each a function: root, workstation, courier, manifest, server.

The ceremony leads a person through them; the demo takes them by itself.
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
class Place:
    """Where everything of a new organisation lies while it is on one machine."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root's key file."""
        return self.folder / "root.key"

    @property
    def keys(self) -> Path:
        """What is published."""
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

    def workstation(self, id_: str) -> Path:
        """A reviewer's vault."""
        return self.folder / f"workstation-{id_}"


@dataclass(frozen=True)
class Person:
    """Somebody who will read: name, role as reporters see it, languages."""

    name: str
    role: str
    languages: tuple[str, ...]


def make_root(place: Place, passphrase: str, log_n: int = LOG_N) -> SecretKey:
    """A root: its key file and its published half. Raises RootError when there is one."""
    secret = SecretKey.generate()
    roots.write_secret(place.root, roots.key_file(secret, passphrase, log_n))
    Keys.read(place.keys).add_root(secret.public)
    return secret


def make_workstation(place: Place, id_: str, person: Person, passphrase: str, profile: str = "standard") -> Workstation:
    """A reviewer's open vault, with the roots pinned; the caller closes it. Raises WorkstationError."""
    station = Workstation.create(
        place.workstation(id_),
        passphrase,
        name=person.name,
        role=person.role,
        languages=person.languages,
        profile=profile,
    )
    station.trust.pin(Keys.read(place.keys).roots)
    return station


def make_courier(place: Place, url: str, name: str, proxy: str | None = None) -> bytes:
    """A courier that believes the roots; gives its public file. Raises CourierError when there is one."""
    pinned = Keys.read(place.keys).roots
    return courier.create(place.courier, courier.Settings(url, name, pinned, proxy))


def sign(
    place: Place,
    secret: SecretKey,
    files: Iterable[bytes],
    decisions: Decisions,
    day: datetime.date,
    days: int = manifest.MAX_DAYS,
) -> SignedManifest:
    """The next manifest, with the people of these public files. Raises RootError, ProtocolError."""
    published = Keys.read(place.keys)
    draft = Draft(published.manifests)
    for data in files:
        enrolled = enrolment.read(data)
        if isinstance(enrolled, ReviewerKeys):
            draft.enrol(enrolled)
        elif isinstance(enrolled, CourierKey):
            draft.admit(enrolled)
    decisions.apply(draft)
    return published.sign(draft.encode(day, day + datetime.timedelta(days=days)), secret)


def make_server(place: Place, name: str, port: int) -> str:
    """A server's folder with the roots and manifests installed; the roots' digits. Raises ServerError."""
    servers.make(place.server, name, f"127.0.0.1:{port}", manifest_slots(place))
    return servers.install(place.server, place.keys)


def manifest_slots(place: Place) -> int:
    """The slots of the newest manifest. Raises RootError when there is none."""
    newest = Keys.read(place.keys).newest
    if newest is None:
        raise roots.RootError("no manifest was signed yet", "sign the first one")
    return newest.manifest.slots
