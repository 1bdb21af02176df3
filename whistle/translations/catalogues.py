"""The catalogues of a program: those that are part of it, and an organisation's own beside its configuration.

There is no fallback to English: a language is whole or refused.  A text that a page fills in or shows must have the
same places as in English and no markup, so that no translation can change what a page is.
"""

import functools
import re
import string
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from whistle.translations import cldr
from whistle.translations.errors import CatalogueError
from whistle.translations.po import Entry, mistake, read
from whistle.translations.translation import Message, Translation

ENGLISH = "en"
REPORTER = "reporter"  # the folder of what reporters read: pages, the browser's program, the command
WORKSTATION = "workstation"  # of what reviewers read on the workstation's page
COMMAND = "command"  # that of what the reporter's command says of mistakes, and its help
REPLIES = "replies"  # of texts with which their replies begin
CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
MARKUP = re.compile(r"<[A-Za-z/!]|&#?[A-Za-z0-9]+;")

FIELD = re.compile(r"[{｛]([^{}｛｝\n]{1,100})[}｝]")  # of a reply
FILLED = frozenset({"reference", "today", "received", "feedback", "role"})  # fields of a reply that Whistle fills in

Entries = Mapping[str, Entry]  # by key
Problem = tuple[str, str]  # what is wrong, and what to do
OfText = Callable[[str, str, Entry], Problem | None]  # takes a text, its key and what it is in English


def shipped(domain: str = REPORTER) -> Mapping[str, Translation]:
    """The translations that are part of Whistle, by language.  Raises CatalogueError."""
    return {code: load(code, domain) for code in files(domain)}


def with_own(folder: Path, wanted: Collection[str], domain: str = REPORTER) -> Mapping[str, Translation]:
    """The wanted ones of these, and all of a folder of `.po` files, if there is one.  Raises CatalogueError.

    A file of a language that Whistle has may hold a few texts, which take the place of ours; that of another language
    must hold all.
    """
    ours = files(domain)
    below = {code: _translated(read(ours[code], code), code) if code in ours else {} for code in _files(folder)}
    own = {code: _whole(code, path, below[code], domain) for code, path in _files(folder).items()}
    return {**{code: load(code, domain) for code in ours if code in wanted}, **own}


def files(domain: str) -> dict[str, Path]:
    """The files that are part of Whistle, by language."""
    return _files(Path(str(resources.files(__package__) / domain)))


@functools.cache
def load(code: str, domain: str = REPORTER) -> Translation:
    """The translation of a language that is part of Whistle.  Raises CatalogueError."""
    return _whole(code, files(domain)[code], {}, domain)


@functools.cache
def english(domain: str = REPORTER) -> Entries:
    """The English texts, by key."""
    return _translated(read(files(domain)[ENGLISH], ENGLISH), ENGLISH)


@functools.cache
def _keys(domain: str) -> Mapping[str, str]:
    return {entry.english[0]: key for key, entry in english(domain).items()}


def key_of(text: str, domain: str) -> str:
    """The key of a text that the code has in English; empty if there is none."""
    return _keys(domain).get(text, "")


def mistakes(path: Path, code: str, entries: Sequence[Entry], domain: str = REPORTER) -> Iterator[CatalogueError]:
    """What is wrong with a file's entries, in its order."""
    for entry in entries:
        if problem := _problem(entry, code, english(domain).get(entry.key), PROBLEMS.get(domain, _problem_of_text)):
            yield mistake(path, entry.line, *problem)


def stale(entries: Sequence[Entry], domain: str = REPORTER) -> list[Entry]:
    """The entries whose English was another one when they were translated."""
    now = english(domain)
    return [entry for entry in entries if entry.key in now and now[entry.key].english != entry.english]


def missing(entries: Container[str], domain: str = REPORTER) -> list[str]:
    """The keys that have no translation."""
    return [key for key in english(domain) if key not in entries]


