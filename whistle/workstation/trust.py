"""What this workstation trusts: the pinned roots, the manifests that they signed, and its own clock.

A manifest is accepted if a pinned root signed it, its serial is not lower than one seen before, and it follows its
predecessor (SPEC section 7).  Its dates are checked against the workstation's clock; nothing is signed while that
clock is behind a day on which this vault was already used.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sqlalchemy import select

from whistle.protocol.case import message
from whistle.protocol.case.message import ByReviewer, Signed
from whistle.protocol.errors import Expired, Forged, Malformed, ProtocolError
from whistle.protocol.trust import manifest as manifests
from whistle.protocol.trust.manifest import Manifest, Reviewer, SignedManifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.workstation.errors import ClockBehind, NotExchanged, Refused, Untrusted
from whistle.workstation.language import t
from whistle.workstation.vault.models import KnownManifest, Root
from whistle.workstation.vault.storage import Vault

FILE = re.compile(r"manifest(?:-[1-9][0-9]*)?\.json")


class People:
    """Everyone whom the manifests list, and the keys with which they sign."""

    def __init__(self, manifests: ManifestChain) -> None:
        self._manifests = manifests
        self._ends: dict[str, dict[bytes, datetime.date | None]] = {}
        self._signers: dict[tuple[str, bytes], bytes | None] = {}  # by hash and signature

    def ended(self, signed: Signed, day: datetime.date) -> datetime.date | None:
        """The end of the key that signed a reviewer's message of this day, if the day is after it (SPEC 7.5).

        `day` is the later of the message's own and its earliest at the server.  Raises Forged if no key of the
        reviewer whom it names signed it.
        """
        assert isinstance(signed.message, ByReviewer)
        ends = self._ends_of(signed.message.sender)
        end = ends[self.signer(signed)]
        return end if end and day > end else None

    def signer(self, signed: Signed) -> bytes:
        """The Ed25519 key that signed a reviewer's message, in use or not.  Raises Forged."""
        assert isinstance(signed.message, ByReviewer)
        name = (signed.hash, signed.signature)
        if name not in self._signers:
            keys = self._ends_of(signed.message.sender)
            self._signers[name] = next((key for key in keys if _is_by(signed, key)), None)
        key = self._signers[name]
        if key is None:
            raise Forged("no key of the reviewer whom it names signed it")
        return key

    def is_any_ended(self, reviewer: str) -> bool:
        """Whether any key of a reviewer has an end, so that it matters which one signed."""
        return any(self._ends_of(reviewer).values())

    def _ends_of(self, reviewer: str) -> dict[bytes, datetime.date | None]:
        if reviewer not in self._ends:
            self._ends[reviewer] = self._manifests.key_ends(reviewer)
        return self._ends[reviewer]


def _is_by(signed: Signed, key: bytes) -> bool:
    try:
        message.check(signed, key)
    except Forged:
        return False
    return True


