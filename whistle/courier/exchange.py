"""The courier's round: push what the workstation wrote, pull what came for it, write it on the stick.

Each step can be interrupted and run again: it resumes where it was, and repeating it does no harm.
"""

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whistle.courier import folder as folders
from whistle.courier import lock
from whistle.courier.connection import Link, Progress, Server
from whistle.courier.errors import BadServer, BadStick, CourierError, Refused, ServerAway, disk
from whistle.courier.folder import Receipt
from whistle.courier.manifests import Manifests
from whistle.courier.mirror import Mirror, pieces
from whistle.courier.stick import Outgoing, Stick, verify
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import MAX_IDS
from whistle.protocol.trust import manifest

MOST = 2_000_000  # envelopes and blocks of one day
BATCH = 500  # envelopes, or blocks, that are asked for at once
LEAPT = "The server's clock may be wrong: tell its operator. Nothing expires there until the operator has looked."
TRIES = 5  # without anything new before a broken connection is reported


@dataclass(frozen=True)
class Pushed:
    """The result of a push: parts sent now, ids stored, ids taken, the server's answer about a manifest."""

    parts: int = 0
    stored: tuple[bytes, ...] = ()
    taken: tuple[bytes, ...] = ()
    manifest: str = "none"


@dataclass(frozen=True)
class Pulled:
    """The result of a pull: envelopes and blocks written on the stick; how many things were fetched now, and how many
    files in the courier's folder had been altered.
    """

    envelopes: int
    blocks: int
    fetched: int
    altered: int = 0


@dataclass(frozen=True)
class Exchanged:
    """Both results; the days until the manifest ends if they are few, else None; whether the server's clock leapt."""

    pushed: Pushed
    pulled: Pulled
    warning: int | None
    leapt: bool = False


def quiet(step: str, done: int, total: int) -> None:
    """A progress callback that shows nothing; `step` is push, pull or write, with counts of that step."""


