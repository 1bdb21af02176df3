"""Judging the messages of a part, and those that wait, until no more can be saved.

The work is linear in what came: a case is judged again only while the set of people who may write in it changes, and
what its messages say about that is read once.  What is known of many messages is asked at once, and many are written
at once.
"""

import datetime
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields

from whistle.protocol.case.message import ByReporter, Grant, Report, Signed
from whistle.protocol.transfer.listing import Member
from whistle.workstation.exchange import admission
from whistle.workstation.exchange.admission import Breach, Damaged, LeftOut, Rules
from whistle.workstation.exchange.waiting import Arrival, Room, Waiting
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.workstation import Kept, Workstation

BATCH = 8 * 1024**2  # bytes of lines that are held in memory before they are judged
CHUNK = 200  # reports judged, and messages written, at once
SHOWN = 20  # findings in a result; anyone can cause some


@dataclass(frozen=True)
class New:
    """A message that was saved: its hash, case and kind."""

    hash: str
    case: str
    kind: str


@dataclass
class Imported:
    """The result of an import.  `findings` are lines for the reviewer; they reveal nothing of what messages say."""

    parts: int = 0
    manifests: int = 0
    blocks: int = 0
    kept: list[New] = field(default_factory=list)
    not_mine: int = 0
    repeated: int = 0
    damaged: int = 0
    waiting: int = 0
    no_room: int = 0
    altered: list[str] = field(default_factory=list)
    written: list[datetime.date] = field(default_factory=list)  # by the courier, each part that was sound
    findings: list[str] = field(default_factory=list)

    def add(self, part: "Imported") -> None:
        """Add the result of one more part, once it is committed."""
        for name in (each.name for each in fields(self) if each.name != "waiting"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.waiting = part.waiting  # a total already

    @property
    def cases(self) -> list[str]:
        """The cases with new messages."""
        return list(dict.fromkeys(each.case for each in self.kept))

    def lines(self) -> list[str]:
        """The result in words."""
        where = t("batches.where", len(self.cases))
        lines: list[str] = [t("batches.new", len(self.kept), where=where)]
        if self.damaged:
            lines.append(t("batches.damaged", self.damaged))
        if self.waiting:
            lines.append(t("batches.waiting", self.waiting))
        if self.no_room:
            lines.append(t("batches.no_room", self.no_room))
        if self.manifests:
            lines.append(t("batches.manifest"))
        findings = list(dict.fromkeys(self.findings))
        left = len(findings) - SHOWN
        more = [t("batches.more", left)] if left > 0 else []
        return [*lines, *self.altered, *findings[:SHOWN], *more]


class Judge:
    """Judges one part's messages, within one change; `no_room` are the members whose messages could not even wait."""

    def __init__(self, workstation: Workstation, written: datetime.date, result: Imported) -> None:
        self._workstation = workstation
        self._reports: list[Arrival] = []
        self._arrivals: list[Arrival] = []
        self._bytes = 0
        self._known: set[str] = set()  # of those that are being judged, the messages that are stored or to be written
        self._new: list[Kept] = []  # to be written
        self._remarks: list[tuple[str, Remark]] = []  # to be written after them, each with its case
        self._room = Room(workstation)
        self._room.tidy(written)
        self._manifests = 0  # that were new when messages were last judged
        self.result = result
        self.no_room: set[Member] = set()

    def add(self, arrival: Arrival) -> None:
        """Have a message judged: a report soon, any other with the rest of the part or once there are many."""
        if isinstance(arrival.signed.message, Report):
            self._reports.append(arrival)
            if len(self._reports) == CHUNK:
                self._judge_reports()
            return
        self._arrivals.append(arrival)
        self._bytes += len(arrival.signed.line)
        if self._bytes >= BATCH:
            self._judge(set())

    def finish(self, blocks: Collection[bytes]) -> None:
        """Judge what is left, now that these blocks are here."""
        self._judge(blocks)
        self._room.save()
        self.result.waiting, self.result.no_room = len(self._room), len(self.no_room)

    def _judge_reports(self) -> None:
        """Judge the reports, of which none depends on another message."""
        reports, self._reports = self._reports, []
        self._ask([each.signed for each in reports])
        for arrival in reports:
            self._take(arrival, Rules(self._workstation, arrival.signed.message.case))
        self._write()

    def _judge(self, blocks: Collection[bytes]) -> None:
        self._judge_reports()
        new = self.result.manifests > self._manifests
        left = [*self._arrivals, *self._room.due((), blocks, new)]
        grown = {each.case for each in self.result.kept} | {
            arrival.signed.message.case for arrival in left if isinstance(arrival.signed.message, ByReporter | Grant)
        }
        left += self._room.due(grown, (), False)
        self._manifests, self._arrivals, self._bytes = self.result.manifests, [], 0
        self._ask([each.signed for each in left])
        by_case: dict[str, list[Arrival]] = {}
        for arrival in sorted(left, key=lambda each: admission.order(each.signed)):
            by_case.setdefault(arrival.signed.message.case, []).append(arrival)
        for case, arrivals in by_case.items():
            self._judge_case(arrivals, Rules(self._workstation, case))
        self._write()

    def _judge_case(self, arrivals: list[Arrival], rules: Rules) -> None:
        """Judge messages of one case again and again, until the set of people who may write in it no longer changes."""
        before: Sequence[str] | None = None
        waits: dict[str, Waiting] = {}
        while arrivals and before != rules.case.allowed:
            before, judged = rules.case.allowed, [(each, self._take(each, rules)) for each in arrivals]
            arrivals = [each for each, why in judged if why]
            waits = {each.signed.hash: why for each, why in judged if why}
        for arrival in arrivals:
            why = waits[arrival.signed.hash]
            if not self._room.keep(arrival, why) and arrival.member:
                self.no_room.add(arrival.member)

    def _take(self, arrival: Arrival, rules: Rules) -> Waiting | None:
        """Save a message or refuse it; returns why it has to wait, if it has to."""
        signed, result = arrival.signed, self.result
        try:
            if not self._is_repeated(arrival):
                day = arrival.server or self._workstation.today()
                self._save(arrival, admission.judge(self._workstation, signed, day, rules), rules)
        except Waiting as why:
            return why
        except Damaged:
            result.damaged += 1
        except LeftOut:
            result.not_mine += 1
        except Breach as breach:
            result.findings.append(t("batches.refused", why=breach.message))
            self._remarks.append((signed.message.case, breach.remark))
        self._room.remove(signed.hash)
        return None

    def _is_repeated(self, arrival: Arrival) -> bool:
        """Whether there is nothing new in it; a grant that was at the server earlier than recorded may count now."""
        if arrival.signed.hash not in self._known:
            return False
        self._write()  # it may be among these
        self.result.repeated += 1
        is_earlier = self._workstation.note_server(arrival.signed.hash, arrival.server)
        return not (is_earlier and isinstance(arrival.signed.message, Grant))

    def _save(self, arrival: Arrival, verdict: admission.Verdict, rules: Rules) -> None:
        signed, today = arrival.signed, self._workstation.today()
        grantor = getattr(signed.message, "sender", "")
        if verdict.originals:
            self._known |= self._workstation.known([each.hash for each in verdict.originals])
        for original in verdict.originals:
            self._keep(Kept(original, "grant", today, None, None, grantor), rules)
        self._keep(Kept(signed, "envelope", today, arrival.server, None, ""), rules)
        self._remarks += [(signed.message.case, remark) for remark in verdict.remarks]
        if len(self._new) >= CHUNK:
            self._write()

    def _keep(self, kept: Kept, rules: Rules) -> None:
        """Have a message written, unless it is there already, and take it into account."""
        signed = kept.signed
        if signed.hash in self._known:
            self._write()  # it may be among these
            kept = self._workstation.kept(signed.hash)
        else:
            self._known.add(signed.hash)
            self._new.append(kept)
            self.result.kept.append(New(signed.hash, signed.message.case, signed.message.kind))
        rules.add(kept)

    def _ask(self, messages: Iterable[Signed]) -> None:
        """Ask which of these messages are stored."""
        self._known = self._workstation.known([each.hash for each in messages])

    def _write(self) -> None:
        """Save what was judged."""
        if self._new:
            self._workstation.insert(*self._new)
        for case, remark in self._remarks:
            self._workstation.note_fault(case, remark)
        self._new, self._remarks = [], []
