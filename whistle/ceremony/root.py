"""A root keeper's offline work: make a signing key, draft the list of who may read, sign it, publish it.

The key never leaves its key file, which stock `age` opens. A draft starts from the newest manifest, so that nobody is
dropped by oversight. Nothing is signed that `protocol.trust.manifest` would reject.
"""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from whistle import durable
from whistle.protocol import invisible_text
from whistle.protocol.age.passphrase import LOG_N
from whistle.protocol.errors import Malformed, NotForMe, ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.trust import keyfile, manifest
from whistle.protocol.trust.enrolment import CourierKey, Period, ReviewerKeys
from whistle.protocol.trust.manifest import Channel, Courier, Manifest, Recovery, Reviewer, SignedManifest, Signing
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey, SecretKey
from whistle.translations import defaults

MARK = "# WHISTLE-SECRET-MINISIGN "  # a comment, since age rejects unknown lines in an identity file
SLOTS = 8
ROOT = re.compile(r"root-([1-9][0-9]?)\.pub")
NUMBERED = re.compile(r"manifest-([1-9][0-9]{0,8})\.json")
NEWEST = "manifest.json"
# Cyrillic and Greek letters with the Latin ones that they look like; CAPITALS: those that do so only as capitals.
CAPITALS = str.maketrans("\u0392\u0396\u0397\u039c\u039d\u03a5", "bzhmny")
ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u043a\u043c\u0442\u043d\u0432\u04cf\u04af"
    "\u03b1\u03bf\u03c1\u03bd\u03c5\u03b9\u03ba\u03c4\u03c7\u03b5\u03f2\u03f3\u0261\u0131",
    "aeopcyxijshdqwkmthbly"
    "aopvuiktxecjgi",
)  # fmt: skip