class Trust:
    """Roots, manifests and clock of one vault; `today` gives the day in UTC."""

    def __init__(self, vault: Vault, today: Callable[[], datetime.date]) -> None:
        self._vault = vault
        self._today = today
        self._manifests: dict[int, SignedManifest] = {}
        self._serials: tuple[int, list[int]] | None = None  # with the version of the vault
        self._people: tuple[tuple[int, ...], People] | None = None

    def roots(self) -> list[PublicKey]:
        """The pinned roots; empty before any was pinned."""
        return [PublicKey.from_text(text) for text in self._pinned()]

    def pin(self, roots: Iterable[PublicKey]) -> str:
        """Pin the published roots, once; returns their common fingerprint.  Raises Untrusted if others are pinned."""
        new = sorted({root.text for root in roots})
        old = self._pinned()
        if not new:
            raise Untrusted(t("trust.no_root_given"), t("trust.no_root_given_hint"))
        if old and old != new:
            raise Untrusted(
                t("trust.other_roots"),
                t("trust.other_roots_hint"),
            )
        with self._vault.transaction():
            self._vault.session.add_all(Root(key=key) for key in new if key not in old)
        return self.fingerprint()

    def _pinned(self) -> list[str]:
        return sorted(self._vault.session.scalars(select(Root.key)))

    def fingerprint(self) -> str:
        """The digits of the pinned roots, to compare aloud."""
        return manifests.fingerprint(self.roots())

    def serials(self) -> list[int]:
        """The serials of all manifests seen, ascending; read once while nothing changes, since each message asks."""
        version = self._vault.version
        if self._serials is None or self._serials[0] != version:
            self._serials = version, sorted(self._vault.session.scalars(select(KnownManifest.serial)))
        return list(self._serials[1])

    def manifest(self, serial: int) -> SignedManifest:
        """A manifest seen before, by its serial."""
        if serial not in self._manifests:
            kept = self._vault.session.get_one(KnownManifest, serial)
            self._manifests[serial] = SignedManifest(kept.data, kept.signature, manifests.parse(kept.data))
        return self._manifests[serial]

    def newest(self) -> SignedManifest:
        """The manifest of the highest serial, in force or not yet.  Raises Untrusted if there is none yet."""
        serials = self.serials()
        if not serials:
            raise Untrusted(t("trust.no_manifest"), t("trust.no_manifest_hint"))
        return self.manifest(serials[-1])

    def on(self, day: datetime.date) -> SignedManifest:
        """The manifest in force on a day: the newest that had begun, or the first one if none had."""
        chain = [self.manifest(serial) for serial in self.serials()] or [self.newest()]
        begun = [each for each in chain if each.manifest.begins <= day]
        return begun[-1] if begun else chain[0]

    def take(self, files: Mapping[str, bytes]) -> int:
        """Take a bundle's manifest and its predecessors; returns how many are new.  Raises Untrusted."""
        names = [name for name in files if FILE.fullmatch(name)]
        if not names:
            return 0
        roots = self.roots()
        if not roots:
            raise Untrusted(t("trust.no_root"), t("trust.no_root_hint"))
        try:
            by_serial = {each.manifest.serial: each for each in (self._verified(files, name, roots) for name in names)}
            return self._follow([by_serial[serial] for serial in sorted(by_serial)])
        except Forged as exc:
            raise Untrusted(
                t("trust.forged", why=str(exc)),
                t("trust.forged_hint"),
            ) from exc
        except Expired as exc:
            raise Untrusted(t("trust.expired", why=str(exc)), t("trust.expired_hint")) from exc
        except Malformed as exc:
            raise Untrusted(
                t("trust.malformed", why=str(exc)),
                t("trust.malformed_hint"),
            ) from exc

    def _verified(self, files: Mapping[str, bytes], name: str, roots: list[PublicKey]) -> SignedManifest:
        signed = manifests.verify(files[name], files.get(name + ".minisig", b""), roots)
        manifests.check_name(name, signed)
        return signed

    def _follow(self, offered: list[SignedManifest]) -> int:
        serials = self.serials()
        if serials and offered[-1].manifest.serial < serials[-1]:
            raise Expired(t("trust.older"))
        for signed in offered:
            if signed.manifest.serial in serials and self.manifest(signed.manifest.serial).data != signed.data:
                raise Forged(t("trust.same_serial"))
        new = [signed for signed in offered if not serials or signed.manifest.serial > serials[-1]]
        row = [*map(self.manifest, serials), *new]
        for place in range(max(len(serials), 1), len(row)):
            manifests.check_after(row[:place], row[place])
        self._save(new)
        return len(new)

    def _save(self, new: list[SignedManifest]) -> None:
        with self._vault.transaction():
            self._serials = None
            for signed in new:
                serial = signed.manifest.serial
                self._manifests[serial] = signed
                self._vault.session.add(KnownManifest(serial=serial, data=signed.data, signature=signed.signature))

    def people(self) -> People:
        """Everyone in all manifests seen so far."""
        serials = tuple(self.serials())
        if self._people is None or self._people[0] != serials:
            self._people = serials, People(ManifestChain(tuple(map(self.manifest, serials))))
        return self._people[1]

    def listed(self, signing: PublicKey) -> Reviewer | None:
        """The reviewer with this signing key in the newest manifest that lists it: one who left can still read."""
        self.newest()
        for serial in reversed(self.serials()):
            for reviewer in self.manifest(serial).manifest.reviewers:
                if any(key.raw == signing.key for key in reviewer.signing):
                    return reviewer
        return None

    def sealing(self) -> SignedManifest:
        """The manifest to seal with today.  Raises Refused 30 days after its end, ClockBehind, NotExchanged."""
        self.check_clock()
        self.check_exchanged()
        signed, today = self.on(self._today()), self._today()
        standing = signed.manifest.standing(today)
        if standing == "ahead":
            raise ClockBehind(
                t("trust.ahead", begins=signed.manifest.begins, today=today),
                t("trust.ahead_hint"),
            )
        if standing == "closed":
            raise Refused(
                t("trust.closed", day=signed.manifest.expires),
                t("trust.closed_hint"),
            )
        return signed

    def notices(self) -> list[str]:
        """What a reviewer should know today about manifest and clock; empty if all is well."""
        if not self.serials():
            return [t("trust.notice_no_manifest")]
        notices: list[str] = []
        today = self._today()
        manifest: Manifest = self.on(today).manifest
        left = manifest.warning(today)
        if left is not None and left >= 0 and self.newest().manifest.expires <= manifest.expires:
            notices.append(t("trust.notice_ends", left, day=manifest.expires))
        if left is not None and left < 0:
            notices.append(t("trust.notice_ended", day=manifest.expires))
        if today < self.seen_day():
            notices.append(t("trust.notice_clock", today=today, before=self.seen_day()))
        if self.restored():
            notices.append(t("trust.notice_restored", day=self.restored()))
        return notices

    def restored(self) -> datetime.date | None:
        """The day on which this vault was restored from a backup, until a courier's stick has come since."""
        return self._vault.station.restored

    def note_written(self, day: datetime.date) -> None:
        """Note that a stick that a courier wrote on this day was imported completely."""
        if (restored := self.restored()) and day >= restored:
            with self._vault.transaction():
                self._vault.station.restored = None

    def check_exchanged(self) -> None:
        """Raise NotExchanged if this vault was restored and cannot know yet what it signed after the backup."""
        if day := self.restored():
            raise NotExchanged(
                t("trust.restored", day=day),
                t("trust.restored_hint"),
            )

    def seen_day(self) -> datetime.date:
        """The latest day on which this vault was used."""
        return self._vault.station.clock

    def check_clock(self) -> None:
        """Raise ClockBehind when today is before the latest day seen; otherwise note today."""
        today, seen = self._today(), self.seen_day()
        if today < seen:
            raise ClockBehind(
                t("trust.clock", today=today, seen=seen),
                t("trust.clock_hint"),
            )
        if today > seen:
            with self._vault.transaction():
                self._vault.station.clock = today

    def accept_clock(self) -> None:
        """Accept today's date, after a day on which the clock was wrong."""
        today = self._today()
        with self._vault.transaction():
            station = self._vault.station
            station.clock = today
            if station.restored and station.restored > today:
                station.restored = today


def read_roots(paths: Iterable[Path]) -> list[PublicKey]:
    """The root keys of published `.pub` files.  Raises Untrusted."""
    try:
        return [PublicKey.from_file(path.read_bytes()) for path in paths]
    except (OSError, ProtocolError) as exc:
        raise Untrusted(t("trust.no_root_key"), t("trust.no_root_key_hint")) from exc
