"""One reviewer's workstation: the vault with its keys, what it trusts, and its messages."""

import base64
import datetime
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whistle.protocol import schema
from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import message
from whistle.protocol.case.message import ByReporter, Grant, Message, Signed
from whistle.protocol.errors import Malformed
from whistle.protocol.invisible_text import is_blank, strip_invisible
from whistle.protocol.trust import enrolment
from whistle.protocol.trust.enrolment import ReviewerKeys
from whistle.protocol.trust.manifest import Reviewer, SignedManifest
from whistle.protocol.trust.minisign import SecretKey
from whistle.workstation import remarks
from whistle.workstation.errors import Refused, VaultForeign
from whistle.workstation.remarks import Remark
from whistle.workstation.trust import Trust
from whistle.workstation.vault import identities
from whistle.workstation.vault.blocks import Blocks
from whistle.workstation.vault.identities import Period
from whistle.workstation.vault.storage import Vault

CACHED = 16 * 1024**2  # bytes of messages' lines that are held in memory, parsed
SOON = datetime.timedelta(days=120)  # before the end of the last identity: time to make new ones

LONGEST_NAME = 128  # characters, as in the manifest
MOST_LANGUAGES = 32
UNFINISHED = "unfinished"  # the record of a vault into which a backup is being restored

Today = Callable[[], datetime.date]


