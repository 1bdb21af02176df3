"""The browser's half and this one: manifests, minisign, signatures and the spelling of keys."""

import datetime
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests import parties
from tests.protocol import browser
from tests.protocol.browser import LOW_ORDER, READERS, Peer, altered, outcome
from whistle.protocol import age, canonical, schema, signing
from whistle.protocol.trust import manifest
from whistle.protocol.trust.minisign import PublicKey, SecretKey

peer, chance = browser.peer, browser.chance
pytestmark = browser.needs_node


def manifest_answers(
    known: manifest.SignedManifest, day: datetime.date, roots: list[PublicKey], readers: list[str]
) -> Any:
    """What Python says of a manifest, as the peer says it."""
    held = known.manifest
    return {
        "keys": schema.to_json(known.keys),
        "active": [each.id for each in held.active()],
        "recipients": [each.text for each in held.recipients(readers, day)],
        "standing": held.standing(day),
        "fingerprint": manifest.fingerprint(roots),
    }


@pytest.mark.parametrize("after", [-20, -8, -7, 0, 33, 82, 83, 84, 113, 114])
def test_manifests(peer: Peer, after: int) -> None:
    """Both sides read the same out of a signed manifest, on every day of its life."""
    org, second = parties.organisation(), SecretKey.generate()
    day, roots = parties.DAY + datetime.timedelta(days=after), [second.public, org.root.public]
    for readers in (["counsel", "ombuds"], ["nobody"], ["recovery"], []):
        there = peer.ask(
            "manifest", data=org.known.data.hex(), signature=org.known.signature.hex(), day=day.isoformat(),
            roots=[root.text for root in roots], readers=readers,
        )  # fmt: skip
        asked = [org.known, day, roots, readers]
        assert there == outcome(lambda asked=asked: manifest_answers(*asked))


def test_a_manifest_by_another_root_is_forged(peer: Peer) -> None:
    """Both sides refuse a manifest that no pinned root signed, or that was altered since."""
    org = parties.organisation()
    for root, data in ((SecretKey.generate(), org.known.data), (org.root, org.known.data.replace(b"2", b"3", 1))):
        there = peer.ask(
            "manifest", data=data.hex(), signature=org.known.signature.hex(), day="2026-11-22",
            roots=[root.public.text], readers=[],
        )  # fmt: skip
        here = outcome(lambda root=root, data=data: manifest.verify(data, org.known.signature, [root.public]))
        assert there == here == {"refused": "forged"}


def test_altered_manifests_are_refused_by_both(peer: Peer, chance: random.Random) -> None:
    """Of manifests with one thing wrong, or merely different, both sides take the same."""
    value = json.loads(parties.organisation().known.data)
    value["recovery"] = {"name": "Recovery", "recipient": age.HybridIdentity.generate().recipient.text}
    other, taken = json.loads(parties.organisation(slots=3).known.data), 0
    for _ in range(200):
        data = canonical.dumps(altered(chance, value, other))
        here = outcome(lambda data=data: bool(manifest.parse(data)))
        assert peer.ask("parseManifest", data=data.hex()) == here, data
        taken += here is True
    assert 10 < taken < 190


def test_minisign_files(peer: Peer, chance: random.Random) -> None:
    """Both sides accept the same signature files and public keys of minisign, and refuse the same."""
    secret, other, data = SecretKey.generate(), SecretKey.generate(), b"some data"
    good = secret.sign(data, "a comment\twith é")
    lines = good.split(b"\n")
    files = [
        good, secret.sign(b"other data", "a"), other.sign(data, "a"), good[:-1], good + b"\n", good[2:],
        b"\n".join([lines[0], lines[1].replace(b"RU", b"RW", 1), *lines[2:]]), good.replace(b"\n", b"\r\n"),
        good.replace(b"trusted", b"Trusted"), good.replace("é".encode(), b"\xff"), b"\xef\xbb\xbf" + good, b"",
        good.replace(b"signature by", "\u200bsignature by".encode()), good.replace(b"\t", b"\x01"),
        b"untrusted comment: " + b"a" * 1100 + b"\n" + b"\n".join(lines[1:]),
    ]  # fmt: skip
    files += [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in chance.sample(range(len(good)), 40)]
    for file in files:
        here = outcome(lambda file=file: secret.public.verify(data, file))
        there = peer.ask("minisign", key=secret.public.text, data=data.hex(), signature=file.hex())
        assert there == here, file
    texts = [secret.public.text, secret.public.file().decode(), secret.text, secret.public.text + "\n", "", "RW"]
    texts += [f"untrusted comment: \u2028\n{secret.public.text}\n", secret.public.text[:-1] + "B", "Ä" * 56]
    for text in texts:
        assert peer.ask("minisignKey", text=text) == outcome(lambda text=text: PublicKey.from_text(text).text), text


ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL = [
    bytes(32), b"\1" + bytes(31), bytes([0xEC, *[0xFF] * 30, 0x7F]), bytes([0xED, *[0xFF] * 30, 0x7F]), b"\xff" * 32,
    bytes([0xEE, *[0xFF] * 30, 0x7F]), bytes([*bytes(31), 0x80]), bytes([1, *bytes(30), 0x80]),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), b"\2" + bytes(31),
]  # fmt: skip