class Courier:
    """A courier at work in its folder. Raises CourierError; `clock` gives seconds since 1970."""

    def __init__(self, folder: Path, progress: Progress = quiet, clock: Callable[[], float] = time.time) -> None:
        self._settings = folders.settings(folder)
        self._folder = folder
        self._progress = progress
        self._clock = clock
        server = Server(self._settings.server, self._settings.proxy)
        self._link = Link(server, folders.key(folder), clock=clock)
        self._days: list[datetime.date] = []
        self._leapt = False
        self._manifests = Manifests(folder / "manifests", self._settings.roots)

    def exchange(self, stick: Path | None) -> Exchanged:
        """Push, then pull; the error of a part that cannot be pushed is raised only after the pull.

        Without a stick all that is new is fetched into the courier's folder, with the same questions to the server.
        """
        with self._alone():
            pushed, failures = self._push(stick)
            pulled = self._pull(stick)
        if failures:
            raise failures[0]
        newest = self._manifests.newest()
        return Exchanged(pushed, pulled, newest.manifest.warning(self._today()) if newest else None, self._leapt)

    def newest_manifest(self) -> manifest.Manifest | None:
        """The newest manifest that this courier has seen."""
        newest = self._manifests.newest()
        return newest.manifest if newest else None

    def push(self, stick: Path, everything: bool = False) -> Pushed:
        """Send the outbox part by part; a part that was sent is not sent again, unless `everything` is."""
        with self._alone():
            pushed, failures = self._push(stick, everything)
        if failures:
            raise failures[0]
        return pushed

    def _push(self, stick: Path | None, everything: bool = False) -> tuple[Pushed, list[CourierError]]:
        """A sender's parts are skipped once one is damaged or refused; other senders' parts are still sent."""
        place = Stick(stick) if stick else None
        parts, wrong = place.outgoing() if place else ([], {})
        self._connect()
        kept, sent = folders.receipts(self._folder), 0
        manifest_answer = "none"
        for part in parts:
            if part.sender in wrong or (part.digest in kept and not everything):
                continue
            try:
                verify(part)
                answer = self._send(part)
            except (BadStick, Refused) as error:
                wrong[part.sender] = error
                continue
            kept[part.digest] = _receipt(answer, part)
            manifest_answer = answer["manifest"] if answer.get("manifest", "none") != "none" else manifest_answer
            self._remember(kept)
            sent += 1
        receipt = _union([kept[part.digest] for part in parts if part.digest in kept])
        return Pushed(sent, receipt.stored, receipt.taken, manifest_answer), list(wrong.values())

    def pull(self, stick: Path, everything: bool = False, again: bool = False) -> Pulled:
        """Fetch what is new, or all of it `again`, and write the inbox.

        The inbox gets the days that no statement in the outbox covers, or `everything`.
        """
        with self._alone():
            return self._pull(stick, everything, again)

    def _pull(self, stick: Path | None, everything: bool = False, again: bool = False) -> Pulled:
        place = Stick(stick) if stick else None
        current = self._connect()
        mirror = Mirror(self._folder / "mirror", current.manifest.slots)
        with _own_disk():
            if again:
                mirror.retain_days(())
            fetched = self._fetch_all(mirror)
        if place is None:
            return Pulled(0, 0, fetched)
        parts, _ = place.outgoing()
        listed = current.manifest
        days = [day for day in mirror.days() if everything or not _stated(parts, listed, day, mirror.hash(day))]
        with _own_disk():
            altered = sum(mirror.drop_altered(day) for day in days)
            fetched += self._fetch_all(mirror) if altered else 0
        members = [member for day in days for member in mirror.members(day)]
        self._deliver(place, mirror, members, _union(self._receipts_of(parts)))
        return Pulled(sum(m.is_envelope for m in members), sum(m.is_block for m in members), fetched, altered)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two exchanges at once would write each other's files."""
        with lock.held(self._folder, lock.EXCHANGE):
            yield

    def _connect(self) -> manifest.SignedManifest:
        """Fetch the current manifest, which must list this courier, and the days that the server offers."""
        try:
            current = self._manifests.refresh(self._link.public, self._today())
        except OSError as exc:
            raise disk("the courier's folder", exc) from exc
        own = bytes(folders.key(self._folder).verify_key).hex()
        listed = next((courier for courier in current.manifest.couriers if courier.key == own), None)
        if listed is None:
            hint = "hand courier.public to whoever keeps the root; it signs a manifest that names this courier"
            raise CourierError("this courier is not in the manifest", hint)
        self._link.id = listed.id
        answer = self._link.ask("/courier/days", {})
        self._days = _days(answer)
        self._leapt = answer.get("leapt") is True
        self._manifests.reach(self._link.public, answer["serial"])
        return current

    def _send(self, part: Outgoing) -> dict[str, Any]:
        try:
            with part.path.open("rb") as file:
                answer = self._link.push(file, part.length, part.digest, self._progress)
        except OSError as exc:
            raise disk("the stick", exc) from exc
        if not isinstance(answer, dict):
            raise _strange()
        return answer

    def _fetch_all(self, mirror: Mirror) -> int:
        total = self._missing(mirror)
        count = sum(len(names) for names in total.values())
        done = 0
        for day, names in total.items():
            for batch in _batches(names):
                for _ in self._fetch(mirror, day, batch):
                    done += 1
                    self._progress("pull", done, count)
        return done

    def _missing(self, mirror: Mirror) -> dict[datetime.date, list[str]]:
        mirror.retain_days(self._days)
        missing = {}
        for day in self._days:
            names = self._listed(day)
            mirror.retain(day, names)
            missing[day] = sorted(names - mirror.names(day))
        return missing

    def _listed(self, day: datetime.date) -> set[str]:
        """The names of what the server has of a day, with as many questions as it takes."""
        names: set[str] = set()
        after, more = "", True
        while more:
            answer = self._link.ask("/courier/ids", {"day": day.isoformat(), "after": after})
            listed = _names(answer)
            names |= listed
            last = max((bundle.member_id(name).hex() for name in listed), default="")
            more = answer.get("more") is True
            if (more and last <= after) or len(names) > MOST:
                raise _strange()  # it would have no end
            after = last
        return names

    def _fetch(self, mirror: Mirror, day: datetime.date, names: Sequence[str]) -> Iterator[str]:
        """Fetch a batch, with new attempts after broken connections; yields the names as they arrive."""
        left, failures = set(names), 0
        while left:
            before = len(left)
            try:
                for name in self._stream(mirror, day, left):
                    left.remove(name)
                    yield name
                return
            except ServerAway:
                failures = failures + 1 if len(left) == before else 0
                if failures == TRIES:
                    raise

    def _stream(self, mirror: Mirror, day: datetime.date, names: set[str]) -> Iterator[str]:
        ids = [(name, bundle.member_id(name)) for name in sorted(names)]
        envelopes = [id for name, id in ids if name.startswith("envelopes/")]
        blocks = [id for name, id in ids if name.startswith("blocks/")]
        try:
            with self._link.fetch(envelopes, blocks) as tar:
                while entry := tar.next():
                    if entry.name not in names:
                        raise _strange()
                    mirror.put(day, entry)
                    yield entry.name
        except Malformed as exc:
            raise ServerAway("the connection to the server broke", "run the same command again; it goes on") from exc

    def _deliver(self, place: Stick, mirror: Mirror, members: list[bundle.Member], receipt: Receipt) -> None:
        files = self._manifests.files()
        signed = [bundle.member(name, data) for name, data in files.items()]
        parts = bundle.split([*signed, *members])
        blank = bundle.Listing("workstation", self._today(), (), 1, len(parts))
        listings = [dataclasses.replace(blank, members=tuple(part), part=i) for i, part in enumerate(parts, start=1)]
        listings[0] = dataclasses.replace(listings[0], taken=receipt.taken, stored=receipt.stored)

        def source(member: bundle.Member) -> Iterator[bytes]:
            return pieces(mirror.path(member)) if member.day else iter([files[member.name]])

        place.deliver(listings, source, self._progress)

    def _receipts_of(self, parts: Sequence[Outgoing]) -> list[Receipt]:
        kept = folders.receipts(self._folder)
        return [kept[part.digest] for part in parts if part.digest in kept]

    def _remember(self, kept: dict[bytes, Receipt]) -> None:
        try:
            folders.save_receipts(self._folder, kept)
        except OSError as exc:
            raise disk("the courier's folder", exc) from exc

    def _today(self) -> datetime.date:
        return datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).date()


