"""Cases as a reviewer sees them.  Nothing is stored here: everything is computed from a case's messages."""

import datetime
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

from sqlalchemy import bindparam, select

from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import (
    CHECK_IN,
    ByReporter,
    ByReviewer,
    FollowUp,
    Grant,
    Message,
    Note,
    Reply,
    Report,
    Sender,
    Signed,
    Status,
)
from whistle.protocol.code.retrieval import reference
from whistle.protocol.reporter.questions import WAY
from whistle.workstation import remarks
from whistle.workstation.answers import Given
from whistle.workstation.care import signs
from whistle.workstation.cases import chain, grants, mismatches
from whistle.workstation.cases.entries import Entry, entry_of
from whistle.workstation.duties import deadlines, office
from whistle.workstation.duties.clocks import DAY, DIRECTIVE, Office
from whistle.workstation.duties.deadlines import Answer, Deadline
from whistle.workstation.errors import Refused
from whistle.workstation.language import listed, t
from whistle.workstation.vault import rows
from whistle.workstation.vault.models import TrayItem
from whistle.workstation.workstation import Workstation

REPLIES = (
    select(TrayItem.case, TrayItem.fields, TrayItem.known)
    .where(TrayItem.case.in_(bindparam("cases", expanding=True)), TrayItem.what == "reply", TrayItem.aside.is_(False))
    .order_by(TrayItem.id)
)
URGENT = "urgent"  # the label that puts a case first


@dataclass(frozen=True)
class Written:
    """A reply in the tray: its mark, and how many of the reporter's messages were here when it was written."""

    mark: str
    known: int


