"""The browser's half against this one: each opens what the other seals; both refuse the same for the same reason."""

import base64
import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests import parties
from tests.patience import PATIENCE
from tests.protocol import browser
from tests.protocol.browser import (
    LOW_ORDER,
    READERS,
    SENDERS,
    Peer,
    Sender,
    altered,
    line_of,
    outcome,
    some_attachment,
    some_message,
)
from whistle.protocol import age, canonical, schema
from whistle.protocol.case import attachment, continuation, envelope, message

MESSAGES = 500 if os.environ.get("WHISTLE_TRIAL") != "1" else 5_000
peer, chance = browser.peer, browser.chance
pytestmark = browser.needs_node


def as_sent(body: bytes, identity: age.HybridIdentity, slots: int, key: bytes) -> str:
    """What Python finds in an envelope."""
    signed = envelope.open_(body, [identity], slots)
    message.check(signed, key)
    return signed.line.decode()


def test_python_opens_what_the_browser_seals(peer: Peer, chance: random.Random) -> None:
    """Hundreds of random messages of all kinds, sealed in JavaScript, open in Python to what was to be said."""
    for number in range(MESSAGES):
        sender = chance.choice(SENDERS)
        value, slots = some_message(chance, sender), 8 if number % 50 == 0 else 3
        identity, other = chance.sample(READERS, 2)
        recipients = [identity.recipient.text, other.recipient.text][: chance.randint(1, 2)]
        seed = bytes(sender.who.signing)
        sealed = peer.ask("seal", value=value, seed=seed.hex(), recipients=recipients, slots=slots)
        body = bytes.fromhex(sealed)
        assert as_sent(body, identity, slots, sender.who.verify_key) == line_of(value).decode()


def test_the_browser_opens_what_python_seals(peer: Peer, chance: random.Random) -> None:
    """Hundreds of random messages of all kinds, sealed in Python, open in JavaScript to what was to be said."""
    for number in range(MESSAGES):
        sender = chance.choice(SENDERS)
        value, slots = some_message(chance, sender), 16 if number % 50 == 0 else 3
        signed = message.sign(message.parse(line_of(value)), sender.who.signing)
        identity = chance.choice(READERS)
        body = envelope.seal(signed, [identity.recipient], slots, parties.POOL)
        found = peer.ask("open", body=body.hex(), keys=[identity.text], slots=slots, verify=sender.who.verify_key.hex())
        assert found == {"line": line_of(value).decode(), "hash": signed.hash}


def test_altered_messages_are_refused_by_both(peer: Peer, chance: random.Random) -> None:
    """Of hundreds of messages with one thing wrong, or merely different, both sides take the same."""
    taken = 0
    for _ in range(MESSAGES):
        sender = chance.choice(SENDERS)
        value = altered(chance, {"v": 1} | some_message(chance, sender), some_message(chance, sender))
        line = canonical.dumps(value)
        here = outcome(lambda line=line: message.encode(message.parse(line)).hex())
        assert peer.ask("parse", line=line.hex()) == here, value
        taken += isinstance(here, str)
    assert MESSAGES / 20 < taken < MESSAGES * 0.9


def test_altered_envelopes_are_refused_by_both(peer: Peer, chance: random.Random) -> None:
    """Whatever is changed in an envelope, both sides refuse it, and for the same reason."""
    sender, identity, reasons = SENDERS[0], READERS[0], set()
    who = sender.who
    signed = message.sign(message.parse(line_of(some_message(chance, sender))), who.signing)
    body = envelope.seal(signed, [identity.recipient], 3, parties.POOL)
    for _ in range(150):
        damaged, at = bytearray(body), chance.randrange(len(body) if chance.random() < 0.5 else 1700)
        match chance.randrange(4):
            case 0:
                damaged[at] ^= 1 << chance.randrange(8)
            case 1:
                damaged[at] = chance.choice(b"\n -A=>\x00\xff")
            case 2:
                damaged[at:at] = bytes([damaged.pop()])
            case _:
                del damaged[at]
        keys = chance.choice([READERS[:1], READERS[1:], READERS])
        data, texts = bytes(damaged), [key.text for key in keys]

        def here(data: bytes = data, keys: list[age.HybridIdentity] = keys) -> Any:
            found = envelope.open_(data, keys, 3)
            message.check(found, who.verify_key)
            return {"line": found.line.decode(), "hash": found.hash}

        answer = outcome(here)
        assert peer.ask("open", body=data.hex(), keys=texts, slots=3, verify=who.verify_key.hex()) == answer
        reasons.add(answer.get("refused"))
    assert reasons == {"malformed", "not-for-me"} or reasons == {"malformed", "not-for-me", None}


