"""The full-text index inside the vault: contentless, so that it holds no second copy of what messages say."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from whistle.workstation.vault.storage import Vault
from whistle.workstation.vault.terms import query, terms

MOST = 50  # messages found at once; the newest

_PUT = text("INSERT INTO words(rowid, body) VALUES (:id, :body)")
_REMOVE = text("INSERT INTO words(words, rowid, body) VALUES ('delete', :id, :body)")
_EMPTY = text("INSERT INTO words(words) VALUES ('delete-all')")
_CHECK = text("INSERT INTO words(words, rank) VALUES ('integrity-check', 0)")
_SIZE = text("SELECT count(*) FROM words_docsize")
_FIND = text(
    "SELECT cases.hash, messages.hash, messages.kept_text, "
    "(SELECT count(*) FROM messages AS before WHERE before.case_id = cases.id AND before.id <= messages.id) "
    "FROM words "
    "JOIN messages ON messages.id = words.rowid JOIN cases ON cases.id = messages.case_id "
    "WHERE words MATCH :query ORDER BY words.rowid DESC LIMIT :count"
)


@dataclass(frozen=True)
class Found:
    """A message by its case and hash, its text as it was indexed, and its number in the case from 1."""

    case: str
    hash: str
    text: str
    number: int


def put(session: Session, texts: dict[int, str]) -> None:
    """Add messages' texts by the messages' row; the very texts must be known when they are removed."""
    if texts:
        session.execute(_PUT, [{"id": id, "body": terms(each)} for id, each in texts.items()])


def remove(session: Session, texts: dict[int, str]) -> None:
    """Remove messages' texts; nothing of them is left in the file."""
    if texts:
        session.execute(_REMOVE, [{"id": id, "body": terms(each)} for id, each in texts.items()])


def empty(session: Session) -> None:
    """Remove everything, to make the index anew."""
    session.execute(_EMPTY)


def check(session: Session) -> None:
    """Raise VaultForeign if the index is damaged."""
    session.execute(_CHECK)


def size(session: Session) -> int:
    """How many messages it knows."""
    return session.scalar(_SIZE) or 0


def search(vault: Vault, typed: str, count: int = MOST) -> Sequence[Found]:
    """The newest messages that hold all words that were typed."""
    asked = query(typed)
    rows = vault.session.execute(_FIND, {"query": asked, "count": count}) if asked else ()
    return [Found(*row) for row in rows]