@dataclass(frozen=True)
class Case:
    """A case: its messages in order of arrival, and its `recorded` faults.  `opened`: how many messages were read.

    `title`, `labels` and `muted_at` (how many messages it had then) are of this workstation alone.
    `pressing`: whether a report that is too long for its envelope says that something is about to happen; None for any
    other, or while that has not been read.
    `tray`: the replies that wait for the next exchange.
    """

    id: str
    entries: tuple[Entry, ...]
    recorded: tuple[str, ...]
    opened: int
    today: datetime.date
    title: str = ""
    labels: tuple[str, ...] = ()
    muted_at: int | None = None
    pressing: bool | None = None
    tray: tuple[Written, ...] = ()
    office: Office = DIRECTIVE

    @property
    def reference(self) -> str:
        """The reference that people may quote."""
        return reference(bytes.fromhex(self.id))

    @cached_property
    def messages(self) -> list[Signed]:
        """The signed messages."""
        return [entry.signed for entry in self.entries]

    @cached_property
    def by_reporter(self) -> list[ByReporter]:
        """The reporter's messages."""
        return [entry.message for entry in self.entries if isinstance(entry.message, ByReporter)]

    @cached_property
    def report(self) -> Report | None:
        """The report, if it has arrived."""
        return next((each for each in self.by_reporter if isinstance(each, Report)), None)

    @property
    def sender(self) -> Sender | None:
        """The reporter's public keys."""
        return self.by_reporter[0].sender if self.by_reporter else None

    @cached_property
    def without(self) -> tuple[str, ...]:
        """Everyone whom the reporter left out in any message."""
        return tuple(dict.fromkeys(id for each in self.by_reporter for id in each.without))

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The readers of the report or, until it arrives, of the first message; their order gives the lanes."""
        first = self.report or (self.by_reporter[0] if self.by_reporter else None)
        return first.readers if first else ()

    @cached_property
    def added(self) -> tuple[str, ...]:
        """Readers whom only a later message of the reporter names."""
        later = dict.fromkeys(id for each in self.by_reporter for id in each.readers)
        return tuple(id for id in later if id not in self.named and id not in self.without)

    @cached_property
    def counting(self) -> tuple[Entry, ...]:
        """The messages that have an effect: those that came before the key that signed them ended (SPEC 7.5)."""
        return tuple(each for each in self.entries if each.ended is None)

    @cached_property
    def handed_on(self) -> list[Signed]:
        """The messages that are granted to others and named to them: all but what came late.

        An original inside a grant counts by its own day, so whoever passed those on would vouch for them.
        """
        return [each.signed for each in self.entries if each.ended is None or each.via == "own"]

    @cached_property
    def all_grants(self) -> tuple[Grant, ...]:
        """Every grant, whether it counts or not."""
        return tuple(each.message for each in self.entries if isinstance(each.message, Grant))

    @cached_property
    def valid_grants(self) -> tuple[Grant, ...]:
        """The grants that count: by somebody who may read, to somebody who was not left out."""
        candidates = [each.message for each in self.counting if isinstance(each.message, Grant)]
        return grants.valid(candidates, (*self.named, *self.added), self.without)

    @cached_property
    def grants(self) -> dict[str, Grant]:
        """Of everybody who was let in, the first grant that counts."""
        first: dict[str, Grant] = {}
        for grant in self.valid_grants:
            if grant.grantee not in self.named:
                first.setdefault(grant.grantee, grant)
        return first

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """Everyone who may read the case."""
        everyone = dict.fromkeys([*self.named, *self.grants, *self.added])
        return tuple(id for id in everyone if id not in self.without)

    def lanes(self, reviewer: str, slots: int) -> tuple[int, ...]:
        """The lanes in which this reviewer's replies count: their own, then those that grants to them name."""
        listed = self.report.readers if self.report else ()
        own = [listed.index(reviewer)] if reviewer in listed else []
        granted = [grant.lane for grant in self.valid_grants if grant.grantee == reviewer and grant.lane >= slots]
        return tuple(dict.fromkeys([*own, *([] if own else granted)]))

    @cached_property
    def replies(self) -> list[Reply]:
        """All known replies, including those whose place was taken."""
        return [entry.message for entry in self.entries if isinstance(entry.message, Reply)]

    @cached_property
    def _last_stated(self) -> list[Entry]:
        """The statuses whose authors had every other; several if neither author knew of the other's."""
        stated = [each for each in self.counting if isinstance(each.message, Status)]
        passed = chain.before([each.signed for each in self.counting], [each.signed for each in stated])
        return [each for each in stated if each.signed.hash not in passed]

    @cached_property
    def standing(self) -> Status | None:
        """The status whose author had every other; of several, the newest by its day, which counts as no later than its
        arrival, and else by its hash, so that all readers come to the same one whatever came first.
        """
        last = max(self._last_stated, key=lambda each: (each.claimed_day, each.signed.hash), default=None)
        return last.message if last and isinstance(last.message, Status) else None

    @cached_property
    def taken_on(self) -> tuple[str, ...]:
        """The readers who have taken the case on; more than one where neither knew of the other."""
        named = {each.message.claimed for each in self._last_stated if isinstance(each.message, Status)}
        return tuple(sorted(named & set(self.allowed)))

    @property
    def claimed(self) -> str:
        """Who answers, if it is somebody who reads the case."""
        named = self.standing.claimed if self.standing else ""
        return named if named in self.allowed else ""

    @property
    def status(self) -> str:
        """new, triage, open, waiting or closed."""
        return self.standing.status if self.standing else "new"

    @cached_property
    def stated(self) -> tuple[str, ...]:
        """The labels of the newest status; until there is one, `urgent` if the reporter says so."""
        if self.standing:
            return self.standing.labels
        return (URGENT,) if self.pressing or (self.pressing is None and self.given.is_urgent) else ()

    @cached_property
    def given(self) -> Given:
        """What the reporter answered, as far as it is at hand."""
        report = next((each for each in self._theirs if isinstance(each.message, Report)), None)
        first = _answers(report.opened) if report else {}
        every = WAY in first  # else a reporter could have everything opened for each list
        later = (each.opened if every else each.message for each in self._theirs)
        return Given(first, [_answers(each) if isinstance(each, FollowUp) else {} for each in later])

    @property
    def urgent(self) -> bool:
        """Whether it has the label `urgent`, or its reporter was harmed."""
        return URGENT in self.stated or self.harmed

    @property
    def harmed(self) -> bool:
        """Whether the reporter says that something has happened to them, and nobody has replied to that."""
        return signs.harmed(self._theirs[max(self._known, default=0) :])

    @property
    def reopened(self) -> bool:
        """Whether the reporter wrote something that the reviewer who closed the case had not seen."""
        closing = self.standing
        if closing is None or self.status != "closed":
            return False
        chain = [each for each in self.counting if isinstance(each.message, ByReviewer) and each.by == closing.sender]
        seen = {hash for each in chain if _seq(each) <= closing.seq for hash in _seen(each)}
        return any(isinstance(each.message, ByReporter) and each.signed.hash not in seen for each in self.entries)

    @property
    def unanswered(self) -> bool:
        """Whether the reporter wrote after the last reply, or what no reply had yet when it was written.

        What the reporter is not shown answers nothing: notices, and replies that came late or lie in another's lane.
        Nor does a check-in, which asks the same whatever they wrote.
        """
        if max(self._known, default=0) < len(self.by_reporter):
            return True
        answered = any(each.known >= len(self.by_reporter) for each in self.tray if each.mark != CHECK_IN)
        return not answered and bool(self._said) and isinstance(self._said[-1], ByReporter)

    @cached_property
    def _said(self) -> list[ByReporter | Reply]:
        """The reporter's messages, and the replies that answer some."""
        both = [each.message for each in self.counting if isinstance(each.message, ByReporter | Reply)]
        return [each for each in both if isinstance(each, ByReporter) or self._answers_some(each)]

    def _answers_some(self, reply: Reply) -> bool:
        return not reply.is_notice and reply.mark != CHECK_IN and self._is_in_lane(reply)

    @property
    def _known(self) -> list[int]:
        """How many of the reporter's messages were here when each of these replies, and of the tray's, was written."""
        tray = (each.known for each in self.tray if each.mark != CHECK_IN)
        replies = [(each, each.message) for each in self.counting if isinstance(each.message, Reply)]
        return [*(self._had(entry, reply) for entry, reply in replies if self._answers_some(reply)), *tray]

    def _had(self, entry: Entry, reply: Reply) -> int:
        """How many of them a reply had: no author had what was not there yet when it came, whatever they claim."""
        return min(reply.have.count, bisect_right(self._days, entry.arrived))

    @cached_property
    def _days(self) -> list[datetime.date]:
        """The days of the reporter's messages, in their order."""
        return sorted(map(_day, self._theirs))

    @property
    def unread(self) -> int:
        """How many messages of others came since the case was last read or, while it is muted, since it was muted."""
        return sum(each.via != "own" for each in self.entries[self._read :])

    @property
    def first_unread(self) -> int:
        """The number of the first of these messages, from 0; how many messages there are if there is none."""
        later = (number for number, each in enumerate(self.entries) if number >= self._read and each.via != "own")
        return next(later, len(self.entries))

    @property
    def _read(self) -> int:
        return max(self.opened, self.muted_at or 0) if self.muted else self.opened

    @cached_property
    def muted(self) -> bool:
        """Whether it was muted, and no colleague has written in it since: they found something in it.

        Passing on messages, and telling the reporter of that, is what workstations do by themselves.
        """
        if self.muted_at is None:
            return False
        later = [each for each in self.entries[self.muted_at :] if each.via != "own" and each.ended is None]
        return not any(
            isinstance(each.message, Note | Status) or (isinstance(each.message, Reply) and not each.message.is_notice)
            for each in later
        )

    @cached_property
    def answers(self) -> list[Answer]:
        """The replies that count as acknowledgement or feedback, those in the tray too."""
        return [each for each in self._written if each.mark != CHECK_IN]

    @cached_property
    def _written(self) -> list[Answer]:
        """The replies that count as something, those in the tray too."""
        signed = [(entry.message, entry.delivered) for entry in self.marked]
        written = [Answer(reply.mark, day) for reply, day in signed if isinstance(reply, Reply)]
        waiting = [each for each in self.tray if (each.mark or self.given.is_advice) and each.known >= self._needed]
        return written + [Answer(each.mark, None) for each in waiting]

    @property
    def _needed(self) -> int:
        """How many of the reporter's messages a reply must know: what was said of advice acknowledges no report."""
        return (self.given.made_report or 0) + 1

    @cached_property
    def marked(self) -> list[Entry]:
        """The signed replies that count as something, except those whose place was taken.

        Advice is answered by any reply with content.
        """
        replies = [(entry, entry.message) for entry in self.counting if isinstance(entry.message, Reply)]
        gone = {old.signed.hash for entry, _ in replies if (old := self.replaced(entry))}
        return [
            entry
            for entry, reply in replies
            if (reply.mark or (self.given.is_advice and not reply.is_notice))
            and self._had(entry, reply) >= self._needed
            and entry.signed.hash not in gone
            and self._is_in_lane(reply)
        ]

    def _is_in_lane(self, reply: Reply) -> bool:
        """Whether a reply lies in its author's lane, where alone it counts for the reporter, as far as is known."""
        return self.report is None or reply.lane in self.lanes(reply.sender, len(self.report.readers))

    def replaced(self, entry: Entry) -> Entry | None:
        """The reply that was sent again as this one; None if it is not here, somebody else's, or said something else.

        So nobody takes back what they said, or hides what another did (SPEC 4.8).
        """
        new = entry.message
        old = self._by_hash.get(new.replaces) if isinstance(new, Reply) else None
        if old is None or not isinstance(new, Reply) or not isinstance(old.message, Reply):
            return None
        return old if new.repeats(old.message) else None

    @cached_property
    def _by_hash(self) -> dict[str, Entry]:
        return {each.signed.hash: each for each in self.entries}

    @property
    def deadlines(self) -> list[Deadline]:
        """The deadlines of the case, earliest first: the legal duties, even if closed, and an agreed day."""
        if not self.by_reporter:
            return []
        legal = deadlines.duties(self.begun, self.answers, self.office, self.given.is_advice)
        agreed = self.standing.deadline if self.standing and self.status != "closed" else None
        again = self.risk.again if self.risk else None
        sent = [each.day for each in self._written if each.mark == CHECK_IN]
        others = [Deadline(day, what) for day, what in ((agreed, "agreed"), (again, deadlines.RISK)) if day]
        check_in = deadlines.check_in(self.check_ins, sent, self.today)
        return sorted([*legal, *others, *check_in], key=lambda each: each.day)

    @property
    def check_ins(self) -> tuple[datetime.date, ...]:
        """The days on which the reporter is to be asked how they are: as a status says, else as the office is used to
        once a report was acknowledged.
        """
        if self.standing and self.standing.check_ins is not None:
            return self.standing.check_ins.days
        acknowledged = any(each.day for each in self.answers) and not self.given.is_advice
        return tuple(self.begun + DAY * number for number in self.office.check_ins) if acknowledged else ()

    @property
    def risk(self) -> Note | None:
        """The newest check of the risk to the reporter."""
        checks = [each.message for each in signs.checks(self.counting)]
        return checks[-1] if checks and isinstance(checks[-1], Note) else None

    @property
    def reported(self) -> datetime.date:
        """The first message's server day, or else the reporter's, but never a day after its arrival."""
        return _day(self.first)

    @property
    def begun(self) -> datetime.date:
        """The day from which duties count: that of the report, or of the message that made advice a report."""
        return _day(self._theirs[self.given.made_report or 0])

    @property
    def first(self) -> Entry:
        """The reporter's first message; of one that was handed over, only the reporter's own day is known."""
        return self._theirs[0]

    @cached_property
    def _theirs(self) -> list[Entry]:
        return [entry for entry in self.entries if isinstance(entry.message, ByReporter)]

    @cached_property
    def faults(self) -> list[str]:
        """What reviewers should look into: faults recorded on import, and what is missing or contradicts."""
        reports = sum(isinstance(each, Report) for each in self.by_reporter)
        twice = [t("overview.twice")] if reports > 1 else []
        arrived = {each.signed.hash: each.arrived for each in self.entries}
        late = {each.signed.hash for each in self.entries if each.ended}
        both = [_both(self.taken_on)] if len(self.taken_on) > 1 else []
        return [*self.recorded, *twice, *both, *self._late(), *chain.faults(self.messages, arrived, self.today, late)]

    def _late(self) -> list[str]:
        late = Counter((each.by, each.ended) for each in self.entries if each.ended)
        return [t("overview.late", count, by=by, day=ended) for (by, ended), count in late.items()]


