"""One gettext file: its entries with their lines, and what is wrong with the file itself.

`msgctxt` is a text's key, `msgid` its English when it was translated, `msgstr` the translation.  Babel reads the files,
but takes quietly what is no line of such a file, and a key that stands there twice; that is looked for here.
"""

import gettext
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

from whistle.translations import cldr
from whistle.translations.errors import CatalogueError

LINE = re.compile(r'\s*(#.*|((msgctxt|msgid|msgid_plural|msgstr(\[[0-9]\])?)\s+)?"([^"\\]|\\[nt"\\])*")?\s*')
KEY = re.compile(r'\s*msgctxt\s+"([^"]*)"')
HEADERS = ("Content-Type", "Language", "Plural-Forms")
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


def read(path: Path, code: str) -> list[Entry]:
    """The entries of a file in a language, in its order.  Raises CatalogueError."""
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except OSError as exc:
        raise CatalogueError(f"{path.name} cannot be read", "see that the server may read it") from exc
    except UnicodeDecodeError as exc:
        line = path.read_bytes()[: exc.start].count(b"\n") + 1
        raise mistake(path, line, "these bytes are no UTF-8", "save the file as UTF-8") from exc
    _check_lines(path, lines)
    try:
        catalog = read_po(lines, abort_invalid=True)
    except PoFileError as exc:
        raise mistake(path, exc.lineno + 1, str(exc).rpartition(" on ")[0], SYNTAX) from exc
    except ValueError as exc:  # of a header
        raise mistake(path, 1, f"the header is not as it should be: {exc}", "copy the header of en.po") from exc
    _check_header(path, lines, catalog, code)
    return [_entry(path, message) for message in catalog if message.id]


def mistake(path: Path, line: int, what: str, hint: str) -> CatalogueError:
    """The error for a line of a file."""
    return CatalogueError(f"{path.name}, line {line}: {what}", hint)


def _check_lines(path: Path, lines: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not LINE.fullmatch(line):
            raise mistake(path, number, "this is no line of a .po file", SYNTAX)
        if match := KEY.match(line):
            if match[1] in seen:
                raise mistake(path, number, f"{match[1]} stands in line {seen[match[1]]} too", "take one of them out")
            seen[match[1]] = number


def _check_header(path: Path, lines: Sequence[str], catalog: Catalog, code: str) -> None:
    """The header must say how forms are chosen, and that as CLDR does."""
    forms = cldr.conventions(code).forms
    line = next((number for number, text in enumerate(lines, 1) if text.startswith('"Plural-Forms:')), 1)
    hint = f"it has nplurals={len(forms)}, in this order: {', '.join(forms)}"
    try:
        choose = gettext.c2py(catalog.plural_expr) if line > 1 else None
        chosen = [choose(n) for n in cldr.COUNTS] if choose else []
    except ValueError as exc:
        raise mistake(path, line, "Plural-Forms cannot be read", hint) from exc
    if len(forms) != catalog.num_plurals or chosen != [forms.index(cldr.plural_form(code, n)) for n in cldr.COUNTS]:
        raise mistake(path, line, "Plural-Forms is missing, or chooses other forms than CLDR does", hint)


def _entry(path: Path, message: Message) -> Entry:
    line = message.lineno or 1
    if not message.context:
        raise mistake(path, line, "this entry has no msgctxt", "give it the key that en.po has for it")
    english = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    return Entry(message.context, english, texts if any(texts) else (), line, message.fuzzy)
