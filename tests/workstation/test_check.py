"""`whistle workstation check`: everything that a folder should hold is there and whole, or named."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, text, update

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.test_hostile import case_of
from whistle.cli.main import cli
from whistle.protocol.code.retrieval import Reporter
from whistle.workstation.cases import compose
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.errors import VaultForeign
from whistle.workstation.exchange import outbox
from whistle.workstation.vault import check
from whistle.workstation.vault.models import CaseRow, IdentityPeriod, KnownManifest, OutgoingBlock, Root
from whistle.workstation.workstation import Workstation


@pytest.fixture
def who(world: World) -> Reporter:
    """A case with a report that has a file, and with an answer on its way that has one too."""
    blocks, attached = attach(b"a photograph", "photo.jpg")
    world.carrier.put_blocks(blocks)
    told = world.report(attachments=(attached,))
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, told), "Thank you.", [Upload("plan.pdf", "", io.BytesIO(b"a plan"))])
    return told


def execute(station: Workstation, *statements: Any) -> None:
    """Change rows past everything that guards them."""
    with station.change():
        for statement in statements:
            station.vault.session.execute(statement)


def block_of_a_report(station: Workstation) -> Path:
    """A file of the folder `blocks` that came from the server."""
    ours = set(station.vault.session.scalars(text("SELECT id FROM outgoing_blocks")))
    return next(station.blocks.path(id) for id in station.blocks.ids() if id not in ours)


def _missing(station: Workstation) -> None:
    block_of_a_report(station).unlink()


def _altered(station: Workstation) -> None:
    path = block_of_a_report(station)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def _ours(station: Workstation) -> None:
    station.blocks.path(next(iter(station.vault.session.scalars(text("SELECT id FROM outgoing_blocks"))))).unlink()


def _ours_delivered_long_ago(station: Workstation) -> None:
    _ours(station)
    execute(station, delete(OutgoingBlock))


def _line(station: Workstation) -> None:
    execute(station, text("UPDATE messages SET line = CAST(replace(line, 'third', 'first') AS BLOB)"))


def _other_case(station: Workstation) -> None:
    execute(station, update(CaseRow).values(hash="0" * 64))


def _no_messages(station: Workstation) -> None:
    other = {"hash": "0" * 64, "digits": "0" * 12, "stale": False}
    row = CaseRow(**other)
    with station.change():
        station.vault.session.add(row)


def _listed(station: Workstation) -> None:
    execute(station, update(CaseRow).values(status="closed", stale=False))


def _unknown_to_the_index(station: Workstation) -> None:
    execute(station, text("INSERT INTO words(words) VALUES ('delete-all')"))


def _damaged_index(station: Workstation) -> None:
    execute(station, text("UPDATE words_data SET block = x'00ff' WHERE id > 100"))


def _key(station: Workstation) -> None:
    execute(station, update(IdentityPeriod).values(identity="AGE-SECRET-KEY-PQ-1NONE"))


def _not_yet(station: Workstation) -> None:
    execute(station, delete(IdentityPeriod).where(IdentityPeriod.first <= DAY))


def _manifest(station: Workstation) -> None:
    execute(station, update(KnownManifest).values(signature=b"none"))


def _roots(station: Workstation) -> None:
    execute(station, delete(Root))


HARMS: dict[str, tuple[Callable[[Workstation], None], str]] = {
    "a block is missing": (_missing, "is missing"),
    "a block was altered": (_altered, "is not what was stored"),
    "a block on its way is missing": (_ours, "is missing"),
    "an own file is missing": (_ours_delivered_long_ago, "of your files in case"),
    "a message was altered": (_line, "A message of case"),
    "messages of another case": (_other_case, "A message of case 0000"),
    "a case without messages": (_no_messages, "has no messages"),
    "columns of the list": (_listed, "is not what its messages say"),
    "an emptied index": (_unknown_to_the_index, "does not know the messages"),
    "a damaged index": (_damaged_index, "The index for searching"),
    "a damaged key": (_key, "A secret key"),
    "no key yet": (_not_yet, "No identity has begun"),
    "an altered manifest": (_manifest, "Manifest 1"),
    "no roots": (_roots, "Manifest 1"),
}


@pytest.mark.parametrize(("harm", "told"), HARMS.values(), ids=HARMS)
def test_what_lacks_its_other_half_is_named(world: World, who: Reporter, harm: Any, told: str) -> None:
    """Each kind of damage is one line; before it there is none."""
    station = world.station("ombuds")
    assert check.faults(station) == []
    harm(station)
    found = check.faults(station)
    assert any(told in line for line in found), found
    assert not [line for line in found if "third floor" in line or "AGE-SECRET" in line]


def test_every_opening_does_the_quick_half(world: World, who: Reporter) -> None:
    """A row without its other half is refused at the opening; a piece that is on its way and missing is told of, and
    its message stays behind.
    """
    station = world.station("ombuds")
    assert not [line for line in station.notices() if "is missing" in line]
    _ours(station)
    assert [line for line in station.notices() if "A piece of a file that is on its way is missing" in line]
    outbox.write(station, world.stick)
    assert [station.message(hash).message.kind for hash in outbox.torn(station)] == ["reply"]
    raw = station.vault.session.connection().connection.driver_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    execute(station, delete(CaseRow))
    world.stations.pop("ombuds").close()
    with pytest.raises(VaultForeign, match="rows of"):
        Workstation.open(world.folder / "ombuds", PASSPHRASE)


def test_the_command_says_so(world: World, who: Reporter) -> None:
    """One line if all is well; else what is wrong, and what to do."""
    folder, station = world.folder / "ombuds", world.stations.pop("ombuds")
    missing = block_of_a_report(station)
    station.close()

    def said() -> tuple[int, str]:
        reading, writing = os.pipe()
        os.write(writing, PASSPHRASE.encode() + b"\n")
        os.close(writing)
        command = ["workstation", "check", "--folder", str(folder), "--passphrase-fd", str(reading)]
        done = CliRunner().invoke(cli, command)
        os.close(reading)
        return done.exit_code, done.output

    assert said()[0] == 0 and "Everything is there and whole." in said()[1]
    missing.unlink()
    status, lines = said()
    assert status == 1 and missing.name in lines and "hint: restore the newest backup" in lines


def test_a_long_list_is_cut(world: World) -> None:
    """However many pieces are missing, twenty are named and the rest counted."""
    for number in range(check.SHOWN + 5):
        blocks, _ = attach(f"a file {number}".encode())
        world.carrier.put_blocks(blocks)
    world.round("ombuds")
    station = world.station("ombuds")
    for id in list(station.blocks.ids()):
        station.blocks.path(id).unlink()
    found = check.faults(station)
    assert len(found) == check.SHOWN + 1 and found[-1].startswith("… and ")