def utc_today() -> datetime.date:
    """The day by this computer's clock, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def check_profile(name: str, role: str, languages: Sequence[str]) -> None:
    """Raise Refused unless a manifest can list a reviewer with this name, role and languages."""
    for what, text in (("name", name), ("role", role)):
        hides = strip_invisible(text) != text or not text.isprintable()
        if is_blank(text) or hides or len(text) > LONGEST_NAME:
            raise Refused(
                f"this is no {what} for the manifest", f"one line of 1 to {LONGEST_NAME} characters that can be seen"
            )
    try:
        schema.list_of(schema.identifier, MOST_LANGUAGES, unique=True)(list(languages))
    except Malformed as exc:
        raise Refused("these are no languages for the manifest", "codes like en or pt-br, each once") from exc


@dataclass(frozen=True)
class Kept:
    """A stored message: how and when it came, the earliest day at the server if known, the day on which a courier said
    that a reply of this vault is in its place, and who handed it over with a grant, if somebody did.
    """

    signed: Signed
    via: str
    arrived: datetime.date
    server: datetime.date | None
    stored: datetime.date | None
    grantor: str


def _kept(record: Mapping[str, Any]) -> Kept:
    line = record["line"].encode()
    signed = Signed(line, base64.b64decode(record["signature"]), message.parse(line))
    days = (record.get(name) for name in ("arrived", "server", "stored"))
    arrived, server, stored = (datetime.date.fromisoformat(day) if day else None for day in days)
    assert arrived
    return Kept(signed, record["via"], arrived, server, stored, record.get("grantor", ""))


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
        self._identities: dict[bytes, HybridIdentity] = {}
        self._new_cases: list[str] = []  # added by the change under way
        self._cases: dict[str, dict[str, Any]] = {}  # records of cases that the change under way altered
        self._touched: set[str] = set()  # other cases of which it altered something

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
        records: dict[str, Any] = {
            "profile": {"name": name, "role": role, "languages": list(languages), "station": secrets.token_hex(6)},
            "signing": key.text,
            "identities": [period.record() for period in held],
            "clock": today().isoformat(),
        }
        if unfinished:
            records[UNFINISHED] = True
        return cls(Vault.create(folder, passphrase, records, profile), today)

    @classmethod
    def open(cls, folder: Path, passphrase: str, today: Today = utc_today) -> "Workstation":
        """Unlock a workstation.  Raises VaultError."""
        vault = Vault.open(folder, passphrase)
        if vault.get(UNFINISHED):
            vault.close()
            raise VaultForeign(
                "restoring this workstation was cut off before its end",
                "remove the folder, then `whistle workstation restore` again; the backup is untouched",
            )
        return cls(vault, today)

    def finish(self) -> None:
        """Mark the vault complete, once all of a backup has been restored."""
        self.vault.remove(UNFINISHED)

    def close(self) -> None:
        """Lock the vault."""
        self.vault.close()

    @property
    def profile(self) -> Mapping[str, Any]:
        """name, role, languages, and station: a random name of this vault for files on a stick."""
        profile: Mapping[str, Any] = self.vault.get("profile")
        return profile

    @property
    def signing(self) -> SecretKey:
        """The reviewer's signing key."""
        return SecretKey.from_text(self.vault.get("signing"))

    def periods(self) -> list[Period]:
        """The reviewer's identities with their days, oldest first."""
        return [Period.from_record(record) for record in self.vault.get("identities")]

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
        self.vault.put("identities", [period.record() for period in after])
        return len(after) - len(before)

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
        last = max(period.last for period in self.periods())
        if last - self.today() > SOON:
            return self.trust.notices()
        renew = f"Your newest key ends on {last}: `whistle workstation public` makes new ones, for root to list."
        return [*self.trust.notices(), renew]

    @property
    def me(self) -> str:
        """This reviewer's id in the manifest.  Raises Untrusted without a manifest, Refused when not listed."""
        newest = self.trust.newest()
        if self._me is None or self._me[0] is not newest:
            self._me = newest, self.trust.listed(self.signing.public)
        listed = self._me[1]
        if listed is None:
            raise Refused(
                "the manifest does not list this workstation's key",
                "hand your public file to root: `whistle workstation public`; root lists it in the next manifest",
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
                for case, record in self._cases.items():
                    self.vault.put(f"case/{case}", record)
                if self._cases or self._touched:
                    self.vault.put("stale", sorted({*self.stale(), *self._cases, *self._touched}))
                if self._new_cases:
                    self.vault.put("cases", self.case_ids())
            finally:
                self._changing = False
                self._touched.clear()
                self._new_cases.clear()
                self._cases.clear()

    def message(self, hash: str) -> Signed:
        """A stored message, by its hash."""
        return self.kept(hash).signed

    def kept(self, hash: str) -> "Kept":
        """A stored message and how it came, by its hash."""
        if hash not in self._messages:
            kept = _kept(self.record(hash))
            while self._held > CACHED:
                oldest = next(iter(self._messages))
                self._held -= len(self._messages.pop(oldest).signed.line)
            self._messages[hash] = kept
            self._held += len(kept.signed.line)
        return self._messages[hash]

    def has(self, hash: str) -> bool:
        """Whether a message is stored."""
        return self.vault.has(f"message/{hash}")

    def record(self, hash: str) -> Mapping[str, Any]:
        """A message's record: line, signature, via, arrived, server (the earliest day at the server, or
        None), stored (the day on which a courier reported that a reply of this vault lies in its place, or None),
        grantor (who handed it over with a grant, or empty).
        """
        record: Mapping[str, Any] = self.vault.get(f"message/{hash}")
        return record

    def save(self, signed: Signed, via: str, server: datetime.date | None = None, grantor: str = "") -> bool:
        """Save a message in its case; False if it is there already.

        `via`: envelope, grant, own, backup.  `server`: its day at the server.  `grantor`: who handed it over.
        """
        if self.has(signed.hash):
            return False
        record = {
            "line": signed.line.decode(),
            "signature": base64.b64encode(signed.signature).decode(),
            "via": via,
            "arrived": self.today().isoformat(),
            "server": server and server.isoformat(),
            "stored": None,
            "grantor": grantor,
        }
        case = signed.message.case
        with self.change():
            self.vault.put(f"message/{signed.hash}", record)
            case_record = self._altered(case)
            if not case_record["messages"]:
                self._new_cases.append(case)
            case_record["messages"].append(signed.hash)
            if isinstance(signed.message, ByReporter | Grant) and "rules" in case_record:
                case_record["rules"].append(signed.hash)
        return True

    def note_server(self, hash: str, day: datetime.date | None) -> bool:
        """Save a message's day at the server unless the same or an earlier one is recorded; True if it was saved.

        Not for what a grant handed over: an envelope that brings it later says nothing about when it was written, since
        anybody who has a message can send it once more, and it would take the effect from an author who left since.
        """
        kept = self.kept(hash)
        recorded = kept.server or (kept.arrived if kept.via == "envelope" else None)
        if day is None or kept.via == "grant" or (recorded and recorded <= day):
            return False
        self._note_day(hash, "server", day)
        return True

    def note_stored(self, hash: str, day: datetime.date | None) -> None:
        """Save the day on which a courier reported that a reply lies in its place; None if that is in doubt."""
        if self.has(hash):
            self._note_day(hash, "stored", day)

    def _note_day(self, hash: str, name: str, day: datetime.date | None) -> None:
        kept = self.record(hash)
        with self.change():
            self.vault.put(f"message/{hash}", {**kept, name: day and day.isoformat()})
            self._touched.add(message.parse(kept["line"].encode()).case)
        if before := self._messages.pop(hash, None):
            self._held -= len(before.signed.line)

    def case_ids(self) -> list[str]:
        """All cases, oldest first."""
        cases: list[str] = self.vault.get("cases", [])
        return list(dict.fromkeys([*cases, *self._new_cases])) if self._new_cases else cases

    def stale(self) -> list[str]:
        """The cases that have changed since they were last `listed`; all, if they never were."""
        cases: list[str] | None = self.vault.get("stale")
        return self.case_ids() if cases is None else cases

    def listed(self) -> None:
        """Note that the list of cases is up to date."""
        self.vault.put("stale", [])

    def begun(self) -> Sequence[str]:
        """The cases that the change under way has added."""
        return tuple(self._new_cases)

    def case_record(self, case: str) -> Mapping[str, Any]:
        """A case's record: the hashes of its messages, the faults found in it, how many messages were `opened`."""
        return self._cases.get(case) or self._stored(case)

    def _stored(self, case: str) -> dict[str, Any]:
        record: dict[str, Any] = self.vault.get(f"case/{case}", {"messages": [], "rules": [], "faults": []})
        return record

    def _altered(self, case: str) -> dict[str, Any]:
        """A case's record, to be altered: it is written once, at the end of the change."""
        return self._cases.setdefault(case, self._cases.get(case) or self._stored(case))

    def rules(self, case: str) -> list[str]:
        """The hashes of a case's messages that say who may read and write in it."""
        record = self.case_record(case)
        hashes: list[str] = record.get("rules", record["messages"])  # earlier versions of Whistle kept no list of them
        return hashes

    def hashes(self, case: str) -> list[str]:
        """The hashes of a case's messages, in order of arrival."""
        hashes: list[str] = self.case_record(case)["messages"]
        return hashes

    def note_fault(self, case: str, remark: Remark) -> None:
        """Record a fault that reviewers should see in the case."""
        record = self.case_record(case)
        faults = remarks.added(record["faults"], remark)
        if record["messages"] and faults != record["faults"]:
            with self.change():
                self._altered(case)["faults"] = faults

    def note_opened(self, case: str, count: int) -> None:
        """Record how many of a case's messages the reviewer has seen."""
        with self.change():
            self._altered(case)["opened"] = count

    def note_waiting(self, case: str, counts: Mapping[str, int]) -> None:
        """Record how many messages of each reviewer wait for something else of the case."""
        record = self.case_record(case)
        if record["messages"] and counts != record.get("waits", {}):
            with self.change():
                self._altered(case)["waits"] = dict(counts)
