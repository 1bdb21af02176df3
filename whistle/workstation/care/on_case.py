"""What the page of a case shows of its reporter's safety."""

import datetime
from dataclasses import dataclass

from whistle.protocol.case.message import Note
from whistle.workstation.care import links, signs
from whistle.workstation.care.links import Link
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties.clocks import DAY
from whistle.workstation.workstation import Workstation

LOOK_AGAIN = 30  # days after a check of the risk, unless another number is typed
VALUES = ("yes", "no", "unknown")  # what a question of a check can be answered


@dataclass(frozen=True)
class Care:
    """That of one case; `usual`: the days of the office's check-ins."""

    links: list[Link]
    usual: list[datetime.date]
    risk: Note | None
    risks: tuple[str, ...] = signs.RISKS
    values: tuple[str, ...] = VALUES
    look_again: int = LOOK_AGAIN


def of(workstation: Workstation, case: Case) -> Care:
    """That of a case."""
    return Care(links.of(workstation, case), usual(case), case.risk)


def usual(case: Case) -> list[datetime.date]:
    """The days of the office's check-ins, whatever a status says."""
    return [case.begun + DAY * number for number in case.office.check_ins] if case.by_reporter else []