class RootError(Exception):
    """An error of the root keeper's work; `hint` says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def key_file(secret: SecretKey, passphrase: str, log_n: int = LOG_N) -> bytes:
    """The root's key file: `age -d` asks for the passphrase and prints the key in minisign's format."""
    lines = f"# root of an instance of Whistle\n# public key: {secret.public.text}\n{MARK}{secret.text}\n"
    return keyfile.seal(lines, passphrase, log_n)


def read_key_file(data: bytes, passphrase: str) -> SecretKey:
    """The signing key. Raises RootError for another passphrase or file."""
    try:
        lines = keyfile.unseal(data, passphrase).splitlines()
        return SecretKey.from_text(next(line for line in lines if line.startswith(MARK)).removeprefix(MARK))
    except NotForMe as exc:
        raise RootError("the passphrase is not the right one", "type it again; mind the keyboard's layout") from exc
    except (Malformed, UnicodeDecodeError, StopIteration) as exc:
        raise RootError("this is not a root's key file, or it is damaged", "take the copy that you keep") from exc


@dataclass(frozen=True)
class Keys:
    """The published folder: the roots' public halves and every manifest by serial."""

    folder: Path
    roots: tuple[PublicKey, ...]
    manifests: tuple[SignedManifest, ...]

    @property
    def newest(self) -> SignedManifest | None:
        """The manifest with the highest serial, None if there is none."""
        return self.manifests[-1] if self.manifests else None

    @classmethod
    def read(cls, folder: Path) -> "Keys":
        """Read the folder. Raises RootError unless its roots signed all manifests and these follow each other."""
        try:
            roots = tuple(PublicKey.from_file(path.read_bytes()) for path in _files(folder, ROOT))
            manifests = [_verified(path, roots) for path in _files(folder, NUMBERED)]
            for place in range(1, len(manifests)):
                manifest.check_after(manifests[:place], manifests[place])
        except (ProtocolError, OSError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            hint = "bring back the folder of keys"
            raise RootError(f"what is published does not hold together: {reason}", hint) from exc
        return cls(folder, roots, tuple(manifests))

    def add_root(self, public: PublicKey) -> Path:
        """Publish another root's public half; returns the path. Raises RootError for a fourth."""
        if len(self.roots) >= 3:
            raise RootError("there are three roots already", "an instance has one to three keepers")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"root-{len(self.roots) + 1}.pub"
        durable.write(path, public.file(), 0o644)
        return path

    def sign(self, data: bytes, secret: SecretKey) -> SignedManifest:
        """Sign and publish a drafted manifest. Raises RootError if the key is not a published root's."""
        if secret.public not in self.roots:
            raise RootError("this key is no root of this folder", "name the folder whose root-1.pub belongs to the key")
        drafted = manifest.parse(data)
        comment = f"whistle manifest {drafted.serial} from {drafted.begins} to {drafted.expires}"
        signed = SignedManifest(data, secret.sign(data, comment), drafted)
        for name in (f"manifest-{drafted.serial}.json", NEWEST):
            durable.write(self.folder / f"{name}.minisig", signed.signature, 0o644)
            durable.write(self.folder / name, data, 0o644)
        return signed


class Draft:
    """The next manifest while it is drafted, at first a copy of the newest or empty.

    Reporters leave out ids, so nobody may get a second one: not with a known key nor, unconfirmed, a known name.
    """

    def __init__(self, before: Sequence[SignedManifest] = (), slots: int = SLOTS, namesakes: bool = False) -> None:
        """`before` has all earlier manifests; `namesakes` confirms that a known name or role is somebody else's now."""
        self._before = tuple(before)
        self._base = before[-1] if before else None
        self._names, self._namesakes = _names(before), namesakes
        newest = self._base.manifest if self._base else None
        self.slots = newest.slots if newest else slots
        self.reviewers = {each.id: each for each in newest.reviewers} if newest else {}
        self.couriers = {each.id: each for each in newest.couriers} if newest else {}
        self.channels = {each.id: each for each in newest.channels} if newest else {}
        self.recovery: Recovery | None = newest.recovery if newest else None
        self.collection: tuple[str, ...] = newest.collection if newest else ()

    def enrol(self, keys: ReviewerKeys) -> str:
        """List a reviewer, or the renewed keys of one whose signing key is listed already; returns the id.

        Raises RootError for a retired key, and for a name or role that is or was another id's.
        """
        for reviewer in self.reviewers.values():
            for listed in reviewer.signing:
                if listed.key == keys.signing and listed.last:
                    raise RootError("this file is signed by a key that is out of use", "ask for a new public file")
                if listed.key == keys.signing:
                    return self._list(reviewer.id, keys, reviewer.signing)
        return self._list(free_id(keys.role or keys.name, self.reviewers), keys, (Signing(keys.signing, None),))

    def roll(self, id: str, keys: ReviewerKeys, day: datetime.date) -> str:
        """Give a listed reviewer another signing key; the last day of the old one is `day`, or when they were retired.

        Raises RootError for an unknown id, a key that is listed, and names as `enrol` does.
        """
        if id not in self.reviewers:
            raise _unknown("reviewer", self.reviewers)
        if any(each.key == keys.signing for reviewer in self.reviewers.values() for each in reviewer.signing):
            raise RootError("this signing key is listed already", "renewed keys of the same reviewer: --reviewer FILE")
        ends = ManifestChain(self._before).key_ends(id)
        old = (replace(each, last=ends.get(each.raw) or each.last or day) for each in self.reviewers[id].signing)
        return self._list(id, keys, (*old, Signing(keys.signing, None)))

    def _list(self, id: str, keys: ReviewerKeys, signing: tuple[Signing, ...]) -> str:
        listed = self.reviewers.get(id)
        roles = listed.roles if listed and listed.role == keys.role else defaults.in_languages(defaults.ROLE, keys.role)
        listed = Reviewer(id, keys.name, keys.role, keys.languages, False, signing, keys.recipients, roles)
        self._check_names(listed)
        self.reviewers[id] = listed
        return id

    def call(self, id: str, roles: Mapping[str, str]) -> None:
        """Give a reviewer's role in other languages. Raises RootError for an unknown id, and for names as `enrol`."""
        if id not in self.reviewers:
            raise _unknown("reviewer", self.reviewers)
        listed = replace(self.reviewers[id], roles={**self.reviewers[id].roles, **roles})
        self._check_names(listed)
        self.reviewers[id] = listed

    def _check_names(self, reviewer: Reviewer) -> None:
        id = reviewer.id
        for name in filter(_folded, _called(reviewer)):
            _check_seen(name)
            ids = self._names.setdefault(_folded(name), {id})
            if id not in ids and not self._namesakes:
                raise RootError(
                    f"{name} is, or was, a name or role of {', '.join(sorted(ids))}: nobody gets a second id",
                    f"the same person: --roll {min(ids)}=FILE; if it is somebody else, sign again with --namesakes",
                )

    def admit(self, key: CourierKey, id: str | None = None, reviewer: str = "") -> str:
        """List a courier, owned by `reviewer` if one is named; returns the id.

        Raises RootError for a name with invisible characters, and for a reviewer who is not active.
        """
        _check_seen(key.name)
        if reviewer and (reviewer not in self.reviewers or self.reviewers[reviewer].retired):
            raise _unknown("active reviewer", (each.id for each in self.reviewers.values() if not each.retired))
        same = next((each for each in self.couriers.values() if each.key == key.public), None)
        id = id or (same.id if same else free_id(key.name, self.couriers))
        self.couriers[id] = Courier(id, key.name, key.public, reviewer or (same.reviewer if same else ""))
        return id

    def dismiss(self, id: str) -> None:
        """Take a courier off the list. Raises RootError for an unknown id."""
        if self.couriers.pop(id, None) is None:
            raise _unknown("courier", self.couriers)

    def retire(self, id: str) -> tuple[str, ...]:
        """Seal nothing more to a reviewer; what they signed and delivered stays valid.

        Their couriers are taken off the list too: returns the ids of these. Raises RootError for an unknown id.
        """
        if id not in self.reviewers:
            raise _unknown("reviewer", self.reviewers)
        self.reviewers[id] = replace(self.reviewers[id], retired=True)
        for channel in self.channels.values():
            left = tuple(reader for reader in channel.readers if reader != id)
            self.channels[channel.id] = replace(channel, readers=left)
        theirs = {each.key for each in self.couriers.values() if each.reviewer == id}
        gone = tuple(each.id for each in self.couriers.values() if each.key in theirs)
        for courier in gone:
            self.dismiss(courier)
        return gone

    def channel(self, channel: Channel) -> None:
        """Add a channel, or replace the one with its id."""
        self.channels[channel.id] = channel

    def encode(self, begins: datetime.date, expires: datetime.date) -> bytes:
        """The bytes to sign. Raises RootError for an invalid manifest."""
        if not self.channels or not self.couriers:
            raise RootError("the manifest has no channel or no courier", "name them: --channel and --courier")
        base = self._base
        try:
            drafted = Manifest(
                serial=base.manifest.serial + 1 if base else 1,
                previous=base.hash if base else None,
                begins=begins,
                expires=expires,
                slots=self.slots,
                channels=tuple(self.channels.values()),
                reviewers=tuple(_trimmed(each, begins, expires) for each in self.reviewers.values()),
                recovery=self.recovery,
                couriers=tuple(self.couriers.values()),
                collection=self.collection,
            )
            data = manifest.encode(drafted)
            if self._before:
                manifest.check_after(self._before, SignedManifest(data, b"", manifest.parse(data)))
        except Malformed as exc:
            raise RootError(f"nothing was signed: {exc}", "change what is listed and sign again") from exc
        return data


def warnings(signed: SignedManifest, day: datetime.date) -> list[str]:
    """Sentences about what a root keeper should do; empty if all is well."""
    sentences = []
    left = signed.manifest.warning(day)
    if left is not None:
        sentences.append(
            f"The manifest ends in {left} days: sign the next one." if left >= 0 else "The manifest has ended."
        )
    for reviewer in signed.manifest.active():
        last = max(period.last for period in reviewer.recipients)
        if last < signed.manifest.expires:
            sentences.append(f"The last key listed for {reviewer.id} ends on {last}: ask for a new public file.")
    return sentences


def write_outbox(stick: Path, keys: Keys, day: datetime.date) -> Path:
    """Write all manifests into a stick's outbox, for a courier to take to the server; returns the file."""
    *before, newest = keys.manifests
    named = [("manifest", newest), *((f"manifest-{each.manifest.serial}", each) for each in before)]
    files = {f"{name}.json": each.data for name, each in named}
    files |= {f"{name}.json.minisig": each.signature for name, each in named}
    (members,) = bundle.split(bundle.member(name, data) for name, data in files.items())
    listing = bundle.Listing("server", day, tuple(members), 1, 1)
    path = stick / "outbox" / f"manifest-{newest.manifest.serial:04}.tar"
    path.parent.mkdir(exist_ok=True)
    durable.write(path, b"".join(bundle.stream(listing, lambda member: [files[member.name]])), 0o644)
    return path


def _trimmed(reviewer: Reviewer, begins: datetime.date, expires: datetime.date) -> Reviewer:
    """The reviewer with only those recipients that this manifest can use: the newest in use and later ones."""
    last = max((period.first for period in reviewer.recipients if period.first <= begins), default=begins)
    until = last if reviewer.retired else expires + manifest.GRACE
    kept: Sequence[Period] = [p for p in reviewer.recipients if last <= p.first <= until]
    return replace(reviewer, recipients=tuple(sorted(kept, key=lambda period: period.first)))


def _names(before: Iterable[SignedManifest]) -> dict[str, set[str]]:
    """By folded name or role, the ids that were ever listed with it."""
    ids: dict[str, set[str]] = {}
    for reviewer in itertools.chain.from_iterable(signed.manifest.reviewers for signed in before):
        for name in _called(reviewer):
            ids.setdefault(_folded(name), set()).add(reviewer.id)
    return ids


def _called(reviewer: Reviewer) -> tuple[str, ...]:
    """Name and role, in every language, each once."""
    return tuple(dict.fromkeys((reviewer.name, reviewer.role, *reviewer.roles.values())))


def _folded(name: str) -> str:
    """A name for comparison: names that look alike are the same (SPEC 7.3)."""
    plain = unicodedata.normalize("NFKC", invisible_text.strip_invisible(name)).translate(CAPITALS)
    return " ".join(plain.casefold().translate(ALIKE).split())


def _check_seen(name: str) -> None:
    if invisible_text.strip_invisible(name) != name or any(unicodedata.category(char) == "Cc" for char in name):
        raise RootError(
            "a name or role in this file holds characters that nobody sees, as if to pass for another",
            "ask for a new public file, made under a plain name",
        )


def _verified(path: Path, roots: Sequence[PublicKey]) -> SignedManifest:
    return manifest.verify(path.read_bytes(), path.with_name(path.name + ".minisig").read_bytes(), roots)


def _files(folder: Path, form: re.Pattern[str]) -> list[Path]:
    matches = [(match, path) for path in folder.glob("*") if (match := form.fullmatch(path.name))]
    return [path for match, path in sorted(matches, key=lambda pair: int(pair[0][1]))]


def id_of(name: str, otherwise: str = "reader") -> str:
    """An id from a name's Latin letters and digits, `otherwise` if it has none."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:28].strip("-") or otherwise


def free_id(name: str, taken: Iterable[str] = ()) -> str:
    """The name's id, numbered if it is taken."""
    stem = id_of(name)
    ids = [stem, *(f"{stem}-{number}" for number in range(2, 100))]
    return next(id for id in ids if id not in taken and id != manifest.RECOVERY)


def _unknown(what: str, ids: Iterable[str]) -> RootError:
    return RootError(f"the manifest has no such {what}", f"it has: {', '.join(ids) or 'none'}")


def write_secret(path: Path, data: bytes) -> None:
    """Write a key file that only its owner may read. Raises RootError if there is one."""
    if path.exists():
        raise RootError("there is a key file already", "name another with --key")
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, data)