def _both(ids: Sequence[str]) -> str:
    return t("overview.both", whom=listed(ids))


def _day(entry: Entry) -> datetime.date:
    assert isinstance(entry.message, ByReporter)
    return min(entry.server or entry.message.day, entry.arrived)


def _answers(content: Message | None) -> Mapping[str, str]:
    return (content.answers or {}) if isinstance(content, Report | FollowUp) else {}


def _seq(entry: Entry) -> int:
    assert isinstance(entry.message, ByReviewer)
    return entry.message.seq


def _seen(entry: Entry) -> tuple[str, ...]:
    assert isinstance(entry.message, ByReviewer)
    return entry.message.seen


def load(workstation: Workstation, case: str) -> Case:
    """Load a case from its messages."""
    return next(load_all(workstation, [case]), Case(case, (), (), 0, workstation.today()))


def load_all(workstation: Workstation, cases: Sequence[str]) -> Iterator[Case]:
    """Load those of these cases that have messages; a few are read at once."""
    some: dict[str, list[str]] = {}
    for case, hashes in rows.hashes_by_case(workstation.vault.connection, cases):
        if some and sum(map(len, some.values())) + len(hashes) > rows.CHUNK:
            yield from _load(workstation, some)
            some = {}
        some[case] = hashes
    if some:
        yield from _load(workstation, some)


