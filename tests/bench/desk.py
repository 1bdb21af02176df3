"""A workstation with many cases: its pages, its search, and its backups."""

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests import parties
from tests.bench import site as sites
from tests.bench.figures import Figure
from tests.workstation.carrying import PASSPHRASE, attach, station
from whistle.protocol.case import message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import FollowUp, Note
from whistle.workstation import backup
from whistle.workstation.cases import case_list
from whistle.workstation.vault import rows, search
from whistle.workstation.workstation import Kept, Workstation

ME = "ombuds"
WORDS = (
    "They take money for places in the school and the director knows it since last autumn when my colleague told him. "
    "El jefe pidió dinero por cada contrato. Начальник требовал взятку за каждый договор. "
    "المدير طلب رشوة من كل موظف في المكتب. 主管要求每个员工交钱。"
)
QUERIES = ("money", "mone director", '"last autumn"', "взятку", "رشوة", "员工", "school -контракт", "e", "report 777")


LABELS = {
    "page": "any page, slowest",
    "filtered": "a filtered page, slowest",
    "case": "a case",
    "search": "search, median",
    "worst": "search, slowest",
}


def files(workstation: Workstation, count: int) -> tuple[Attachment, ...]:
    """So many files of one block each; nothing waits until they are on the disk."""
    records = []
    for number in range(count):
        blocks, record = attach(secrets.token_bytes(40_000), f"photo-{number}.jpg")
        for id, body in blocks:
            path = workstation.blocks.path(id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        records.append(record)
    return tuple(records)


def fill(workstation: Workstation, org: parties.Organisation, count: int) -> None:
    """So many cases of three messages each: a report, a follow-up, a colleague's note; a tenth has three files."""
    day, key = workstation.today(), org.people["ethics"].secret.signing
    for start in range(0, count, 500):
        with workstation.change():
            for number in range(start, min(start + 500, count)):
                who, rare = parties.reporter(), secrets.token_hex(4)
                text, readers = f"Report {number} {rare}. " + WORDS * 4, (ME, "ethics")
                told = {"readers": readers, "day": day, "text": text}
                told["attachments"] = files(workstation, 3) if number % 10 == 5 else ()
                first = message.sign(parties.report(who, org, **told), who.signing)
                common = {"case": who.case.hex(), "readers": readers, "without": (), "keys": org.known.keys, "day": day}
                later = {"sender": parties.sender(who), "sealed": "device", "language": "en"}
                more = message.sign(FollowUp(**common, **later, text=f"More of {number}. " + WORDS * 4), who.signing)
                chain = {"sender": "ethics", "seq": 0, "prev": None, "seen": ()}
                note = message.sign(Note(**common, **chain, text=f"Seen {number}. " + WORDS * 2), key)
                workstation.insert(*(Kept(each, "envelope", day, day, None, "") for each in (first, more, note)))
                if number % 10 == 0:
                    label = "cellar" if number % 100 == 0 else "school"
                    rows.change_case(
                        workstation.vault.connection, who.case.hex(), title=f"Case {number}", labels=[label]
                    )
    case_list.refresh(workstation)
    search.fill(workstation)
    with workstation.change():
        search.put_described(workstation)


def backed_up(workstation: Workstation, place: Path) -> float:
    """The seconds that a backup takes, without the passphrase's stretching."""
    place.mkdir(exist_ok=True)
    begun = time.perf_counter()
    backup.save(workstation, place, PASSPHRASE, log_n=8)
    return time.perf_counter() - begun


def measure(folder: Path, quick: bool) -> Iterator[Figure]:
    """With 1,000 and with 10,000 cases: opening, the first page, any page, a case, and searching."""
    found: dict[int, dict[str, float]] = {}
    for count in (500, 1000) if quick else (1000, 10_000):
        day, org = sites.today(), parties.organisation(sites.today())
        made = station(folder / "vault", org.people[ME], lambda day=day: day)
        made.trust.pin([org.root.public])
        made.trust.take({"manifest.json": org.known.data, "manifest.json.minisig": org.known.signature})
        fill(made, org, count)
        places = folder / f"backup-{count}"
        backed = [backed_up(made, places)]
        fill(made, org, 10)
        backed.append(backed_up(made, places))
        made.close()
        asked = {"folder": str(folder / "vault"), "passphrase": PASSPHRASE, "day": day.isoformat(), "queries": QUERIES}
        command = [sys.executable, "-m", "tests.bench.desked"]
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
        found[count] = json.loads(done.stdout) | {"size": (folder / "vault" / "vault.db").stat().st_size}
        found[count] |= dict(zip(("backup", "again"), backed, strict=True))
        shutil.rmtree(folder / "vault")
        shutil.rmtree(places)
    few, many = found.values()
    name = f"{list(found)[1]:,} cases"
    yield Figure(f"desk, {name}: opened and first page shown", "s", many["first"], need="<= 2", note="beyond Argon2id")
    for what, need in (("page", 100), ("filtered", 100), ("case", 100), ("search", 100), ("worst", 100)):
        yield Figure(f"desk, {name}: {LABELS[what]}", "ms", many[what] * 1000, need=f"<= {need}")
    for what in ("page", "filtered", "search"):
        yield Figure(f"desk: {what} time beside a tenth of the cases", "times", many[what] / few[what], need="<= 1.5")
    yield Figure(f"desk, {name}: memory after unlocking and 20 pages", "MB", many["memory"], need="<= 150")
    yield Figure(f"desk, {name}: first backup", "s", many["backup"])
    yield Figure(f"desk, {name}: backup after 30 new messages", "s", many["again"], need="<= 2")
    yield Figure(f"desk, {name}: database", "MB", many["size"] / 1e6)
