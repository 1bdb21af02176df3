"""The list of cases and its filters, from columns of the cases' table, so that a page of it reads no messages.

The columns are computed by one function, `derived`, when a case has changed: at the end of an import, or else with the
next list.
"""

import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    type_coerce,
    union,
    update,
)

from whistle.protocol.case import continuation
from whistle.protocol.case.message import Body
from whistle.protocol.code.retrieval import reference
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter.questions import OURS
from whistle.protocol.untrusted_text import one_line
from whistle.workstation.answers import ADVICE_FACET
from whistle.workstation.care import signs
from whistle.workstation.cases import overview
from whistle.workstation.cases.overview import Case
from whistle.workstation.duties import absences, deadlines
from whistle.workstation.duties.deadlines import Deadline
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault import rows as vault_rows
from whistle.workstation.vault.models import ANSWERED, LABELLED, CaseRow, KeptFilter
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

START = 160  # characters of the first message
SLICE = 500  # cases whose rows are held at once
STALE_COLUMNS = CASES.c.id, CASES.c.hash, CASES.c.start, CASES.c.files
STALE = select(*STALE_COLUMNS).where(CASES.c.stale).order_by(CASES.c.id).limit(SLICE)
NAMED = ("channel", "status", "language", "claimed")
QUEUE = (CaseRow.rank, CaseRow.due, CaseRow.hash)  # the order of `overview.order`
LATE, SOON = "late", "soon"  # what is due before today, and from today on within SOON_DAYS
SOON_DAYS = 3
OFFERED = 50  # values of a column to filter by, the most frequent: strangers and colleagues choose them
MOST_ANSWERS = 200  # to filter by: those to Whistle's own questions first, which are fewer
UNKNOWN = "?"  # the channel and language of a report that has not come yet; who has a case that nobody has
MOST_KEPT, LONGEST_NAME = 20, 40  # filters that are kept, and characters of a name
_LABELLED = cast(ColumnElement[bool], literal_column(f"({LABELLED})"))
_ANSWERED = cast(ColumnElement[bool], literal_column(f"({ANSWERED})"))


@dataclass(frozen=True)
class Row:
    """What a list shows of a case; `start` is the beginning of its first message, None while that is not at hand.

    `title` and `labels` are this workstation's, `stated` the labels of the newest status.
    """

    id: str
    title: str
    labels: tuple[str, ...]
    stated: tuple[str, ...]
    muted: bool
    status: str
    urgent: bool
    reopened: bool
    unread: int
    deadlines: tuple[Deadline, ...]
    faults: bool
    claimed: str
    channel: str | None
    advice: bool  # it asks for advice, and nobody made it a report
    start: str | None

    @property
    def reference(self) -> str:
        """The reference that people may quote."""
        return reference(bytes.fromhex(self.id))


@dataclass(frozen=True)
class Filter:
    """Which cases are listed: all that are not muted, unless it says otherwise."""

    channel: str = ""
    status: str = ""
    language: str = ""
    label: str = ""
    claimed: str = ""  # a reviewer's id
    answer: str = ""  # question=choice
    due: str = ""  # LATE or SOON
    unread: bool = False
    files: bool = False
    muted: bool = False  # those that are muted, instead of the others

    def conditions(self, today: datetime.date) -> list[ColumnElement[bool]]:
        """What is true of the rows that it lists."""
        kept = [CASES.c.muted == self.muted]
        for name in ("channel", "status", "language"):
            if value := getattr(self, name):
                kept.append(CASES.c[name] == (None if value == UNKNOWN else value))
        if self.claimed:
            kept.append(CASES.c.claimed == self.claimed.replace(UNKNOWN, ""))
        if self.label:
            kept += [_LABELLED, or_(*(_holds(name, self.label) for name in ("labels", "stated")))]
        if self.answer:
            kept += [_ANSWERED, _holds("answers", self.answer)]
        kept += [_due(today)[self.due]] if self.due in _due(today) else []
        kept += [CASES.c.unread > 0] if self.unread else []
        return kept + ([CASES.c.files] if self.files else [])


EVERYTHING = Filter()


def keep(workstation: Workstation, name: str, kept: Filter) -> None:
    """Keep a filter under a name, instead of the one before of this name.  Raises Refused."""
    short, session = one_line(name), workstation.vault.session
    if not short or len(short) > LONGEST_NAME:
        raise Refused(t("case_list.name", LONGEST_NAME), t("case_list.name_hint"))
    others = select(func.count()).select_from(KeptFilter).where(KeptFilter.name != short)
    if (session.scalar(others) or 0) >= MOST_KEPT:
        raise Refused(t("case_list.most", MOST_KEPT), t("case_list.most_hint"))
    with workstation.change():
        session.merge(KeptFilter(name=short, fields=asdict(kept)))


