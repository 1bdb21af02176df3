"""The full-text index inside the vault: contentless, so that it holds no second copy of what messages say.

A message stands in it under its row; a case's own title and labels stand under its row, negated.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session
from sqlcipher3 import dbapi2

from whistle.workstation.vault.storage import Vault
from whistle.workstation.vault.terms import query, terms

MOST = 50  # messages found at once; the newest

_WORDS = "CREATE VIRTUAL TABLE words USING fts5(body, content='', tokenize='unicode61 remove_diacritics 2')"
_PUT = text("INSERT INTO words(rowid, body) VALUES (:id, :body)")
_REMOVE = text("INSERT INTO words(words, rowid, body) VALUES ('delete', :id, :body)")
_EMPTY = text("INSERT INTO words(words) VALUES ('delete-all')")
_CHECK = text("INSERT INTO words(words, rank) VALUES ('integrity-check', 0)")
_SIZE = text("SELECT count(*) FROM words_docsize")
_FIND = text(
    "SELECT cases.hash, cases.title, cases.labels, messages.kept_text, "
    "(SELECT count(*) FROM messages AS before WHERE before.case_id = cases.id AND before.id <= messages.id) "
    "FROM words "
    "JOIN messages ON messages.id = words.rowid JOIN cases ON cases.id = messages.case_id "
    "WHERE words MATCH :query AND words.rowid > 0 ORDER BY words.rowid DESC LIMIT :count"
)
_FIND_CASES = text(
    "SELECT cases.hash, cases.title, cases.labels, '', 0 FROM words JOIN cases ON cases.id = -words.rowid "
    "WHERE words MATCH :query AND words.rowid < 0 ORDER BY words.rowid LIMIT :count"
)


def put(session: Session, texts: dict[int, str]) -> None:
    """Add texts by their rows; the very texts must be known when they are removed."""
    if texts:
        session.execute(_PUT, [{"id": id, "body": terms(each)} for id, each in texts.items()])


def remove(session: Session, texts: dict[int, str]) -> None:
    """Remove texts by their rows; nothing of them is left in the file."""
    if texts:
        session.execute(_REMOVE, [{"id": id, "body": terms(each)} for id, each in texts.items()])


def empty(session: Session) -> None:
    """Remove everything, to make the index anew."""
    session.execute(_EMPTY)


def check(session: Session) -> None:
    """Raise VaultForeign if the index is damaged."""
    session.execute(_CHECK)


def size(session: Session) -> int:
    """How many texts it knows."""
    return session.scalar(_SIZE) or 0


def matching(texts: Sequence[str], typed: str) -> list[int]:
    """The places of those texts in which all words stand that were typed; they are indexed in memory alone."""
    asked = query(typed)
    if not asked or not texts:
        return []
    with contextlib.closing(dbapi2.connect(":memory:")) as memory:
        memory.execute(_WORDS)
        memory.executemany("INSERT INTO words(rowid, body) VALUES (?, ?)", enumerate(map(terms, texts)))
        return [place for (place,) in memory.execute("SELECT rowid FROM words WHERE words MATCH ?", [asked])]


def search(vault: Vault, typed: str, count: int = MOST) -> Iterator[tuple[str, str, tuple[str, ...], str, int]]:
    """The newest cases whose title and labels hold all words that were typed, then the newest such messages.

    Of each message its case with title and labels, its text as it was indexed, and its number in the case from 1; of
    a case the same with an empty text and number 0.
    """
    asked = {"query": query(typed), "count": count}
    statements = (_FIND_CASES, _FIND) if asked["query"] else ()
    for statement in statements:
        for case, title, labels, said, number in vault.session.execute(statement, asked):
            yield case, title, tuple(json.loads(labels)), said, number
