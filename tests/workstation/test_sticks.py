"""Malicious sticks: things other than files, strange names, other bytes on the second reading."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.parties import DAY, report, reporter, sealed
from tests.workstation.carrying import World, attach, held_ids
from whistle.protocol.case import message
from whistle.protocol.case.attachment import BLOCK
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.workstation.errors import Untrusted
from whistle.workstation.exchange import imports, outbox
from whistle.workstation.exchange import stick as sticks
from whistle.workstation.exchange.exchange import exchange
from whistle.workstation.vault.models import Base, Part, ServerDay
from whistle.workstation.workstation import Workstation


def noted(station: Workstation, model: type[Base]) -> int:
    """How many rows of a kind a vault has."""
    return station.vault.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def in_time() -> Iterator[None]:
    """End whatever waits for a pipe."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("make", [_pipe, _folder, _link, _dangling, _device])
def test_what_is_no_file_is_passed_over(world: World, in_time: None, make: Any) -> None:
    """A pipe, folder, link or device among the bundles neither blocks an import nor is read."""
    world.report()
    world.carrier.inbox(world.stick)
    make(world.stick / "inbox" / "another.tar")
    done = exchange(world.station("ombuds"), world.stick).imported
    assert len(done.kept) == 1 and not done.altered


def test_more_files_than_parts_can_be_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick with endless bundles is not read to its end."""
    monkeypatch.setattr(sticks, "MOST_PARTS", 3)
    world.carrier.inbox(world.stick)
    for number in range(3):
        (world.stick / "inbox" / f"{number}.tar").write_bytes(b"")
    with pytest.raises(Untrusted, match="more than 3 bundles"):
        exchange(world.station("ombuds"), world.stick)


@pytest.mark.parametrize("name", ["\x1b[2J", "two\nlines", "\u202egnp", "bytes\udcff"], ids=ascii)
def test_the_name_of_a_file_on_the_stick_is_shown_plainly(world: World, name: str) -> None:
    """A name with terminal controls is shown without them, on one line."""
    (world.stick / "inbox").mkdir()
    (world.stick / "inbox" / f"{name}.tar").write_bytes(b"junk")
    [told] = [line for line in exchange(world.station("ombuds"), world.stick).lines() if "altered" in line]
    assert told.isprintable() and told.encode()


def test_an_outbox_that_is_a_link_is_not_written_through(world: World) -> None:
    """The outbox is never written through a link on the stick."""
    (world.folder / "elsewhere").mkdir()
    (world.stick / "outbox").symlink_to(world.folder / "elsewhere")
    world.report()
    world.carrier.inbox(world.stick)
    with pytest.raises(Untrusted, match="link"):
        exchange(world.station("ombuds"), world.stick)
    assert not list((world.folder / "elsewhere").iterdir())


class Swapping:
    """A file whose content changes after its end was reached."""

    def __init__(self, first: Path, second: Path) -> None:
        self._files = [first.open("rb"), second.open("rb")]
        self._ends = 0

    def read(self, size: int) -> bytes:
        data = self._files[min(self._ends, 1)].read(size)
        self._ends += not data
        return data

    def seek(self, place: int, whence: int = os.SEEK_SET) -> None:
        self._files[min(self._ends, 1)].seek(place, whence)

    def tell(self) -> int:
        return self._files[min(self._ends, 1)].tell()

    def __enter__(self) -> "Swapping":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for file in self._files:
            file.close()


@pytest.mark.parametrize("same_list", [False, True], ids=["another part", "other content"])
def test_a_stick_that_shows_another_part_at_the_second_look_is_refused(world: World, same_list: bool) -> None:
    """Only what was verified is imported: nothing is saved, and nothing is recorded as received."""
    world.report()
    id = os.urandom(16)
    world.carrier.blocks[id] = ("reviewers", os.urandom(BLOCK))
    world.carrier.days[id] = world.carrier.today
    first = world.carrier.inbox(world.stick)
    verified = world.folder / "verified.tar"
    verified.write_bytes(first.read_bytes())
    if same_list:
        data = bytearray(first.read_bytes())
        data[-20_000] ^= 1
        first.write_bytes(data)
    else:
        world.report()
        world.carrier.inbox(world.stick)
    station = world.station("ombuds")

    class Path_(type(first)):  # type: ignore[misc]
        def open(self, *_: object) -> Swapping:
            return Swapping(verified, first)

    done = imports.import_files(station, [Path_(first)])
    assert len(done.altered) == 1 and not done.kept and not station.case_ids()
    assert not noted(station, Part) and not noted(station, ServerDay) and not station.blocks.has(id)
    assert len(imports.import_files(station, [verified]).kept) == 1
    assert noted(station, Part) == noted(station, ServerDay) == 1
    assert station.blocks.has(id)


def test_what_stands_before_an_altered_member_is_not_taken(world: World) -> None:
    """Reports that were opened before the last member turned out to be another one are not kept, nor is a manifest."""
    for _ in range(3):
        world.report()
    id = os.urandom(16)
    world.carrier.blocks[id] = ("reviewers", os.urandom(BLOCK))
    world.carrier.days[id] = world.carrier.today
    part = world.carrier.inbox(world.stick)
    whole = part.read_bytes()
    data = bytearray(whole)
    data[-20_000] ^= 1
    part.write_bytes(data)
    station = world.station("ombuds")
    done = imports.import_files(station, [part])
    assert len(done.altered) == 1 and not done.kept and not done.manifests
    assert not station.case_ids() and not station.blocks.has(id) and not station.trust.serials()
    part.write_bytes(whole)
    done = imports.import_files(station, [part])
    assert (len(done.kept), done.manifests, done.altered) == (3, 1, [])


def test_what_was_replaced_on_the_way_is_opened_when_the_right_one_comes(world: World) -> None:
    """Junk under an envelope's id, by a bad disk or a bad courier, does not keep the envelope out for good."""
    who = reporter()
    signed = message.sign(report(who, world.org), who.signing)
    id = world.carrier.put(os.urandom(8 * 4096))
    world.round("ombuds")
    world.carrier.put(sealed(signed, world.org, ("ombuds",)), id=id)
    world.round("ombuds")
    station = world.station("ombuds")
    assert station.case_ids() == [who.case.hex()]
    assert held_ids(station, DAY) == sorted({id, *world.carrier.heaps})


def test_a_block_under_an_envelopes_name_is_refused(world: World) -> None:
    """In a day's hash both look the same, so that a part with an envelope of another size is not taken."""
    [(id, block)], _ = attach(b"a file")
    world.carrier.put(block, id=id)
    done = world.round("ombuds")[0]
    assert "altered or is damaged" in done.imported.altered[0]
    assert outbox.statements(world.station("ombuds")) == []


def test_a_list_of_the_largest_size_is_no_harm(world: World) -> None:
    """A list with as much in it as fits is read and taken."""
    path = world.stick / "large.tar"
    ids = tuple(number.to_bytes(16) for number in range(50_000))
    listing = Listing("workstation", DAY, (), 1, 1, taken=ids, stored=ids)
    path.write_bytes(b"".join(bundle.stream(listing, lambda _: [])))
    assert imports.import_files(world.station("ombuds"), [path]).parts == 1