def slip(sender: Sender) -> message.Slip:
    """A slip of 22 November 2026."""
    keys = message.Keys(1, "00" * 32)
    own = {"sender": parties.sender(sender.who), "case": sender.who.case.hex(), "keys": keys}
    place = {"readers": ("ombuds",), "without": (), "channel": "fraud"}
    return message.Slip(**own, **place, sealed="browser", day=parties.DAY, language="en")


def envelope_with(sender: Sender, plaintext: bytes, slots: int = 3, kind: str = "") -> bytes:
    """An envelope around any plaintext of the right length, of which one stanza may be odd."""
    readers = [READERS[0].recipient, *parties.POOL][:slots]
    whole = age.encrypt(readers, plaintext)
    header, length = age.parse_header(whole)
    if not kind:
        return whole
    share = base64.b64decode(header.stanzas[0].args[1] + "==")[:-32] + LOW_ORDER[int(kind)]
    stanza = replace(header.stanzas[0], args=("mlkem768x25519", base64.b64encode(share).decode().rstrip("=")))
    return replace(header, stanzas=(stanza, *header.stanzas[1:])).encode() + whole[length:]


def plaintext_of(signed: message.Signed, slots: int = 3) -> bytes:
    """What an envelope holds."""
    lines = signed.line + b"\n" + base64.b64encode(signed.signature) + b"\n"
    return lines.ljust(envelope.capacity(slots))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda text, s: text, None, id="nothing"),
        pytest.param(lambda text, s: text.replace(b"  ", b" \n", 1), "malformed", id="third line"),
        pytest.param(lambda text, s: text[:-1] + b"\0", "malformed", id="not a space"),
        pytest.param(lambda text, s: text.replace(b"\n", b" "), "malformed", id="one line"),
        pytest.param(lambda text, s: b"\n" + text[:-1], "malformed", id="empty line"),
        pytest.param(lambda text, s: text.replace(b"==\n", b"=\n ", 1), "malformed", id="signature's spelling"),
        pytest.param(lambda text, s: text.replace(b"==\n", b"\n  ", 1), "malformed", id="signature unpadded"),
        pytest.param(lambda text, s: text.replace(s, base64.b64encode(bytes(63))), "malformed", id="short signature"),
        pytest.param(lambda text, s: text.replace(s, base64.b64encode(bytes(64))), "forged", id="zero signature"),
        pytest.param(lambda text, s: text.replace(b"2026-11-22", b"2026-11-23", 1), "forged", id="another day"),
        pytest.param(lambda text, s: text.replace(b'"en"', b'"EN"', 1), "malformed", id="another form"),
        pytest.param(lambda text, s: text.replace(b'"v":1', b'"v":2', 1), "malformed", id="another version"),
        pytest.param(lambda text, s: text.replace(b'"v":1', b'"v":true', 1), "malformed", id="true for a version"),
    ],
)
def test_what_is_inside_an_envelope_is_judged_alike(
    peer: Peer, change: Callable[[bytes, bytes], bytes], reason: str | None
) -> None:
    """Both sides say malformed or forged of the same plaintexts."""
    sender = SENDERS[0]
    signed = message.sign(slip(sender), sender.who.signing)
    before = plaintext_of(signed)
    body = envelope_with(sender, change(before, base64.b64encode(signed.signature)).ljust(len(before))[: len(before)])
    key = sender.who.verify_key
    here = outcome(lambda: as_sent(body, READERS[0], 3, key))
    there = peer.ask("open", body=body.hex(), keys=[READERS[0].text], slots=3, verify=key.hex())
    assert (here if reason is None else here["refused"]) == (signed.line.decode() if reason is None else reason)
    assert there == (here if reason else {"line": signed.line.decode(), "hash": signed.hash})


