"""Remarks on a case for its readers, bounded so that nobody's noise pushes out what matters.

Of remarks of one kind on one sender the first few are kept as they are, and the others are counted.  Kinds are few, and
senders are those who proved that they signed, so there is always room.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from whistle.workstation.language import restored, stored, t

SHOWN = 3  # of one kind on one sender


@dataclass(frozen=True)
class Remark:
    """A sentence, the id of the reviewer on whose message it is, empty for the reporter, and its kind."""

    text: str
    about: str = ""
    kind: str = ""


def added(kept: Sequence[Any], new: Remark) -> list[Any]:
    """The records with one more remark; the same list if it is there already."""
    records = [_record(each) for each in kept]
    same = [each for each in records if (each["about"], each["kind"]) == (new.about, new.kind)]
    if any(restored(each["text"]) == new.text for each in same):
        return list(kept)
    if len(same) < SHOWN:
        return [*records, {"text": stored(new.text), "about": new.about, "kind": new.kind, "more": 0}]
    same[-1]["more"] += 1
    return records


def lines(kept: Iterable[Any]) -> list[str]:
    """The remarks in words."""
    return [_line(_record(each)) for each in kept]


def _record(kept: Any) -> dict[str, Any]:
    """A record; earlier versions of Whistle kept the sentence alone."""
    return {"text": kept, "about": "", "kind": kept, "more": 0} if isinstance(kept, str) else dict(kept)


def _line(record: dict[str, Any]) -> str:
    text = restored(record["text"])
    if not record["more"]:
        return text
    who = record["about"] or t("naming.reporter")
    return t("remarks.more", record["more"], text=text, who=who)
