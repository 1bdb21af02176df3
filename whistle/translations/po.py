"""One gettext file: its entries with their lines, and what is wrong with the file itself.

`msgctxt` is a text's key, `msgid` its English when it was translated, `msgstr` the translation.  It is read strictly:
tools that are not take quietly what is no line of such a file, and a key that stands there twice.
"""

import gettext
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from whistle.translations import cldr
from whistle.translations.errors import CatalogueError

LINE = re.compile(
    r'\s*(?:(#.*)|(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[[0-9]\])?)\s+)?"((?:[^"\\]|\\[nt"\\])*)")?\s*'
)
ESCAPED = {"n": "\n", "t": "\t"}
FORMS = re.compile(r"Plural-Forms:\s*nplurals\s*=\s*([0-9]+)\s*;\s*plural\s*=([^;\n]+)")
SYNTAX = 'a line is a comment with #, or msgctxt, msgid, msgid_plural or msgstr and a text in "…", on one line'


@dataclass(frozen=True)
class Entry:
    """A text under its key: in English, as a pair if a number chooses the form, and translated, a text for each form.

    `texts` is empty if it is not translated; `line` is that of its msgid.
    """

    key: str
    english: tuple[str, ...]
    texts: tuple[str, ...]
    line: int
    fuzzy: bool = False

    @property
    def is_plural(self) -> bool:
        """Whether a number chooses the form."""
        return len(self.english) > 1


@dataclass
class _Block:
    """The lines of one entry."""

    texts: dict[str, str] = field(default_factory=dict)  # by keyword
    line: int = 0
    fuzzy: bool = False

    @property
    def is_full(self) -> bool:
        """Whether a translation has come, so that any other keyword begins the next one."""
        return any(word.startswith("msgstr") for word in self.texts)


def read(path: Path, code: str) -> list[Entry]:
    """The entries of a file in a language, in its order.  Raises CatalogueError."""
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except OSError as exc:
        raise CatalogueError(f"{path.name} cannot be read", "see that the server may read it") from exc
    except UnicodeDecodeError as exc:
        line = path.read_bytes()[: exc.start].count(b"\n") + 1
        raise mistake(path, line, "these bytes are no UTF-8", "save the file as UTF-8") from exc
    blocks = list(_blocks(path, lines))
    header = next((block for block in blocks if not block.texts.get("msgid") and "msgctxt" not in block.texts), None)
    _check_header(path, lines, header, code)
    entries: dict[str, Entry] = {}
    for block in blocks:
        if block is not header:
            entry = _entry(path, block, code)
            if entry.key in entries:
                told = f"{entry.key} stands in line {entries[entry.key].line} too"
                raise mistake(path, entry.line, told, "take one of them out")
            entries[entry.key] = entry
    return list(entries.values())


def mistake(path: Path, line: int, what: str, hint: str) -> CatalogueError:
    """The error for a line of a file."""
    return CatalogueError(f"{path.name}, line {line}: {what}", hint)


def _blocks(path: Path, lines: Sequence[str]) -> Iterator[_Block]:
    block, last = _Block(), ""
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        if not match:
            raise mistake(path, number, "this is no line of a .po file", SYNTAX)
        comment, word, text = match.groups()
        if block.is_full and (comment or word in ("msgctxt", "msgid")):
            yield block
            block, last = _Block(), ""
        if comment:
            block.fuzzy |= comment.startswith("#,") and "fuzzy" in comment
        elif (word and word in block.texts) or (text is not None and not (word or last)):
            raise mistake(path, number, "this text belongs to nothing before it", SYNTAX)
        elif text is not None:
            last = word or last
            block.texts[last] = block.texts.get(last, "") + re.sub(r"\\(.)", _escaped, text)
            block.line = number if word == "msgid" else block.line or number
    if block.texts:
        yield block


def _escaped(match: re.Match[str]) -> str:
    return ESCAPED.get(match[1], match[1])


def _check_header(path: Path, lines: Sequence[str], header: _Block | None, code: str) -> None:
    """The header must say how forms are chosen, and that as CLDR does."""
    forms = cldr.conventions(code).forms
    line = next((number for number, text in enumerate(lines, 1) if text.startswith('"Plural-Forms:')), 1)
    hint = f"it has nplurals={len(forms)}, in this order: {', '.join(forms)}"
    found = FORMS.search(header.texts.get("msgstr", "")) if header else None
    try:
        choose = gettext.c2py(found[2].strip()) if found else None
        chosen = [choose(n) for n in cldr.COUNTS] if choose else []
    except ValueError as exc:
        raise mistake(path, line, "Plural-Forms cannot be read", hint) from exc
    meant = [forms.index(cldr.plural_form(code, n)) for n in cldr.COUNTS]
    if not found or int(found[1]) != len(forms) or chosen != meant:
        raise mistake(path, line, "Plural-Forms is missing, or chooses other forms than CLDR does", hint)


def _entry(path: Path, block: _Block, code: str) -> Entry:
    given, line = block.texts, block.line
    if not given.get("msgctxt"):
        raise mistake(path, line, "this entry has no msgctxt", "give it the key that en.po has for it")
    english = tuple(given[word] for word in ("msgid", "msgid_plural") if word in given)
    is_plural = len(english) > 1
    wanted = [f"msgstr[{index}]" for index in range(len(cldr.conventions(code).forms))] if is_plural else ["msgstr"]
    if (
        "msgid" not in given
        or not block.is_full
        or any(word.startswith("msgstr") and word not in wanted for word in given)
    ):
        raise mistake(path, line, f"{given['msgctxt']} has other lines than it needs", f"msgid and {', '.join(wanted)}")
    texts = tuple(given.get(word, "") for word in wanted)
    return Entry(given["msgctxt"], english, texts if any(texts) else (), line, block.fuzzy)
