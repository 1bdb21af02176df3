"""Which cases name each other, as their reporters say: told to whoever reads both, and to nobody else.

Whoever knows a reference can name it, so a name alone proves nothing and opens nothing (SPEC 4.4).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Select, and_, func, or_, select, text, true

from whistle.workstation.care import signs
from whistle.workstation.cases.overview import Case
from whistle.workstation.language import t
from whistle.workstation.vault.models import NAMED
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

MOST = 20  # that are read and told in a case; strangers can make any number of cases that name it
GROUP = 4  # digits of a reference that stand together


@dataclass(frozen=True)
class Link:
    """What two cases say of each other; `case` is the other one, empty if it is not here."""

    text: str
    case: str = ""


def of(workstation: Workstation, case: Case) -> list[Link]:
    """What this case says of others, and others of it, as the list knows it; those first of which most is known."""
    mine, names = signs.digits(case.reference), signs.named(case.entries)
    others, count = _others(workstation, case, mine, names)
    here = _here(workstation, {mine, *names, *(each.digits for each in others)})
    told, claimed = [], []
    for each in others:
        shown, alone = _shown(each.digits), here[mine] == here[each.digits] == 1
        if each.says and each.named and alone:
            told.append(Link(t("care.both", reference=shown), each.hash))
        elif each.signed and alone:
            told.append(Link(t("care.continued", reference=shown), each.hash))
        else:
            claimed.append(Link(t("care.says" if each.says else "care.named", reference=shown), each.hash))
    away = [each for each in names if each not in here and each != mine]
    found = [*told, *claimed, *(Link(t("care.elsewhere", reference=_shown(each))) for each in away[:MOST])][:MOST]
    if (more := count + len(away) - len(found)) > 0:
        found.append(Link(t("care.more", more)))
    return found


class Other(NamedTuple):
    """Another case: whether this one names it, it names this one, and the key of this one signed that it continues."""

    hash: str
    digits: str
    says: bool
    named: bool
    signed: bool


def _others(workstation: Workstation, case: Case, mine: str, names: tuple[str, ...]) -> tuple[list[Other], int]:
    """The cases here that this one names, or that name it, and how many there are.

    Of these MOST are read, first those that no stranger can make: what each names the other, then what is signed.
    """
    proof = signs.proof(case.id, case.sender.sign) if case.sender else ""
    says = CASES.c.digits.in_(names)
    named, signed = (CASES.c.id.in_(_holding(value)) for value in (mine, proof))
    is_other = and_(or_(says, named), CASES.c.hash != case.id)
    known = [and_(says, named).desc(), signed.desc(), says.desc(), CASES.c.id]
    chosen = select(CASES.c.hash, CASES.c.digits, says, named, signed).where(is_other).order_by(*known).limit(MOST)
    connection = workstation.vault.connection
    count = connection.execute(select(func.count()).select_from(CASES).where(is_other)).scalar_one()
    return [Other(*row) for row in connection.execute(chosen)], count


def _holding(value: str) -> Select[int]:
    """The rows of the cases that name this."""
    each = func.json_each(CASES.c.named).table_valued("value")
    return select(CASES.c.id).select_from(CASES.join(each, true())).where(text(NAMED), each.c.value == value)


def _here(workstation: Workstation, digits: Iterable[str]) -> Counter[str]:
    """How many cases here have each of these references; those that none has are left out."""
    found = select(CASES.c.digits, func.count()).where(CASES.c.digits.in_(sorted(digits))).group_by(CASES.c.digits)
    return Counter({row[0]: row[1] for row in workstation.vault.connection.execute(found)})


def _shown(digits: str) -> str:
    """A reference as people quote it."""
    return "-".join(digits[at : at + GROUP] for at in range(0, len(digits), GROUP))