def forget(workstation: Workstation, name: str) -> None:
    """Keep the filter of a name no longer."""
    with workstation.change():
        row = workstation.vault.session.get(KeptFilter, name)
        if row is not None:
            workstation.vault.session.delete(row)


def kept_filters(workstation: Workstation) -> dict[str, Filter]:
    """The filters that were kept, by name."""
    columns = select(KeptFilter.name, KeptFilter.fields).order_by(KeptFilter.name)
    return {name: Filter(**fields) for name, fields in workstation.vault.session.execute(columns)}


def _holds(column: str, label: str) -> ColumnElement[bool]:
    """Whether a list has this label; it is read only where the label's own text stands in it."""
    each = func.json_each(CASES.c[column]).table_valued("value")
    stands = func.instr(type_coerce(CASES.c[column], String), json.dumps(label)) > 0
    return and_(stands, select(each.c.value).where(each.c.value == label).exists())


def _due(today: datetime.date) -> dict[str, ColumnElement[bool]]:
    last = today + datetime.timedelta(days=SOON_DAYS)
    return {LATE: CASES.c.due < today, SOON: CASES.c.due.between(today, last)}


@dataclass(frozen=True)
class Counts:
    """How many cases there are of each kind, among those that are muted or among the others."""

    cases: int
    unread: int
    files: int
    channel: Counter[str]
    status: Counter[str]
    language: Counter[str]
    claimed: Counter[str]
    due: Counter[str]
    label: Counter[str]
    answer: Counter[str]


def counts(workstation: Workstation, muted: bool = False) -> Counts:
    """How many there are of each kind."""
    refresh(workstation)
    connection, due = workstation.vault.connection, _due(workstation.today())
    named = [CASES.c[name] for name in NAMED]
    kinds = [*named, CASES.c.unread > 0, CASES.c.files, due[LATE], due[SOON]]
    groups = select(func.count(), *(each.label(f"kind_{place}") for place, each in enumerate(kinds)))
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in connection.execute(groups.where(CASES.c.muted == muted).group_by(text("2, 3, 4, 5, 6, 7, 8, 9"))):
        count, *values, unread, files, late, soon = row
        for name, value in zip(NAMED, values, strict=True):
            found[name][value or UNKNOWN] += count
        for name, is_one in {"unread": unread, "files": files, LATE: late, SOON: soon}.items():
            found["flags"][name] += count * bool(is_one)
        found["flags"]["cases"] += count
    return Counts(
        cases=found["flags"]["cases"],
        unread=found["flags"]["unread"],
        files=found["flags"]["files"],
        channel=_most(found["channel"]),
        status=found["status"],
        language=_most(found["language"]),
        claimed=_most(found["claimed"]),
        due=Counter({name: found["flags"][name] for name in (LATE, SOON)}),
        label=_labels(connection, muted),
        answer=_answers(connection, muted),
    )


def _most(counter: Counter[str]) -> Counter[str]:
    return Counter(dict(counter.most_common(OFFERED)))


def _labels(connection: Connection, muted: bool) -> Counter[str]:
    kinds = [func.json_each(CASES.c[name]).table_valued("value") for name in ("labels", "stated")]
    labelled = [
        select(CASES.c.id, each.c.value).select_from(CASES.join(each, true())).where(_LABELLED, CASES.c.muted == muted)
        for each in kinds
    ]
    every = union(*labelled).subquery()
    count = func.count().label("cases")
    most = select(every.c.value, count).group_by(every.c.value).order_by(count.desc()).limit(OFFERED)
    return Counter({each.value: each.cases for each in connection.execute(most)})


def _answers(connection: Connection, muted: bool) -> Counter[str]:
    each = func.json_each(CASES.c.answers).table_valued("value")
    count = func.count().label("cases")
    answered = (
        select(each.c.value, count).select_from(CASES.join(each, true())).where(_ANSWERED, CASES.c.muted == muted)
    )
    most = answered.group_by(each.c.value).order_by(each.c.value.startswith(OURS).desc(), count.desc())
    return Counter({row.value: row.cases for row in connection.execute(most.limit(MOST_ANSWERS))})