def test_signatures_are_judged_alike(peer: Peer, chance: random.Random) -> None:
    """Small orders, torsion, other spellings and altered bytes: both sides accept the same and blame the same."""
    key, text = SigningKey(chance.randbytes(32)), b"a text"
    public, good = bytes(key.verify_key), signing.sign(key, text)
    higher = good[:32] + (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    cases = [(public, good), (public, higher), (public, good[:63]), (public[:31], good), (public, good + b"\0")]
    cases += [(small, good) for small in SMALL] + [(public, small + good[32:]) for small in SMALL]
    cases += [(small, other + bytes(32)) for small in SMALL for other in SMALL]
    cases += [(public, bytes([*good[:at], good[at] ^ 1, *good[at + 1 :]])) for at in chance.sample(range(64), 20)]
    for shift in ({"key": True}, {"nonce": True}, {"key": True, "nonce": True}, {}):
        for order in range(8):
            made = peer.ask("torsion", seed=bytes(key).hex(), text=text.decode(), order=order, **shift)
            cases.append((bytes.fromhex(made["key"]), bytes.fromhex(made["signature"])))
    answers = []
    for public_key, signature in cases:
        asked = (public_key, text, signature)
        answers.append(outcome(lambda asked=asked: signing.verify(*asked) is None))
        there = peer.ask("verify", key=public_key.hex(), data=text.hex(), signature=signature.hex())
        assert there == answers[-1], (public_key.hex(), signature.hex())
    assert answers.count(True) >= 9 and {"refused": "forged"} in answers and {"refused": "malformed"} in answers


def test_spellings_of_keys(peer: Peer, chance: random.Random) -> None:
    """Both sides read the same recipients and identities: one spelling, points of large order, numbers below Q."""
    hybrid, plain = READERS[0], age.X25519Identity.generate()
    known = {"recipient": hybrid.recipient.text, "identity": hybrid.text, "x25519": plain.text}
    raw = hybrid.recipient.raw
    bad = [raw[:1184] + point for point in LOW_ORDER] + [b"\xff" * 1152 + raw[1152:], b"\1\x0d\0" + raw[3:], raw[:-1]]
    bad += [raw[:1184] + bytes([*LOW_ORDER[3][:31], 0xFF]), b"\0\x0d\0" + raw[3:], raw]
    texts = [age.bech32.encode("age1pq", each) for each in bad]
    for text in known.values():
        at = chance.randrange(20, len(text))
        texts += [text.upper(), text.lower(), text[:-1], text + "q", text[:at] + "b" + text[at:]]
        texts += [text.replace("k", "\u212a"), text.replace("K", "\u212a")]
        texts += [text[:at].upper() + text[at:].lower(), " " + text, text + "\n", "", "1", text.replace("1", "")]
    readers: dict[str, Callable[[str], str]] = {
        "recipient": lambda text: age.HybridRecipient.from_text(text).text,
        "identity": lambda text: age.HybridIdentity.from_text(text).recipient.text,
        "x25519": lambda text: age.X25519Identity.from_text(text).recipient.raw.hex(),
    }
    for kind, read in readers.items():
        for text in [*known.values(), *texts]:
            assert peer.ask(kind, text=text) == outcome(lambda read=read, text=text: read(text)), (kind, text)