@pytest.mark.parametrize("kind", ["0", "1", "2", "3"])
def test_a_share_of_small_order_is_not_mine(peer: Peer, kind: str) -> None:
    """A stanza with an X25519 share of small order opens nothing and is no damage, on both sides."""
    sender = SENDERS[0]
    body = envelope_with(sender, plaintext_of(message.sign(slip(sender), sender.who.signing)), kind=kind)
    key = sender.who.verify_key
    assert outcome(lambda: as_sent(body, READERS[0], 3, key)) == {"refused": "not-for-me"}
    there = peer.ask("open", body=body.hex(), keys=[READERS[0].text], slots=3, verify=key.hex())
    assert there == {"refused": "not-for-me"}


@pytest.mark.parametrize("slots", [2, 8])
def test_a_long_message_folds_alike(peer: Peer, slots: int) -> None:
    """What one side moves into `rest` the other finds there, and a short message stays whole."""
    sender = SENDERS[0]
    text = "Was geschah, ist schwer zu erzählen. " * 1200
    for content in ("short", text):
        whole = parties.report(sender.who, parties.organisation(slots=slots), text=content)
        value = {"kind": "report", **schema.to_json(whole)}
        found = peer.ask("fold", value=value, slots=slots)
        folded = message.parse(bytes.fromhex(found["line"]))
        assert isinstance(folded, message.Report)
        assert bool(folded.rest) == bool(found["blocks"]) == (content == text)
        if folded.rest:
            opener = attachment.Opener(folded.rest)
            rest = b"".join([opener.update(bytes.fromhex(body)) for _, body in found["blocks"]]) + opener.finish()
            assert message.with_content(folded, rest) == whole
            line = message.encode(folded)
            assert peer.ask("withContent", line=line.hex(), content=rest.hex()) == message.content_of(whole).hex()


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b'{"text":"a"}', b'{"text":""}', b'{"constructor":"a"}', b'{"answers":{}}', b'{"originals":["a"]}',
     b'{"text":0}', b'{"answers":{"a":"b"}}', b'{"attachments":[{}]}', b"null", b'{"text":"a","rest":1}'],
)  # fmt: skip
def test_what_a_rest_may_hold(peer: Peer, content: bytes) -> None:
    """Both sides take the same content of a `rest`."""
    chance = random.Random(1)
    folded = {name: item for name, item in some_message(chance, SENDERS[0]).items() if name in {"case", "readers"}}
    told = {"kind": "report", **schema.to_json(slip(SENDERS[0])), **folded, "rest": some_attachment(chance, "rest")}
    line = line_of(told)
    whole = message.parse(line)
    assert isinstance(whole, message.Body)
    here = outcome(lambda: message.content_of(message.with_content(whole, content)).hex())
    assert peer.ask("withContent", line=line.hex(), content=content.hex()) == here


def test_a_case_continues(peer: Peer) -> None:
    """Python accepts the browser's proof that a new case continues an old one."""
    old, new = parties.reporter(), parties.reporter()
    proof = schema.parse(message.Continues, peer.ask("continueCase", old=old.code.hex(), next=new.case.hex()))
    continuation.check(proof, parties.sender(old), new.case.hex())
    assert outcome(lambda: continuation.check(proof, parties.sender(old), old.case.hex()))["refused"] == "forged"


def test_the_clients_own_tests() -> None:
    """What the browser's half tests by itself, in Node.js, passes."""
    assert browser.NODE
    command = [browser.NODE, "--test", *map(str, sorted((browser.CLIENT / "test").glob("*.test.js")))]
    done = subprocess.run(command, cwd=browser.CLIENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-4000:]
