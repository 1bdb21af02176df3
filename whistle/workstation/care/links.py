"""Which cases name each other, as their reporters say: told to whoever reads both, and to nobody else.

Whoever knows a reference can name it, so a name alone proves nothing and opens nothing (SPEC 4.4).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, or_, select, text, true

from whistle.protocol.case import continuation
from whistle.protocol.errors import ProtocolError
from whistle.workstation.care import signs
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.language import t
from whistle.workstation.vault.models import NAMED
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

MOST = 20  # that are told in a case; strangers can make any number of cases that name it
GROUP = 4  # digits of a reference that stand together


@dataclass(frozen=True)
class Link:
    """What two cases say of each other; `case` is the other one, empty if it is not here."""

    text: str
    case: str = ""


def of(workstation: Workstation, case: Case) -> list[Link]:
    """What this case says of others, and others of it, as the list knows it; those first of which most is known."""
    mine, names = signs.digits(case.reference), signs.named(case.entries)
    others = _others(workstation, case, mine, names)
    here = Counter(digits for _, digits, _ in others)
    alone = workstation.vault.connection.execute(select(func.count()).where(CASES.c.digits == mine)).scalar_one() == 1
    found = [*_told(workstation, case, names, [each for each in others if alone and here[each[1]] == 1])]
    told = {link.case for link in found}
    for hash, digits, _ in others:
        if hash not in told:
            found.append(Link(t("care.says" if digits in names else "care.named", reference=_shown(digits)), hash))
    found += [Link(t("care.elsewhere", reference=_shown(each))) for each in names if each not in here and each != mine]
    if (more := len(found) - MOST) > 0:
        found[MOST:] = [Link(t("care.more", more))]
    return found


Other = tuple[str, str, list[str]]  # hash, digits of the reference, what it names


def _others(workstation: Workstation, case: Case, mine: str, names: tuple[str, ...]) -> list[Other]:
    """The cases here that this one names, or that name it."""
    each = func.json_each(CASES.c.named).table_valued("value")
    naming = select(CASES.c.id).select_from(CASES.join(each, true())).where(text(NAMED), each.c.value == mine)
    wanted = select(CASES.c.hash, CASES.c.digits, CASES.c.named)
    chosen = wanted.where(or_(CASES.c.digits.in_(names), CASES.c.id.in_(naming)), CASES.c.hash != case.id)
    rows = workstation.vault.connection.execute(chosen.order_by(CASES.c.id))
    return [(hash, digits, named) for hash, digits, named in rows]


def _told(workstation: Workstation, case: Case, names: tuple[str, ...], others: list[Other]) -> Iterator[Link]:
    """Those of which more is known than one side's word: each names the other, or the old key signed the new case."""
    mine = signs.digits(case.reference)
    for hash, digits, named in others:
        if digits in names and mine in named:
            yield Link(t("care.both", reference=_shown(digits)), hash)
        elif mine in named and _continues(workstation, hash, case):
            yield Link(t("care.continued", reference=_shown(digits)), hash)


def _continues(workstation: Workstation, later: str, case: Case) -> bool:
    report = overview.load(workstation, later).report
    if report is None or report.continues is None or case.sender is None:
        return False
    try:
        continuation.check(report.continues, case.sender, later)
    except ProtocolError:
        return False
    return True


def _shown(digits: str) -> str:
    """A reference as people quote it."""
    return "-".join(digits[at : at + GROUP] for at in range(0, len(digits), GROUP))
