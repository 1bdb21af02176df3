"""A whole organisation at work: a server, a courier that goes to it, for each reviewer a workstation and a stick."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import parties
from tests.server.visitor import Clock, site, store_of
from tests.serving import running
from tests.workstation.carrying import station
from whistle import courier as couriers
from whistle.courier import Courier, Settings, folder
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.instance import here
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.exchange.batches import Imported
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.workstation import Workstation


class Office:
    """The organisation: each reviewer has a workstation and a stick, and one courier serves them all."""

    def __init__(self, where: Path, **changes: Any) -> None:
        self.where, self.org = where, parties.organisation()
        self.clock = Clock()
        (where / "server").mkdir()
        self.app = site(where / "server", self.org, self.clock, **changes)
        self.stations = {id_: self._station(id_) for id_ in self.org.people}

    def _station(self, id_: str) -> Workstation:
        self.stick(id_).mkdir()
        made = station(self.where / f"vault-{id_}", self.org.people[id_], lambda: self.clock.day)
        made.trust.pin([self.org.root.public])
        return made

    def open(self, address: str) -> None:
        """Send the courier to this address from now on."""
        self.courier = self.another(address, "courier")

    def another(self, address: str, name: str) -> Courier:
        """A courier with the organisation's key in a folder of this name."""
        where = self.where / name
        couriers.create(where, Settings(address, "Courier", (self.org.root.public,), None))
        secret = folder.SECRET + folder.base64.b64encode(bytes(self.org.courier)).decode()
        (where / folder.KEY).write_text(secret)
        return Courier(where, clock=lambda: self.clock().timestamp())

    def round(self, *ids: str) -> list[Imported]:
        """The courier fills each of these sticks, its owner exchanges, and the courier takes what is to go."""
        done = []
        for id_ in ids or tuple(self.stations):
            self.courier.pull(self.stick(id_))
            done.append(self.exchange(id_))
            self.courier.push(self.stick(id_))
        return done

    def exchange(self, id_: str) -> Imported:
        """One reviewer exchanges, and no courier comes."""
        return exchange(self.stations[id_], self.stick(id_)).imported

    def stick(self, id_: str) -> Path:
        """A reviewer's stick."""
        return self.where / f"stick-{id_}"

    def close(self) -> None:
        """Lock everything."""
        for each in self.stations.values():
            each.close()
        store_of(self.app).close()

    def case(self, id_: str, name: str) -> Case:
        """A case as a reviewer has it now."""
        return overview.load(self.stations[id_], name)

    def install(self, **changes: Any) -> SignedManifest:
        """Root signs a next manifest, and the server has it."""
        self.org.known = known = self.org.next(**changes)
        with self.app.app_context():
            here().published.install([(known.data, known.signature)])
        return known


@contextmanager
def working(where: Path, **changes: Any) -> Iterator[Office]:
    """An office with a server that runs."""
    office = Office(where, **changes)
    with running(office.app) as address:
        office.open(address)
        yield office
    office.close()
