"""Receipts: a reviewer's statement that a report was received, which names no content (SPEC 4.12).

It is signed in minisign's form, so that stock tools check it with a key from the manifest.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from whistle.protocol.case.message import Receipt
from whistle.protocol.code import retrieval
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust.minisign import PublicKey, SecretKey

COMMENT = "whistle receipt"  # what minisign shows as trusted comment


@dataclass(frozen=True)
class Statement:
    """The two files that somebody keeps: what is stated, and the `.minisig` beside it."""

    text: str
    signature: str


def text(case: str, received: datetime.date) -> str:
    """What is stated of a case, by its hash in hex."""
    reference = retrieval.reference(bytes.fromhex(case))
    return f"Whistle receipt\nreference: {reference}\nreceived: {received.isoformat()}\n"


def sign(key: SecretKey, case: str, received: datetime.date) -> Receipt:
    """The receipt of a report that arrived on a day, for a reply in its case."""
    return Receipt(received, key.sign(text(case, received).encode(), COMMENT).decode())


def checked(receipt: Receipt | None, case: str, keys: Iterable[PublicKey]) -> Statement | None:
    """The statement, if one of these keys of the reply's author has signed it; None otherwise."""
    for key in keys if receipt else ():
        assert receipt
        stated = text(case, receipt.received)
        try:
            if key.verify(stated.encode(), receipt.signature.encode()) == COMMENT:
                return Statement(stated, receipt.signature)
        except ProtocolError:
            continue
    return None
