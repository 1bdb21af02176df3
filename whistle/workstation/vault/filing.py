"""What a reviewer notes of a case on this computer alone: a title, labels, and whether it is muted.

None of it is signed or travels.  A muted case leaves the list, and is found by its filter and by searching.  What the
reporter writes does not bring it back, or whoever sends junk could; what a colleague writes in it does.
"""

from collections.abc import Iterable, Sequence

from whistle.protocol.untrusted_text import one_line
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault import index, rows, search
from whistle.workstation.workstation import Workstation

LONGEST_TITLE = 100  # characters
MOST_LABELS, LONGEST_LABEL = 16, 64


def name(workstation: Workstation, case: str, title: str, labels: Iterable[str]) -> None:
    """Give a case a title and labels, instead of those before.  Raises Refused if they are too long."""
    short, words = one_line(title), _words(labels)
    if len(short) > LONGEST_TITLE:
        raise Refused(t("filing.title", LONGEST_TITLE), t("compose.reason_hint"))
    search.fill(workstation)  # so that the index knows the very text that it is told to forget
    _describe(workstation, case, short, words)


def label(workstation: Workstation, cases: Iterable[str], label: str, on: bool = True) -> int:
    """Give all of these cases a label, or take it from them, as one act; how many did not have it, or had it.

    Raises Refused if one of them would get too many; then none gets it.
    """
    [*words], changed = _words([label]), 0
    if not words:
        raise Refused(t("filing.no_label"), t("filing.no_label_hint"))
    search.fill(workstation)
    with workstation.change():
        for case in cases:
            row = workstation.case_row(case)
            if row is None or (words[0] in row.labels) == on:
                continue
            others = [each for each in row.labels if each != words[0]]
            _describe(workstation, case, row.title, [*others, *words] if on else others)
            changed += 1
    return changed


def _describe(workstation: Workstation, case: str, short: str, words: Sequence[str]) -> None:
    if len(words) > MOST_LABELS or any(len(each) > LONGEST_LABEL for each in words):
        raise Refused(t("compose.labels", most=MOST_LABELS, longest=LONGEST_LABEL), t("compose.labels_hint"))
    row = workstation.case_row(case)
    if row is None:
        return
    session, before, after = workstation.vault.session, search.described(row.title, row.labels), (short, words)
    with workstation.change():
        index.remove(session, {-row.id: before} if before else {})
        index.put(session, {-row.id: text} if (text := search.described(*after)) else {})
        rows.change_case(workstation.vault.connection, case, title=short, labels=list(words))


def _words(labels: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(filter(None, map(one_line, labels))))


def mute(workstation: Workstation, case: Case, on: bool = True) -> None:
    """Mute a case, or bring it back."""
    with workstation.change():
        rows.change_case(workstation.vault.connection, case.id, muted_at=len(case.entries) if on else None)
