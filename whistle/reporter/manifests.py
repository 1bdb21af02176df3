"""What to trust: the roots, pinned by a file or by their digits, and the manifests that they signed (SPEC 7).

Nothing is stored, so a manifest older than one seen in another run is not noticed; its last day and chain are checked.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from whistle.protocol.errors import Expired, ProtocolError
from whistle.protocol.reporter import questions as asked
from whistle.protocol.reporter.questions import Questions
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.reporter.errors import ReporterError, Untrusted

MOST_ROOTS = 9
QUESTIONS = "questions.json"
DAMAGED = "somebody's editor or a download changed it: get it again as it is published, and tell the organisation"
SUSPECT = "send nothing; compare the root's digits with somebody of the organisation, by another way than this address"

Get = Callable[[str], bytes | None]  # a published file, None if there is none


def from_folder(folder: Path) -> Get:
    """Published files that were copied into a folder, for a computer without network."""

    def get(name: str) -> bytes | None:
        path = folder / name
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(manifest.MAX_FILE + 1)

    return get


def root(data: bytes) -> PublicKey:
    """A root's public key from its file.  Raises Untrusted."""
    try:
        return PublicKey.from_file(data)
    except ProtocolError as exc:
        raise Untrusted("this is no root's public key", "it is a file of two lines, as published: root-1.pub") from exc


def offered(get: Get) -> tuple[PublicKey, ...]:
    """The published roots; whoever controls the server may have put them there.  Raises Untrusted."""
    roots: list[PublicKey] = []
    while len(roots) < MOST_ROOTS and (data := get(f"root-{len(roots) + 1}.pub")) is not None:
        roots.append(root(data))
    if not roots:
        raise Untrusted("no root's public key is published here", "get root-1.pub from the organisation; give --root")
    return tuple(roots)


def pinned_by(digits: str, get: Get) -> tuple[PublicKey, ...]:
    """The published roots, if their digits are these.  Raises Untrusted, or ReporterError if these are no digits."""
    typed = re.sub(r"[\s.-]", "", digits)
    if not re.fullmatch(r"[0-9]{40}", typed):
        raise ReporterError("these are no root's digits", "they are 40 digits, in ten groups of four")
    roots = offered(get)
    if manifest.fingerprint(roots).replace(" ", "") != typed:
        raise Untrusted("the digits of the roots that are published are others", SUSPECT)
    return roots


def succession(get: Get, roots: Sequence[PublicKey], today: datetime.date) -> ManifestChain:
    """The published manifests: the newest and all its available predecessors, in order.  Raises Untrusted."""
    newest = _published(get, "manifest", roots)
    if newest is None:
        raise Untrusted("there is no manifest", "the operator has to install the first one; come back later")
    chain = [newest]
    try:
        while chain[0].manifest.previous and (before := _published(get, _previous_name(chain[0]), roots)):
            manifest.check_next(before, chain[0])
            chain.insert(0, before)
        if len(chain) > 1:
            manifest.check_after(chain[:-1], newest)
    except ProtocolError as exc:
        raise Untrusted("the manifests do not follow each other: {why}", SUSPECT, why=exc) from exc
    manifests = ManifestChain(tuple(chain))
    try:
        manifests.current(today)
    except Expired as exc:
        raise Untrusted(
            "the manifest has not begun yet by this computer's date", "set this computer's date; it is the UTC day"
        ) from exc
    return manifests


def sealing(manifests: ManifestChain, today: datetime.date) -> SignedManifest:
    """The manifest to seal with on a day.  Raises Untrusted more than 30 days after its end."""
    try:
        return manifests.sealing(today)
    except Expired as exc:
        raise Untrusted(
            "the list of readers ended on {day}: nothing can be sealed safely",
            "check this computer's date; else the organisation has to sign a new list first",
            day=manifests.current(today).manifest.expires,
        ) from exc


def questions(get: Get) -> Questions:
    """The questions of each channel, as the server publishes them; empty if it has none.  Raises Untrusted."""
    data = get(QUESTIONS)
    try:
        return asked.parse(data) if data is not None else {}
    except ProtocolError as exc:
        raise Untrusted("what the server says that the channels ask is refused: {why}", SUSPECT, why=exc) from exc


def _published(get: Get, name: str, roots: Sequence[PublicKey]) -> SignedManifest | None:
    data, signature = get(f"{name}.json"), get(f"{name}.json.minisig")
    if data is None or signature is None:
        return None
    try:
        return manifest.verify(data, signature, roots)
    except manifest.Altered as exc:
        raise Untrusted("the manifest cannot be read: {why}", DAMAGED, why=exc) from exc
    except ProtocolError as exc:
        raise Untrusted("the manifest is refused: {why}", SUSPECT, why=exc) from exc


def _previous_name(signed: SignedManifest) -> str:
    return f"manifest-{signed.manifest.serial - 1}"
