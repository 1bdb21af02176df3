"""Vectors of replies in their places: which of them a reporter's program shows."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.making import cast
from tests.making.cast import DAY, MANIFEST, REPORTER, SLOTS, known, reviewer
from tests.making.vector import Vector, told
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
    cases: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
        ("ok", "by the first reader, in the first lane", "ok", {}, {}),
        ("ok_let_in", "by somebody who is not in the slip, in a lane from `slots` on", "ok", counsel, {}),
        ("ok_last_day", "stored on the last day of its key", "ok", ethics, {"stored": END}),
        ("ok_without_slip", "where the slip is gone", "ok", counsel, {"slip": None}),
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
        output = {"by": content.sender} if expect == "ok" else {}
        yield Vector(f"reply_{name}", about, expect, given, output)