def _load(workstation: Workstation, some: Mapping[str, list[str]]) -> Iterator[Case]:
    """Load cases with these hashes of messages."""
    messages = iter(workstation.messages([hash for hashes in some.values() for hash in hashes]))
    found = rows.cases(workstation.vault.connection, [*some])
    tray: dict[str, list[Written]] = {}
    for case, fields, known in workstation.vault.session.execute(REPLIES, {"cases": [*some]}):
        tray.setdefault(case, []).append(Written(fields["mark"], known))
    for case, hashes in some.items():
        entries = tuple(entry_of(workstation, kept) for kept in itertools.islice(messages, len(hashes)))
        yield _case(workstation, case, found[case], entries, tray.get(case, ()))


def _case(
    workstation: Workstation, case: str, row: rows.Case, entries: tuple[Entry, ...], tray: Iterable[Written]
) -> Case:
    own = (row.title, tuple(row.labels), row.muted_at, row.pressing)
    read = Case(case, entries, (), row.opened, workstation.today(), *own, tuple(tray), office.of(workstation))
    others = [each.signed for each in entries if each.via != "own"]
    doubts = mismatches.remarks(others, read.lanes if read.report else None, workstation.trust)
    crowd = mismatches.crowd(read.allowed, workstation)
    waits = mismatches.waiting(row.waits)
    faults = reduce(remarks.added, (*doubts, *crowd, *waits), row.recorded)
    return replace(read, recorded=tuple(remarks.lines(faults)))


