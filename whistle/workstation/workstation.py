"""One reviewer's workstation: the vault with its keys, what it trusts, and its messages."""

import datetime
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import message
from whistle.protocol.case.message import ByReporter, Grant, Message, Signed
from whistle.protocol.code.retrieval import reference
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.enrolment import ReviewerKeys
from whistle.protocol.trust.manifest import Reviewer, SignedManifest
from whistle.protocol.trust.minisign import SecretKey
from whistle.workstation import remarks
from whistle.workstation.errors import Refused, VaultForeign
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.trust import Trust
from whistle.workstation.vault import backups, identities, rows, terms
from whistle.workstation.vault.blocks import Blocks
from whistle.workstation.vault.identities import Period
from whistle.workstation.vault.models import CaseRow, IdentityPeriod, Outgoing, OutgoingBlock, Station
from whistle.workstation.vault.storage import Vault

CACHED = 16 * 1024**2  # bytes of messages' lines that are held in memory, parsed
SOON = datetime.timedelta(days=120)  # before the end of the last identity: time to make new ones
UNSYNCED: dict[str, Any] = {"execution_options": {"synchronize_session": False}}  # of rows that are not held

Today = Callable[[], datetime.date]


def utc_today() -> datetime.date:
    """The day by this computer's clock, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


@dataclass(frozen=True)
class Kept:
    """A stored message: how and when it came, the earliest day at the server if known, the day on which a courier said
    that a reply of this vault is in its place, who handed it over with a grant, if somebody did, and its place in the
    order of arrival, for one of a backup.
    """

    signed: Signed
    via: str
    arrived: datetime.date
    server: datetime.date | None
    stored: datetime.date | None
    grantor: str
    id: int | None = None


def _row(period: Period) -> IdentityPeriod:
    return IdentityPeriod(first=period.first, last=period.last, identity=period.identity.text)


def _values(kept: Kept, case: int) -> dict[str, Any]:
    signed, place = kept.signed, {} if kept.id is None else {"id": kept.id}
    return {
        **place,
        "hash": signed.hash,
        "case_id": case,
        "via": kept.via,
        "arrived": kept.arrived,
        "server": kept.server,
        "stored": kept.stored,
        "grantor": kept.grantor,
        "rules": isinstance(signed.message, ByReporter | Grant),
        "line": signed.line,
        "signature": signed.signature,
    }


class Workstation:
    """An unlocked vault, from `open` or `create` until `close`."""

    def __init__(self, vault: Vault, today: Today = utc_today) -> None:
        self.vault = vault
        self.today = today
        self.blocks = Blocks(vault.folder / "blocks")
        self.trust = Trust(vault, today)
        self._messages: dict[str, Kept] = {}
        self.last_opened: tuple[Message, Message] | None = None  # a message, and the same with its content
        self._held = 0  # bytes of the lines in `_messages`
        self._me: tuple[SignedManifest, Reviewer | None] | None = None  # this reviewer in the newest manifest
        self._changing = False
        self.office: tuple[int, object] | None = None  # what `duties.office` read, and at which version of the vault
        self._identities: dict[bytes, HybridIdentity] = {}
        self._new_cases: list[str] = []  # added by the change under way

    @classmethod
    def create(
        cls,
        folder: Path,
        passphrase: str,
        *,
        name: str,
        role: str,
        languages: Sequence[str],
        profile: str = "standard",
        today: Today = utc_today,
        signing: SecretKey | None = None,
        periods: Sequence[Period] = (),
        unfinished: bool = False,
    ) -> "Workstation":
        """A new workstation with fresh keys, or with those of a backup.  Raises VaultError, Refused.

        An `unfinished` one opens again only after `finish`.
        """
        key = signing or SecretKey.generate()
        held = identities.extend(periods, today())
        row = Station(
            id=1,
            name=name,
            role=role,
            languages=list(languages),
            station=secrets.token_hex(6),
            signing=key.text,
            clock=today(),
            unfinished=unfinished,
            terms=terms.VERSION,
        )
        return cls(Vault.create(folder, passphrase, [row, *map(_row, held)], profile), today)

    @classmethod
    def open(cls, folder: Path, passphrase: str, today: Today = utc_today) -> "Workstation":
        """Unlock a workstation.  Raises VaultError."""
        vault = Vault.open(folder, passphrase)
        if vault.station.unfinished:
            vault.close()
            raise VaultForeign(
                t("workstation.unfinished"),
                t("workstation.unfinished_hint"),
            )
        return cls(vault, today)

    def finish(self) -> None:
        """Mark the vault complete, once all of a backup has been restored."""
        with self.vault.transaction():
            self.vault.station.unfinished = False

    def close(self) -> None:
        """Lock the vault, and drop what was read from it."""
        self._drop()
        self.vault.close()

    def rest(self) -> None:
        """Let other programs use the vault until `resume`; it stays unlocked here."""
        self.vault.rest()

    def resume(self) -> None:
        """Have the vault for oneself again, as other programs left it.  Raises VaultLocked while one uses it."""
        if self.vault.resume():
            self._drop()

    def _drop(self) -> None:
        self._messages.clear()
        self._identities.clear()
        self.last_opened = self._me = self.office = None
        self._held = 0

    @property
    def profile(self) -> Mapping[str, Any]:
        """name, role, languages, and station: a random name of this vault for files on a stick."""
        row = self.vault.station
        return {"name": row.name, "role": row.role, "languages": row.languages, "station": row.station}

    @property
    def signing(self) -> SecretKey:
        """The reviewer's signing key."""
        return SecretKey.from_text(self.vault.station.signing)

    def periods(self) -> list[Period]:
        """The reviewer's identities with their days, oldest first."""
        return [
            Period(row.first, row.last, HybridIdentity.from_text(row.identity))
            for row in self.vault.session.scalars(select(IdentityPeriod).order_by(IdentityPeriod.first))
        ]

    def identities(self, day: datetime.date | None = None) -> list[HybridIdentity]:
        """All identities, beginning with the newest on a day (today), to which most envelopes are sealed."""
        on = day or self.today()
        ordered = sorted(self.periods(), key=lambda period: (period.first > on, -period.first.toordinal()))
        return [self._identity(period.identity) for period in ordered]

    def _identity(self, identity: HybridIdentity) -> HybridIdentity:
        """The same object each time, so that its key is expanded only once."""
        return self._identities.setdefault(identity.seed, identity)

    def renew(self) -> int:
        """Make the missing identities for five quarters ahead; returns how many are new."""
        before = self.periods()
        after = identities.extend(before, self.today())
        new = [period for period in after if period not in before]
        with self.vault.transaction():
            self.vault.session.add_all(map(_row, new))
        return len(new)

    def public_file(self) -> bytes:
        """The self-signed public file to hand to root."""
        profile = self.profile
        recipients = [
            enrolment.Period(period.identity.recipient.text, period.first, period.last)
            for period in self.periods()
            if period.last >= self.today()
        ]
        public = self.signing.public.text
        keys = ReviewerKeys(profile["name"], profile["role"], tuple(profile["languages"]), public, tuple(recipients))
        return enrolment.reviewer_file(keys, self.signing)

    def notices(self) -> list[str]:
        """What a reviewer should know today about manifest, clock and keys; empty if all is well."""
        notices, last = self.trust.notices(), max(period.last for period in self.periods())
        if last - self.today() <= SOON:
            notices.append(t("workstation.key_ends", day=last))
        going = select(OutgoingBlock.id).join(Outgoing).where(Outgoing.said.is_(None))
        if self.blocks.missing(self.vault.session.scalars(going)):
            notices.append(t("workstation.piece_missing"))
        reminder = backups.reminder(self.vault, self.today())
        return [*notices, *([reminder] if reminder else [])]

    @property
    def me(self) -> str:
        """This reviewer's id in the manifest.  Raises Untrusted without a manifest, Refused when not listed."""
        newest = self.trust.newest()
        if self._me is None or self._me[0] is not newest:
            self._me = newest, self.trust.listed(self.signing.public)
        listed = self._me[1]
        if listed is None:
            raise Refused(
                t("workstation.unlisted"),
                t("workstation.unlisted_hint"),
            )
        return listed.id

    @contextmanager
    def change(self) -> Iterator[None]:
        """All changes inside are saved together or not at all."""
        with self.vault.transaction():
            if self._changing:
                yield
                return
            self._changing = True
            try:
                yield
            except BaseException:
                self._messages.clear()  # some of them were not stored after all
                self._held = 0
                raise
            finally:
                self._changing = False
                self._new_cases.clear()

    def message(self, hash: str) -> Signed:
        """A stored message, by its hash."""
        return self.kept(hash).signed

    def kept(self, hash: str) -> Kept:
        """A stored message and how it came, by its hash."""
        return self.messages([hash])[0]

    def messages(self, hashes: Sequence[str]) -> list[Kept]:
        """Stored messages and how they came, in the order of these hashes."""
        found = {hash: self._messages[hash] for hash in hashes if hash in self._messages}
        for row in rows.messages(self.vault.connection, [hash for hash in hashes if hash not in found]):
            signed = Signed(row.line, row.signature, message.parse(row.line))
            found[row.hash] = Kept(signed, row.via, row.arrived, row.server, row.stored, row.grantor)
            self._remember(row.hash, found[row.hash])
        return [found[hash] for hash in hashes]

    def _remember(self, hash: str, kept: Kept) -> None:
        while self._held > CACHED:
            self.forget([next(iter(self._messages))])
        self._messages[hash] = kept
        self._held += len(kept.signed.line)

    def forget(self, hashes: Iterable[str]) -> None:
        """Drop what is held in memory of these messages."""
        for hash in hashes:
            if before := self._messages.pop(hash, None):
                self._held -= len(before.signed.line)

    def has(self, hash: str) -> bool:
        """Whether a message is stored."""
        return bool(self.known([hash]))

    def known(self, hashes: Sequence[str]) -> set[str]:
        """Those of these messages that are stored."""
        return rows.known(self.vault.connection, hashes)

    def save(self, signed: Signed, via: str, server: datetime.date | None = None, grantor: str = "") -> bool:
        """Save a message in its case; False if it is there already.

        `via`: envelope, grant, own.  `server`: its day at the server.  `grantor`: who handed it over.
        """
        if self.has(signed.hash):
            return False
        with self.change():
            self.insert(Kept(signed, via, self.today(), server, None, grantor))
        return True

    def insert(self, *new: Kept) -> None:
        """Save messages that are not there yet, with all that is known of how they came; use within a change."""
        cases = dict.fromkeys(kept.signed.message.case for kept in new)
        digits = {case: reference(bytes.fromhex(case)).replace("-", "") for case in cases}
        ids, begun = rows.touch(self.vault.connection, digits)
        self._new_cases += begun
        rows.insert_messages(self.vault.connection, [_values(kept, ids[kept.signed.message.case]) for kept in new])
        for kept in new:
            self._remember(kept.signed.hash, kept)

    def note_server(self, hash: str, day: datetime.date | None) -> bool:
        """Save a message's day at the server unless the same or an earlier one is recorded; True if it was saved.

        Not for what a grant handed over: an envelope that brings it later says nothing about when it was written, since
        anybody who has a message can send it once more, and it would take the effect from an author who left since.
        """
        kept = self.kept(hash)
        recorded = kept.server or (kept.arrived if kept.via == "envelope" else None)
        if day is None or kept.via == "grant" or (recorded and recorded <= day):
            return False
        self._note(hash, {"server": day})
        return True

    def note_stored(self, hash: str, day: datetime.date | None) -> None:
        """Save the day on which a courier reported that a reply lies in its place; None if that is in doubt."""
        if self.has(hash):
            self._note(hash, {"stored": day})

    def _note(self, hash: str, values: Mapping[str, Any]) -> None:
        case = self.kept(hash).signed.message.case
        with self.change():
            rows.change_message(self.vault.connection, hash, **values)
            rows.change_case(self.vault.connection, case)
        self.forget([hash])

    def case_ids(self) -> list[str]:
        """All cases, oldest first."""
        return list(self.vault.session.scalars(select(CaseRow.hash).order_by(CaseRow.id)))

    def called(self, prefix: str) -> list[str]:
        """The cases whose reference begins with these digits, or whose id does if they are more than 12."""
        named = CaseRow.digits.startswith(prefix, autoescape=True)
        if len(prefix) > CaseRow.DIGITS:
            named = CaseRow.hash.startswith(prefix, autoescape=True)
        return list(self.vault.session.scalars(select(CaseRow.hash).where(named).order_by(CaseRow.id)))

    def begun(self) -> Sequence[str]:
        """The cases that the change under way has added."""
        return tuple(self._new_cases)

    def case_row(self, case: str) -> rows.Case | None:
        """What is stored of a case beside its messages; None for a case without any."""
        return rows.cases(self.vault.connection, [case]).get(case)

    def rules(self, case: str) -> Iterator[Kept]:
        """A case's messages that say who may read and write in it, in order of arrival; a few are held at once."""
        hashes = rows.hashes(self.vault.connection, case, rules=True)
        for start in range(0, len(hashes), rows.CHUNK):
            yield from self.messages(hashes[start : start + rows.CHUNK])

    def hashes(self, case: str) -> list[str]:
        """The hashes of a case's messages, in order of arrival."""
        return rows.hashes(self.vault.connection, case)

    def note_fault(self, case: str, remark: Remark) -> None:
        """Record a fault that reviewers should see in the case."""
        row = self.case_row(case)
        if row is not None and (recorded := remarks.added(row.recorded, remark)) != row.recorded:
            self._change_case(case, recorded=recorded)

    def note_opened(self, case: str, count: int) -> None:
        """Record how many of a case's messages the reviewer has seen."""
        self._change_case(case, opened=count)

    def note_waiting(self, case: str, counts: Mapping[str, int]) -> None:
        """Record how many messages of each reviewer wait for something else of the case."""
        row = self.case_row(case)
        if row is not None and counts != row.waits:
            self._change_case(case, waits=dict(counts))

    def _change_case(self, case: str, **values: Any) -> None:
        with self.change():
            rows.change_case(self.vault.connection, case, **values)
