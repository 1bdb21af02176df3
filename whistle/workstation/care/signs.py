"""What messages say of a reporter's safety: how they are, which other case theirs is about, and how high the risk is.

Plain functions of entries; answers that are long, or have not come, say nothing yet.
"""

from collections.abc import Iterable, Mapping

from whistle.protocol.case.message import ByReporter, FollowUp, Note, Report
from whistle.protocol.reporter.questions import CHECK_IN, EARLIER, HAPPENED
from whistle.workstation.cases.entries import Entry

RISKS = ("power", "guess", "danger")  # what a check of the risk asks (SPEC 4.4)
DIGITS = 12  # of a reference
OPENED = 4  # follow-ups of a case whose content travels apart that are opened for this, the newest


def answers(entry: Entry) -> Mapping[str, str]:
    """The answers of a message by the ids of their questions."""
    opened = entry.opened
    return opened.answers or {} if isinstance(opened, Report | FollowUp | Note) else {}


def harmed(entries: Iterable[Entry]) -> bool:
    """Whether the reporter says in one of these that something has happened to them because they reported."""
    return any(each.get(CHECK_IN) == HAPPENED for each in _said(entries, FollowUp))


def named(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The digits of the references of other cases that the reporter names."""
    said = (each.get(EARLIER, "") for each in _said(entries, ByReporter))
    return tuple(dict.fromkeys(found for text in said if (found := digits(text))))


def digits(text: str) -> str:
    """The digits of a reference as somebody typed it, in any script; empty if there are not twelve."""
    found = "".join(str(int(each)) for each in text[:100] if each.isdecimal())
    return found if len(found) == DIGITS else ""


def proof(case: str, sign: str) -> str:
    """What stands among a case's names if this key signed that it continues this case, both in hexadecimal."""
    return f"{case} {sign}"


def checks(entries: Iterable[Entry]) -> list[Entry]:
    """The notes that are checks of the risk, the newest last; one whose content travels apart is none."""
    notes = (each for each in entries if isinstance(each.message, Note) and each.message.answers)
    return sorted((each for each in notes if set(answers(each)) & set(RISKS)), key=lambda each: each.claimed_day)


def _said(entries: Iterable[Entry], kind: type[ByReporter]) -> list[Mapping[str, str]]:
    """What the reporter's messages of a kind answer."""
    said = [each for each in entries if isinstance(each.message, kind)]
    apart = [each for each in said if isinstance(each.message, FollowUp) and each.message.rest]
    closed = {each.signed.hash for each in apart[:-OPENED]}
    return [answers(each) for each in said if each.signed.hash not in closed]