@contextlib.contextmanager
def _own_disk() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise disk("the courier's folder", exc) from exc


def _stated(parts: Sequence[Outgoing], listed: manifest.Manifest, day: datetime.date, hash: bytes) -> bool:
    """Whether every reviewer with statements on this stick states this hash for the day."""
    stated: dict[str, set[bytes]] = {}
    for part in parts:
        for statement in part.listing.imports:
            hashes = stated.setdefault(statement.reviewer, set())
            reviewer = listed.reviewer(statement.reviewer)
            if statement.day == day and reviewer and _signed(statement, reviewer):
                hashes.add(statement.hash)
    return bool(stated) and all(hash in hashes for hashes in stated.values())


def _signed(statement: bundle.ImportStatement, reviewer: manifest.Reviewer) -> bool:
    for signing in reviewer.signing:
        try:
            statement.check(signing.raw)
        except ProtocolError:
            continue
        return True
    return False


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for kind in ("envelopes/", "blocks/"):
        of_kind = [name for name in names if name.startswith(kind)]
        for start in range(0, len(of_kind), BATCH):
            yield of_kind[start : start + BATCH]


def _union(receipts: Sequence[Receipt]) -> Receipt:
    taken = {id for receipt in receipts for id in receipt.taken}
    stored = {id for receipt in receipts for id in receipt.stored} - taken
    return Receipt(tuple(sorted(stored)[:MAX_IDS]), tuple(sorted(taken)[:MAX_IDS]))


def _receipt(answer: Mapping[str, Any], part: Outgoing) -> Receipt:
    """The receipt of a part. The server names the envelopes that it has, and has every block that is not taken."""
    blocks = [bundle.member_id(member.name) for member in part.listing.members if member.is_block]
    try:
        taken = tuple(bytes.fromhex(id) for id in answer["taken"])
        stored = [*blocks, *(bytes.fromhex(id) for field in ("stored", "same") for id in answer[field])]
        return Receipt(tuple(id for id in stored if id not in taken), taken)
    except (KeyError, TypeError, ValueError) as exc:
        raise _strange() from exc


def _days(answer: Any) -> list[datetime.date]:
    try:
        if type(answer["serial"]) is not int:
            raise _strange()
        return sorted(datetime.date.fromisoformat(each["day"]) for each in answer["days"])
    except (KeyError, TypeError, ValueError) as exc:
        raise _strange() from exc


def _names(answer: Any) -> set[str]:
    try:
        envelopes = {bundle.envelope_name(bytes.fromhex(id)) for id in answer["envelopes"]}
        names = envelopes | {bundle.block_name(bytes.fromhex(id)) for id in answer["blocks"]}
    except (KeyError, TypeError, ValueError) as exc:
        raise _strange() from exc
    if not all(bundle.NAME.fullmatch(name) for name in names):
        raise _strange()
    return names


def _strange() -> BadServer:
    return BadServer("the server's answer is not of the known form", "ask the operator for its version")
