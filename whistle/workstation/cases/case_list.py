"""The list of cases: one row for each case, stored in the vault, so that listing reads no messages.

A row is computed when its case has changed, at the end of an import or else with the next list.  Rows are stored in
records by the first byte of the case's id, so that few records are read however many cases there are.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from whistle.protocol.case.message import Body
from whistle.protocol.code.retrieval import reference
from whistle.workstation.cases import overview
from whistle.workstation.cases.duties import Deadline
from whistle.workstation.cases.overview import Case
from whistle.workstation.workstation import Workstation

START = 160  # characters of the first message
OPENED = 262_144  # bytes: the longest content of a first message that is opened for its start

Stored = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What a list shows of a case; `start` is the beginning of its first message, None while that is not at hand."""

    id: str
    status: str
    urgent: bool
    reopened: bool
    unread: int
    deadlines: tuple[Deadline, ...]
    faults: bool
    claimed: str
    channel: str | None
    start: str | None

    @property
    def reference(self) -> str:
        """The reference that people may quote."""
        return reference(bytes.fromhex(self.id))


def rows(workstation: Workstation, first: int = 0, count: int | None = None) -> tuple[list[Row], int]:
    """`count` rows of the list from number `first` on, in the order of `overview.order`; and the length of the list."""
    refresh(workstation)
    everything = sorted(_all(workstation), key=lambda each: (*each[1]["order"], each[0]))
    page = everything[first:] if count is None else everything[first : first + count]
    return [_row(case, stored) for case, stored in page], len(everything)


def refresh(workstation: Workstation) -> None:
    """Compute the rows of the cases that have changed, or of all after a new manifest."""
    newest, today = workstation.trust.serials()[-1:], workstation.today().isoformat()
    last = workstation.vault.get("listed", {"serials": newest, "day": today})
    stale = workstation.stale() if last["serials"] == newest else workstation.case_ids()
    if last["day"] != today:  # missing messages are reported for some time only
        stale = sorted({*stale, *(case for case, stored in _all(workstation) if stored["faults"])})
    if not stale and last == {"serials": newest, "day": today}:
        return
    with workstation.change():
        for shard in _shards(stale):
            kept = _read(workstation, shard)
            for case in (case for case in stale if case.startswith(shard)):
                kept[case] = _stored(workstation, overview.load(workstation, case), kept.get(case))
            workstation.vault.put(f"rows/{shard}", kept)
        workstation.vault.put("listed", {"serials": newest, "day": today})
        workstation.listed()


def _all(workstation: Workstation) -> list[tuple[str, Stored]]:
    return [each for shard in _shards(workstation.case_ids()) for each in _read(workstation, shard).items()]


def _shards(cases: Iterable[str]) -> list[str]:
    return sorted({case[:2] for case in cases})


def _read(workstation: Workstation, shard: str) -> dict[str, Stored]:
    by_case: dict[str, Stored] = workstation.vault.get(f"rows/{shard}", {})
    return by_case


def _stored(workstation: Workstation, case: Case, before: Stored | None) -> Stored:
    *flags, day, _ = overview.order(case)
    return {
        "order": [*flags, day.isoformat()],
        "status": case.status,
        "urgent": case.urgent,
        "reopened": case.reopened,
        "unread": case.unread,
        "deadlines": [[each.day.isoformat(), each.what, each.written] for each in case.deadlines],
        "faults": bool(case.faults),
        "claimed": case.standing.claimed if case.standing else "",
        "channel": case.report.channel if case.report else None,
        "start": before["start"] if before and before["start"] is not None else _start(case),
    }


def _start(case: Case) -> str | None:
    first = case.entries[0]
    rest = first.message.rest if isinstance(first.message, Body) else None
    if rest is not None and (rest.size > OPENED or not first.complete):
        return None
    return first.content.text[:START] if isinstance(first.content, Body) else ""


def _row(case: str, stored: Stored) -> Row:
    day = datetime.date.fromisoformat
    return Row(
        case,
        stored["status"],
        stored["urgent"],
        stored["reopened"],
        stored["unread"],
        tuple(Deadline(day(on), what, written) for on, what, written in stored["deadlines"]),
        stored["faults"],
        stored["claimed"],
        stored["channel"],
        stored["start"],
    )
