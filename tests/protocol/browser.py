"""The browser's half as a peer: it answers in a process of Node.js; and random messages to try both halves with."""

import base64
import datetime
import json
import random
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import parties
from tests.patience import PATIENCE
from whistle.protocol import age, canonical, schema
from whistle.protocol.case import attachment, message
from whistle.protocol.errors import Expired, Forged, Malformed, NotForMe, ProtocolError

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
PEER = Path(__file__).with_name("client_peer.mjs")
NODE = shutil.which("node")
KINDS_OF_ERROR = {Malformed: "malformed", NotForMe: "not-for-me", Forged: "forged", Expired: "expired"}

needs_node = [
    pytest.mark.skipif(NODE is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not (CLIENT / "node_modules").is_dir(), reason="client/node_modules is missing: npm ci"),
]


class Peer:
    """The browser's half in a process of Node.js."""

    def __init__(self) -> None:
        assert NODE
        command = [NODE, "--no-warnings", str(PEER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: str, /, **details: Any) -> Any:
        """Its answer; what it refuses comes as ``{"refused": kind}``."""
        pipes = self._process
        assert pipes.stdin and pipes.stdout
        pipes.stdin.write(json.dumps({"ask": question, **details}) + "\n")
        pipes.stdin.flush()
        found = json.loads(pipes.stdout.readline())
        assert "broken" not in found, found
        return found.get("answer", found)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """One process for all tests."""
    started = Peer()
    yield started
    started.close()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that is the same in every run of one test."""
    return random.Random(request.node.nodeid)


def outcome(action: Callable[[], Any]) -> Any:
    """What an action gives, or how it refuses, as the peer says it."""
    try:
        return action()
    except ProtocolError as error:
        return {"refused": next(kind for known, kind in KINDS_OF_ERROR.items() if isinstance(error, known))}


PEOPLE = [f"reviewer-{number}" for number in range(12)]
ALPHABET = string.printable + "äßéİıſΣςµﬁｱ가각अ中𐐀😀\u0000\u0007\u001f\u007f\u0085\u2028\u2029\ufeff\ufffd\U0010ffff"


def some_text(chance: random.Random, most: int = 300) -> str:
    """Text of any characters."""
    return "".join(chance.choices(ALPHABET, k=chance.randint(1, most)))


def some_hash(chance: random.Random) -> str:
    """32 bytes in hexadecimal."""
    return chance.randbytes(32).hex()


def some_day(chance: random.Random) -> str:
    """Any day of those that messages name."""
    first, last = datetime.date(2000, 1, 1).toordinal(), datetime.date(2999, 12, 31).toordinal()
    return datetime.date.fromordinal(chance.randint(first, last)).isoformat()


def some_attachment(chance: random.Random, kind: str = "file") -> dict[str, Any]:
    """A record as a message holds it."""
    size = chance.choice([0, 1, 2**34, chance.randrange(10**7), chance.randrange(10**10)])
    name, type = some_text(chance, 255), "application/pdf"
    if kind == "rest":
        size, name, type = chance.randrange(message.MAX_REST + 1), "", "application/json"
    return {
        "kind": kind,
        "name": name,
        "type": type,
        "size": size,
        "sha256": some_hash(chance),
        "blocks": attachment.blocks_for(size),
        "seed": some_hash(chance),
        "header": base64.b64encode(chance.randbytes(184)).decode(),
        "identity": age.X25519Identity(chance.randbytes(32)).text,
    }


class Sender:
    """Somebody who signs, with a mailbox that can be opened."""

    def __init__(self) -> None:
        self.who = parties.reporter()
        self.keys = schema.to_json(parties.sender(self.who))


SENDERS = [Sender() for _ in range(4)]
READERS = [age.HybridIdentity.generate() for _ in range(3)]


def some_message(chance: random.Random, sender: Sender) -> dict[str, Any]:
    """The JSON value of a valid message of any kind."""
    kind = chance.choice(list(message.KINDS))
    chosen = chance.sample(PEOPLE, chance.randint(1, 8))
    cut = chance.randint(1, len(chosen))
    value: dict[str, Any] = {
        "kind": kind,
        "case": sender.who.case.hex(),
        "readers": chosen[:cut],
        "without": chosen[cut:],
        "keys": {"serial": chance.choice([1, 2**53 - 1]), "hash": some_hash(chance)},
        "day": some_day(chance),
    }
    if kind in {"report", "follow-up", "slip"}:
        value |= {"from": sender.keys, "language": chance.choice(["en", "zh-hans"])}
        value["sealed"] = chance.choice(["device", "browser", "arrival"])
    else:
        seq = chance.randint(0, 2)
        value |= {"from": PEOPLE[0], "seq": seq, "prev": some_hash(chance) if seq else None}
        value["seen"] = [some_hash(chance) for _ in range(chance.randint(0, 3))]
    return value | {name: item for name, item in some_content(chance, value, sender).items() if chance.random() < 0.8}


def some_content(chance: random.Random, value: dict[str, Any], sender: Sender) -> dict[str, Any]:
    """What a message of its kind may hold beside, with what it must hold already put into ``value``."""
    kind, free = value["kind"], {}
    if kind not in {"slip", "status"}:
        free = {"text": some_text(chance), "attachments": [some_attachment(chance) for _ in "ab"]}
        if chance.random() < 0.2:
            free, value["rest"] = {}, some_attachment(chance, "rest")
    if kind in {"report", "slip"}:
        value["channel"] = "fraud"
    if kind == "report":
        signature = base64.b64encode(chance.randbytes(64)).decode()
        free["continues"] = {"case": some_hash(chance), "sign": some_hash(chance), "signature": signature}
        if "rest" not in value:
            free["answers"] = {chance.choice(["constructor", "to-string", "10", "9"]): some_text(chance), "when": "…"}
    if kind == "reply":
        value |= {"to": sender.keys["mailbox"], "lane": chance.randint(0, 31), "n": chance.randint(0, 63)}
        value |= {"have": {"count": 1, "day": some_day(chance)}, "language": "en"}
        free["replaces"] = some_hash(chance)
    if kind == "status":
        value["status"] = chance.choice(["new", "triage", "open", "waiting", "closed"])
        free = {"labels": ["a", "b"], "deadline": some_day(chance), "claimed": "ombuds", "text": some_text(chance)}
    if kind == "grant":
        value |= {"grantee": value["readers"][0], "lane": 31}
        if "rest" not in value:
            inside = {"kind": "report", "line": some_text(chance), "signature": base64.b64encode(bytes(64)).decode()}
            free["originals"] = [inside]
    return free


def line_of(value: dict[str, Any]) -> bytes:
    """Line 1 of a message's JSON value."""
    return canonical.dumps({"v": 1, **value})


ODD = [
    None, True, False, 0, 1, -1, 2**53 - 1, "", "x", "ombuds", "Ombuds", "a" * 33, "00" * 32, "FF" * 32, "0" * 63,
    "2026-11-22", "2026-02-29", "2024-02-29", "1999-12-31", "3000-01-01", "2026-1-1", "2026-11-22\n", "ombuds\n",
    "AA==", "AB==", "A" * 86 + "==", "age1pq1" + "q" * 1952, [], {}, [1], ["a", "a"], ["a"], {"a": "b"}, {"serial": 1},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to every value within a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


def altered(chance: random.Random, value: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A copy with one thing in it taken away, replaced or added."""
    copy = json.loads(json.dumps(value))
    path = chance.choice(list(places(copy)))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    match chance.randrange(6):
        case 0:
            del holder[path[-1]]
        case 1:
            copy[chance.choice(list(other))] = chance.choice(list(other.values()))
        case 2 if isinstance(holder, dict):
            holder[chance.choice(["extra", "constructor", "v", "kind", "text", "rest"])] = chance.choice(ODD)
        case 3 if isinstance(holder[path[-1]], str):
            text = holder[path[-1]]
            at = chance.randrange(len(text) + 1)
            holder[path[-1]] = text[:at] + chance.choice(["", "0", "a", "A", " ", "é"]) + text[at + 1 :]
        case _:
            holder[path[-1]] = chance.choice(ODD)
    return copy


LOW_ORDER = [bytes(32), b"\1" + bytes(31), bytes([0xEC, *[0xFF] * 30, 0x7F]), bytes([0xED, *[0xFF] * 30, 0x7F])]