def rows(
    workstation: Workstation, first: int = 0, count: int | None = None, kept: Filter = EVERYTHING
) -> tuple[list[Row], int]:
    """`count` rows of the list from number `first` on, in the order of `overview.order`; and the length of the list."""
    refresh(workstation)
    session, conditions = workstation.vault.session, kept.conditions(workstation.today())
    page = select(CaseRow).where(*conditions).order_by(*QUEUE).offset(first).limit(-1 if count is None else count)
    length = session.scalar(select(func.count()).select_from(CaseRow).where(*conditions)) or 0
    return [_row(each) for each in session.scalars(page)], length


def refresh(workstation: Workstation) -> None:
    """Compute the columns of the cases that have changed, or of all after a new manifest."""
    station, session = workstation.vault.station, workstation.vault.session
    newest, today = next(reversed(workstation.trust.serials()), None), workstation.today()
    again, turned = station.listed_serial != newest, station.listed_on != today
    if not again and not turned and session.scalar(select(CaseRow.id).where(CaseRow.stale).limit(1)) is None:
        return
    with workstation.change():
        if again:
            mark_all(workstation)
        if turned:  # missing messages are reported for some time only
            session.execute(update(CaseRow).where(CaseRow.faulty).values(stale=True))
        while _settle_some(workstation):
            pass
        workstation.vault.station.listed_serial, workstation.vault.station.listed_on = newest, today


def mark_all(workstation: Workstation) -> None:
    """Have the columns of all cases computed anew by the next `refresh`; use within a change."""
    workstation.vault.session.execute(update(CaseRow).values(stale=True))


def _settle_some(workstation: Workstation) -> bool:
    stale = {hash: (id, before) for id, hash, *before in workstation.vault.connection.execute(STALE)}
    settled = []
    for case in overview.load_all(workstation, [*stale]):
        id, before = stale[case.id]
        settled.append({"case": id, **derived(case, *before)})
    if settled:
        vault_rows.settle(workstation.vault.connection, settled)
    return bool(settled)


def derived(case: Case, start: str | None = None, files: bool = False) -> dict[str, Any]:
    """The derived columns of a case; `start`: the beginning of its first message, if that was opened before.

    `files`: whether a message that was opened before has files; those that are not opened here may have some.
    """
    *flags, due, _ = overview.order(case)
    return {
        "rank": rank(flags),
        "due": due,
        "status": case.status,
        "urgent": case.urgent,
        "reopened": case.reopened,
        "unread": case.unread,
        "deadlines": [[each.day.isoformat(), each.what, each.written] for each in case.deadlines],
        "faulty": bool(case.faults),
        "claimed": case.claimed,
        "channel": case.report.channel if case.report else None,
        "language": case.report.language if case.report else None,
        "stated": list(case.stated),
        "answers": case.given.facets,
        "named": list(dict.fromkeys((*signs.named(case.entries), *_continued(case)))),
        "muted": case.muted,
        "files": files or any(isinstance(each.message, Body) and each.message.attachments for each in case.entries),
        "start": _start(case) if start is None else start,
        "away": absences.to_record(case),
    }


def _continued(case: Case) -> list[str]:
    """The digits of the case that this one says it continues, and the proof if the key that it names signed that."""
    continued = case.report.continues if case.report else None
    if continued is None:
        return []
    said = signs.digits(reference(bytes.fromhex(continued.case)))
    try:
        continuation.verify(continued, case.id)
    except ProtocolError:
        return [said]
    return [said, signs.proof(continued.case, continued.sign)]


def rank(flags: Sequence[object]) -> int:
    """The flags of `overview.order` as one number that sorts like them."""
    return sum(bool(flag) << place for place, flag in enumerate(reversed(flags)))


def _start(case: Case) -> str | None:
    first = case.entries[0].opened
    if first is None:
        return None
    return first.text[:START] if isinstance(first, Body) else ""


def listed(column: Sequence[Any]) -> list[Deadline]:
    """The deadlines of a case from its row."""
    return [Deadline(datetime.date.fromisoformat(day), what, written) for day, what, written in column]


def _row(row: CaseRow) -> Row:
    return Row(
        row.hash,
        row.title,
        tuple(row.labels),
        tuple(row.stated),
        row.muted,
        row.status,
        row.urgent,
        row.reopened,
        row.unread,
        deadlines.nearest(listed(row.deadlines)),
        row.faulty,
        row.claimed,
        row.channel,
        ADVICE_FACET in row.answers,
        row.start,
    )