def mark_read(workstation: Workstation, case: Case) -> None:
    """Record that the reviewer has read all messages of a case."""
    if case.unread:
        workstation.note_opened(case.id, len(case.entries))


def queue(workstation: Workstation) -> list[Case]:
    """All cases: those written to after they were closed, urgent, new or unanswered, others by deadline, closed."""
    return sorted(load_all(workstation, workstation.case_ids()), key=order)


def order(case: Case) -> tuple[bool, bool, bool, bool, datetime.date, str]:
    """The sort key of a case in the queue."""
    day = min((each.day for each in case.deadlines), default=datetime.date.max)
    is_first = case.status == "new" or case.unanswered
    return not case.reopened, case.status == "closed", not case.urgent, not is_first, day, case.id


def find(workstation: Workstation, named: str) -> Case:
    """The case whose reference or hexadecimal id begins with `named`.  Raises Refused unless exactly one does."""
    prefix = "".join(named.split()).replace("-", "").lower()
    cases = workstation.called(prefix) if prefix else []
    if len(cases) != 1:
        if len({reference(bytes.fromhex(case)) for case in cases}) == 1:  # a reporter can cause this
            raise Refused(
                t("overview.same", len(cases)), t("overview.same_hint", ids=", ".join(each[:16] for each in cases))
            )
        several = t("overview.several", len(cases)) if cases else t("overview.none")
        raise Refused(several, t("overview.none_hint"))
    return load(workstation, cases[0])


def files(case: Case) -> Iterable[tuple[Entry, Attachment]]:
    """Every attachment of the case, with its message."""
    return [(each, record) for each in case.entries for record in each.attachments]
