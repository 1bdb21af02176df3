"""What anybody sends makes the server work in proportion to its length, whatever it holds.  Calls are counted."""

import datetime
import hashlib
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.server.test_api import head, post, sealed_report
from tests.server.test_courier import Carrier, listing
from whistle.protocol.code import words
from whistle.protocol.reporter import submission
from whistle.protocol.transfer import bundle, statement
from whistle.server.instance import Instance
from whistle.store import Store

SIZE = 40_000  # characters
LISTS = [words.wordlist(language) for language in words.LANGUAGES]
TEXTS: dict[str, Callable[[int], str]] = {
    "words of several lists": lambda n: LISTS[n % 4][n * 7 % 2048] + " ",
    "eleven words, and another": lambda n: "abandon " if n % 12 else "xyz ",
    "numbers of another script": lambda n: "\u0661 " if n % 12 else "x ",
    "ligatures": lambda n: "\ufdfa ",
    "marks": lambda n: "a" + "\u0301\u05ae" * 20,
    "letters and invisible ones": lambda n: "a\u200b",
    "empty lines": lambda n: "\r\n",
    "base64": lambda n: "aB1" * 11 + "\n",
    "armour that never ends": lambda n: "-----BEGIN X-----\nQUJD\n",
    "quotes": lambda n: "> |",
}


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those in C included."""
    count = [0]

    def called(_frame: object, event: str, _what: object) -> None:
        count[0] += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count[0]


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_is_looked_at_in_bulk(kind: str) -> None:
    """To look for words and for a sealed report takes few calls beside the text's bytes, whatever it holds."""
    text = "".join(map(TEXTS[kind], range(SIZE // 3)))[:SIZE]
    words.holds_code(text)  # the lists are read once
    for work in (lambda: words.holds_code(text), lambda: words.holds_code(text, bytes(16))):
        assert calls(work) < 1.5 * len(text.encode())
    assert calls(lambda: submission.is_armored(text)) < 1.5 * len(text.encode())


def test_blocks_that_nobody_put_are_not_looked_for_on_the_disk(
    client: FlaskClient, instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report may name 20,000 blocks: those without a row have no file."""
    looked: list[object] = []
    monkeypatch.setattr(instance.store.block_store, "keep", lambda ids: looked.extend(ids))
    monkeypatch.setattr(instance.store.block_store, "missing", lambda ids: looked.extend(ids) or [])
    who = parties.reporter()
    body = head(who, [os.urandom(16) for _ in range(1000)]) + b"".join(sealed_report(who, org))
    assert post(client, "store", body).status_code in (400, 424) and not looked


def test_statements_ask_the_database_once(
    client: FlaskClient, instance: Instance, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many statements a push brings, day and manifest are asked for once."""
    asked: list[str] = []
    real = Store.clock
    monkeypatch.setattr(Store, "clock", lambda self: asked.append("clock") or real(self))
    key, carrier = org.people["ombuds"].secret.signing, Carrier(client, org)

    def push(count: int) -> int:
        days = [parties.DAY - datetime.timedelta(days=1 + n % 99) for n in range(count)]
        stated = [statement.sign("ombuds", day, os.urandom(32), key) for day in days]
        whole = listing([], imports=tuple(sorted(stated, key=lambda each: (each.reviewer, each.day, each.hash))))
        body = b"".join(bundle.stream(whole, lambda member: []))
        asked.clear()
        answered: Any = carrier.send("/courier/push", body, hashlib.sha256(whole.to_bytes()).hexdigest())
        assert answered.status_code == 200
        return len(asked)

    assert push(200) == push(1)
