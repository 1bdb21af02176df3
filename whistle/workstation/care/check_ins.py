"""Asking reporters how they are: the text of the office in the reporter's language, as a reply in the tray."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from whistle.protocol.case.message import CHECK_IN
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import templates
from whistle.workstation.errors import Refused, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.tray import tray
from whistle.workstation.workstation import Workstation


@dataclass
class Prepared:
    """How many check-ins are in the tray, and the others, each with the reason."""

    done: int = 0
    left: list[str] = field(default_factory=list)


def prepare(workstation: Workstation, cases: Iterable[str]) -> Prepared:
    """Put a check-in of each case into the tray."""
    prepared = Prepared()
    for id in cases:
        case = overview.load(workstation, id)
        try:
            put(workstation, case)
            prepared.done += 1
        except WorkstationError as exc:
            prepared.left.append(t("care.left", case=case.title or case.reference, why=exc.message))
    return prepared


def put(workstation: Workstation, case: Case) -> int:
    """Put a check-in into the tray; its number there.  Raises Refused or Untrusted."""
    if case.unanswered:  # a text that is the same for all would be the answer
        raise Refused(t("care.unanswered"), t("care.unanswered_hint"))
    if any(each.fields.get("mark") == CHECK_IN for each in tray.items(workstation, case.id)):
        raise Refused(t("care.twice"), t("care.twice_hint"))
    spoken = case.report.language if case.report else templates.DEFAULT
    language = templates.language_for(workstation, spoken, templates.CHECK_IN)
    text = templates.all_of(workstation).get((templates.CHECK_IN, language), "")
    filled = templates.fill(workstation, case, text, language)
    return tray.reply(workstation, case, filled, (), CHECK_IN, follow=False)