def _whole(code: str, path: Path, below: Entries, domain: str) -> Translation:
    read_here = read(path, code)
    for error in mistakes(path, code, read_here, domain):
        raise error
    entries = {**below, **_translated(read_here, code)}
    if absent := missing(entries, domain):
        what = f"{absent[0]} is not translated" + (f", nor {len(absent) - 1} more" if absent[1:] else "")
        raise CatalogueError(f"{path.name}: {what}", "translate all that en.po has; `make languages` lists the rest")
    forms = cldr.conventions(code).forms
    return Translation(code, {key: _message(entry, forms) for key, entry in entries.items()})


def _message(entry: Entry, forms: tuple[str, ...]) -> Message:
    texts = entry.texts or entry.english
    return dict(zip(forms, texts, strict=True)) if entry.is_plural else texts[0]


def _translated(entries: Sequence[Entry], code: str) -> Entries:
    """Those that have a text; an English one is its own."""
    return {entry.key: entry for entry in entries if entry.texts or code == ENGLISH}


def _files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their language, sorted.  Raises CatalogueError for a language that nobody knows."""
    files = {path.stem: path for path in sorted(folder.glob("*.po"))}
    for code, path in files.items():
        if not CODE.fullmatch(code) or not cldr.is_known(code):
            raise CatalogueError(f"{path.name} is named after no language", "name it by a code like pt.po or pt-br.po")
    return files


def _problem(entry: Entry, code: str, now: Entry | None, problem_of_text: OfText) -> Problem | None:
    """What is wrong with an entry and what to do, if anything is."""
    if now is None:
        return f"there is no text {entry.key}", "take it out, or look up its name in en.po"
    if entry.fuzzy:
        return f"{entry.key} is marked as fuzzy", "check the translation, and take the mark away"
    if entry.is_plural != now.is_plural:
        needed = "one for each number: msgid_plural and msgstr[0], msgstr[1] …" if now.is_plural else "one msgstr only"
        return f"{entry.key} has another number of forms than in English", f"it needs {needed}"
    if entry.texts and not all(entry.texts):
        form = cldr.conventions(code).forms[entry.texts.index("")]
        return f"{entry.key} has no form for {form}", f"fill in msgstr[{entry.texts.index('')}]"
    return next(filter(None, (problem_of_text(text, entry.key, now) for text in entry.texts)), None)


def _problem_of_text(text: str, key: str, now: Entry) -> Problem | None:
    if MARKUP.search(text):
        return f"{key} holds markup", "write plain text: no <tags>, no &entities;"
    wanted = {name for each in now.english for name in places(each) or ()}
    found = places(text)
    if found is None:
        return f"{key} has a brace without its other half, or something beside a name in braces", _as(wanted)
    if found - {"n"} != wanted - {"n"} or not found <= wanted:
        return f"{key} has other places in braces than in English", _as(wanted)
    return None


def _problem_of_reply(text: str, key: str, now: Entry) -> Problem | None:
    wanted, found = (FIELD.findall(each) for each in (now.english[0], text))
    filled, here = (sorted(FILLED.intersection(each)) for each in (wanted, found))
    if filled != here:
        return f"{key} has other fields to be filled in than in English", _as(filled)
    if len(found) != len(wanted):
        return f"{key} has another number of fields in curly brackets than in English", f"it has {len(wanted)}"
    return None


PROBLEMS: Mapping[str, OfText] = {REPLIES: _problem_of_reply}  # of the texts of a domain; of any other, as on pages


def _as(wanted: Collection[str]) -> str:
    names = ", ".join("{" + name + "}" for name in sorted(wanted))
    return f"it has {names}, unchanged" if names else "it has no braces"


def places(text: str) -> set[str] | None:
    """The names in braces, which values take the place of; None unless they are nothing but names."""
    try:
        parts = [part for part in string.Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return None
    if any(not name or not name.isidentifier() or spec or conversion for _, name, spec, conversion in parts):
        return None
    return {str(name) for _, name, _, _ in parts}
