"""Importing what a courier brought at a workstation, beside bare trial decapsulation on one core."""

import datetime
import json
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests import parties
from tests.bench import site as sites
from tests.bench.figures import Figure, beside, interleaved
from tests.workstation.carrying import PASSPHRASE, station
from whistle.protocol.age import HybridIdentity, HybridRecipient
from whistle.protocol.age.format import Stanza
from whistle.protocol.case import envelope, message
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing

ME, OTHER = "ombuds", "counsel"
TEXT = "They take money for places in the school. " * 48
THROWAWAYS = 64
ORGANISATION: list[parties.Organisation] = []


class Stock(HybridRecipient):
    """A recipient for whom the same stanza is given again: to open it is as much work, to make it is none."""

    def wrap(self, file_key: bytes) -> Stanza:
        """A stanza that opens nothing."""
        if "stock" not in self.__dict__:
            self.__dict__["stock"] = super().wrap(secrets.token_bytes(len(file_key)))
        found: Stanza = self.__dict__["stock"]
        return found


def seal(count: int, day: datetime.date, others: bool) -> list[bytes]:
    """Envelopes of that many reports to one reviewer, whose stanza stands anywhere; with others, each second is not."""
    org = ORGANISATION[0]
    stock = [Stock(HybridIdentity.generate().recipient.raw) for _ in range(THROWAWAYS)]
    found = []
    for number in range(2 * count if others else count):
        reader = OTHER if others and number % 2 else ME
        recipients, who = org.manifest.recipients([reader], day), parties.reporter()
        signed = message.sign(parties.report(who, org, readers=(reader,), day=day, text=TEXT), who.signing)
        found.append(envelope.seal(signed, recipients, org.manifest.slots, secrets.SystemRandom().sample(stock, 8)))
    return found


def sealed(org: parties.Organisation, count: int, day: datetime.date, others: bool) -> list[bytes]:
    """The same, made on all cores."""
    cores = os.cpu_count() or 1
    ORGANISATION[:] = [org]  # which a fork inherits; keys cannot be pickled
    with ProcessPoolExecutor(cores, multiprocessing.get_context("fork")) as pool:
        made = [pool.submit(seal, count // cores, day, others) for _ in range(cores)]
        return [each for part in made for each in part.result()]


def lay(path: Path, org: parties.Organisation, bodies: Sequence[bytes], day: datetime.date) -> None:
    """A part of a bundle with the manifest and these envelopes."""
    contents = {"manifest.json": org.known.data, "manifest.json.minisig": org.known.signature}
    members = [bundle.member(name, data) for name, data in contents.items()]
    for body in bodies:
        name = bundle.envelope_name(os.urandom(16))
        contents[name] = body
        members.append(bundle.member(name, body, day))
    [part] = bundle.split(members)
    listing = Listing("workstation", day, tuple(part), 1, 1)
    with path.open("wb") as file:
        file.writelines(bundle.stream(listing, lambda member: [contents[member.name]]))


def measure(folder: Path, quick: bool) -> Iterator[Figure]:
    """Imports of 1,000 and of 10,000 reports into an empty vault; and of 1,000 among as many that are not for it."""
    day = sites.today()
    org = parties.organisation(day)
    runs = [(1000, False, 3)] if quick else [(1000, True, 3), (1000, False, 5), (10_000, False, 3)]
    for count, others, rounds in runs:
        bodies = sealed(org, count, day, others)
        (folder / "bodies").write_bytes(b"".join(bodies))
        lay(folder / "part.tar", org, bodies, day)
        vaults, memory = iter(range(1000)), list[float]()

        def ours(
            count: int = count, others: bool = others, vaults: Iterator[int] = vaults, memory: list[float] = memory
        ) -> float:
            vault = folder / f"vault-{count}-{others}-{next(vaults)}"
            made(vault, org, day)
            asked = {"folder": str(vault), "part": str(folder / "part.tar"), "day": day.isoformat()}
            said = ran("imported", {**asked, "passphrase": PASSPHRASE}, count)
            memory.append(said["memory"])
            return count / said["seconds"]

        def limit(count: int = count, envelopes: int = len(bodies), size: int = len(bodies[0])) -> float:
            seeds = made(folder / "limit", org, day)
            asked = {"path": str(folder / "bodies"), "count": envelopes, "size": size}
            return count / ran("decapsulation", {**asked, "seeds": seeds}, count)["seconds"]

        pairs = interleaved(ours, limit, rounds)
        name = f"import of {count:,} reports" + (" among 1,000 for others" if others else "")
        yield beside(name, "/s", ">= 0.4", pairs, "one core")
        yield Figure(f"{name}: memory at its peak", "MB", max(memory), need="<= 250", note="beyond Argon2id")


def made(vault: Path, org: parties.Organisation, day: datetime.date) -> list[str]:
    """A new vault; the seeds of its identities, in the order in which they are tried."""
    shutil.rmtree(vault, ignore_errors=True)
    workstation = station(vault, org.people[ME], lambda: day)
    workstation.trust.pin([org.root.public])
    seeds = [each.seed.hex() for each in workstation.identities()]
    workstation.close()
    return seeds


def ran(program: str, asked: dict[str, object], count: int) -> dict[str, float]:
    """What a program says of itself that opens all envelopes."""
    command = [sys.executable, "-m", f"tests.bench.{program}"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout)
    assert said["opened"] == count
    return said
