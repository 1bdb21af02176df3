"""Who is away, as readers of a case told in it: each one's own word, which moves no duty."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from whistle.protocol.case.message import Away, Note
from whistle.workstation.cases.overview import Case
from whistle.workstation.language import t

Record = Mapping[str, tuple[str, str, str]]  # by reader: first and last day, and who stands in


def told(case: Case) -> dict[str, Away]:
    """Of each reader who told of any the absence that counts: the one latest in their chain, over or not (SPEC 4.4)."""
    notes = [each.message for each in case.counting if isinstance(each.message, Note) and each.message.away]
    ordered = sorted(notes, key=lambda note: note.seq)
    return {note.sender: note.away for note in ordered if note.away and note.sender in case.allowed}


def now(case: Case) -> dict[str, Away]:
    """Who is away today."""
    return {id: away for id, away in told(case).items() if _is_on(away, case.today)}


def to_record(case: Case) -> dict[str, Any]:
    """What was told, as JSON for the list's columns."""
    return {id: [str(away.first), str(away.last), away.cover] for id, away in told(case).items()}


def from_record(record: Record, id: str, today: datetime.date) -> Away | None:
    """Somebody's absence today, from the list's columns."""
    if id not in record:
        return None
    first, last, cover = record[id]
    away = Away(datetime.date.fromisoformat(first), datetime.date.fromisoformat(last), cover)
    return away if _is_on(away, today) else None


def words(away: Away, me: str, person: Callable[[str], str]) -> str:
    """An absence in a phrase: until when, and who stands in."""
    if not away.cover:
        return t("away.nobody", day=away.last)
    return t("away.you", day=away.last) if away.cover == me else t("away.cover", day=away.last, who=person(away.cover))


def _is_on(away: Away, today: datetime.date) -> bool:
    return away.first <= today <= away.last
