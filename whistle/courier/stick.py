"""The stick: `outbox` comes from the workstation, `inbox` goes to it, and both hold nothing but bundles.

The outbox is read strictly and never changed. A new inbox is written completely before the old one is removed, so that
a stick pulled out at any moment holds complete parts or none.
"""

import datetime
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from whistle import durable
from whistle.courier.errors import BadStick, CourierError, disk
from whistle.protocol.errors import Malformed
from whistle.protocol.transfer import bundle

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outgoing:
    """A part in the outbox: its path, its list, the SHA-256 of the list, its length in bytes."""

    path: Path
    listing: bundle.Listing
    digest: bytes
    length: int

    @property
    def sender(self) -> str:
        """The workstation that wrote it; several may share a stick."""
        return _sender(self.path)


class Stick:
    """The folder where a stick is mounted, or any other folder. Raises BadStick if there is none."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BadStick("there is no stick", "put it in, or check the folder that you named")
        self.inbox = folder / "inbox"
        self.outbox = folder / "outbox"

    def outgoing(self) -> tuple[list[Outgoing], dict[str, CourierError]]:
        """The parts of the outbox, with their lists, and by sender what is wrong with those that cannot be read.

        `verify` checks the members of a part.
        """
        parts: list[Outgoing] = []
        wrong: dict[str, CourierError] = {}
        for path in _parts(self.outbox):
            try:
                parts.append(self._outgoing(path))
            except BadStick as error:
                wrong.setdefault(_sender(path), error)
        return parts, wrong

    def deliver(self, listings: Sequence[bundle.Listing], source: bundle.Source, progress: Progress) -> None:
        """Replace the inbox with these parts. Raises BadStick; then old parts may remain."""
        try:
            self.inbox.mkdir(exist_ok=True)
            self._clear_unfinished()
            self._make_room(sum(listing.length() for listing in listings))
            counted = _counted(source, sum(len(listing.members) for listing in listings), progress)
            staged = [
                (durable.stage(path, bundle.stream(listing, counted), 0o644), path)
                for listing, path in ((listing, self.inbox / _name(listing)) for listing in listings)
            ]
            for beside, path in staged:
                beside.replace(path)
            durable.sync_folder(self.inbox)
            for path in set(_parts(self.inbox)) - {path for _, path in staged}:
                path.unlink()
            durable.sync_folder(self.inbox)
        except OSError as exc:
            raise disk("the stick", exc) from exc

    def _outgoing(self, path: Path) -> Outgoing:
        try:
            with path.open("rb") as file:
                reader = bundle.Reader(file)
                listing = reader.listing
        except Malformed as exc:
            raise _damaged(path) from exc
        except OSError as exc:
            raise disk("the stick", exc) from exc
        if listing.to != "server":
            raise _damaged(path)
        return Outgoing(path, listing, reader.digest, path.stat().st_size)

    def _clear_unfinished(self) -> None:
        for path in self.inbox.glob("*" + durable.UNFINISHED):
            path.unlink()

    def _make_room(self, needed: int) -> None:
        if shutil.disk_usage(self.inbox).free < needed + 2**20:
            for path in _parts(self.inbox):  # the mirror still has everything
                path.unlink()


def verify(part: Outgoing) -> None:
    """Read the whole part. Raises BadStick if anything in it is not as its list says."""
    try:
        with part.path.open("rb") as file:
            bundle.verify(file)
    except Malformed as exc:
        raise _damaged(part.path) from exc
    except OSError as exc:
        raise disk("the stick", exc) from exc


def written(folder: Path) -> datetime.date | None:
    """The day on which a workstation last wrote the outbox, as it says; None if there is no outbox that can be read."""
    try:
        parts, _ = Stick(folder).outgoing()
    except BadStick:
        return None
    return max((part.listing.created for part in parts), default=None)


def _parts(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.tar") if not path.name.startswith("."))
    except OSError as exc:
        raise disk("the stick", exc) from exc


def _sender(path: Path) -> str:
    return path.name.partition("-")[0]


def _name(listing: bundle.Listing) -> str:
    return f"inbox-{listing.created:%Y%m%d}-{listing.part:04}-of-{listing.of:04}.tar"


def _damaged(path: Path) -> BadStick:
    hint = "nothing of it was sent; exchange again at the workstation, which writes it anew"
    return BadStick(f"the outbox part {path.name} is damaged", hint)


def _counted(source: bundle.Source, total: int, progress: Progress) -> bundle.Source:
    done = iter(range(1, total + 1))

    def read(member: bundle.Member) -> Iterator[bytes]:
        yield from source(member)
        progress("write", next(done), total)

    return read


def today() -> datetime.date:
    """The day by this machine's clock, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
