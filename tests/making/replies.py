"""Vectors of replies in their places: which of them a reporter's program shows."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.making import cast
from tests.making.cast import DAY, MANIFEST, REPORTER, SLOTS, known, reviewer
from tests.making.vector import Vector, told
from whistle.protocol.case.message import Receipt
from whistle.protocol.reporter import receipts
from whistle.protocol.trust.manifest import SignedManifest

ONE = datetime.timedelta(days=1)
END = DAY + 10 * ONE  # of ethics, who is retired from then on
WITHOUT = ("boss",)


def _manifests() -> list[SignedManifest]:
    """A first manifest, and one in which ethics is retired and counsel has come."""
    first = known()
    channels = (replace(MANIFEST.channels[0], readers=("ombuds",)),)
    people = (reviewer("ombuds"), reviewer("ethics", retired=True), reviewer("counsel"))
    return [
        first,
        known(replace(MANIFEST, serial=2, previous=first.hash, begins=END, channels=channels, reviewers=people)),
    ]


def vectors() -> Iterator[Vector]:
    """All of this module: each changes one thing in a good reply, or where or when it lies."""
    manifests = [told(each.data) for each in _manifests()]
    slip = told(cast.slip(without=WITHOUT).line)
    out = told(cast.slip(without=("ombuds",), readers=("ethics",)).line)
    late = END + ONE
    ethics: dict[str, Any] = {"sender": "ethics", "lane": 1}
    counsel: dict[str, Any] = {"sender": "counsel", "lane": SLOTS + 1, "readers": ("ombuds", "counsel")}
    stated = receipts.text(REPORTER.case.hex(), DAY)
    own, other = (receipts.sign(cast.SIGNERS[id], REPORTER.case.hex(), DAY) for id in ("ombuds", "ethics"))
    foreign = receipts.sign(cast.SIGNERS["ombuds"], cast.STRANGER.case.hex(), DAY)
    comment = Receipt(DAY, cast.SIGNERS["ombuds"].sign(stated.encode(), "whistle").decode())
    given_out: dict[str, Any] = {"mark": "acknowledgement", "receipt": own}
    cases: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
        ("ok", "by the first reader, in the first lane", "ok", {}, {}),
        ("ok_let_in", "by somebody who is not in the slip, in a lane from `slots` on", "ok", counsel, {}),
        ("ok_last_day", "stored on the last day of its key", "ok", ethics, {"stored": END}),
        ("ok_without_slip", "where the slip is gone", "ok", counsel, {"slip": None}),
        ("ok_receipt", "with a receipt", "ok", given_out, {}),
        ("ok_receipt_by_another", "with a receipt that another signed", "ok", {**given_out, "receipt": other}, {}),
        ("ok_receipt_of_another", "with a receipt of another case", "ok", {**given_out, "receipt": foreign}, {}),
        ("ok_receipt_of_another_day", "with a receipt of another day", "ok",
         {**given_out, "receipt": replace(own, received=END)}, {}),
        ("ok_receipt_under_another_comment", "with a signature that was made for something else", "ok",
         {**given_out, "receipt": comment}, {}),
        ("late", "dated back: stored a day after its key ended", "forged", ethics, {"stored": late}),
        ("dated_after", "dated after its key ended", "forged", {**ethics, "day": late}, {"stored": END}),
        ("other_key", "signed by another reviewer", "forged", {}, {"by": "ethics"}),
        ("reader_in_foreign_lane", "by a reader of the slip in another's lane", "malformed", {**ethics, "lane": 0}, {}),
        ("reader_in_high_lane", "by a reader of the slip, from `slots` on", "malformed", {**ethics, "lane": SLOTS}, {}),
        ("let_in_in_low_lane", "by one let in, in a reader's lane", "malformed", {**counsel, "lane": 1}, {}),
        ("other_lane", "made for another lane than where it lies", "malformed", {}, {"lane": 1}),
        ("other_place", "made for another place than where it lies", "malformed", {}, {"n": 1}),
        ("other_without", "that leaves out another than the slip", "malformed", {"without": ("chief",)}, {}),
        ("by_one_left_out", "by whom the slip leaves out", "malformed", {}, {"slip": out}),
        ("other_mailbox", "to another mailbox", "malformed", {"to": cast.STRANGER.mailbox.recipient.text}, {}),
        ("other_case", "in another case", "malformed", {"case": cast.STRANGER.case.hex()}, {}),
    ]  # fmt: skip
    for name, about, expect, changes, where in cases:
        content = cast.reply(**{"without": WITHOUT, **changes})
        signed = cast.signed_by(content, where.get("by", content.sender))
        given: dict[str, Any] = {
            "code": REPORTER.code.hex(),
            "slip": where.get("slip", slip),
            "manifests": manifests,
            "slots": SLOTS,
            "lane": where.get("lane", content.lane),
            "n": where.get("n", content.n),
            "stored": where.get("stored", DAY).isoformat(),
            "line": told(signed.line),
            "signature": cast.base64_of(signed.signature),
        }
        output = {"by": content.sender, "receipt": stated if content.receipt == own else None}
        yield Vector(f"reply_{name}", about, expect, given, output if expect == "ok" else {})
