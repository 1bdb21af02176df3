"""Mismatches between a case's messages and what this workstation knows.

They are computed whenever a case is read and never stored, since the manifest or the grant that explains a message may
come after it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from whistle.protocol.case.message import ByReporter, ByReviewer, Message, Reply, Signed
from whistle.protocol.trust.manifest import RECOVERY
from whistle.workstation.cases import grants, naming
from whistle.workstation.language import t
from whistle.workstation.remarks import Remark
from whistle.workstation.trust import Trust
from whistle.workstation.workstation import Workstation

Lanes = Callable[[str, int], Sequence[int]]  # of a reviewer, by the number of slots


def remarks(messages: Iterable[Signed], lanes: Lanes | None, trust: Trust) -> Iterator[Remark]:
    """One for each message that was sealed with another manifest, or lies in a lane that is not its sender's.

    `lanes` is None as long as the report has not come.
    """
    lanes_of: dict[str, Sequence[int]] = {}
    for signed in messages:
        content = signed.message
        yield from _manifest(content, trust)
        if isinstance(content, Reply) and lanes:
            by = content.sender
            if by not in lanes_of:
                lanes_of[by] = lanes(by, trust.newest().manifest.slots)
            if content.lane not in lanes_of[by]:
                what = naming.by_of_day(content, by)
                text = t("mismatches.lane", message=what)
                yield Remark(text, by, "lane")


def _manifest(content: Message, trust: Trust) -> Iterator[Remark]:
    assert isinstance(content, ByReporter | ByReviewer)
    serials, named = trust.serials(), content.keys
    if not serials or named.serial < serials[0]:
        return
    if named.serial in serials and trust.manifest(named.serial).hash == named.hash:
        return
    what = naming.of_day(content)
    text: str = t("mismatches.other_manifest", message=what, number=named.serial)
    if named.serial > serials[-1]:
        text = t("mismatches.newer_manifest", message=what, number=named.serial)
    yield Remark(text, content.sender if isinstance(content, ByReviewer) else "", "manifest")


def waiting(counts: Mapping[str, int]) -> Iterator[Remark]:
    """One for each reviewer of whom messages wait; `counts` says how many.

    Whoever names somebody as let in, and hides the grant from one reader, would cut that reader off unnoticed.
    """
    for by, count in sorted(counts.items()):
        text = t("mismatches.waits", count, by=by)
        yield Remark(text, by, "waits")


def crowd(allowed: Iterable[str], workstation: Workstation) -> Iterator[Remark]:
    """One if more people were let in than a message reaches: by grants that crossed, or a colleague's own program."""
    newest = workstation.trust.newest().manifest
    active = {each.id for each in newest.active()} | ({RECOVERY} if newest.recovery else set())
    readers = [id for id in allowed if id in active]
    others = [id for id in readers if id not in grants.fitting(readers, (workstation.me,), newest.slots)]
    if others:
        text = t("mismatches.crowd", count=len(readers), slots=newest.slots, others=", ".join(others))
        yield Remark(text, "", "crowd")
