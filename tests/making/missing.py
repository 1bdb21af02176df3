"""Vectors of replies that name each other: what a reporter's program tells of those that it has not found."""

import datetime
from collections.abc import Iterator
from typing import Any

from tests.making import cast
from tests.making.cast import DAY, SLOTS
from tests.making.vector import Vector, told
from whistle.protocol.case.message import Earlier, Reply, Slip
from whistle.protocol.code.retrieval import PLACES

HIDDEN = "ab" * 32
HASH = "cd" * 32


def _reply(by: str, lane: int, n: int, *earlier: Earlier, **changes: Any) -> Reply:
    return cast.reply(sender=by, lane=lane, n=n, earlier=earlier, **changes)


def _named(by: str, lane: int, n: int, hash_: str = HIDDEN, day: datetime.date = DAY) -> Earlier:
    return Earlier(day, by, hash_, lane * PLACES + n)


FIRST = _reply("ombuds", 0, 0)
OTHER = _reply("ethics", 1, 0, _named("ombuds", 0, 0))
HELD = _reply("ethics", 1, 0, _named("ombuds", 0, 0, cast.signed_by(FIRST).hash))
AGAIN = _reply("ombuds", 0, 1, replaces=HIDDEN)
CASES: dict[str, tuple[str, list[Reply], list[int], int, list[tuple[str, str, bool]]]] = {
    "nothing": ("nothing found", [], [], 0, []),
    "unnamed": ("a reply that names none", [FIRST], [], 0, []),
    "other": ("a colleague knows a reply that is not there", [OTHER], [], 0, [("ombuds", "ethics", False)]),
    "own": (
        "an author's earlier reply is not there",
        [_reply("ombuds", 0, 1, _named("ombuds", 0, 0))],
        [],
        0,
        [("ombuds", "ombuds", False)],
    ),
    "own_place": (
        "an author's earlier reply is not there, and another of theirs lies in its place",
        [FIRST, _reply("ombuds", 0, 1, _named("ombuds", 0, 0), _named("ombuds", 0, 9))],
        [],
        0,
        [("ombuds", "ombuds", False)],
    ),
    "held": ("what is named is there", [FIRST, HELD], [], 0, []),
    "differs": ("another reply lies in its place", [FIRST, OTHER], [], 0, [("ombuds", "ethics", True)]),
    "occupied": (
        "a reply by somebody else lies in its place",
        [_reply("counsel", 0, 0), OTHER],
        [],
        0,
        [("ombuds", "ethics", False)],
    ),
    "replaced": ("its author sent it again", [AGAIN, OTHER], [], 0, []),
    "replaced_by_another": (
        "somebody else claims to have sent it again",
        [_reply("counsel", 0, 1, replaces=HIDDEN), OTHER],
        [],
        0,
        [("ombuds", "ethics", False)],
    ),
    "unreadable": ("something invalid lies in its place", [OTHER], [0], 0, []),
    "unreadable_elsewhere": (
        "something invalid lies in another place",
        [OTHER],
        [1, 63, 2047],
        0,
        [("ombuds", "ethics", False)],
    ),
    "day_400": ("on the last day on which the server has it", [OTHER], [], 400, [("ombuds", "ethics", False)]),
    "day_401": ("on the day after", [OTHER], [], 401, []),
    "ahead": (
        "named with a day that is yet to come",
        [_reply("ethics", 1, 0, _named("ombuds", 0, 0, day=datetime.date(2999, 12, 31)))],
        [],
        0,
        [("ombuds", "ethics", False)],
    ),
    "several": (
        "one line for each author and kind, by the first who names one",
        [
            FIRST,
            _reply("ethics", 1, 0, _named("ombuds", 0, 5), _named("counsel", 9, 3), _named("ombuds", 0, 0, HASH)),
            _reply("counsel", 9, 4, _named("ombuds", 0, 6), _named("counsel", 9, 3), _named("ombuds", 0, 0, HASH)),
        ],
        [],
        0,
        [("ombuds", "ethics", False), ("counsel", "ethics", False), ("ombuds", "ethics", True)],
    ),
}


LANES: dict[str, tuple[str, str, int, bool]] = {  # by whom, in which lane, and whether that is told
    "reader": ("of a reader of the report, in their lane", "ombuds", 0, True),
    "let_in": ("of somebody let in, in the last lane", "counsel", 2 * SLOTS - 1, True),
    "foreign_lane": ("of a reader, in another's lane", "ombuds", 1, False),
    "reader_in_high_lane": ("of a reader, in a lane from `slots` on", "ombuds", SLOTS, False),
    "let_in_in_low_lane": ("of somebody let in, in a reader's lane", "counsel", 0, False),
    "no_lane": ("in a lane that there is not", "counsel", 2 * SLOTS, False),
    "left_out": ("of somebody whom the slip leaves out", "boss", SLOTS, False),
}


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for name, (about, held, unreadable, days, found) in CASES.items():
        yield _vector(name, about, held, unreadable, days, found, None)
    for name, (about, author, lane, is_told) in LANES.items():
        naming = _reply("ethics", 1, 0, _named(author, lane, 3))
        told_of = [(author, "ethics", False)] if is_told else []
        slip = cast.slip(readers=("ombuds", "ethics"), without=("boss",))
        yield _vector(f"lane_{name}", f"a reply {about} is named", [naming], [], 0, told_of, slip)


def _vector(
    name: str,
    about: str,
    held: list[Reply],
    unreadable: list[int],
    days: int,
    found: list[tuple[str, str, bool]],
    slip: Slip | None,
) -> Vector:
    given = {
        "today": (DAY + datetime.timedelta(days=days)).isoformat(),
        "held": [told(reply.line) for reply in held],
        "unreadable": unreadable,
        "slip": slip and told(slip.line),
        "slots": SLOTS,
    }
    said = [{"author": author, "by": by, "differs": differs} for author, by, differs in found]
    return Vector(f"missing_{name}", about, "ok", given, {"found": said})
