"""Searching what messages say and cases are called: keeping the index in step, and excerpts with what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, select, text, update

from whistle.protocol.case.message import Body, FollowUp, Message, Report, Status
from whistle.protocol.code.retrieval import reference
from whistle.protocol.reporter.questions import ASKED, URGENT, YES
from whistle.workstation.cases import entries
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import index, rows, terms
from whistle.workstation.vault.models import MessageRow
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import UNSYNCED, Workstation

DESCRIBED = (CASES.c.title != "") | (CASES.c.labels != [])
LACKING = text("messages.indexed != 1")  # as an index of the table says
SLICE = 200  # messages given to the index in one transaction
ROOM = 4 * 1024**2  # characters of theirs; the last one may be longer
BEFORE, LENGTH = 60, 240  # characters of an excerpt: before the first word that was found, and in all
MARKED = 20_000  # characters of a message in which words are marked


@dataclass(frozen=True)
class Hit:
    """A message that was found: an excerpt in pieces, each with whether it is one of the words.

    With number 0: a case by its title or labels, without excerpt; or `unsent`, what waits in the tray or is a draft.
    """

    case: str
    title: str
    labels: tuple[str, ...]
    number: int  # of the message in its case, from 1
    excerpt: tuple[tuple[str, bool], ...]
    unsent: str = ""  # tray or draft

    @property
    def reference(self) -> str:
        """The reference of its case."""
        return reference(bytes.fromhex(self.case))


def find(workstation: Workstation, typed: str) -> list[Hit]:
    """What all words stand in that were typed: what is not sent yet, cases by title and labels, the newest messages."""
    fill(workstation)
    found = index.search(workstation.vault, typed)
    sent = [Hit(case, title, labels, number, excerpt(text, typed)) for case, title, labels, text, number in found]
    return [*_unsent(workstation, typed), *sent]


def _unsent(workstation: Workstation, typed: str) -> list[Hit]:
    """What is found in the tray and in drafts, which are few and change often, so that they are not in the index."""
    waiting = [*tray.items(workstation), *tray.items(workstation, aside=True)]
    texts = [(each.case, "tray", "\n".join([each.text, *(file.name for file in each.files)])) for each in waiting]
    texts += [(case, "draft", said) for case, said in drafts.texts(workstation)]
    hits = []
    for place in index.matching([each[-1] for each in texts], typed):
        case, where, said = texts[place]
        row = workstation.case_row(case)
        named = (row.title, tuple(row.labels)) if row else ("", ())
        hits.append(Hit(case, *named, 0, excerpt(said, typed), where))
    return hits


def fill(workstation: Workstation, blocks: bool = False) -> None:
    """Give the index what it lacks; `blocks`: those too whose content may have come in blocks meanwhile."""
    session = workstation.vault.session
    if workstation.vault.station.terms != terms.VERSION:
        _begin_anew(workstation)
    if blocks:
        incomplete = MessageRow.indexed == MessageRow.INCOMPLETE
        with workstation.change():
            session.execute(update(MessageRow).where(LACKING, incomplete).values(indexed=0), **UNSYNCED)
    new = select(MessageRow.id, MessageRow.hash).where(LACKING, MessageRow.indexed == MessageRow.NEW)
    while lacking := session.execute(new.order_by(MessageRow.id).limit(SLICE)).all():
        with workstation.change():
            texts = _texts(workstation, lacking)
            index.put(session, {id: text for id, text in texts.items() if text is not None})
            rows.note_indexed(workstation.vault.connection, [_state(id, text) for id, text in texts.items()])


def described(title: str, labels: Sequence[str]) -> str:
    """What the index is given of a case; empty if it is given nothing."""
    return "\n".join(filter(None, [title, *labels]))


def put_described(workstation: Workstation) -> None:
    """Give an index without any of them the titles and labels of all cases; use within a change."""
    columns = select(CASES.c.id, CASES.c.title, CASES.c.labels).where(DESCRIBED)
    named = workstation.vault.connection.execute(columns)
    index.put(workstation.vault.session, {-id: described(title, labels) for id, title, labels in named})


def _texts(workstation: Workstation, lacking: Sequence[Row[int, str]]) -> dict[int, str | None]:
    """The texts of these messages by their rows, or of the first of them, as many as fit in ROOM."""
    texts: dict[int, str | None] = {}
    room = ROOM
    for row, kept in zip(lacking, workstation.messages([row.hash for row in lacking]), strict=True):
        texts[row.id] = text = text_of(workstation, kept.signed.message)
        room -= len(text or "")
        if room < 0:
            break
    return texts


def _state(id: int, text: str | None) -> dict[str, object]:
    return {"message": id, "state": MessageRow.INCOMPLETE if text is None else MessageRow.WHOLE, "text": text}


def _begin_anew(workstation: Workstation) -> None:
    session = workstation.vault.session
    with workstation.change():
        index.empty(session)
        session.execute(update(MessageRow).values(indexed=MessageRow.NEW, kept_text=None), **UNSYNCED)
        put_described(workstation)
        workstation.vault.station.terms = terms.VERSION


def text_of(workstation: Workstation, signed: Message) -> str | None:
    """All that can be searched for in a message: what it says, and the names of its files; None while it is not here.

    What a grant hands over is stored, and searched, as messages of their own.
    """
    content, rest = entries.open_rest(workstation, signed)
    if content is not signed and isinstance(content, Body) and content.attachments:
        rows.note_files(workstation.vault.connection, content.case)  # whether files came is not told by its outside
    if content is not signed and isinstance(content, Report):  # nor what it answers, which may put its case first
        pressing = (content.answers or {}).get(URGENT) == YES
        rows.change_case(workstation.vault.connection, content.case, pressing=pressing)
    elif content is not signed and getattr(content, "answers", None):
        rows.change_case(workstation.vault.connection, content.case)
    return "\n".join(_parts(content)) if rest == "whole" else None


def _parts(content: Message) -> list[str]:
    parts = []
    if isinstance(content, Report | FollowUp) and content.answers:
        parts += [answer for id, answer in sorted(content.answers.items()) if id != ASKED]
    if isinstance(content, Status):
        parts += [*content.labels, content.text]
    if isinstance(content, Body):
        parts += [content.text, *(each.name for each in content.attachments)]
    return [part for part in parts if part]


def excerpt(text: str, typed: str) -> tuple[tuple[str, bool], ...]:
    """The beginning of a text, or its part around the first word that was found, cut at marked words."""
    places = terms.places(text[:MARKED], typed)
    found = next(places, None)
    start = max(found[0] - BEFORE, 0) if found else 0
    end, at = min(start + LENGTH, len(text)), start
    pieces: list[tuple[str, bool]] = []
    while found and found[1] <= end:
        pieces += [(text[at : found[0]], False), (text[slice(*found)], True)]
        at, found = found[1], next(places, None)
    pieces.append((text[at:end], False))
    left, right = "…" if start else "", "…" if end < len(text) else ""
    return tuple(piece for piece in [(left, False), *pieces, (right, False)] if piece[0])
